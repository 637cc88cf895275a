/* mma.cuh: tensor cores and asynchronous copies, as named functions: the only place with PTX.
 *
 * A warp multiplies A[16, 16] by B[16, 8] and adds to C[16, 8]: A and B have 16-bit elements, C is f32. Each lane holds
 * a part of each of the three, a fragment (PTX ISA, "Matrix Fragments for mma.m16n8k16"), which pcc_load_a and
 * pcc_load_b read from tiles in shared memory and pcc_accumulator_row and _column place in C.
 *
 *     PccA a = pcc_load_a<false>(address);    address(line, chunk): where 8 numbers lie next to each other, as below
 *     PccB b[2];
 *     pcc_load_b<true>(b, address);           two of B, next to each other: 16 columns
 *     pcc_multiply<PccBf16>(c, a, b[0]);      float c[4]
 *     pcc_copy_async(shared, global, bytes);  16 bytes; pcc_commit_copies(), pcc_wait_copies<N>(), a barrier
 *
 * Where a tile lies by lines along K, `Transposed` is false: line i of A is row i, line j of B is column j, and chunk c
 * is K 8 c ... 8 c + 7. Where its lines run across K, `Transposed` is true: line p is K p, and chunk c is rows, or
 * columns, 8 c ... 8 c + 7. 8 lines that are read together should lie in different banks.
 *
 * Every function has a body in plain C++ that follows the PTX ISA's tables, for the emulator; a similar one replaces
 * what sm_75 lacks (bf16, K of 16, asynchronous copies). All lanes of a warp call together, with the same template
 * arguments. */
#ifndef PCC_MMA_CUH
#define PCC_MMA_CUH

#include "storage.cuh"

struct PccA {
    uint32_t at[4]; /* pairs of numbers, the lower K, for A, in the lower half */
};

struct PccB {
    uint32_t at[2];
};

PCC_DEVICE int pcc_lane()
{
    return (int)(threadIdx.x % 32);
}

/* Where the 4 numbers of an accumulator lie in C. */
PCC_DEVICE int pcc_accumulator_row(int lane, int i)
{
    return lane / 4 + i / 2 * 8;
}

PCC_DEVICE int pcc_accumulator_column(int lane, int i)
{
    return lane % 4 * 2 + i % 2;
}

/* ---- pairs ------------------------------------------------------------------------------------------------------ */

/* Two numbers as a fragment holds them, rounded to nearest even. */
template <class X> PCC_DEVICE uint32_t pcc_pack_pair(float low, float high)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t pair;
    if constexpr (std::is_same<X, PccBf16>::value)
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    else
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#else
    return pcc_narrowed<X>(low).bits | (uint32_t)pcc_narrowed<X>(high).bits << 16;
#endif
}

template <class X> PCC_DEVICE float pcc_low_of_pair(uint32_t pair)
{
    return pcc_wide(X{(uint16_t)pair});
}

template <class X> PCC_DEVICE float pcc_high_of_pair(uint32_t pair)
{
    return pcc_wide(X{(uint16_t)(pair >> 16)});
}

/* ---- fragments from shared memory ------------------------------------------------------------------------------- */

#ifdef PCC_EMULATED
template <bool Transposed> void pcc_emulated_matrices(unsigned, const void *all, void *results)
{
    const uint16_t *const *rows = (const uint16_t *const *)all;
    uint32_t(*to)[4] = (uint32_t(*)[4])results;
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++) {
            const uint16_t *const *matrix = rows + 8 * i;
            const int line = lane / 4, pair = lane % 4 * 2;
            const uint32_t low = Transposed ? matrix[pair][line] : matrix[line][pair];
            const uint32_t high = Transposed ? matrix[pair + 1][line] : matrix[line][pair + 1];
            to[lane][i] = low | high << 16;
        }
}
#endif

/* Called before warp-wide instructions, as the lanes may have diverged. */
PCC_DEVICE void pcc_converge()
{
#ifdef __CUDA_ARCH__
    __syncwarp();
#endif
}

/* Four matrices of 8 x 8 numbers: lane l says where row l % 8 of matrix l / 8 begins, 16 bytes aligned. Of each matrix
 * it gets row l / 4, columns l % 4 * 2 and the next; transposed, rows and columns are exchanged. */
template <bool Transposed> PCC_DEVICE void pcc_load_matrices(uint32_t (&to)[4], const void *row)
{
#ifdef __CUDA_ARCH__
    const uint32_t address = (uint32_t)__cvta_generic_to_shared(row);
    if constexpr (Transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                     : "r"(address)
                     : "memory");
#elif defined(PCC_EMULATED)
    pcc_emulated_collective(0xffffffffu, &row, sizeof row, to, sizeof to, pcc_emulated_matrices<Transposed>, __FILE__,
                            __LINE__);
#endif
}

/* A[16, 16] of a tile: its matrices are rows 0-7 and 8-15 of K 0-7, then of K 8-15. */
template <bool Transposed, class Address> PCC_DEVICE PccA pcc_load_a(Address address)
{
    const int lane = pcc_lane(), row = lane % 8, half_m = lane / 8 % 2, half_k = lane / 16;
    PccA a;
    pcc_load_matrices<Transposed>(a.at,
                                  Transposed ? address(row + 8 * half_k, half_m) : address(row + 8 * half_m, half_k));
    return a;
}

/* B[16, 16] as two of B[16, 8]: matrices are K 0-7 and K 8-15 of columns 0-7, then of columns 8-15. */
template <bool Transposed, class Address> PCC_DEVICE void pcc_load_b(PccB (&b)[2], Address address)
{
    const int lane = pcc_lane(), row = lane % 8, half_k = lane / 8 % 2, half_n = lane / 16;
    uint32_t all[4];
    pcc_load_matrices<Transposed>(all,
                                  Transposed ? address(row + 8 * half_k, half_n) : address(row + 8 * half_n, half_k));
    b[0] = {{all[0], all[1]}};
    b[1] = {{all[2], all[3]}};
}

/* ---- products --------------------------------------------------------------------------------------------------- */

/* By the tables, for sm_75 and the emulator: pair i of A in lane l is row l / 4 + i % 2 * 8, K l % 4 * 2 + i / 2 * 8;
 * pair i of B is column l / 4, K l % 4 * 2 + i * 8. from(lane, i): pair i of a lane's A (0-3) or B (4, 5). */
template <class X, class From> PCC_DEVICE void pcc_multiply_plainly(int lane, float (&c)[4], From from)
{
    const int row = lane / 4, column = lane % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll 1 /* few registers: sm_75 has many products under way */
        for (int k = 0; k < 4; k++) {
            const uint32_t a[2] = {from(row * 4 + k, half * 2), from(row * 4 + k, half * 2 + 1)};
            const uint32_t b[2] = {from(column * 4 + k, 4 + half), from(column * 4 + 4 + k, 4 + half)};
#pragma unroll
            for (int i = 0; i < 4; i++) {
                c[i] += pcc_low_of_pair<X>(a[i / 2]) * pcc_low_of_pair<X>(b[i % 2]);
                c[i] += pcc_high_of_pair<X>(a[i / 2]) * pcc_high_of_pair<X>(b[i % 2]);
            }
        }
}

#ifdef PCC_EMULATED
/* A lane's operands of a product. */
struct PccEmulatedPart {
    uint32_t pairs[6];
    float c[4];
};

template <class X> void pcc_emulated_multiply(unsigned, const void *all, void *results)
{
    const PccEmulatedPart *part = (const PccEmulatedPart *)all;
    float(*c)[4] = (float(*)[4])results;
    for (int lane = 0; lane < 32; lane++) {
        memcpy(c[lane], part[lane].c, sizeof c[lane]);
        pcc_multiply_plainly<X>(lane, c[lane], [&](int other, int i) { return part[other].pairs[i]; });
    }
}
#endif

/* c += a b, of numbers X: PccBf16 or PccF16. */
template <class X> PCC_DEVICE void pcc_multiply(float (&c)[4], const PccA &a, const PccB &b)
{
    constexpr bool is_bf16 = std::is_same<X, PccBf16>::value;
    static_assert(is_bf16 || std::is_same<X, PccF16>::value, "tensor cores multiply bf16 and f16");
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    if constexpr (is_bf16)
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a.at[0]), "r"(a.at[1]), "r"(a.at[2]), "r"(a.at[3]), "r"(b.at[0]), "r"(b.at[1]));
    else
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                     "{%0, %1, %2, %3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a.at[0]), "r"(a.at[1]), "r"(a.at[2]), "r"(a.at[3]), "r"(b.at[0]), "r"(b.at[1]));
#elif defined(__CUDA_ARCH__)
    if constexpr (is_bf16) /* sm_75 does not multiply bf16: by shuffles */
        pcc_multiply_plainly<X>(pcc_lane(), c, [&](int lane, int i) {
            return __shfl_sync(0xffffffffu, i < 4 ? a.at[i % 4] : b.at[i % 2], lane);
        });
    else
        for (int half = 0; half < 2; half++)
            asm volatile(
                "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                : "r"(a.at[half * 2]), "r"(a.at[half * 2 + 1]), "r"(b.at[half]));
#elif defined(PCC_EMULATED)
    const PccEmulatedPart mine = {{a.at[0], a.at[1], a.at[2], a.at[3], b.at[0], b.at[1]}, {c[0], c[1], c[2], c[3]}};
    pcc_emulated_collective(0xffffffffu, &mine, sizeof mine, c, sizeof c, pcc_emulated_multiply<X>, __FILE__, __LINE__);
#endif
}

/* ---- asynchronous copies ---------------------------------------------------------------------------------------- */

/* 16 bytes from global to shared memory, both aligned to 16: the first `bytes` of them, and zeros. */
PCC_DEVICE void pcc_copy_async(void *shared, const void *global, int bytes)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    const uint32_t to = (uint32_t)__cvta_generic_to_shared(shared);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(bytes) : "memory");
#elif defined(PCC_EMULATED)
    pcc_emulated_copy(shared, global, (size_t)bytes, 16);
#else
    PccVector<unsigned char, 16> all = {};
    if (bytes == 16)
        all = pcc_load_vector<16>((const unsigned char *)global);
    else
#    pragma unroll
        for (int i = 0; i < 16; i++)
            if (i < bytes)
                all.at[i] = ((const unsigned char *)global)[i];
    pcc_store_vector((unsigned char *)shared, all);
#endif
}

/* The copies since the last call become a group. */
PCC_DEVICE void pcc_commit_copies()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#elif defined(PCC_EMULATED)
    pcc_emulated_copy_commit();
#endif
}

/* Waits until at most the last `Left` groups of this thread are incomplete. Other threads see the complete ones after a
 * barrier. */
template <int Left> PCC_DEVICE void pcc_wait_copies()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
#elif defined(PCC_EMULATED)
    pcc_emulated_copy_wait(Left);
#endif
}

#endif
