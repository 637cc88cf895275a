/* recurrent_cuda.h: the products of a recurrence's steps on the GPU, the scratch, and the forms of its kernels.
 *
 * A step multiplies B rows of states with R, for all directions at once: products of few rows, whose time is that of
 * reading R. K is split until there are blocks for every multiprocessor; the cells' kernel adds the partial sums.
 * Plain C11 and C++17, as gemm_cuda.h. */
#ifndef PCC_RECURRENT_CUDA_H
#define PCC_RECURRENT_CUDA_H

#include "../gemm/gemm_cuda.h"
#include "recurrent_shape.h"

/* ---- products --------------------------------------------------------------------------------------------------- */

/* Rows of R in a step's first product: those of all gates, but of the candidate where a second one is its. */
static inline int64_t pcc_recurrent_first_rows(PccRecurrent shape)
{
    return (pcc_recurrent_parts(shape) == 2 ? 2 : pcc_recurrent_gates(shape)) * shape.width;
}

/* The cheapest tile, of both passes, were K not split. */
static inline int pcc_recurrent_tile(PccRecurrent shape)
{
    const int64_t n = pcc_recurrent_first_rows(shape);
    int best = PCC_TILE_64x64;
    int64_t least = INT64_MAX;
    for (int tile = 0; tile < PCC_TILES; tile++) {
        const int64_t cost = pcc_product_cost(tile, shape.directions, shape.batch, n, shape.width, 1);
        if (cost < least) {
            least = cost;
            best = tile;
        }
    }
    return best;
}

/* As many as make a block a multiprocessor of an H200, of at least 4 steps each. */
static inline int64_t pcc_recurrent_splits(PccRecurrent shape, int64_t n, int64_t k)
{
    enum { PROCESSORS = 132, LEAST = 4 * PCC_PRODUCT_STEP };
    const int64_t tiles = pcc_product_tiles(pcc_recurrent_tile(shape), shape.directions, shape.batch, n);
    const int64_t wanted = pcc_min_i64(PROCESSORS / pcc_max_i64(1, tiles), k / LEAST);
    return pcc_max_i64(1, pcc_min_i64(wanted, PCC_PRODUCT_MOST_SPLITS));
}

/* ---- scratch ---------------------------------------------------------------------------------------------------- */

/* Offsets in bytes: the partial sums of both products, the LSTM's cell states or their cotangents, the hidden states'
 * cotangents, and rows that a product reads, of which there are no others: h0 in the dtype of y, then the states that
 * the reset gate lets through; or, with reset_after, the gates' cotangents. */
typedef struct PccRecurrentScratch {
    size_t sums, inner, cells, carry, initial, rows, bytes;
} PccRecurrentScratch;

/* The place of `count` elements behind what there is. */
static inline size_t pcc_recurrent_reserve(PccRecurrentScratch *scratch, int64_t count, size_t element_size)
{
    const size_t place = scratch->bytes;
    scratch->bytes += pcc_align64((size_t)count * element_size);
    return place;
}

static inline PccRecurrentScratch pcc_recurrent_scratch(PccRecurrent shape, int backward, size_t element_size)
{
    const int64_t states = shape.directions * shape.batch * shape.width, width = shape.width;
    const int64_t first = pcc_recurrent_first_rows(shape), all = states / pcc_max_i64(1, width);
    const int64_t n = backward ? width : first, k = backward ? first : width;
    const int two = pcc_recurrent_parts(shape) == 2, after = shape.cell == PCC_CELL_GRU && !two;
    PccRecurrentScratch scratch = {0, 0, 0, 0, 0, 0, 0};
    scratch.sums = pcc_recurrent_reserve(&scratch, pcc_recurrent_splits(shape, n, k) * all * n, element_size);
    scratch.inner =
        pcc_recurrent_reserve(&scratch, two ? pcc_recurrent_splits(shape, width, width) * states : 0, element_size);
    scratch.cells = pcc_recurrent_reserve(&scratch, shape.cell == PCC_CELL_LSTM ? states : 0, element_size);
    scratch.carry = pcc_recurrent_reserve(&scratch, backward ? states : 0, element_size);
    scratch.initial = pcc_recurrent_reserve(&scratch, backward ? 0 : states, element_size);
    scratch.rows =
        pcc_recurrent_reserve(&scratch, backward ? (after ? 3 * states : 0) : (two ? states : 0), element_size);
    return scratch;
}

static inline size_t pcc_cuda_recurrence_scratch_bytes(PccRecurrent shape, size_t element_size)
{
    return pcc_recurrent_scratch(shape, 0, element_size).bytes;
}

static inline size_t pcc_cuda_recurrence_grad_scratch_bytes(PccRecurrent shape, size_t element_size)
{
    return pcc_recurrent_scratch(shape, 1, element_size).bytes;
}

/* ---- forms ------------------------------------------------------------------------------------------------------ */

/* A form is the sum of its products' one and of this: the cell and the functions that a program compiles. */
#define PCC_RECURRENT_CELL(cell, f, g, h) (((cell) << 20) + ((h) << 16) + ((g) << 12) + ((f) << 8))

static inline int pcc_recurrent_cell_form(PccRecurrent shape)
{
    return PCC_RECURRENT_CELL((int)shape.cell, (int)shape.functions[0], (int)shape.functions[1],
                              (int)shape.functions[2]);
}

/* Of the products of rows [B, H] or [B, k·H] with R; the operands' batch and strides are not read: every place of a row
 * is a multiple of H. */
static inline int pcc_recurrent_product_form(PccRecurrent shape, int backward, PccFormOperand rows,
                                             PccFormOperand weights, int tensor, size_t compute_bytes)
{
    const int64_t vector = pcc_product_vector(tensor, compute_bytes);
    int form = backward ? PCC_PRODUCT_B_ACROSS : 0;
    if (pcc_is_vectors(rows.address, rows.element_bytes, vector, 0, shape.width, 1))
        form += PCC_PRODUCT_A_ALIGNED;
    if (pcc_is_vectors(weights.address, weights.element_bytes, vector, 0, shape.width, 1))
        form += PCC_PRODUCT_B_ALIGNED;
    const PccProductPlan plan = {pcc_recurrent_tile(shape), 1};
    return form + pcc_plan_form(plan, form);
}

#endif
