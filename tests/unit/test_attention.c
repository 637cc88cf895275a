/* Fused attention against the plain formula in double, its gradient against central differences, in every layout,
 * and with the same bits for any number of threads. */
#include "runtime/kernels/attention.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 1 << 18, THREADS = 5 };

/* Operands and results; q, k, v may be views of one buffer, as the strides say. */
typedef struct Operands {
    double *q, *k, *v, *mask, *y, *lse, *dy, *dq, *dk, *dv;
} Operands;

typedef struct OperandsF32 {
    float *q, *k, *v, *mask, *y, *lse, *dy, *dq, *dk, *dv;
} OperandsF32;

static char *thread_scratch;
static void *grad_scratch;
static uint64_t random_state = 1;

/* Uniform in [-1, 1), rounded to float. */
static double uniform(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(float)((double)(random_state >> 11) * 0x1p-52 - 1.0);
}

static int set_up(void **state)
{
    (void)state;
    thread_scratch = aligned_alloc(64, THREADS * PCC_THREAD_SCRATCH);
    grad_scratch = aligned_alloc(64, (size_t)MAX * 64);
    return thread_scratch && grad_scratch ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(thread_scratch);
    free(grad_scratch);
    return 0;
}

static double *buffer(void)
{
    double *p = calloc(MAX, sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < MAX; i++)
        p[i] = uniform();
    return p;
}

static float *narrow(const double *from)
{
    float *p = malloc(MAX * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < MAX; i++)
        p[i] = (float)from[i];
    return p;
}

static Operands new_operands(int with_mask)
{
    Operands o = {buffer(), buffer(), buffer(), with_mask ? buffer() : NULL, buffer(), buffer(), buffer(),
                  buffer(), buffer(), buffer()};
    return o;
}

static OperandsF32 narrow_operands(Operands o)
{
    return (OperandsF32){narrow(o.q),  narrow(o.k),   narrow(o.v),  o.mask ? narrow(o.mask) : NULL,
                         narrow(o.y),  narrow(o.lse), narrow(o.dy), narrow(o.dq),
                         narrow(o.dk), narrow(o.dv)};
}

static void free_operands(Operands o)
{
    double *all[] = {o.q, o.k, o.v, o.mask, o.y, o.lse, o.dy, o.dq, o.dk, o.dv};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void free_operands_f32(OperandsF32 o)
{
    float *all[] = {o.q, o.k, o.v, o.mask, o.y, o.lse, o.dy, o.dq, o.dk, o.dv};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void dense(int64_t stride[3], int64_t heads, int64_t rows, int64_t width)
{
    stride[0] = heads * rows * width;
    stride[1] = rows * width;
    stride[2] = width;
}

static PccAttention shape_of(int64_t batch, int64_t heads, int64_t queries, int64_t keys, int64_t width,
                             int64_t value_width)
{
    PccAttention a = {.batch = batch,
                      .heads = heads,
                      .queries = queries,
                      .keys = keys,
                      .width = width,
                      .value_width = value_width,
                      .scale = 1.0 / sqrt((double)width),
                      .kv_group = 1};
    dense(a.q_stride, heads, queries, width);
    dense(a.k_stride, heads, keys, width);
    dense(a.v_stride, heads, keys, value_width);
    dense(a.y_stride, heads, queries, value_width);
    dense(a.dq_stride, heads, queries, width);
    dense(a.dk_stride, heads, keys, width);
    dense(a.dv_stride, heads, keys, value_width);
    dense(a.dy_stride, heads, queries, value_width);
    return a;
}

static int64_t at(const int64_t stride[3], int64_t batch, int64_t head, int64_t row)
{
    return batch * stride[0] + head * stride[1] + row * stride[2];
}

static double score(const PccAttention *a, Operands o, int64_t b, int64_t h, int64_t i, int64_t j)
{
    if (a->causal && j > i + a->keys - a->queries)
        return -HUGE_VAL;
    const double *q = o.q + at(a->q_stride, b, h, i), *k = o.k + at(a->k_stride, b, h / a->kv_group, j);
    double sum = 0.0;
    for (int64_t d = 0; d < a->width; d++)
        sum += q[d] * k[d];
    sum *= a->scale;
    const int64_t *m = a->mask_stride;
    return o.mask ? sum + o.mask[b * m[0] + h * m[1] + i * m[2] + j * m[3]] : sum;
}

/* One query: its weights, and from them y and lse. */
static void reference_row(const PccAttention *a, Operands o, int64_t b, int64_t h, int64_t i, double *weight)
{
    double max = -HUGE_VAL, sum = 0.0;
    double *y = o.y + at(a->y_stride, b, h, i);
    for (int64_t j = 0; j < a->keys; j++)
        max = fmax(max, weight[j] = score(a, o, b, h, i, j));
    for (int64_t j = 0; j < a->keys; j++)
        sum += weight[j] = max == -HUGE_VAL ? 0.0 : exp(weight[j] - max);
    memset(y, 0, (size_t)a->value_width * sizeof *y);
    for (int64_t j = 0; j < a->keys; j++) {
        weight[j] = sum == 0.0 ? 0.0 : weight[j] / sum;
        for (int64_t d = 0; d < a->value_width; d++)
            y[d] += weight[j] * o.v[at(a->v_stride, b, h / a->kv_group, j) + d];
    }
    o.lse[(b * a->heads + h) * a->queries + i] = max + log(sum);
}

static void reference_grad_row(const PccAttention *a, Operands o, int64_t b, int64_t h, int64_t i, const double *weight)
{
    const double *dy = o.dy + at(a->dy_stride, b, h, i), *y = o.y + at(a->y_stride, b, h, i);
    const double *q = o.q + at(a->q_stride, b, h, i);
    double *dq = o.dq + at(a->dq_stride, b, h, i), delta = 0.0;
    for (int64_t d = 0; d < a->value_width; d++)
        delta += dy[d] * y[d];
    for (int64_t j = 0; j < a->keys; j++) {
        const int64_t kv = h / a->kv_group;
        const double *k = o.k + at(a->k_stride, b, kv, j), *v = o.v + at(a->v_stride, b, kv, j);
        double *dk = o.dk + at(a->dk_stride, b, kv, j), *dv = o.dv + at(a->dv_stride, b, kv, j), dp = 0.0;
        for (int64_t d = 0; d < a->value_width; d++) {
            dp += dy[d] * v[d];
            dv[d] += weight[j] * dy[d];
        }
        const double ds = weight[j] * (dp - delta) * a->scale;
        for (int64_t d = 0; d < a->width; d++) {
            dq[d] += ds * k[d];
            dk[d] += ds * q[d];
        }
    }
}

/* y, lse, dq, dk, dv by the formula; the gradients are added to what is there. */
static void reference(const PccAttention *a, Operands o)
{
    double *weight = malloc((size_t)a->keys * sizeof *weight);
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t h = 0; h < a->heads; h++)
            for (int64_t i = 0; i < a->queries; i++) {
                reference_row(a, o, b, h, i, weight);
                reference_grad_row(a, o, b, h, i, weight);
            }
    free(weight);
}

static void run_f64(PccAttention a, Operands o)
{
    PccStep s = {.thread_scratch = thread_scratch};
    pcc_attention_f64(a, o.q, o.k, o.v, o.mask, o.y, o.lse, &s);
    pcc_attention_grad_f64(a, o.q, o.k, o.v, o.mask, o.y, o.lse, o.dy, o.dq, o.dk, o.dv, grad_scratch, &s);
}

static void run_f32(PccAttention a, OperandsF32 o)
{
    PccStep s = {.thread_scratch = thread_scratch};
    pcc_attention_f32(a, o.q, o.k, o.v, o.mask, o.y, o.lse, &s);
    pcc_attention_grad_f32(a, o.q, o.k, o.v, o.mask, o.y, o.lse, o.dy, o.dq, o.dk, o.dv, grad_scratch, &s);
}

static void clear(const PccAttention *a, Operands o, int64_t batch, int64_t head)
{
    for (int64_t i = 0; i < a->queries; i++)
        memset(o.dq + at(a->dq_stride, batch, head, i), 0, (size_t)a->width * sizeof(double));
    for (int64_t j = 0; j < a->keys; j++) {
        memset(o.dk + at(a->dk_stride, batch, head / a->kv_group, j), 0, (size_t)a->width * sizeof(double));
        memset(o.dv + at(a->dv_stride, batch, head / a->kv_group, j), 0, (size_t)a->value_width * sizeof(double));
    }
}

/* All of the buffer: what a kernel must not touch has kept its value too. */
static void compare(const char *what, const double *want, const double *got64, const float *got32)
{
    for (int64_t i = 0; i < MAX; i++) {
        if (isinf(want[i])) {
            assert_true(got64[i] == want[i] && (double)got32[i] == want[i]);
            continue;
        }
        if (!(fabs(got64[i] - want[i]) <= 64 * DBL_EPSILON * (1.0 + fabs(want[i]))))
            fail_msg("%s[%ld] in f64 is %.17g, want %.17g", what, (long)i, got64[i], want[i]);
        if (!(fabs((double)got32[i] - want[i]) <= 64 * (double)FLT_EPSILON * (1.0 + fabs(want[i]))))
            fail_msg("%s[%ld] in f32 is %.9g, want %.9g", what, (long)i, (double)got32[i], want[i]);
    }
}

static Operands copy_operands(Operands o)
{
    double **from[] = {&o.q, &o.k, &o.v, &o.mask, &o.y, &o.lse, &o.dy, &o.dq, &o.dk, &o.dv};
    Operands c = o;
    double **to[] = {&c.q, &c.k, &c.v, &c.mask, &c.y, &c.lse, &c.dy, &c.dq, &c.dk, &c.dv};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        if (*from[i]) {
            *to[i] = malloc(MAX * sizeof(double));
            memcpy(*to[i], *from[i], MAX * sizeof(double));
        }
    return c;
}

static void check(PccAttention a, Operands o)
{
    Operands got = copy_operands(o);
    OperandsF32 got32 = narrow_operands(o);
    for (int64_t b = 0; b < a.batch; b++)
        for (int64_t h = 0; h < a.heads; h++)
            clear(&a, o, b, h);
    assert_true(pcc_attention_grad_scratch_bytes(a, 8) <= (size_t)MAX * 64);
    reference(&a, o);
    run_f64(a, got);
    run_f32(a, got32);
    compare("y", o.y, got.y, got32.y);
    compare("lse", o.lse, got.lse, got32.lse);
    compare("dq", o.dq, got.dq, got32.dq);
    compare("dk", o.dk, got.dk, got32.dk);
    compare("dv", o.dv, got.dv, got32.dv);
    free_operands(got);
    free_operands_f32(got32);
    free_operands(o);
}

static void dense_shapes_agree_with_the_formula(void **state)
{
    (void)state;
    check(shape_of(3, 2, 50, 50, 64, 64), new_operands(0));
    check(shape_of(1, 1, 1, 1, 1, 1), new_operands(0));
    check(shape_of(2, 1, 7, 19, 5, 3), new_operands(0));
    check(shape_of(1, 2, 197, 197, 32, 48), new_operands(0));
    check(shape_of(1, 1, 131, 517, 20, 36), new_operands(0)); /* several key ranges */
    check(shape_of(1, 1, 300, 3, 16, 16), new_operands(0));
    check(shape_of(1, 1, 20, 40, 500, 700), new_operands(0)); /* tiles shrink to fit the scratch */
    check(shape_of(1, 1, 64, 30, 2400, PCC_ATTENTION_MAX_WIDTH - 2400), new_operands(0));
}

static void causal_attention_agrees_with_the_formula(void **state)
{
    (void)state;
    const int64_t sizes[][2] = {{50, 50}, {256, 256}, {20, 90}, {90, 20}, {300, 301}, {1, 17}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        PccAttention a = shape_of(2, 2, sizes[i][0], sizes[i][1], 24, 24);
        a.causal = 1;
        check(a, new_operands(0));
    }
}

static void interleaved_heads_are_strides(void **state)
{
    (void)state;
    enum { B = 2, T = 50, H = 3, D = 64 };
    PccAttention a = shape_of(B, H, T, T, D, D);
    const int64_t qkv[3] = {T * 3 * H * D, D, 3 * H * D}, y[3] = {T * H * D, D, H * D}; /* [B, T, 3, H, D] */
    for (int i = 0; i < 3; i++) {
        a.q_stride[i] = a.k_stride[i] = a.v_stride[i] = a.dq_stride[i] = a.dk_stride[i] = a.dv_stride[i] = qkv[i];
        a.y_stride[i] = a.dy_stride[i] = y[i];
    }
    check(a, new_operands(0));
}

static void masks_broadcast(void **state)
{
    (void)state;
    PccAttention a = shape_of(2, 3, 33, 47, 16, 16);
    const int64_t strides[][4] = {{3 * 33 * 47, 33 * 47, 47, 1}, {0, 0, 47, 1}, {47, 0, 0, 1}, {33, 0, 1, 0}};
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
        memcpy(a.mask_stride, strides[i], sizeof strides[i]);
        Operands o = new_operands(1);
        for (int64_t j = 0; j < MAX; j += 5)
            o.mask[j] = -HUGE_VAL;
        for (int64_t j = 47; j < 94; j++)
            o.mask[j] = -HUGE_VAL; /* a query without keys, in the layouts with a query stride */
        a.causal = i == 1;
        check(a, o);
    }
}

static void query_heads_share_key_heads(void **state)
{
    (void)state;
    PccAttention a = shape_of(2, 6, 40, 61, 16, 8);
    a.kv_group = 3;
    dense(a.k_stride, 2, 61, 16);
    dense(a.v_stride, 2, 61, 8);
    dense(a.dk_stride, 2, 61, 16);
    dense(a.dv_stride, 2, 61, 8);
    check(a, new_operands(0));
}

/* sum(dy y) as a function of one operand's element. */
static double loss(PccAttention a, Operands o, double *element, double value)
{
    PccStep s = {.thread_scratch = thread_scratch};
    const double before = *element;
    double sum = 0.0;
    *element = value;
    pcc_attention_f64(a, o.q, o.k, o.v, o.mask, o.y, NULL, &s);
    *element = before;
    for (int64_t i = 0; i < a.batch * a.heads * a.queries * a.value_width; i++)
        sum += o.dy[i] * o.y[i];
    return sum;
}

static void gradients_agree_with_differences(void **state)
{
    (void)state;
    PccAttention a = shape_of(1, 2, 5, 9, 4, 3);
    Operands o = new_operands(0);
    a.causal = 1;
    run_f64(a, o);
    struct {
        double *operand, *gradient;
        int64_t size;
    } sides[] = {{o.q, o.dq, 2 * 5 * 4}, {o.k, o.dk, 2 * 9 * 4}, {o.v, o.dv, 2 * 9 * 3}};
    for (int i = 0; i < 3; i++)
        for (int64_t j = 0; j < sides[i].size; j++) {
            double *element = sides[i].operand + j;
            double up = loss(a, o, element, *element + 1e-5), down = loss(a, o, element, *element - 1e-5);
            double quotient = (up - down) / 2e-5;
            if (!(fabs(quotient - sides[i].gradient[j]) <= 1e-8))
                fail_msg("operand %d [%ld]: %g, want %g", i, (long)j, sides[i].gradient[j], quotient);
        }
    free_operands(o);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    const PccAttention shapes[] = {shape_of(2, 3, 50, 50, 64, 64), shape_of(1, 1, 131, 517, 20, 36)};
    for (int i = 0; i < 2; i++) {
        Operands o = new_operands(0);
        OperandsF32 one = narrow_operands(o), many = narrow_operands(o);
        omp_set_num_threads(1);
        run_f32(shapes[i], one);
        for (int threads = 2; threads <= THREADS; threads++) {
            omp_set_num_threads(threads);
            run_f32(shapes[i], many);
            assert_memory_equal(one.y, many.y, MAX * sizeof(float));
            assert_memory_equal(one.dq, many.dq, MAX * sizeof(float));
            assert_memory_equal(one.dk, many.dk, MAX * sizeof(float));
            assert_memory_equal(one.dv, many.dv, MAX * sizeof(float));
        }
        omp_set_num_threads(2);
        free_operands_f32(one);
        free_operands_f32(many);
        free_operands(o);
    }
}

int main(void)
{
    omp_set_num_threads(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_shapes_agree_with_the_formula),
        cmocka_unit_test(causal_attention_agrees_with_the_formula),
        cmocka_unit_test(interleaved_heads_are_strides),
        cmocka_unit_test(masks_broadcast),
        cmocka_unit_test(query_heads_share_key_heads),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
