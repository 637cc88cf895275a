/* Gathers, scatters, one-hot and top-k against walks over the index arrays, with negative, repeated and wrong indices.
 */
#define PCC_NARROW
#include "runtime/kernels/index/index.h"

#include "narrow_case.h"

enum { RANK = 3 };

/* Mostly valid indices of an axis of extent n, some from the end, some out of range. */
static int64_t some_index(int64_t n)
{
    int64_t kind = next_below(20);
    return kind == 0 ? n + next_below(3) : kind == 1 ? -n - 1 : next_below(2 * n) - n;
}

static int64_t resolve(int64_t index, int64_t n)
{
    if (index < -n || index >= n)
        return -1;
    return (index + n) % n;
}

/* Gather: outer, axis, inner, count. */
static const int64_t gathers[][4] = {
    {1, 1000, 768, 300}, {3, 7, 1, 5}, {2, 9, 70, 40}, {1, 5, 3, 20000}, {40, 6, 100, 9}};

/* GatherElements: axis, data dims, index dims. */
typedef struct Elements {
    int64_t axis, data[RANK], index[RANK];
} Elements;

static const Elements elements[] = {
    {0, {50, 3, 40}, {400, 3, 40}}, {1, {4, 9, 5}, {3, 20, 4}},    {2, {6, 7, 8}, {6, 7, 3}},
    {0, {100, 1, 1}, {999, 1, 1}},  {0, {30, 8, 90}, {70, 7, 80}}, {2, {90, 90, 10}, {90, 90, 12}},
};

/* GatherND: batch dims, data dims, index dims [.., .., tuple length]. */
typedef struct Tuples {
    int64_t batch_dims, data[RANK], index[RANK];
} Tuples;

static const Tuples tuples[] = {
    {0, {6, 7, 90}, {5, 8, 2}}, {0, {6, 7, 8}, {5, 8, 3}},     {1, {4, 9, 130}, {4, 50, 1}},
    {1, {3, 4, 5}, {3, 7, 2}},  {0, {50, 3, 100}, {9, 60, 1}},
};

#define PCC_TEMPLATE "tests/unit/index_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#include "runtime/kernels/common/for_integers.inc"
#undef PCC_TEMPLATE

static void nan_is_largest(void **state)
{
    (void)state;
    const float x[5] = {1, NAN, 3, NAN, -INFINITY};
    const int64_t descending[5] = {1, 3, 2, 0, 4}, ascending[5] = {4, 0, 2, 1, 3};
    float values[5];
    int64_t indices[5];
    pcc_topk_f32(1, 5, 1, 5, 1, x, values, indices);
    assert_memory_equal(indices, descending, sizeof(indices));
    pcc_topk_f32(1, 5, 1, 5, 0, x, values, indices);
    assert_memory_equal(indices, ascending, sizeof(indices));
}

#include "index_narrow.inc"

#define ALL_TYPES(name)                                                                       \
    cmocka_unit_test(name##_f32), cmocka_unit_test(name##_f64), cmocka_unit_test(name##_i64), \
        cmocka_unit_test(name##_i32), cmocka_unit_test(name##_i16), cmocka_unit_test(name##_u8)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL_TYPES(gather_axis),
        ALL_TYPES(gather_each),
        ALL_TYPES(scatter_each),
        ALL_TYPES(gather_tuples),
        ALL_TYPES(scatter_slices),
        ALL_TYPES(one_hot),
        ALL_TYPES(topk),
        cmocka_unit_test(nan_is_largest),
        cmocka_unit_test(gather_axis_narrow),
        cmocka_unit_test(elements_narrow),
        cmocka_unit_test(tuples_narrow),
        cmocka_unit_test(topk_narrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
