/* Conversions to and from 16-bit floats: exact, and the same bits for scalars and rows, against the compiler's own. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"
#include "runtime/kernels/common/storage.h"

static uint32_t bits_of(float x)
{
    return pcc_bits_of_f32(x);
}

/* A signaling NaN becomes the quiet one with the same payload. */
static void widening_is_exact_for_every_pattern(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits <= 0xffff; bits++) {
        const float f16 = pcc_f32_from_f16((PccF16){(uint16_t)bits}),
                    bf16 = pcc_f32_from_bf16((PccBf16){(uint16_t)bits});
        const double want_f16 = f64_from_f16((uint16_t)bits), want_bf16 = f64_from_bf16((uint16_t)bits);
        assert_true(isnan(want_f16) ? isnan(f16) && bits_of(f16) >> 22 & 1 : bits_of(f16) == bits_of((float)want_f16));
        assert_true(isnan(want_bf16) ? isnan(bf16) : bits_of(bf16) == bits_of((float)want_bf16));
    }
}

/* Every 16-bit pattern widened, and its neighbours half an ulp and a bit away: ties, near ties, overflow, subnormals.
 */
static void assert_narrowing(uint32_t bits)
{
    const float x = pcc_f32_of_bits(bits);
    const uint16_t f16 = pcc_f16_from_f32(x).bits, bf16 = pcc_bf16_from_f32(x).bits;
    if (isnan(x)) {
        assert_int_equal(f16 & 0x7e00, 0x7e00);
        assert_int_equal(bf16 & 0x7fc0, 0x7fc0);
        return;
    }
    if (f16 != f16_from_f64((double)x) || bf16 != bf16_from_f64((double)x))
        fail_msg("%a: f16 %04x bf16 %04x, want %04x %04x", (double)x, f16, bf16, f16_from_f64((double)x),
                 bf16_from_f64((double)x));
}

static void narrowing_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits <= 0xffff; bits++) {
        const uint32_t wide_f16 = bits_of(pcc_f32_from_f16((PccF16){(uint16_t)bits}));
        for (uint32_t offset = 0; offset < 6; offset++) {
            static const uint32_t around_f16[] = {0, 0x0fff, 0x1000, 0x1001, 0x17ff, 0x1800};
            static const uint32_t around_bf16[] = {0, 0x7fff, 0x8000, 0x8001, 1, 0xffff};
            assert_narrowing(wide_f16 + around_f16[offset]);
            assert_narrowing((bits << 16) + around_bf16[offset]);
        }
    }
    uint32_t seed = 1;
    for (int i = 0; i < 2000000; i++) {
        seed = seed * 1664525u + 1013904223u;
        assert_narrowing(seed);
    }
}

static void rows_and_scalars_agree(void **state)
{
    (void)state;
    enum { COUNT = 65536 + 13 };
    float *wide = malloc(COUNT * sizeof(float)), *back = malloc(COUNT * sizeof(float));
    PccF16 *f16 = malloc(COUNT * sizeof(PccF16));
    PccBf16 *bf16 = malloc(COUNT * sizeof(PccBf16));
    uint32_t seed = 7;
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        wide[i] = pcc_f32_of_bits(i % 2 ? seed : (uint32_t)i << 16);
    }
    pcc_narrow_f16(wide, COUNT, f16);
    pcc_narrow_bf16(wide, COUNT, bf16);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(f16[i].bits, pcc_f16_from_f32(wide[i]).bits);
        assert_int_equal(bf16[i].bits, pcc_bf16_from_f32(wide[i]).bits);
        f16[i].bits = bf16[i].bits = (uint16_t)i;
    }
    pcc_widen_f16(f16, COUNT, wide);
    pcc_widen_bf16(bf16, COUNT, back);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(bits_of(wide[i]), bits_of(pcc_f32_from_f16(f16[i])));
        assert_int_equal(bits_of(back[i]), bits_of(pcc_f32_from_bf16(bf16[i])));
    }
    free(wide);
    free(back);
    free(f16);
    free(bf16);
}

/* Rows of every length, with special values in every lane: what the scalars give, and nothing beyond the row. */
static void rows_end_where_they_end(void **state)
{
    (void)state;
    enum { MOST = 40, ROOM = MOST + 2, SPECIALS = 9 };
    const uint32_t specials[SPECIALS] = {0x3f800000, 0x00000001, 0x807fffff, 0x7f800000, 0xff800000,
                                         0x7fa00001, 0xffc12345, 0x3f808000, 0x477ff000};
    for (int count = 0; count <= MOST; count++)
        for (int shift = 0; shift < SPECIALS; shift++) {
            float from[ROOM], wide[ROOM];
            PccBf16 bf16[ROOM];
            PccF16 f16[ROOM];
            memset(bf16, 0x5a, sizeof bf16);
            memset(f16, 0x5a, sizeof f16);
            for (int i = 0; i < ROOM; i++)
                from[i] = pcc_f32_of_bits(specials[(i + shift) % SPECIALS]);
            pcc_narrow_bf16(from, count, bf16 + 1);
            pcc_narrow_f16(from, count, f16 + 1);
            for (int i = 0; i < count; i++) {
                assert_int_equal(bf16[i + 1].bits, pcc_bf16_from_f32(from[i]).bits);
                assert_int_equal(f16[i + 1].bits, pcc_f16_from_f32(from[i]).bits);
            }
            assert_int_equal(bf16[0].bits, 0x5a5a);
            assert_int_equal(bf16[count + 1].bits, 0x5a5a);
            assert_int_equal(f16[0].bits, 0x5a5a);
            assert_int_equal(f16[count + 1].bits, 0x5a5a);
            memset(wide, 0x5a, sizeof wide);
            pcc_widen_bf16(bf16 + 1, count, wide + 1);
            for (int i = 0; i < count; i++)
                assert_int_equal(pcc_bits_of_f32(wide[i + 1]), pcc_bits_of_f32(pcc_f32_from_bf16(bf16[i + 1])));
            assert_int_equal(pcc_bits_of_f32(wide[0]), 0x5a5a5a5a);
            assert_int_equal(pcc_bits_of_f32(wide[count + 1]), 0x5a5a5a5a);
            pcc_widen_f16(f16 + 1, count, wide + 1);
            for (int i = 0; i < count; i++)
                assert_int_equal(pcc_bits_of_f32(wide[i + 1]), pcc_bits_of_f32(pcc_f32_from_f16(f16[i + 1])));
            assert_int_equal(pcc_bits_of_f32(wide[count + 1]), 0x5a5a5a5a);
        }
}

static void operands_read_and_write_in_their_dtype(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    const float values[COUNT] = {1, -2.5f, 0x1p-24f, 65504, 0};
    float f32[COUNT], buffer[COUNT];
    PccBf16 bf16[COUNT];
    PccF16 f16[COUNT];
    const PccOut outs[] = {PCC_OUT(f32), PCC_OUT(bf16), PCC_OUT(f16)};
    const PccIn ins[] = {PCC_IN(f32), PCC_IN(bf16), PCC_IN(f16)};
    for (int o = 0; o < 3; o++) {
        float *row = pcc_write_to(outs[o], 1, buffer);
        assert_int_equal(row == f32 + 1, o == 0);
        memcpy(row, values + 1, sizeof(float) * (COUNT - 1));
        pcc_commit(outs[o], 1, COUNT - 1, row);
        pcc_write_one(pcc_out_at(outs[o], 0), 0, values[0]);
        const float *read = pcc_read(pcc_in_at(ins[o], 1), 0, COUNT - 1, buffer);
        for (int i = 0; i + 1 < COUNT; i++)
            assert_true(fabsf(read[i] - values[i + 1]) <= (o == 1 ? 0x1p-8f : 0) * fabsf(values[i + 1]));
        assert_true(pcc_read_one(ins[o], 0) == values[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widening_is_exact_for_every_pattern),
        cmocka_unit_test(narrowing_rounds_to_nearest_even),
        cmocka_unit_test(rows_and_scalars_agree),
        cmocka_unit_test(rows_end_where_they_end),
        cmocka_unit_test(operands_read_and_write_in_their_dtype),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
