/* gemm_amx.h: products of bf16 pairs in AMX tiles: 16 x 16 sums of 16 rows of A, 16 pairs each, and 16 pairs of K of B.
 *
 * B's panels are those of gemm_pairs.h, A's are [depth / 16][16 rows][16 pairs]: a tile is 1 KiB of contiguous memory.
 * Depths are multiples of 16 pairs. A process has to ask the kernel for the use of tiles; where that is refused the
 * operands are widened, for on the processors that have AMX, vdpbf16ps is half as fast as f32's multiply-add. */
#ifndef PCC_GEMM_AMX_H
#define PCC_GEMM_AMX_H

#include <sys/syscall.h>
#include <unistd.h>

#include "gemm_ahead.h"

long syscall(long number, ...); /* declared here because unistd.h hides it under -std=c11 */

/* May this process use tiles? Linux grants it for good, to all threads (Documentation/arch/x86/xstate.rst). */
PCC_SHARED int pcc_amx_granted(void)
{
    enum { UNKNOWN, REFUSED, GRANTED, ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    static int known = UNKNOWN;
    int state = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (state == UNKNOWN) {
        state = syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 ? GRANTED : REFUSED;
        __atomic_store_n(&known, state, __ATOMIC_RELAXED);
    }
    return state == GRANTED;
}

/* Palette 1: eight tiles of 16 rows of 64 bytes. A thread releases them when it is done, so that its context switches
 * stay cheap. */
PCC_KERNEL void pcc_amx_begin(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = 64;
        config.rows[i] = 16;
    }
    _tile_loadconfig(&config);
}

PCC_KERNEL void pcc_amx_end(void)
{
    _tile_release();
}

/* C[16 row_tiles, 16 column_tiles] = or += A B; the numbers of tiles are literals, 1 or 2. C's sums are in tiles 0 …
 * 3. */
PCC_KERNEL void pcc_amx_block(int row_tiles, int column_tiles, int64_t depth, const float *a, const float *b, float *c,
                              int64_t pitch, int accumulate)
{
    const int64_t c_bytes = pitch * (int64_t)sizeof(float), b_bytes = 2 * PCC_LANES_F32 * (int64_t)sizeof(float);
    const float *below = a + 16 * depth; /* the next 16 rows' panel */
    float *c_below = c + 16 * pitch;
    __asm__ volatile("" ::: "memory"); /* gcc's tile loads do not declare that they read memory */
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    if (accumulate) {
        _tile_loadd(0, c, c_bytes);
        if (column_tiles > 1)
            _tile_loadd(1, c + 16, c_bytes);
        if (row_tiles > 1)
            _tile_loadd(2, c_below, c_bytes);
        if (row_tiles > 1 && column_tiles > 1)
            _tile_loadd(3, c_below + 16, c_bytes);
    }
    for (int64_t p = 0; p < depth; p += 16) {
        _tile_loadd(6, b + p * 2 * PCC_LANES_F32, b_bytes);
        _tile_loadd(4, a + p * 16, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (column_tiles > 1) {
            _tile_loadd(7, b + p * 2 * PCC_LANES_F32 + 16, b_bytes);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (row_tiles > 1) {
            _tile_loadd(5, below + p * 16, 64);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (row_tiles > 1 && column_tiles > 1)
            _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_bytes);
    if (column_tiles > 1)
        _tile_stored(1, c + 16, c_bytes);
    if (row_tiles > 1)
        _tile_stored(2, c_below, c_bytes);
    if (row_tiles > 1 && column_tiles > 1)
        _tile_stored(3, c_below + 16, c_bytes);
}

/* Computes the smallest block that contains `rows` and `columns`. */
PCC_SHARED void pcc_amx_fit(int64_t rows, int64_t columns, int64_t depth, const float *a, const float *b, float *c,
                            int64_t pitch, int accumulate)
{
    if (rows > 16 && columns > 16)
        pcc_amx_block(2, 2, depth, a, b, c, pitch, accumulate);
    else if (rows > 16)
        pcc_amx_block(2, 1, depth, a, b, c, pitch, accumulate);
    else if (columns > 16)
        pcc_amx_block(1, 2, depth, a, b, c, pitch, accumulate);
    else
        pcc_amx_block(1, 1, depth, a, b, c, pitch, accumulate);
}

#endif
