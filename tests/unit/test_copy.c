/* Strided copies, fills and paddings against element-by-element walks. */
#define PCC_NARROW
#include "runtime/kernels/movement/copy.h"

#include "narrow_case.h"

enum { RANK = 4 };

/* A copy of dims through strides of both sides; the spans say how far the pointers reach before and after. */
typedef struct Walk {
    int64_t dims[RANK], x[RANK], y[RANK];
} Walk;

static const Walk walks[] = {
    {{2, 3, 4, 5}, {60, 20, 5, 1}, {60, 20, 5, 1}},               /* contiguous */
    {{2, 3, 50, 70}, {10500, 1, 210, 3}, {10500, 3500, 70, 1}},   /* channels last to channels first */
    {{1, 1, 129, 67}, {0, 0, 1, 129}, {0, 0, 67, 1}},             /* transposition with ragged tiles */
    {{4, 130, 3, 70}, {27300, 1, 130, 390}, {27300, 210, 70, 1}}, /* transposition, a loop between */
    {{2, 3, 1, 7}, {0, 1, 0, 0}, {21, 7, 7, 1}},                  /* expand */
    {{1, 40, 50, 30}, {0, -3000, 60, -2}, {0, 1500, 30, 1}},      /* slice with negative steps */
    {{3, 4, 5, 6}, {120, 30, 6, 1}, {500, -100, 10, -1}},         /* into a part, backwards */
    {{1, 1, 1, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}},                   /* one element */
    {{2, 0, 3, 4}, {12, 12, 4, 1}, {12, 12, 4, 1}},               /* none */
    {{1, 1, 1, 100000}, {0, 0, 0, 1}, {0, 0, 0, 1}},              /* one long line */
    {{1, 1, 3, 50000}, {0, 0, 50000, 1}, {0, 0, 1, 3}},           /* interleaved destination */
};

/* Widths before and after each axis of dims. */
typedef struct Padding {
    int64_t rank, dims[RANK], before[RANK], after[RANK];
} Padding;

static const Padding paddings[] = {
    {1, {5}, {2}, {3}},
    {2, {3, 4}, {1, 2}, {2, 1}},
    {2, {5, 6}, {-1, 2}, {0, -3}},
    {4, {2, 7, 6, 3}, {0, 1, 2, 0}, {0, 2, 1, 0}},
    {4, {20, 30, 31, 4}, {0, 2, 3, 0}, {0, 3, 2, 0}},
    {3, {4, 2, 9}, {-2, 0, -4}, {1, 1, -4}},
};

#define PCC_TEMPLATE "tests/unit/copy_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#include "runtime/kernels/common/for_integers.inc"
#undef PCC_TEMPLATE

#define PCC_TEMPLATE "tests/unit/pad_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#undef PCC_TEMPLATE

#include "pad_narrow.inc"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_f32),         cmocka_unit_test(copies_f64),      cmocka_unit_test(copies_i64),
        cmocka_unit_test(copies_i32),         cmocka_unit_test(copies_i16),      cmocka_unit_test(copies_u8),
        cmocka_unit_test(fills_f32),          cmocka_unit_test(fills_f64),       cmocka_unit_test(fills_i64),
        cmocka_unit_test(fills_i32),          cmocka_unit_test(fills_i16),       cmocka_unit_test(fills_u8),
        cmocka_unit_test(pads_f32),           cmocka_unit_test(pads_f64),        cmocka_unit_test(modes_f32),
        cmocka_unit_test(modes_f64),          cmocka_unit_test(pad_adjoint_f32), cmocka_unit_test(pad_adjoint_f64),
        cmocka_unit_test(pad_adjoint_narrow), cmocka_unit_test(pads_i16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
