/* test_conv_narrow.c: convolutions and both gradients of operands stored in f32, bf16 and f16, in every mixture,
 * against double on the same rounded operands. */
#define PCC_NARROW
#include "conv_check.h"
#include "gemm_operands.h"

/* Store of y or dx, kept in f32. */
typedef struct Result {
    float *data;
    unsigned char *times;
    int64_t columns, size;
} Result;

static void store(const void *context, int64_t row, int64_t column, int64_t count, const float *acc)
{
    const Result *to = context;
    for (int64_t i = 0; i < count; i++) {
        to->data[row * to->columns + column + i] = acc[i];
        to->times[row * to->columns + column + i]++;
    }
}

static Result result(int64_t columns, int64_t size)
{
    const Result r = {malloc((size_t)(size + 1) * sizeof(float)), calloc((size_t)size + 1, 1), columns, size};
    assert_true(r.data && r.times);
    return r;
}

static void finish(Result r)
{
    free(r.data);
    free(r.times);
}

static void assert_each_once(Result r)
{
    for (int64_t i = 0; i < r.size; i++)
        assert_int_equal(r.times[i], 1);
    memset(r.times, 0, (size_t)r.size);
}

typedef struct Operands {
    PccIn x, w, dy;
    PccDtype dw;
} Operands;

typedef struct Results {
    Result y, dx;
    uint32_t *dw; /* of whatever dtype */
} Results;

static void compute(PccConv c, Operands in, Results to)
{
    void *scratch = aligned_alloc(64, pcc_conv_scratch_bytes(c, sizeof(float)));
    assert_non_null(scratch);
    pcc_conv_narrow(c, in.x, in.w, scratch, store, &to.y, &step);
    pcc_conv_grad_input_narrow(c, in.dy, in.w, scratch, store, &to.dx, &step);
    pcc_conv_grad_weight_narrow(c, in.x, in.dy, (PccOut){to.dw, in.dw}, scratch, &step);
    assert_each_once(to.y);
    assert_each_once(to.dx);
    free(scratch);
}

static void expect(PccConv c, Operands in, const Expected *e)
{
    const int64_t channels = c.c / c.groups, filters = c.o / c.groups, taps = pcc_conv_taps(c);
    for (int64_t p = 0; p < pcc_conv_positions(c.n, c.out); p++)
        for (int64_t tap = 0; tap < taps; tap++) {
            const int64_t q = input_position(c, p, tap);
            for (int64_t o = 0; q >= 0 && o < c.o; o++)
                for (int64_t i = 0; i < channels; i++) {
                    const int64_t at = q * c.c + o / filters * channels + i, to = p * c.o + o;
                    const int64_t weight = (o * channels + i) * taps + tap;
                    const double x = (double)pcc_read_one(in.x, at), w = (double)pcc_read_one(in.w, weight);
                    const double dy = (double)pcc_read_one(in.dy, to);
                    add(&e->y[to], &e->y_bound[to], x * w);
                    add(&e->dx[at], &e->dx_bound[at], dy * w);
                    add(&e->dw[weight], &e->dw_bound[weight], dy * x);
                }
        }
}

/* terms: at most so many products are summed, in any order; then the sum is rounded to the dtype. */
static void compare(PccIn got, const double *want, const double *bound, int64_t count, int64_t terms)
{
    const double roundoff = got.dtype == PCC_BF16 ? 0x1p-8 : got.dtype == PCC_F16 ? 0x1p-11 : 0;
    const double subnormal = got.dtype == PCC_F16 ? 0x1p-25 : 0;
    for (int64_t i = 0; i < count; i++) {
        const double sum = (double)(terms + 1) * (double)FLT_EPSILON * bound[i];
        const double rounding = roundoff * (fabs(want[i]) + sum) + subnormal;
        assert_true(fabs((double)pcc_read_one(got, i) - want[i]) <= sum + rounding);
    }
}

static void compare_all(PccConv c, Operands in, Results got)
{
    const Expected e = {zeros(y_size(c)), zeros(x_size(c)), zeros(w_size(c)),
                        zeros(y_size(c)), zeros(x_size(c)), zeros(w_size(c))};
    expect(c, in, &e);
    allow_mixing(c, sizeof(float), e.y_bound, y_size(c));
    allow_mixing(c, sizeof(float), e.dx_bound, x_size(c));
    allow_mixing(c, sizeof(float), e.dw_bound, w_size(c));
    const int64_t taps = pcc_conv_taps(c);
    compare((PccIn){got.y.data, PCC_F32}, e.y, e.y_bound, y_size(c), taps * c.c / c.groups);
    compare((PccIn){got.dx.data, PCC_F32}, e.dx, e.dx_bound, x_size(c), taps * c.o / c.groups);
    compare((PccIn){got.dw, in.dw}, e.dw, e.dw_bound, w_size(c), pcc_conv_positions(c.n, c.out));
    double *const sums[] = {e.y, e.dx, e.dw, e.y_bound, e.dx_bound, e.dw_bound};
    for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++)
        free(sums[i]);
}

static void check_dtypes(PccConv c, PccDtype x, PccDtype w, PccDtype dy, PccDtype dw)
{
    const Operands in = {operand(x_size(c), x, 1), operand(w_size(c), w, 2), operand(y_size(c), dy, 3), dw};
    const size_t dw_bytes = (size_t)(w_size(c) * pcc_stored_bytes(dw));
    Results results[2];
    for (int i = 0; i < 2; i++)
        results[i] = (Results){result(c.o, y_size(c)), result(c.c, x_size(c)), malloc(dw_bytes + 4)};
    for (int threads = 1; threads <= MAX_THREADS; threads *= 2) {
        const Results to = results[threads > 1];
        set_threads(threads);
        compute(c, in, to);
        assert_memory_equal(results[0].y.data, to.y.data, (size_t)y_size(c) * sizeof(float));
        assert_memory_equal(results[0].dx.data, to.dx.data, (size_t)x_size(c) * sizeof(float));
        assert_memory_equal(results[0].dw, to.dw, dw_bytes);
    }
    compare_all(c, in, results[0]);
    for (int i = 0; i < 2; i++) {
        finish(results[i].y);
        finish(results[i].dx);
        free(results[i].dw);
    }
    release(in.x);
    release(in.w);
    release(in.dy);
}

/* All of one dtype, results of it and in f32, and mixtures. */
static void check(PccConv c)
{
    c = with_output(c);
    check_dtypes(c, PCC_BF16, PCC_BF16, PCC_BF16, PCC_BF16);
    check_dtypes(c, PCC_BF16, PCC_BF16, PCC_BF16, PCC_F32);
    check_dtypes(c, PCC_F16, PCC_F16, PCC_F16, PCC_F16);
    check_dtypes(c, PCC_F32, PCC_BF16, PCC_F16, PCC_BF16);
    check_dtypes(c, PCC_F16, PCC_F32, PCC_BF16, PCC_F32);
    check_dtypes(c, PCC_BF16, PCC_F16, PCC_F32, PCC_F16);
}

#include "conv_shapes.inc"

#include "conv_filtering.inc"

static void test_many_channels(void **state)
{
    (void)state;
    check(with(conv2d(1, 4100, 4100, 4100, 3, 3), 1, 1, 1)); /* depthwise, more than a segment of them */
}

/* Sums over more positions, an odd number of them, than one range of K or one depth block has. */
static void test_split_weight_gradient(void **state)
{
    (void)state;
    check(with(conv2d(5, 5, 8, 1, 39, 3), 1, 1, 1));
}

/* Transformed filters, and sums of the weights' gradient, that do not fit at once. */
static void test_blocks_of_filters(void **state)
{
    (void)state;
    const PccConv c = with_output(with(conv2d(32, 640, 80, 1, 4, 3), 1, 1, 1));
    assert_true(pcc_conv_is_winograd(c) && pcc_winograd_filters_at_once(4, c.c, c.o) < c.o);
    check_dtypes(c, PCC_BF16, PCC_BF16, PCC_BF16, PCC_F32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strides_dilations_pads),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_many_runs),
        cmocka_unit_test(test_minimal_filtering),
        cmocka_unit_test(test_minimal_filtering_of_uneven_padding),
        cmocka_unit_test(test_blocks_of_filters),
        cmocka_unit_test(test_many_channels),
        cmocka_unit_test(test_one_and_three_dimensions),
        cmocka_unit_test(test_split_weight_gradient),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
