/* test_data_order.c: which order of a sample's axes is taken, asked for, refused; and what permuting does to bytes. */
#include "runtime_support.h"

#include <pcc/data/data_order.h>

#define AXES(...)                              \
    (PccAxes)                                  \
    {                                          \
        PCC_COUNT(((int64_t[]){__VA_ARGS__})), \
        {                                      \
            __VA_ARGS__                        \
        }                                      \
    }

static const PccAxes scalar = {0};

static void assert_fit(PccAxes data, PccAxes program, PccDataFit fit)
{
    PccDataOrder order;
    assert_int_equal(pcc_data_fit(data, program, &order), fit);
    assert_int_equal(order.rank > 0, fit == PCC_DATA_PERMUTED);
}

static void dims_decide(void **state)
{
    (void)state;
    assert_fit(AXES(3, 8, 8), AXES(3, 8, 8), PCC_DATA_AS_IT_LIES);
    assert_fit(AXES(28, 28), AXES(1, 28, 28), PCC_DATA_AS_IT_LIES);
    assert_fit(AXES(28, 28, 1), AXES(1, 28, 28), PCC_DATA_AS_IT_LIES);
    assert_fit(AXES(1), scalar, PCC_DATA_AS_IT_LIES);
    assert_fit(scalar, AXES(1, 1), PCC_DATA_AS_IT_LIES);
    assert_fit(AXES(192), AXES(3, 8, 8), PCC_DATA_AS_IT_LIES); /* flattened */
    assert_fit(AXES(28, 28), AXES(784), PCC_DATA_AS_IT_LIES);
    assert_fit(AXES(3, 64), AXES(3, 8, 8), PCC_DATA_AS_IT_LIES);
    assert_fit(AXES(2, 3, 8, 8), AXES(6, 1, 64), PCC_DATA_AS_IT_LIES);
    assert_fit(AXES(4, 6), AXES(6, 4), PCC_DATA_PERMUTED);
    assert_fit(AXES(32, 24, 3), AXES(3, 32, 24), PCC_DATA_PERMUTED);
    assert_fit(AXES(24, 1, 3), AXES(1, 3, 24), PCC_DATA_PERMUTED);
    assert_fit(AXES(2, 4, 8), AXES(8, 4, 2), PCC_DATA_PERMUTED); /* not: 2 x 4 flattened, 8 split */
    assert_fit(AXES(8, 8, 3), AXES(3, 8, 8), PCC_DATA_SEVERAL);
    assert_fit(AXES(8, 3, 8), AXES(3, 8, 8), PCC_DATA_SEVERAL);
    assert_fit(AXES(64, 3), AXES(3, 8, 8), PCC_DATA_OTHER);
    assert_fit(AXES(4, 6), AXES(3, 8), PCC_DATA_OTHER);
    assert_fit(AXES(2, 6, 4), AXES(12, 2, 2), PCC_DATA_OTHER); /* flattened and split */
    assert_fit(AXES(0), AXES(0, 3), PCC_DATA_OTHER);
    assert_fit(AXES(INT64_MAX, 3), AXES(7, INT64_MAX), PCC_DATA_OTHER);
}

/* What the program gets of a sample whose elements count up from 0 as they lie. */
static const int32_t *permuted(const char *spelling, PccAxes data, PccAxes program)
{
    static int32_t from[64], to[64];
    PccDataOrder order;
    const char *problem;
    for (int i = 0; i < 64; i++)
        from[i] = i;
    if (!pcc_data_spelt(spelling, data, program, &order, &problem))
        fail_msg("%s: %s", spelling, problem);
    memset(to, 0xff, sizeof to);
    if (order.rank == 0)
        return from;
    pcc_data_permute(to, from, sizeof *to, &order);
    return to;
}

static void letters_decide(void **state)
{
    (void)state;
    const int32_t *chw = permuted("NHWC", AXES(2, 2, 3), AXES(3, 2, 2));
    assert_memory_equal(chw, ((int32_t[]){0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11}), 12 * sizeof *chw);
    chw = permuted("NWHC", AXES(2, 2, 3), AXES(3, 2, 2));
    assert_memory_equal(chw, ((int32_t[]){0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11}), 12 * sizeof *chw);
    /* A model of channels last: the data says what it is, the dims what the model is. */
    const int32_t *hwc = permuted("NCHW", AXES(3, 2, 2), AXES(2, 2, 3));
    assert_memory_equal(hwc, ((int32_t[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}), 12 * sizeof *hwc);
    /* Where both fit, the program's is channels first, unless it is given. */
    assert_int_equal(permuted("NHWC", AXES(2, 2, 2), AXES(2, 2, 2))[1], 2);
    assert_int_equal(permuted("NHWC:NHWC", AXES(2, 2, 2), AXES(2, 2, 2))[1], 1);
    assert_int_equal(permuted("NTC", AXES(4, 4), AXES(4, 4))[1], 4);
    assert_int_equal(permuted("NAB:NBA", AXES(4, 4), AXES(4, 4))[1], 4);
    assert_int_equal(permuted("HWC", AXES(2, 3, 1), AXES(1, 2, 3))[1], 1); /* without the N; axes of size 1 */
    assert_int_equal(permuted("NWH", AXES(2, 3), AXES(1, 3, 2))[1], 3);
    assert_int_equal(permuted("NDHWC", AXES(2, 2, 2, 3), AXES(3, 2, 2, 2))[8], 1);
}

static void assert_refused(const char *spelling, PccAxes data, PccAxes program, const char *part)
{
    PccDataOrder order;
    const char *problem;
    assert_false(pcc_data_spelt(spelling, data, program, &order, &problem));
    if (!strstr(problem, part))
        fail_msg("%s: %s", spelling, problem);
}

static void spellings_are_checked(void **state)
{
    (void)state;
    const PccAxes data = AXES(8, 8, 3), program = AXES(3, 8, 8);
    assert_refused("", data, program, "names no axis");
    assert_refused("N", data, program, "names no axis");
    assert_refused("nhwc", data, program, "capital letters");
    assert_refused("NH-C", data, program, "capital letters");
    assert_refused("NHHC", data, program, "one axis only");
    assert_refused("HWCN", data, program, "comes first");
    assert_refused("NABCDEFGHI", data, program, "at most 8");
    assert_refused("NHW", data, program, "every axis of the data");
    assert_refused("NHWC:NHW", data, program, "every axis that the program takes");
    assert_refused("NHWC:", data, program, "names no axis");
    assert_refused("NCHW", data, program, "do not fit");
    assert_refused("NHWC:NHWC", data, program, "do not fit");
    assert_refused("NABC", data, program, "other letters");
}

static void suggestions_fit(void **state)
{
    (void)state;
    const struct {
        PccAxes data, program;
        const char *text;
    } cases[] = {
        {AXES(8, 8, 3), AXES(3, 8, 8), "NHWC"},
        {AXES(3, 8, 8), AXES(8, 8, 3), "NCHW"},
        {AXES(5, 5, 5, 2), AXES(2, 5, 5, 5), "NDHWC"},
        {AXES(8, 3, 8), AXES(3, 8, 8), "NCHW"},
        {AXES(2, 2, 3, 1, 2), AXES(2, 2, 2, 3), NULL},
        {AXES(3, 2, 2, 2, 2, 2, 2, 2), AXES(2, 2, 2, 2, 2, 2, 2, 3), NULL},
    };
    for (int64_t i = 0; i < PCC_COUNT(cases); i++) {
        char text[PCC_DATA_SPELLING];
        PccDataOrder order;
        const char *problem;
        pcc_data_suggest(text, cases[i].data, cases[i].program);
        if (cases[i].text)
            assert_string_equal(text, cases[i].text);
        assert_true(pcc_data_spelt(text, cases[i].data, cases[i].program, &order, &problem));
    }
}

/* Every item size, from an odd address. */
static void items_move_whole(void **state)
{
    (void)state;
    PccDataOrder order;
    assert_int_equal(pcc_data_fit(AXES(3, 5, 2), AXES(2, 3, 5), &order), PCC_DATA_PERMUTED);
    for (size_t item = 1; item <= 8; item *= 2) {
        unsigned char *from = malloc(30 * item + 1), *to = malloc(30 * item);
        for (size_t i = 0; i < 30 * item; i++)
            from[i + 1] = (unsigned char)i;
        pcc_data_permute(to, from + 1, item, &order);
        for (size_t c = 0; c < 2; c++)
            for (size_t p = 0; p < 15; p++)
                assert_memory_equal(to + (c * 15 + p) * item, from + 1 + (p * 2 + c) * item, item);
        free(from);
        free(to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dims_decide),     cmocka_unit_test(letters_decide),   cmocka_unit_test(spellings_are_checked),
        cmocka_unit_test(suggestions_fit), cmocka_unit_test(items_move_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
