/* Fused attention against the plain formula in double, its gradient against central differences, in every layout,
 * and with the same bits for any number of threads. */
#include "attention_check.h"

#include <float.h>

typedef struct OperandsF32 {
    float *q, *k, *v, *mask, *y, *max, *inverse_sum, *dy, *dq, *dk, *dv;
    const uint8_t *visible;
} OperandsF32;

static float **operand_f32(OperandsF32 *o, int i)
{
    float **all[OPERAND_COUNT] = {&o->q,           &o->k,  &o->v,  &o->mask, &o->y, &o->max,
                                  &o->inverse_sum, &o->dy, &o->dq, &o->dk,   &o->dv};
    return all[i];
}

static OperandsF32 narrow_operands(Operands o)
{
    OperandsF32 narrow = {.visible = o.visible};
    for (int i = 0; i < OPERAND_COUNT; i++) {
        const double *from = *operand(&o, i);
        float *to = from ? malloc(MAX * sizeof *to) : NULL;
        for (int64_t j = 0; from && j < MAX; j++)
            to[j] = (float)from[j];
        *operand_f32(&narrow, i) = to;
    }
    return narrow;
}

static void free_operands_f32(OperandsF32 o)
{
    for (int i = 0; i < OPERAND_COUNT; i++)
        free(*operand_f32(&o, i));
}

static void run_f64(PccAttention a, Operands o)
{
    PccStep s = {.thread_scratch = thread_scratch};
    if (o.visible) {
        pcc_attention_visible_f64(a, o.q, o.k, o.v, o.visible, o.y, o.max, o.inverse_sum, &s);
        pcc_attention_visible_grad_f64(a, o.q, o.k, o.v, o.visible, o.y, o.max, o.inverse_sum, o.dy, o.dq, o.dk, o.dv,
                                       grad_scratch, &s);
        return;
    }
    pcc_attention_f64(a, o.q, o.k, o.v, o.mask, o.y, o.max, o.inverse_sum, &s);
    pcc_attention_grad_f64(a, o.q, o.k, o.v, o.mask, o.y, o.max, o.inverse_sum, o.dy, o.dq, o.dk, o.dv, grad_scratch,
                           &s);
}

static void run_f32(PccAttention a, OperandsF32 o)
{
    PccStep s = {.thread_scratch = thread_scratch};
    if (o.visible) {
        pcc_attention_visible_f32(a, o.q, o.k, o.v, o.visible, o.y, o.max, o.inverse_sum, &s);
        pcc_attention_visible_grad_f32(a, o.q, o.k, o.v, o.visible, o.y, o.max, o.inverse_sum, o.dy, o.dq, o.dk, o.dv,
                                       grad_scratch, &s);
        return;
    }
    pcc_attention_f32(a, o.q, o.k, o.v, o.mask, o.y, o.max, o.inverse_sum, &s);
    pcc_attention_grad_f32(a, o.q, o.k, o.v, o.mask, o.y, o.max, o.inverse_sum, o.dy, o.dq, o.dk, o.dv, grad_scratch,
                           &s);
}

static void compare(const char *what, const double *want, const double *got, double epsilon)
{
    for (int64_t i = 0; i < MAX; i++)
        check_close(got[i], want[i], 64 * epsilon * (1.0 + fabs(want[i])), what, i);
}

/* All of each buffer: what a kernel must not touch has kept its value too. */
static void compare_results(Operands want, Operands got, double epsilon)
{
    compare("y", want.y, got.y, epsilon);
    compare("max", want.max, got.max, epsilon);
    compare("inverse_sum", want.inverse_sum, got.inverse_sum, epsilon);
    compare("dq", want.dq, got.dq, epsilon);
    compare("dk", want.dk, got.dk, epsilon);
    compare("dv", want.dv, got.dv, epsilon);
}

static void check_f64(PccAttention a, Operands o)
{
    Operands want = copy_operands(o), got = copy_operands(o);
    assert_true(pcc_attention_grad_scratch_bytes(a, 8) <= (size_t)MAX * 64);
    reference(&a, want, 0, NULL);
    run_f64(a, got);
    compare_results(want, got, DBL_EPSILON);
    free_operands(want);
    free_operands(got);
}

static void check_f32(PccAttention a, Operands o, int absorbed)
{
    Operands want = copy_operands(o), got = copy_operands(o);
    OperandsF32 narrow = narrow_operands(o);
    reference(&a, want, absorbed, NULL);
    run_f32(a, narrow);
    for (int i = 0; i < OPERAND_COUNT; i++)
        for (int64_t j = 0; *operand(&got, i) && j < MAX; j++)
            (*operand(&got, i))[j] = (double)(*operand_f32(&narrow, i))[j];
    compare_results(want, got, (double)FLT_EPSILON);
    free_operands(want);
    free_operands(got);
    free_operands_f32(narrow);
}

static void check(PccAttention a, Operands o)
{
    check_f64(a, o);
    check_f32(a, o, 0);
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
    check(shape_of(4, 4, 150, 150, 9, 17), new_operands(0));  /* several key blocks in a task */
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

/* A task's sums of dq do not fit its thread's scratch: keys are one range, queries many. */
static void long_queries_agree_with_the_formula(void **state)
{
    (void)state;
    const PccAttention a = grouped_shape(1, 2, 2, 1100, 150, 64, 8);
    assert_int_equal(pcc_attention_key_splits(a), 1);
    assert_false(pcc_attention_sums_are_private(a, sizeof(float)));
    check(a, new_operands(0));
}

static void interleaved_heads_are_strides(void **state)
{
    (void)state;
    check(interleaved_shape(2, 50, 3, 64), new_operands(0));
}

static const int64_t mask_strides[][4] = {{3 * 33 * 47, 33 * 47, 47, 1}, {0, 0, 47, 1}, {47, 0, 0, 1}, {33, 0, 1, 0}};

static void masks_broadcast(void **state)
{
    (void)state;
    PccAttention a = shape_of(2, 3, 33, 47, 16, 16);
    for (size_t i = 0; i < sizeof mask_strides / sizeof *mask_strides; i++) {
        memcpy(a.mask_stride, mask_strides[i], sizeof mask_strides[i]);
        Operands o = new_operands(1);
        block_some(o.mask, 47);
        a.causal = i == 1;
        check(a, o);
    }
}

static void bool_masks_block_keys(void **state)
{
    (void)state;
    PccAttention a = shape_of(2, 3, 33, 47, 16, 16);
    uint8_t *visible = malloc(MAX);
    for (size_t i = 0; i < sizeof mask_strides / sizeof *mask_strides; i++) {
        memcpy(a.mask_stride, mask_strides[i], sizeof mask_strides[i]);
        Operands o = new_operands(0);
        for (int64_t j = 0; j < MAX; j++)
            visible[j] = j % 5 != 0 && j / 47 != 1;
        o.visible = visible;
        a.causal = i == 1;
        check(a, o);
    }
    free(visible);
}

/* Blocked by a number, as exporters write it, a row of nothing but blocked keys weighs them all: in float all alike,
 * for nothing of the scores is left in the sum. q and k are such that scores are exact. */
static void rows_blocked_by_finite_masks_keep_their_gradient(void **state)
{
    (void)state;
    const double huge[] = {-1e9, -1e30, -(double)FLT_MAX};
    PccAttention a = shape_of(2, 2, 20, 37, 16, 16);
    a.mask_stride[2] = a.keys;
    a.mask_stride[3] = 1;
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
        Operands o = new_operands(1);
        for (int64_t j = 0; j < MAX; j++) {
            o.q[j] = round(o.q[j] * 8) / 8;
            o.k[j] = round(o.k[j] * 8) / 8;
            o.mask[j] = j / a.keys % 2 || j % 3 == 0 ? (double)(float)huge[i] : 0.0;
        }
        check_f64(a, o);
        check_f32(a, o, 1);
        free_operands(o);
    }
}

static void query_heads_share_key_heads(void **state)
{
    (void)state;
    check(grouped_shape(2, 6, 3, 40, 61, 16, 8), new_operands(0));
}

/* sum(dy y) as a function of one operand's element. */
static double loss(PccAttention a, Operands o, double *element, double value)
{
    PccStep s = {.thread_scratch = thread_scratch};
    const double before = *element;
    double sum = 0.0;
    *element = value;
    pcc_attention_f64(a, o.q, o.k, o.v, o.mask, o.y, NULL, NULL, &s);
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
            check_close(sides[i].gradient[j], (up - down) / 2e-5, 1e-8, "gradient", j);
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
            for (int j = 0; j < OPERAND_COUNT; j++)
                if (*operand_f32(&one, j))
                    assert_memory_equal(*operand_f32(&one, j), *operand_f32(&many, j), MAX * sizeof(float));
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
        cmocka_unit_test(long_queries_agree_with_the_formula),
        cmocka_unit_test(interleaved_heads_are_strides),
        cmocka_unit_test(masks_broadcast),
        cmocka_unit_test(bool_masks_block_keys),
        cmocka_unit_test(rows_blocked_by_finite_masks_keep_their_gradient),
        cmocka_unit_test(query_heads_share_key_heads),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
