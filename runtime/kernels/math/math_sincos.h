/* math_sincos.h: sin and cos in f32 for every argument, by an integer Payne-Hanek reduction.
 *
 * x = m 2^s with a 24-bit integer m. Of 1 / 2 pi shifted by s only the fraction matters, since whole turns cancel: 96
 * bits of it times m, modulo 2^96, are the fraction of a turn, of which the upper 64 bits are kept. No float is closer
 * than 2^-33 turns to a multiple of a quarter turn, so at least 31 significant bits are left. */
#ifndef PCC_MATH_SINCOS_H
#define PCC_MATH_SINCOS_H

#include "math_bits.h"

PCC_INLINE uint64_t pcc_choose_word(int32_t mask, uint64_t a, uint64_t b)
{
    return (a & (uint64_t)(int64_t)mask) | (b & ~(uint64_t)(int64_t)mask);
}

/* The 128 bits of 1 / 2 pi from word `first` (0 ... 4) on, 32 bits in each of four words. The number starts after a
 * word of zeros, for the arguments below 2^23. Selected by the bits of `first`, as a table lookup may not vectorise. */
PCC_INLINE void pcc_inverse_turn_words(int32_t first, uint64_t word[4])
{
    const uint64_t turn[8] = {0, 0x28be60db, 0x9391054a, 0x7f09d5f4, 0x7d4d3770, 0x36d8a566, 0x4f10e410, 0x7f9458ea};
    int32_t by4 = -(first >> 2), by2 = -(first >> 1 & 1), by1 = -(first & 1);
    uint64_t a0 = pcc_choose_word(by4, turn[4], turn[0]), a1 = pcc_choose_word(by4, turn[5], turn[1]);
    uint64_t a2 = pcc_choose_word(by4, turn[6], turn[2]), a3 = pcc_choose_word(by4, turn[7], turn[3]);
    uint64_t b0 = pcc_choose_word(by2, a2, a0), b1 = pcc_choose_word(by2, a3, a1);
    uint64_t b2 = pcc_choose_word(by2, turn[4], a2), b3 = pcc_choose_word(by2, turn[5], a3);
    uint64_t b4 = pcc_choose_word(by2, turn[6], turn[4]);
    word[0] = pcc_choose_word(by1, b1, b0);
    word[1] = pcc_choose_word(by1, b2, b1);
    word[2] = pcc_choose_word(by1, b3, b2);
    word[3] = pcc_choose_word(by1, b4, b3);
}

/* |x| = quadrant pi / 2 + r, |r| <= pi / 4. */
typedef struct PccAngle {
    int32_t quadrant;
    float r;
} PccAngle;

PCC_INLINE PccAngle pcc_reduce_angle_f32(float x)
{
    int32_t bits = pcc_bits_f32(x) & INT32_MAX;
    int32_t shift = (bits >> 23) - 127 - 23 + 32;
    shift &= ~(shift >> 31);
    uint64_t mantissa = (uint64_t)((bits & 0x7fffff) | 0x800000);
    uint64_t word[4], left = (uint64_t)(shift & 31);
    pcc_inverse_turn_words(shift >> 5, word);
    uint64_t w0 = ((word[0] << 32 | word[1]) << left) >> 32;
    uint64_t w1 = ((word[1] << 32 | word[2]) << left) >> 32;
    uint64_t w2 = ((word[2] << 32 | word[3]) << left) >> 32;
    uint64_t turn = (mantissa * w0 << 32) + mantissa * w1 + (mantissa * w2 >> 32);
    uint64_t quadrant = (turn + (UINT64_C(1) << 61)) >> 62;
    uint64_t rest = turn - (quadrant << 62);
    /* rest / 2^32 = high + low / 2^24, high a multiple of 2^7 and so exact, |low| <= 2^30 */
    uint32_t upper = ((uint32_t)(rest >> 32) + 64) & ~(uint32_t)0x7f;
    float high = (float)(int32_t)upper;
    float low = (float)(int32_t)((uint32_t)(rest >> 8) - (upper << 24));
    /* times 2 pi / 2^32, whose second float matters for the high part only */
    float r = high * 0x1.921fb6p-30f;
    float r_low = pcc_fma_f32(low, 0x1.921fb6p-54f, pcc_product_error_f32(high, 0x1.921fb6p-30f, r));
    r += pcc_fma_f32(high, -0x1.777a5cp-55f, r_low);
    int32_t small = pcc_mask_f32(pcc_abs_f32(x) < 0x1.921fb4p-1f);
    return (PccAngle){(int32_t)(quadrant & 3) & ~small, pcc_select_f32(small, pcc_abs_f32(x), r)};
}

/* sin(a + quadrant pi / 2), |a| <= pi / 4: computes both polynomials and selects by the quadrant. */
PCC_INLINE float pcc_sin_quadrant_f32(PccAngle a)
{
    float square = a.r * a.r;
    float s = pcc_fma_f32(0x1.7864c4p-19f, square, -0x1.a04a74p-13f);
    s = pcc_fma_f32(s, square, 0x1.111166p-7f);
    s = pcc_fma_f32(s, square, -0x1.555556p-3f);
    s = pcc_fma_f32(s * square, a.r, a.r);
    float c = pcc_fma_f32(0x1.99e910p-16f, square, -0x1.6c0c2ap-10f);
    c = pcc_fma_f32(c, square, 0x1.55554ap-5f);
    float half = 0.5f * square, rounded = 1.0f - half;
    c = rounded + pcc_fma_f32(c * square, square, (1.0f - rounded) - half);
    float y = pcc_select_f32(pcc_mask_f32(a.quadrant & 1), c, s);
    return pcc_from_bits_f32(pcc_bits_f32(y) ^ (int32_t)((uint32_t)(a.quadrant & 2) << 30));
}

PCC_INLINE float pcc_sin_f32(float x)
{
    float y = pcc_sin_quadrant_f32(pcc_reduce_angle_f32(x));
    y = pcc_from_bits_f32(pcc_bits_f32(y) ^ (pcc_bits_f32(x) & INT32_MIN));
    return pcc_select_f32(pcc_mask_f32(pcc_abs_f32(x) < PCC_INF_F32), y, PCC_NAN_F32);
}

PCC_INLINE float pcc_cos_f32(float x)
{
    PccAngle a = pcc_reduce_angle_f32(x);
    a.quadrant = (a.quadrant + 1) & 3;
    float y = pcc_sin_quadrant_f32(a);
    return pcc_select_f32(pcc_mask_f32(pcc_abs_f32(x) < PCC_INF_F32), y, PCC_NAN_F32);
}

#endif
