/* gemm_cuda.h: how the CUDA target computes a product, as pure functions of its shape: the tiling of C, and the number
 * of ranges into which K is split.
 *
 * The same on every GPU, so that the bits of a product and the memory it needs are too. Plain C11 and C++17: the
 * compiler plans scratch and chooses the form of a call with it, and the kernels follow it. */
#ifndef PCC_GEMM_CUDA_H
#define PCC_GEMM_CUDA_H

#include "../common/scratch.h"

/* Tiles of C, as rows and columns; the unit of K in which splits are counted; and the greatest number of splits. */
enum { PCC_TILE_128x128, PCC_TILE_128x64, PCC_TILE_64x64, PCC_TILES };
enum { PCC_PRODUCT_STEP = 32, PCC_PRODUCT_MOST_SPLITS = 32 };

typedef struct PccProductPlan {
    int tile;
    int64_t splits;
} PccProductPlan;

static inline int64_t pcc_tile_rows(int tile)
{
    return tile == PCC_TILE_64x64 ? 64 : 128;
}

static inline int64_t pcc_tile_columns(int tile)
{
    return tile == PCC_TILE_128x128 ? 128 : 64;
}

static inline int64_t pcc_product_tiles(int tile, int64_t batch, int64_t m, int64_t n)
{
    return batch * pcc_ceil_div(m, pcc_tile_rows(tile)) * pcc_ceil_div(n, pcc_tile_columns(tile));
}

/* The estimated cost of a product, in units of about 40 ns, on a GPU of 132 multiprocessors that hold 2, 3 or 4 tiles
 * each: a step of all resident tiles takes 12, 11 or 10 units, as smaller tiles read more for each multiplication; with
 * fewer resident tiles it takes less, but not in proportion. A pipeline fills in 4 steps. Partial sums are written and
 * read at 160 KB a unit, by one more launch. */
static inline int64_t pcc_product_cost(int tile, int64_t batch, int64_t m, int64_t n, int64_t k, int64_t splits)
{
    enum { PROCESSORS = 132, LAUNCH = 120, SUMS = 20000 };
    const int64_t holds = tile == PCC_TILE_128x128 ? 2 : tile == PCC_TILE_128x64 ? 3 : 4, step = 14 - holds;
    const int64_t blocks = pcc_product_tiles(tile, batch, m, n) * splits, full = blocks / (PROCESSORS * holds);
    const int64_t rest = pcc_ceil_div(blocks % (PROCESSORS * holds), PROCESSORS);
    const int64_t rounds = full * (holds + 1) + (rest > 0 ? rest + 1 : 0); /* in parts of holds + 1 */
    const int64_t steps = pcc_ceil_div(pcc_ceil_div(k, PCC_PRODUCT_STEP), splits) + 4;
    return rounds * steps * step / (holds + 1) + (splits > 1 ? LAUNCH + batch * m * n * splits / SUMS : 0);
}

/* The cheapest number of splits, with at least 8 steps a split and at most 2^23 partial sums. */
static inline PccProductPlan pcc_product_plan(int64_t batch, int64_t m, int64_t n, int64_t k)
{
    const int64_t most = pcc_min_i64(PCC_PRODUCT_MOST_SPLITS, k / (8 * PCC_PRODUCT_STEP));
    PccProductPlan best = {PCC_TILE_64x64, 1};
    int64_t least = INT64_MAX;
    for (int tile = 0; tile < PCC_TILES; tile++)
        for (int64_t splits = 1; splits == 1 || (splits <= most && splits * batch * m * n <= 1 << 23); splits++) {
            const int64_t cost = pcc_product_cost(tile, batch, m, n, k, splits);
            if (cost < least) {
                least = cost;
                best.tile = tile;
                best.splits = splits;
            }
        }
    return best;
}

/* Partial sums where K is split: [splits, batch, m, n] in the type of the computation. */
static inline size_t pcc_cuda_product_bytes(int64_t batch, int64_t m, int64_t n, int64_t k, size_t compute_bytes)
{
    const int64_t splits = pcc_product_plan(batch, m, n, k).splits;
    return splits == 1 ? 0 : (size_t)(splits * batch * m * n) * compute_bytes;
}

static inline size_t pcc_cuda_gemm_batched_scratch_bytes(int64_t batch, int64_t m, int64_t n, int64_t k,
                                                         size_t compute_bytes)
{
    return pcc_cuda_product_bytes(batch, m, n, k, compute_bytes);
}

static inline size_t pcc_cuda_gemm_scratch_bytes(int64_t m, int64_t n, int64_t k, size_t compute_bytes)
{
    return pcc_cuda_gemm_batched_scratch_bytes(1, m, n, k, compute_bytes);
}

/* ---- forms ------------------------------------------------------------------------------------------------------ */

/* A form names the one kernel that a product needs, so that a program compiles no other: pcc_gemm<float, form>(...).
 * It is a sum of the tile and of these. */
enum {
    PCC_PRODUCT_TILE = 3,       /* mask */
    PCC_PRODUCT_A_ACROSS = 4,   /* A is contiguous across K: its row stride is 1 */
    PCC_PRODUCT_B_ACROSS = 8,   /* B's column stride is 1 */
    PCC_PRODUCT_A_ALIGNED = 16, /* A is read as vectors: see pcc_is_vectors() */
    PCC_PRODUCT_B_ALIGNED = 32,
    PCC_PRODUCT_SPLIT = 64,
    PCC_ANY_FORM = -1 /* all are compiled, and one is chosen at run time */
};

/* Numbers of a vector: 16 bytes of them, but 4 where the product is not one of tensor cores (of two operands of the
 * same 16-bit dtype). */
static inline int64_t pcc_product_vector(int tensor, size_t compute_bytes)
{
    return tensor ? 8 : compute_bytes == 8 ? 2 : 4;
}

/* Can an operand be read as vectors? address: of its first element, or the largest power of two known to divide it. */
static inline int pcc_is_vectors(uintptr_t address, size_t element_bytes, int64_t vector, int64_t batch_stride,
                                 int64_t across, int64_t along)
{
    return along == 1 && address % (element_bytes * (size_t)vector) == 0 && across % vector == 0 &&
           batch_stride % vector == 0;
}

/* The part of a form that the plan decides. Unaligned operands pass through registers, of which the largest tile has
 * none to spare. */
static inline int pcc_plan_form(PccProductPlan plan, int operands)
{
    const int vectors = PCC_PRODUCT_A_ALIGNED + PCC_PRODUCT_B_ALIGNED;
    const int tile = plan.tile == PCC_TILE_128x128 && (operands & vectors) != vectors ? PCC_TILE_128x64 : plan.tile;
    return tile + (plan.splits > 1 ? PCC_PRODUCT_SPLIT : 0);
}

/* The form of pcc_gemm and pcc_gemm_batched for these literals; where the extent of a batch is 1 its strides are 0. */
typedef struct PccFormOperand {
    uintptr_t address;
    size_t element_bytes;
    int64_t batch, row, col;
} PccFormOperand;

static inline int pcc_product_form(int64_t batch, int64_t m, int64_t n, int64_t k, PccFormOperand a, PccFormOperand b,
                                   int tensor, size_t compute_bytes)
{
    const int64_t vector = pcc_product_vector(tensor, compute_bytes);
    const int a_across = a.col != 1 && a.row == 1, b_across = b.row != 1 && b.col == 1;
    int form = (a_across ? PCC_PRODUCT_A_ACROSS : 0) + (b_across ? PCC_PRODUCT_B_ACROSS : 0);
    if (pcc_is_vectors(a.address, a.element_bytes, vector, a.batch, a_across ? a.col : a.row, a_across ? a.row : a.col))
        form += PCC_PRODUCT_A_ALIGNED;
    if (pcc_is_vectors(b.address, b.element_bytes, vector, b.batch, b_across ? b.row : b.col, b_across ? b.col : b.row))
        form += PCC_PRODUCT_B_ALIGNED;
    return form + pcc_plan_form(pcc_product_plan(batch, m, n, k), form);
}

#endif
