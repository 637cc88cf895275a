/* test_gemm_narrow.c: matrix products of operands stored in f32, bf16 and f16, in every mixture, against double on the
 * same rounded operands: f32 accumulation explains all of the difference. */
#define PCC_NARROW
#include "gemm_operands.h"

typedef struct Result {
    float *data;
    unsigned char *times; /* how often the element was stored */
    int64_t columns;
} Result;

static void store(const void *context, int64_t row, int64_t column, int64_t count, const float *acc)
{
    const Result *to = context;
    for (int64_t i = 0; i < count; i++) {
        to->data[row * to->columns + column + i] = acc[i];
        to->times[row * to->columns + column + i]++;
    }
}

/* Within the error bound of a sum of k products in any order, k eps sum |a||b|. vdpbf16ps keeps it: it rounds after
 * each multiply-add, and its subnormals are far below. */
static void compare(Case c, PccIn a, Layout la, PccIn b, Layout lb, const float *got)
{
    for (int64_t i = 0; i < c.batch * c.m; i++)
        for (int64_t j = 0; j < c.n; j++) {
            const int64_t batch = i / c.m, row = i % c.m;
            double sum = 0, magnitude = 0;
            for (int64_t p = 0; p < c.k; p++) {
                const double x = (double)pcc_read_one(a, batch * la.batch + row * la.row + p * la.column);
                const double y = (double)pcc_read_one(b, batch * lb.batch + p * lb.row + j * lb.column);
                sum += x * y;
                magnitude += fabs(x * y);
            }
            assert_true(fabs((double)got[i * c.n + j] - sum) <= (double)(c.k + 1) * (double)FLT_EPSILON * magnitude);
        }
}

static void check_dtypes(Case c, PccDtype a_dtype, PccDtype b_dtype)
{
    const Layout la = layout(c.ta, c.batch, c.m, c.k), lb = layout(c.tb, c.batch, c.k, c.n);
    const PccIn a = operand(la.size, a_dtype, 1), b = operand(lb.size, b_dtype, 2);
    const size_t count = (size_t)(c.batch * c.m * c.n);
    float *first = malloc((count + 1) * sizeof(float)), *again = malloc((count + 1) * sizeof(float));
    unsigned char *times = malloc(count + 1);
    void *scratch = aligned_alloc(64, pcc_gemm_batched_scratch_bytes(c.batch, c.m, c.n, c.k, sizeof(float)) + 64);
    assert_true(first && again && times && scratch);
    for (int threads = 1; threads <= MAX_THREADS; threads *= 2) {
        const Result to = {threads == 1 ? first : again, times, c.n};
        memset(times, 0, count);
        set_threads(threads);
        if (c.batch == 1)
            pcc_gemm_narrow(c.m, c.n, c.k, a, la.row, la.column, b, lb.row, lb.column, scratch, store, &to, &step);
        else
            pcc_gemm_batched_narrow(c.batch, c.m, c.n, c.k, a, la.batch, la.row, la.column, b, lb.batch, lb.row,
                                    lb.column, scratch, store, &to, &step);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(times[i], 1);
        if (threads > 1)
            assert_memory_equal(first, again, count * sizeof(float));
    }
    compare(c, a, la, b, lb, first);
    release(a);
    release(b);
    free(first);
    free(again);
    free(times);
    free(scratch);
}

static void check(Case c)
{
    for (int a = 0; a < DTYPES; a++)
        for (int b = 0; b < DTYPES; b++)
            check_dtypes(c, dtypes[a], dtypes[b]);
}

#include "gemm_shapes.inc"

static void test_many_tiles(void **state)
{
    (void)state;
    check_dtypes((Case){1, 1100, 70, 40, 'n', 'n'}, PCC_BF16, PCC_BF16);
    check_dtypes((Case){1, 40, 900, 40, 't', 't'}, PCC_BF16, PCC_BF16);
    check_dtypes((Case){1, 230, 500, 800, 'n', 't'}, PCC_BF16, PCC_BF16);
    check_dtypes((Case){1, 230, 500, 800, 't', 'n'}, PCC_F16, PCC_BF16);
    check_dtypes((Case){1, 2200, 40, 30, 't', 'n'}, PCC_BF16, PCC_BF16);
    check_dtypes((Case){1, 310, 70, 800, 'n', 'n'}, PCC_BF16, PCC_BF16);
    check_dtypes((Case){1, 310, 700, 1000, 'n', 'n'}, PCC_BF16, PCC_BF16);
}

/* An epilogue as the compiler emits it: a bias added in f32, the result rounded once. */
typedef struct Epilogue {
    const float *bias;
    PccOut y;
    int64_t columns;
} Epilogue;

static void store_rounded(const void *context, int64_t row, int64_t column, int64_t count, const float *acc)
{
    const Epilogue *e = context;
    for (int64_t i = 0; i < count; i++)
        pcc_write_one(e->y, row * e->columns + column + i, acc[i] + e->bias[column + i]);
}

/* The 16-bit result is the f32 result rounded, bit by bit. */
static void test_rounding_epilogue(void **state)
{
    (void)state;
    enum { M = 50, N = 45, K = 70 };
    static float bias[N], wide[M * N];
    static uint16_t narrow[M * N];
    const PccIn x = operand(M * K, PCC_BF16, 3), w = operand(N * K, PCC_BF16, 4);
    for (int j = 0; j < N; j++)
        bias[j] = (float)value((uint64_t)j, 5);
    for (int d = 1; d < DTYPES; d++) {
        const Epilogue to_wide = {bias, {wide, PCC_F32}, N}, to_narrow = {bias, {narrow, dtypes[d]}, N};
        pcc_gemm_narrow(M, N, K, x, K, 1, w, 1, K, NULL, store_rounded, &to_wide, &step);
        pcc_gemm_narrow(M, N, K, x, K, 1, w, 1, K, NULL, store_rounded, &to_narrow, &step);
        for (int64_t i = 0; i < M * N; i++) {
            uint16_t expected[2]; /* room for what the compiler thinks an f32 might need */
            pcc_write_one((PccOut){expected, dtypes[d]}, 0, wide[i]);
            assert_int_equal(narrow[i], expected[0]);
        }
    }
    release(x);
    release(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transpositions), cmocka_unit_test(test_edges),
        cmocka_unit_test(test_depth_blocks),   cmocka_unit_test(test_empty),
        cmocka_unit_test(test_split_depth),    cmocka_unit_test(test_batched),
        cmocka_unit_test(test_many_tiles),     cmocka_unit_test(test_rounding_epilogue),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
