/* storage.h: 16-bit floats in memory, f32 in registers.
 *
 * PccBf16 and PccF16 are bits: no arithmetic is defined on them. Conversions to 16 bits round to nearest even, keep
 * subnormals, and turn a NaN into a quiet NaN; every path, scalar or vector, gives the same bits.
 *
 * A kernel whose operands may be stored in any of f32, bf16 and f16 takes them as PccIn and PccOut and works on rows:
 *   const float *x = pcc_read(in, offset, count, buffer);    a row as f32: in place, or widened into the buffer
 *   float *y = pcc_write_to(out, offset, buffer);            where to compute a row
 *   pcc_commit(out, offset, count, y);                       rounds the row into place, where that is elsewhere
 * so that one instance serves every mixture of dtypes. Offsets and counts are in elements. */
#ifndef PCC_STORAGE_H
#define PCC_STORAGE_H

#include "../../program.h"
#include "intrinsics.h"
#include "narrow.h"
#include "typed.h"

/* ---- rows ---------------------------------------------------------------------------------------------------- */

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#    define PCC_ROWS_OF_REGISTERS 1
#else
#    define PCC_ROWS_OF_REGISTERS 0
#endif

#if PCC_ROWS_OF_REGISTERS
PCC_KERNEL __mmask16 pcc_first_lanes(int64_t count)
{
    return (__mmask16)((1u << count) - 1);
}

PCC_KERNEL __m256i pcc_bf16_of_register(__m512 x)
{
#    if defined(__AVX512BF16__)
    enum { SUBNORMAL = 0x20 };
    if (_mm512_fpclass_ps_mask(x, SUBNORMAL) == 0) /* which the instruction treats as zeros */
        return (__m256i)_mm512_cvtneps_pbh(x);
#    endif
    const __m512i bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff)), 16);
    const __m512i quiet = _mm512_or_si512(high, _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), quiet));
}

PCC_KERNEL __m512 pcc_register_of_bf16(__m256i x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

PCC_KERNEL __m256i pcc_f16_of_register(__m512 x)
{
    return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}

/* Whole registers, then the rest under a mask. */
#    define PCC_WIDEN_ROW(convert)                                                                            \
        const int64_t whole = count & -16;                                                                    \
        const __mmask16 rest = pcc_first_lanes(count - whole);                                                \
        for (int64_t i = 0; i < whole; i += 16)                                                               \
            _mm512_storeu_ps(to + i, convert(_mm256_loadu_si256((const __m256i *)(const void *)(from + i)))); \
        if (rest)                                                                                             \
            _mm512_mask_storeu_ps(to + whole, rest, convert(_mm256_maskz_loadu_epi16(rest, from + whole)));
#    define PCC_NARROW_ROW(convert)                                                               \
        const int64_t whole = count & -16;                                                        \
        const __mmask16 rest = pcc_first_lanes(count - whole);                                    \
        for (int64_t i = 0; i < whole; i += 16)                                                   \
            _mm256_storeu_si256((__m256i *)(void *)(to + i), convert(_mm512_loadu_ps(from + i))); \
        if (rest)                                                                                 \
            _mm256_mask_storeu_epi16(to + whole, rest, convert(_mm512_maskz_loadu_ps(rest, from + whole)));
#endif

PCC_SHARED void pcc_widen_bf16(const PccBf16 *from, int64_t count, float *to)
{
#if PCC_ROWS_OF_REGISTERS
    PCC_WIDEN_ROW(pcc_register_of_bf16)
#else
#    pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] = pcc_f32_from_bf16(from[i]);
#endif
}

PCC_SHARED void pcc_narrow_bf16(const float *from, int64_t count, PccBf16 *to)
{
#if PCC_ROWS_OF_REGISTERS
    PCC_NARROW_ROW(pcc_bf16_of_register)
#else
#    pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] = pcc_bf16_from_f32(from[i]);
#endif
}

PCC_SHARED void pcc_widen_f16(const PccF16 *from, int64_t count, float *to)
{
#if PCC_ROWS_OF_REGISTERS
    PCC_WIDEN_ROW(_mm512_cvtph_ps)
#else
    int64_t i = 0;
#    if defined(__F16C__)
    for (; i < (count & -8); i += 8)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(from + i))));
#    endif
    for (; i < count; i++)
        to[i] = pcc_f32_from_f16(from[i]);
#endif
}

PCC_SHARED void pcc_narrow_f16(const float *from, int64_t count, PccF16 *to)
{
#if PCC_ROWS_OF_REGISTERS
    PCC_NARROW_ROW(pcc_f16_of_register)
#else
    int64_t i = 0;
#    if defined(__F16C__)
    for (; i < (count & -8); i += 8)
        _mm_storeu_si128((__m128i *)(void *)(to + i), _mm256_cvtps_ph(_mm256_loadu_ps(from + i), 0));
#    endif
    for (; i < count; i++)
        to[i] = pcc_f16_from_f32(from[i]);
#endif
}

/* ---- operands ------------------------------------------------------------------------------------------------- */

/* dtype: PCC_F32, PCC_BF16 or PCC_F16. data is NULL where an optional operand is absent. */
typedef struct PccIn {
    const void *data;
    PccDtype dtype;
} PccIn;

typedef struct PccOut {
    void *data;
    PccDtype dtype;
} PccOut;

/* An operand of the dtype that its pointer's type says. */
#define PCC_STORED(p) _Generic(*(p), float : PCC_F32, PccBf16 : PCC_BF16, PccF16 : PCC_F16)
#define PCC_IN(p) ((PccIn){(p), PCC_STORED(p)})
#define PCC_OUT(p) ((PccOut){(p), PCC_STORED(p)})
#define PCC_NO_IN ((PccIn){0})
#define PCC_NO_OUT ((PccOut){0})

PCC_KERNEL int64_t pcc_stored_bytes(PccDtype dtype)
{
    return dtype == PCC_F32 ? 4 : 2;
}

PCC_KERNEL PccIn pcc_in_at(PccIn in, int64_t offset)
{
    return (PccIn){in.data ? (const char *)in.data + offset * pcc_stored_bytes(in.dtype) : NULL, in.dtype};
}

PCC_KERNEL PccOut pcc_out_at(PccOut out, int64_t offset)
{
    return (PccOut){out.data ? (char *)out.data + offset * pcc_stored_bytes(out.dtype) : NULL, out.dtype};
}

PCC_KERNEL const float *pcc_read(PccIn in, int64_t offset, int64_t count, float *buffer)
{
    if (in.dtype == PCC_BF16)
        pcc_widen_bf16((const PccBf16 *)in.data + offset, count, buffer);
    else if (in.dtype == PCC_F16)
        pcc_widen_f16((const PccF16 *)in.data + offset, count, buffer);
    else
        return (const float *)in.data + offset;
    return buffer;
}

PCC_KERNEL float *pcc_write_to(PccOut out, int64_t offset, float *buffer)
{
    return out.dtype == PCC_F32 ? (float *)out.data + offset : buffer;
}

PCC_KERNEL void pcc_commit(PccOut out, int64_t offset, int64_t count, const float *computed)
{
    if (out.dtype == PCC_BF16)
        pcc_narrow_bf16(computed, count, (PccBf16 *)out.data + offset);
    else if (out.dtype == PCC_F16)
        pcc_narrow_f16(computed, count, (PccF16 *)out.data + offset);
}

PCC_KERNEL float pcc_read_one(PccIn in, int64_t offset)
{
    if (in.dtype == PCC_BF16)
        return pcc_f32_from_bf16(((const PccBf16 *)in.data)[offset]);
    if (in.dtype == PCC_F16)
        return pcc_f32_from_f16(((const PccF16 *)in.data)[offset]);
    return ((const float *)in.data)[offset];
}

PCC_KERNEL void pcc_write_one(PccOut out, int64_t offset, float x)
{
    if (out.dtype == PCC_BF16)
        ((PccBf16 *)out.data)[offset] = pcc_bf16_from_f32(x);
    else if (out.dtype == PCC_F16)
        ((PccF16 *)out.data)[offset] = pcc_f16_from_f32(x);
    else
        ((float *)out.data)[offset] = x;
}

#endif
