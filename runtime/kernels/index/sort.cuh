/* sort.cuh: entries 0 ... count - 1 in the order of their keys, and of equal keys in their own: a stable radix sort by
 * digits of 8 bits. All counts are integers, so the order is the same on every GPU.
 *
 * A pass has three kernels: each tile counts its digits; one block computes, for each digit, the prefix sums over the
 * tiles; each tile moves its entries to their new positions. Within a tile, a warp ranks 32 entries at a time by
 * matching their digits, as in Adinets and Merrill, "Onesweep", 2022. */
#ifndef PCC_SORT_CUH
#define PCC_SORT_CUH

#include "../common/block_scan.cuh"
#include "index_cuda.h"

enum {
    PCC_SORT_DIGITS = PCC_CUDA_SORT_DIGITS,
    PCC_SORT_WARPS = PCC_BLOCK / PCC_WARP,
    PCC_SORT_EACH = PCC_CUDA_SORT_TILE / PCC_BLOCK /* entries of a thread */
};
static_assert(PCC_SORT_DIGITS == PCC_BLOCK, "a thread for each digit");

struct PccSorted {
    const uint32_t *keys, *entries;
};

template <class Key>
__global__ void pcc_sort_keys_kernel(int64_t count, PCC_PARAMETER Key key, uint32_t *keys, uint32_t *entries)
{
    PCC_FOR_ITEMS (entry, count) {
        keys[entry] = key(entry);
        entries[entry] = (uint32_t)entry;
    }
}

/* counts[tile, digit] */
static __global__ void pcc_sort_count_kernel(int64_t count, int shift, const uint32_t *keys, uint32_t *counts)
{
    __shared__ uint32_t of_digit[PCC_SORT_DIGITS];
    const int64_t first = (int64_t)blockIdx.x * PCC_CUDA_SORT_TILE;
    of_digit[threadIdx.x] = 0;
    __syncthreads();
    for (int64_t i = first + threadIdx.x; i < first + PCC_CUDA_SORT_TILE && i < count; i += PCC_BLOCK)
        atomicAdd(&of_digit[keys[i] >> shift & (PCC_SORT_DIGITS - 1)], 1u);
    __syncthreads();
    counts[(int64_t)blockIdx.x * PCC_SORT_DIGITS + threadIdx.x] = of_digit[threadIdx.x];
}

/* One block, with a thread for each digit: counts[tile, digit] becomes the count in all earlier tiles, totals[digit]
 * the count in all tiles. */
static __global__ void pcc_sort_scan_kernel(int64_t tiles, uint32_t *counts, uint32_t *totals)
{
    uint32_t *of_tile = counts + threadIdx.x, before = 0;
#pragma unroll 8
    for (int64_t tile = 0; tile < tiles; tile++) {
        const uint32_t count = of_tile[tile * PCC_SORT_DIGITS];
        of_tile[tile * PCC_SORT_DIGITS] = before;
        before += count;
    }
    totals[threadIdx.x] = before;
}

/* A warp's entries are contiguous: next[warp, digit] is first the warp's count of a digit, then the position of the
 * first such entry. */
static __global__ void pcc_sort_move_kernel(int64_t count, int shift, const uint32_t *counts, const uint32_t *totals,
                                            const uint32_t *keys, const uint32_t *entries, uint32_t *keys_out,
                                            uint32_t *entries_out)
{
    __shared__ uint32_t next[PCC_SORT_WARPS][PCC_SORT_DIGITS];
    const int warp = (int)threadIdx.x / PCC_WARP, lane = (int)threadIdx.x % PCC_WARP;
    const int64_t first = (int64_t)blockIdx.x * PCC_CUDA_SORT_TILE + warp * PCC_SORT_EACH * PCC_WARP + lane;
    uint32_t rank[PCC_SORT_EACH], all;
    for (int w = 0; w < PCC_SORT_WARPS; w++)
        next[w][threadIdx.x] = 0;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < PCC_SORT_EACH; k++) {
        const int64_t i = first + k * PCC_WARP;
        const uint32_t digit = i < count ? keys[i] >> shift & (PCC_SORT_DIGITS - 1) : (uint32_t)PCC_SORT_DIGITS;
        const uint32_t same = __match_any_sync(0xffffffffu, digit), lower = same & ((1u << lane) - 1);
        rank[k] = (digit < PCC_SORT_DIGITS ? next[warp][digit] : 0) + (uint32_t)__popc(lower);
        __syncwarp();
        if (digit < PCC_SORT_DIGITS && lower == 0)
            next[warp][digit] += (uint32_t)__popc(same);
        __syncwarp();
    }
    uint32_t place = pcc_block_scan(totals[threadIdx.x], &all); /* and waits */
    place += counts[(int64_t)blockIdx.x * PCC_SORT_DIGITS + threadIdx.x];
    for (int w = 0; w < PCC_SORT_WARPS; w++) {
        const uint32_t of_warp = next[w][threadIdx.x];
        next[w][threadIdx.x] = place;
        place += of_warp;
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < PCC_SORT_EACH; k++) {
        const int64_t i = first + k * PCC_WARP;
        if (i >= count)
            continue;
        const uint32_t key = keys[i], to = next[warp][key >> shift & (PCC_SORT_DIGITS - 1)] + rank[k];
        keys_out[to] = key;
        entries_out[to] = entries[i];
    }
}

/* key(entry) is at most `most`, below 2^32; scratch has pcc_cuda_sort_bytes(count) bytes, which contain the result. */
template <class Key> static PccSorted pcc_sort(int64_t count, uint32_t most, Key key, void *scratch, PccStep *s)
{
    const int64_t tiles = pcc_cuda_sort_tiles(count);
    uint32_t *keys = (uint32_t *)scratch, *entries = keys + count, *keys_out = entries + count;
    uint32_t *entries_out = keys_out + count, *counts = entries_out + count, *totals = counts + tiles * PCC_SORT_DIGITS;
    if (count == 0)
        return {keys, entries};
    PCC_LAUNCH((pcc_sort_keys_kernel<Key>), pcc_blocks(count, PCC_BLOCK), PCC_BLOCK, 0, s, count, key, keys, entries);
    for (int shift = 0; shift < 32 && most >> shift > 0; shift += 8) {
        PCC_LAUNCH(pcc_sort_count_kernel, (unsigned)tiles, PCC_BLOCK, 0, s, count, shift, keys, counts);
        PCC_LAUNCH(pcc_sort_scan_kernel, 1, PCC_BLOCK, 0, s, tiles, counts, totals);
        PCC_LAUNCH(pcc_sort_move_kernel, (unsigned)tiles, PCC_BLOCK, 0, s, count, shift, counts, totals, keys, entries,
                   keys_out, entries_out);
        uint32_t *const sorted_keys = keys_out, *const sorted_entries = entries_out;
        keys_out = keys;
        entries_out = entries;
        keys = sorted_keys;
        entries = sorted_entries;
    }
    return {keys, entries};
}

#endif
