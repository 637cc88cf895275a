/* CUDA's optimizers beside the C target's on the same weights, bit by bit, and beside the formulas in double where a
 * norm, which is added in another order, comes in; overflow, and the loss scale from update to update. */
#include "optimizer_case.h"

/* One spans several chunks, one is empty; none but one is a multiple of a vector or a block. */
static const int64_t sizes[] = {1, 2 * PCC_CUDA_UPDATE_CHUNK + 77, 0, 130, 64, 4097};
static const PccHyper hyper = {0.01, 0.1, 0.9, 0.999, 1e-8, 0.9};

static Case plain_case(Optimizer optimizer, PccDtype dtype)
{
    Case c = {};
    c.optimizer = optimizer;
    for (int64_t size : sizes)
        add_param(&c, {dtype, dtype, dtype, PCC_NEAREST, 0}, size);
    start(&c, hyper);
    return c;
}

static void assert_same_update(const Case *c)
{
    assert_memory_equal(c->in_c.weights, c->mirror.weights, c->bytes);
    assert_int_equal(c->done_in_c.first_overflow, c->done_in_cuda.first_overflow);
    assert_int_equal(c->done_in_c.rounded, c->done_in_cuda.rounded);
    assert_int_equal(c->done_in_c.lost, c->done_in_cuda.lost);
    assert_int_equal(c->in_c.update, c->mirror.update);
    assert_int_equal(c->mirror.micro, 0);
    assert_true(c->in_c.loss_scale == c->mirror.loss_scale);
}

/* Updates of both, from equal weights each time. */
static void three_updates(Case *c)
{
    for (int step = 0; step < 3; step++) {
        set_gradients(c);
        share_weights(c);
        c->mirror.micro = 3;
        update_c(c);
        update_cuda(c);
        assert_same_update(c);
    }
}

static void plain(void **)
{
    const Optimizer optimizers[] = {SGD, ADAM, ADAMW, LION};
    for (Optimizer optimizer : optimizers)
        for (PccDtype dtype : {PCC_F32, PCC_F64}) {
            Case c = plain_case(optimizer, dtype);
            three_updates(&c);
            end(&c);
        }
}

static void sgd_without_momentum(void **)
{
    for (int has_buffer = 0; has_buffer < 2; has_buffer++) {
        Case c = plain_case(SGD, PCC_F32);
        c.in_c.hyper.momentum = c.mirror.hyper.momentum = 0;
        for (int64_t p = 0; p < c.count && !has_buffer; p++)
            c.params[p].moment1 = PCC_NONE;
        three_updates(&c);
        end(&c);
    }
}

/* ---- the norm --------------------------------------------------------------------------------------------------- */

static double norm_of(const Case *c, const char *weights)
{
    double squares = 0;
    for (int64_t p = 0; p < c->count; p++)
        for (int64_t i = 0; i < c->params[p].value.dims[0]; i++)
            squares += pow(get(weights + c->params[p].gradient, c->params[p].gradient_dtype, i), 2);
    return sqrt(squares);
}

/* SGD without momentum: what it takes off the weight is the clipped gradient. */
static void clipped(PccDtype dtype, double clip_norm, double loss_scale)
{
    Case c = plain_case(SGD, dtype);
    c.in_c.hyper = c.mirror.hyper = {1, 0, 0, 0, 0, 0};
    c.mirror.clip_norm = clip_norm;
    c.mirror.loss_scale = c.in_c.loss_scale = c.scale_in_cuda.scale = loss_scale;
    set_gradients(&c);
    share_weights(&c);
    const double norm = norm_of(&c, c.mirror.weights) / loss_scale;
    const double factor = clip_norm < norm ? clip_norm / norm : 1, epsilon = dtype == PCC_F32 ? 0x1p-23 : 0x1p-50;
    update_cuda(&c);
    assert_float_equal(c.done_in_cuda.gradient_norm / norm, 1, epsilon);
    for (int64_t p = 0; p < c.count; p++)
        for (int64_t i = 0; i < c.params[p].value.dims[0]; i++) {
            const double w = get(c.in_c.weights + c.params[p].value.offset, dtype, i);
            const double g = get(c.in_c.weights + c.params[p].gradient, dtype, i) / loss_scale;
            const double want = w - factor * g, got = get(c.mirror.weights + c.params[p].value.offset, dtype, i);
            assert_true(fabs(got - want) <= 4 * epsilon * (1 + 1e-6 / norm / epsilon * (dtype == PCC_F64)));
        }
    end(&c);
}

static void clipping(void **)
{
    for (PccDtype dtype : {PCC_F32, PCC_F64})
        for (double norm : {0.5, 40.0, 1e6})
            for (double scale : {1.0, 65536.0})
                clipped(dtype, norm, scale);
}

/* Squares that leave f32's range, on both sides, are no overflow and no zero; nor are f64's. */
static void norms_of_any_size(void **)
{
    const double factors[] = {1e-36, 1e-20, 1, 1e20, 1e30, 0};
    for (double factor : factors)
        for (PccDtype dtype : {PCC_F32, PCC_F64, PCC_BF16}) {
            Case c = {};
            c.optimizer = SGD;
            for (int64_t size : sizes)
                add_param(&c, {PCC_F32, dtype, PCC_F32, PCC_NEAREST, 0}, size);
            start(&c, {});
            c.mirror.check_gradients = true;
            for (int64_t p = 0; p < c.count; p++)
                for (int64_t i = 0; i < c.params[p].value.dims[0]; i++)
                    put(c.mirror.weights + c.params[p].gradient, dtype, i,
                        next_value() * (i % 3 == 0 ? 1e-9 : 1) * factor);
            const double norm = norm_of(&c, c.mirror.weights);
            if (dtype == PCC_F64)
                c.params[1].value.dtype = PCC_F64; /* which only the norm sees */
            c.count = dtype == PCC_F64 ? 2 : c.count;
            update_cuda(&c);
            assert_int_equal(c.done_in_cuda.first_overflow, -1);
            if (dtype != PCC_F64)
                assert_true(fabs(c.done_in_cuda.gradient_norm - norm) <= 0x1p-22 * norm);
            end(&c);
        }
}

static void huge_f64(void **)
{
    Case c = plain_case(SGD, PCC_F64);
    c.mirror.clip_norm = 1;
    put(c.mirror.weights + c.params[3].gradient, PCC_F64, 0, 1e200);
    update_cuda(&c);
    assert_int_equal(c.done_in_cuda.first_overflow, -1);
    assert_true(isinf(c.done_in_cuda.gradient_norm));
    end(&c);
}

/* ---- overflow --------------------------------------------------------------------------------------------------- */

static void overflow(void **)
{
    for (double bad : {(double)INFINITY, -(double)INFINITY, (double)NAN})
        for (PccDtype dtype : {PCC_F32, PCC_F64}) {
            Case c = plain_case(ADAMW, dtype);
            c.mirror.check_gradients = c.in_c.check_gradients = true;
            set_gradients(&c);
            put(c.in_c.weights + c.params[5].gradient, dtype, 4096, (double)NAN);
            put(c.in_c.weights + c.params[1].gradient, dtype, sizes[1] - 1, bad);
            share_weights(&c);
            update_c(&c);
            update_cuda(&c);
            assert_int_equal(c.done_in_cuda.first_overflow, 1);
            assert_int_equal(c.mirror.update, 0);
            assert_int_equal(c.scale_in_cuda.skipped, 1);
            assert_same_update(&c);
            end(&c);
        }
}

/* Nobody looks where neither clipping nor checks ask for it. */
static void unchecked(void **)
{
    Case c = plain_case(SGD, PCC_F32);
    put(c.mirror.weights + c.params[4].gradient, PCC_F32, 3, (double)INFINITY);
    update_cuda(&c);
    assert_int_equal(c.done_in_cuda.first_overflow, -1);
    assert_true(c.done_in_cuda.gradient_norm == 0);
    assert_int_equal(c.mirror.update, 1);
    end(&c);
}

/* The trace of scales over overflows at some steps, with a limit that it reaches. */
static void loss_scale_trace(void **)
{
    Case c = {};
    c.optimizer = ADAMW;
    add_param(&c, {PCC_F32, PCC_F32, PCC_F32, PCC_NEAREST, 0}, 300);
    start(&c, hyper);
    c.scaling = {1024, true, 3, 4096};
    c.scale_in_c = c.scale_in_cuda = {1024, 0, 0};
    c.in_c.loss_scale = c.mirror.loss_scale = 1024;
    c.in_c.check_gradients = c.mirror.check_gradients = true;
    share_weights(&c);
    for (int step = 0; step < 25; step++) {
        set_gradients(&c);
        if (step == 5 || step == 6 || step == 20)
            put(c.in_c.weights + c.params[0].gradient, PCC_F32, step, (double)INFINITY);
        memcpy(c.mirror.weights + c.params[0].gradient, c.in_c.weights + c.params[0].gradient, 300 * sizeof(float));
        update_c(&c);
        update_cuda(&c);
        assert_same_update(&c);
        assert_memory_equal(&c.scale_in_c, &c.scale_in_cuda, sizeof c.scale_in_c);
    }
    assert_int_equal(c.scale_in_cuda.skipped, 3);
    assert_int_equal(c.mirror.update, 22);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),     cmocka_unit_test(sgd_without_momentum), cmocka_unit_test(clipping),
        cmocka_unit_test(huge_f64),  cmocka_unit_test(norms_of_any_size),    cmocka_unit_test(overflow),
        cmocka_unit_test(unchecked), cmocka_unit_test(loss_scale_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
