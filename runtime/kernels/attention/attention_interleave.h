/* attention_interleave.h: pairs of bf16 (gemm_pairs.h) from two rows of floats. */
#ifndef PCC_ATTENTION_INTERLEAVE_H
#define PCC_ATTENTION_INTERLEAVE_H

#include "../common/intrinsics.h"

/* Packs two registers of floats into one of bf16 pairs, lane by lane, `low` in the low halves. */
PCC_KERNEL __m512i pcc_attention_pairs(__m512 low, __m512 high)
{
    const __m512i interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22,
                                                6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(interleave, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

PCC_KERNEL __m512 pcc_attention_load_or_zero(int exists, const float *from)
{
    return exists ? _mm512_loadu_ps(from) : _mm512_setzero_ps();
}

#endif
