/* Attention over 16-bit operands against the formula in double on the same rounded operands: every mixture of dtypes,
 * mask and layout, and the same bits for any number of threads. */
#define PCC_NARROW
#include "attention_check.h"

/* The dtypes of the operands, in the order of Operands; statistics and gradients of q, k, v follow. */
typedef struct Storage {
    PccDtype q, k, v, mask, y, dy, dq, dk, dv;
} Storage;

static const Storage all_bf16 = {PCC_BF16, PCC_BF16, PCC_BF16, PCC_BF16, PCC_BF16,
                                 PCC_BF16, PCC_BF16, PCC_BF16, PCC_BF16};
static const Storage all_f16 = {PCC_F16, PCC_F16, PCC_F16, PCC_F16, PCC_F16, PCC_F16, PCC_F16, PCC_F16, PCC_F16};
static const Storage mixture = {PCC_BF16, PCC_F16, PCC_F32, PCC_F32, PCC_F16, PCC_F32, PCC_F32, PCC_BF16, PCC_F16};
static const Storage wide_mask = {PCC_F16, PCC_F16, PCC_F16, PCC_F32, PCC_F16, PCC_F16, PCC_F16, PCC_F16, PCC_F16};

/* Each operand in memory of its own, with its dtype. */
typedef struct Stored {
    PccOut operand[OPERAND_COUNT];
    const uint8_t *visible;
} Stored;

enum { Q, K, V, MASK, Y, MAXIMUM, INVERSE_SUM, DY, DQ, DK, DV }; /* the order of Operands */

static PccDtype dtype_of(const Storage *s, int i)
{
    const PccDtype all[OPERAND_COUNT] = {s->q, s->k, s->v, s->mask, s->y, PCC_F32, PCC_F32, s->dy, s->dq, s->dk, s->dv};
    return all[i];
}

/* Stores every operand; what is lost by that is lost in `o`, too. */
static Stored store(Operands o, const Storage *storage)
{
    Stored stored = {.visible = o.visible};
    for (int i = 0; i < OPERAND_COUNT; i++) {
        double *values = *operand(&o, i);
        PccOut *out = &stored.operand[i];
        *out = (PccOut){NULL, dtype_of(storage, i)};
        if (!values)
            continue;
        out->data = malloc((size_t)(MAX * pcc_stored_bytes(out->dtype)));
        for (int64_t j = 0; j < MAX; j++) {
            pcc_write_one(*out, j, (float)values[j]);
            values[j] = (double)pcc_read_one((PccIn){out->data, out->dtype}, j);
        }
    }
    return stored;
}

static void free_stored(Stored stored)
{
    for (int i = 0; i < OPERAND_COUNT; i++)
        free(stored.operand[i].data);
}

static PccIn in(const Stored *stored, int i)
{
    return (PccIn){stored->operand[i].data, stored->operand[i].dtype};
}

static void run(PccAttention a, const Stored *o)
{
    PccStep s = {.thread_scratch = thread_scratch};
    const PccOut *out = o->operand;
    if (o->visible) {
        pcc_attention_visible_narrow(a, in(o, Q), in(o, K), in(o, V), o->visible, out[Y], out[MAXIMUM],
                                     out[INVERSE_SUM], &s);
        pcc_attention_visible_grad_narrow(a, in(o, Q), in(o, K), in(o, V), o->visible, in(o, Y), in(o, MAXIMUM),
                                          in(o, INVERSE_SUM), in(o, DY), out[DQ], out[DK], out[DV], grad_scratch, &s);
        return;
    }
    pcc_attention_narrow(a, in(o, Q), in(o, K), in(o, V), in(o, MASK), out[Y], out[MAXIMUM], out[INVERSE_SUM], &s);
    pcc_attention_grad_narrow(a, in(o, Q), in(o, K), in(o, V), in(o, MASK), in(o, Y), in(o, MAXIMUM),
                              in(o, INVERSE_SUM), in(o, DY), out[DQ], out[DK], out[DV], grad_scratch, &s);
}

/* Half an ulp of the storage, relative. */
static double unit_of(PccDtype dtype)
{
    return dtype == PCC_BF16 ? 0x1p-8 : dtype == PCC_F16 ? 0x1p-11 : 0.0;
}

/* Do products round softmax weights and gradients of scores to bf16 (attention_pairs.h)? */
static int weights_are_rounded(const Storage *s)
{
    return PCC_PAIRS && !PCC_TILES && s->q == PCC_BF16 && s->k == PCC_BF16 && s->v == PCC_BF16 && s->dy == PCC_BF16;
}

/* All of a buffer: what a kernel must not touch has kept its value too. Beside the one rounding to storage there is
 * what float accumulation makes of numbers near 1, and where `sizes` of a sum's terms are given, a rounding of each. */
static void compare(const char *what, const double *want, const double *sizes, const Stored *got, int i)
{
    const double unit = unit_of(got->operand[i].dtype);
    for (int64_t j = 0; j < MAX; j++) {
        const double rounded = sizes ? unit_of(PCC_BF16) * fabs(sizes[j]) : 0.0;
        const double tolerance = (unit + 64 * 0x1p-23) * (fabs(want[j]) + rounded) + rounded + 64 * 0x1p-23;
        check_close((double)pcc_read_one(in(got, i), j), want[j], tolerance, what, j);
    }
}

static void check_stored(PccAttention a, Operands original, const Storage *storage, int absorbed)
{
    static const char *const names[] = {"q", "k", "v", "mask", "y", "max", "inverse_sum", "dy", "dq", "dk", "dv"};
    static const int results[] = {Y, MAXIMUM, INVERSE_SUM, DQ, DK, DV};
    Operands want = copy_operands(original);
    Stored got = store(want, storage);
    Operands sizes = copy_operands(want);
    const int rounded = weights_are_rounded(storage);
    double *saved = malloc(MAX * sizeof *saved);
    assert_true(pcc_attention_grad_scratch_bytes(a, sizeof(float)) <= (size_t)MAX * 64);
    run(a, &got);
    for (int64_t j = 0; j < MAX; j++)
        saved[j] = (double)pcc_read_one(in(&got, Y), j); /* the gradient's operand is y as stored */
    reference(&a, want, absorbed, saved);
    sizes.of_sizes = 1;
    reference(&a, sizes, absorbed, saved);
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        const int r = results[i], is_sum = r != MAXIMUM && r != INVERSE_SUM;
        compare(names[r], *operand(&want, r), rounded && is_sum ? *operand(&sizes, r) : NULL, &got, r);
    }
    free(saved);
    free_stored(got);
    free_operands(sizes);
    free_operands(want);
}

static void check(PccAttention a, Operands o)
{
    check_stored(a, o, &all_bf16, 0);
    check_stored(a, o, &all_f16, 0);
    check_stored(a, o, &mixture, 0);
    free_operands(o);
}

static void dense_shapes_agree_with_the_formula(void **state)
{
    (void)state;
    check(shape_of(3, 2, 50, 50, 64, 64), new_operands(0));
    check(shape_of(2, 1, 7, 19, 5, 3), new_operands(0));
    check(shape_of(1, 1, 131, 517, 20, 36), new_operands(0)); /* several key ranges */
    check(shape_of(4, 4, 150, 150, 9, 17), new_operands(0));  /* several key blocks in a task */
    check(shape_of(1, 1, 20, 40, 500, 700), new_operands(0)); /* tiles shrink to fit the scratch */
}

static void causal_attention_agrees_with_the_formula(void **state)
{
    (void)state;
    const int64_t sizes[][2] = {{50, 50}, {200, 200}, {20, 90}, {90, 20}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        PccAttention a = shape_of(2, 2, sizes[i][0], sizes[i][1], 24, 24);
        a.causal = 1;
        check(a, new_operands(0));
    }
}

static void heads_are_strided_and_grouped(void **state)
{
    (void)state;
    check(interleaved_shape(2, 50, 3, 64), new_operands(0));
    check(grouped_shape(2, 6, 3, 40, 61, 16, 8), new_operands(0));
    check(grouped_shape(1, 2, 2, 1100, 150, 64, 8), new_operands(0)); /* sums of dq that leave the thread's scratch */
    PccAttention causal = grouped_shape(2, 4, 2, 139, 143, 7, 13);
    causal.causal = 1;
    check(causal, new_operands(0));
}

static void masks_of_any_dtype(void **state)
{
    (void)state;
    const int64_t strides[][4] = {{3 * 33 * 47, 33 * 47, 47, 1}, {0, 0, 47, 1}, {47, 0, 0, 1}, {33, 0, 1, 0}};
    PccAttention a = shape_of(2, 3, 33, 47, 16, 16);
    uint8_t *visible = malloc(MAX);
    for (int64_t j = 0; j < MAX; j++)
        visible[j] = j % 5 != 0 && j / 47 != 1;
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
        memcpy(a.mask_stride, strides[i], sizeof strides[i]);
        a.causal = i == 1;
        Operands o = new_operands(1), blocked = new_operands(0);
        block_some(o.mask, 47);
        check_stored(a, o, &wide_mask, 0);
        check(a, o);
        blocked.visible = visible;
        check(a, blocked);
    }
    free(visible);
}

/* As in test_attention.c. -1e9 is not an f16: there the mask is f32. */
static void rows_blocked_by_finite_masks_keep_their_gradient(void **state)
{
    (void)state;
    const float huge[] = {-1e9f, -3.4e38f};
    PccAttention a = shape_of(2, 2, 20, 37, 16, 16);
    a.mask_stride[2] = a.keys;
    a.mask_stride[3] = 1;
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
        Operands o = new_operands(1);
        for (int64_t j = 0; j < MAX; j++) {
            o.q[j] = round(o.q[j] * 8) / 8;
            o.k[j] = round(o.k[j] * 8) / 8;
            o.mask[j] = j / a.keys % 2 || j % 3 == 0 ? (double)huge[i] : 0.0;
        }
        check_stored(a, o, &all_bf16, 1);
        check_stored(a, o, &wide_mask, 1);
        check_stored(a, o, &mixture, 1);
        free_operands(o);
    }
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    const PccAttention shapes[] = {shape_of(2, 3, 50, 50, 64, 64), shape_of(1, 1, 131, 517, 20, 36)};
    for (int i = 0; i < 2; i++) {
        Operands o = new_operands(0);
        Stored one = store(o, &all_bf16);
        omp_set_num_threads(1);
        run(shapes[i], &one);
        for (int threads = 2; threads <= 4; threads *= 2) {
            Stored many = store(o, &all_bf16);
            omp_set_num_threads(threads);
            run(shapes[i], &many);
            for (int j = Y; j < OPERAND_COUNT; j++)
                assert_memory_equal(one.operand[j].data, many.operand[j].data,
                                    (size_t)(MAX * pcc_stored_bytes(one.operand[j].dtype)));
            free_stored(many);
        }
        omp_set_num_threads(2);
        free_stored(one);
        free_operands(o);
    }
}

int main(void)
{
    omp_set_num_threads(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_shapes_agree_with_the_formula),
        cmocka_unit_test(causal_attention_agrees_with_the_formula),
        cmocka_unit_test(heads_are_strided_and_grouped),
        cmocka_unit_test(masks_of_any_dtype),
        cmocka_unit_test(rows_blocked_by_finite_masks_keep_their_gradient),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
