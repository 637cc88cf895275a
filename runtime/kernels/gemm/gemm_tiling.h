/* gemm_tiling.h: how C is cut into tiles for the given threads.
 *
 * A tile is computed by one thread from start to end, in an order of K that follows from the shape alone: tiles may
 * depend on the number of threads, and the result's bits still do not. */
#ifndef PCC_GEMM_TILING_H
#define PCC_GEMM_TILING_H

#include "gemm_simd.h"
#include "../common/scratch.h"
#include "../common/step.h"

/* Thread scratch: packed B of a tile (one depth block or all), packed A (PCC_GEMM_GROUP rows), the tile's sums. Large
 * tiles pack less; only A has to stay in L2. */
#define PCC_GEMM_B_BYTES ((size_t)1200 << 10)
#define PCC_GEMM_A_BYTES ((size_t)320 << 10)
#define PCC_GEMM_C_BYTES ((size_t)2560 << 10)
#define PCC_GEMM_GROUP (8 * PCC_GEMM_MR)
#define PCC_GEMM_MAX_COLUMNS 768  /* of a tile */
#define PCC_GEMM_MAX_DEPTH 384    /* of a depth block, pcc_gemm_depth() of the smallest element */
#define PCC_GEMM_SPREAD 64        /* contiguous elements that are packed at a time, into panels side by side */
#define PCC_GEMM_MAX_SEGMENTS 128 /* of a panel over a depth block, where A is not packed */
_Static_assert(PCC_GEMM_B_BYTES + PCC_GEMM_A_BYTES + PCC_GEMM_C_BYTES <= PCC_THREAD_SCRATCH, "thread scratch");
_Static_assert(PCC_GEMM_GROUP / PCC_GEMM_MR * PCC_GEMM_MAX_SEGMENTS * (PCC_GEMM_MR + 1) * 8 +
                       PCC_GEMM_GROUP * 256 * 8 <=
                   PCC_GEMM_A_BYTES,
               "listed segments and copied rows of a group, of double the larger");

/* Products of fewer multiply-adds than this cost less than waking the other threads. */
#define PCC_GEMM_SERIAL ((int64_t)192 << 10)

typedef struct PccTiling {
    int64_t rows, columns;           /* of a tile: multiples of the register tile's */
    int64_t row_tiles, column_tiles; /* of a product */
    int64_t threads;
} PccTiling;

static inline int64_t pcc_round_up(int64_t x, int64_t unit)
{
    return (x + unit - 1) / unit * unit;
}

/* mr, nr: of a register tile. Tiles of at most max_rows x max_columns, made smaller along their longer side until those
 * of `jobs` products divide evenly among the threads or there are enough of them to balance. */
PCC_SHARED PccTiling pcc_gemm_tiling(int64_t jobs, int64_t m, int64_t n, int64_t k, int64_t mr, int64_t nr,
                                     int64_t max_rows, int64_t max_columns)
{
    const int64_t threads = jobs * m * n * k < PCC_GEMM_SERIAL ? 1 : pcc_threads();
    int64_t row_cuts = pcc_max_i64(1, pcc_ceil_div(m, max_rows));
    int64_t column_cuts = pcc_max_i64(1, pcc_ceil_div(n, max_columns));
    for (;;) {
        PccTiling t = {.threads = threads};
        t.rows = pcc_round_up(pcc_ceil_div(m, row_cuts), mr);
        t.columns = pcc_round_up(pcc_ceil_div(n, column_cuts), nr);
        t.row_tiles = pcc_ceil_div(m, t.rows);
        t.column_tiles = pcc_ceil_div(n, t.columns);
        const int64_t tiles = jobs * t.row_tiles * t.column_tiles;
        if (tiles % threads == 0 || tiles >= 4 * threads)
            return t;
        if (t.rows >= t.columns && t.rows > 2 * mr)
            row_cuts++;
        else if (t.columns > nr)
            column_cuts++;
        else if (t.rows > mr)
            row_cuts++;
        else
            return t;
    }
}

#endif
