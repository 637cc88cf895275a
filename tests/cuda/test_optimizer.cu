/* CUDA's optimizers beside the C target's on the same f32 and f64 weights, bit by bit, and beside the formulas in
 * double where a norm, which is added in another order, comes in; overflow, and the loss scale from update to update.
 */
#include "optimizer_case.h"

/* One spans several chunks, one is empty; none but one is a multiple of a vector or a block. */
static const int64_t sizes[] = {1, 2 * PCC_CUDA_UPDATE_CHUNK + 77, 0, 130, 64, 4097};
static const PccHyper hyper = {0.01, 0.1, 0.9, 0.999, 1e-8, 0.9};

static OptimizerCase plain_case(Optimizer optimizer, PccDtype dtype, PccHyper h = hyper)
{
    OptimizerCase c(optimizer, h);
    for (int64_t size : sizes)
        c.add({dtype, dtype, dtype, PCC_NEAREST, 0}, size);
    c.fill();
    return c;
}

static void plain(void **)
{
    for (Optimizer optimizer : {SGD, ADAM, ADAMW, LION})
        for (PccDtype dtype : {PCC_F32, PCC_F64}) {
            OptimizerCase c = plain_case(optimizer, dtype);
            c.set_loss_scale(dtype == PCC_F32 ? 1024 : 1);
            c.step.micro = 3;
            expect_same_updates(c, 3);
        }
}

static void sgd_without_momentum(void **)
{
    for (bool has_buffer : {false, true}) {
        PccHyper h = hyper;
        h.momentum = 0;
        OptimizerCase c = plain_case(SGD, PCC_F32, h);
        for (PccParam &param : c.params)
            param.moment1 = has_buffer ? param.moment1 : PCC_NONE;
        expect_same_updates(c, 3);
    }
}

/* f64 beside f32. */
static void both_widths(void **)
{
    OptimizerCase c(ADAMW, hyper);
    c.add({PCC_F64, PCC_F64, PCC_F64, PCC_NEAREST, 0}, 1000);
    c.add({PCC_F32, PCC_F32, PCC_F32, PCC_NEAREST, 0}, 1000);
    c.fill();
    expect_same_updates(c, 2);
}

/* Parts of the weights block need not be aligned to vectors. */
static void unaligned(void **)
{
    OptimizerCase c(ADAMW, hyper);
    c.add({PCC_F32, PCC_F32, PCC_F32, PCC_NEAREST, 0}, 1000);
    c.fill();
    c.params[0].value.dims[0] = 900;
    c.params[0].value.offset += 4;
    c.params[0].moment1 += 8;
    expect_same_updates(c, 2);
}

static void orders(void **)
{
    OptimizerCase c = plain_case(ADAMW, PCC_F32);
    c.set_gradients();
    c.step.clip_norm = 1;
    check_orders([&](CudaStep &cuda) {
        DeviceCase device(cuda, c);
        device.update();
        return std::vector<unsigned char>(device.weights.begin(), device.weights.end());
    });
}

/* ---- the norm --------------------------------------------------------------------------------------------------- */

static double norm_of(OptimizerCase &c)
{
    long double squares = 0;
    for (size_t p = 0; p < c.params.size(); p++)
        for (int64_t i = 0; i < c.elements(p); i++)
            squares += powl(get(c.gradient(p), c.params[p].gradient_dtype, i), 2);
    return (double)sqrtl(squares);
}

/* SGD without momentum and with a rate of 1: what it takes off a weight is the clipped gradient. */
static void clipped(PccDtype dtype, double clip_norm, double loss_scale)
{
    OptimizerCase c = plain_case(SGD, dtype, {1, 0, 0, 0, 0, 0});
    c.step.clip_norm = clip_norm;
    c.set_loss_scale(loss_scale);
    c.set_gradients();
    CudaStep cuda;
    DeviceCase device(cuda, c);
    device.update();
    const double norm = norm_of(c) / loss_scale, unit_error = dtype == PCC_F32 ? unit<float>() : unit<double>();
    const double factor = clip_norm < norm + 1e-6 ? clip_norm / (norm + 1e-6) : 1;
    assert_true(fabs(device.done.gradient_norm - norm) <= 16 * unit_error * norm);
    for (size_t p = 0; p < c.params.size(); p++)
        for (int64_t i = 0; i < c.elements(p); i++) {
            const double g = get(c.gradient(p), dtype, i) / loss_scale, want = c.value(p, i) - factor * g;
            const double got = get(device.weights.data() + c.params[p].value.offset, dtype, i);
            assert_true(fabs(got - want) <= 16 * unit_error * (1 + fabs(factor * g)));
        }
}

static void clipping(void **)
{
    for (PccDtype dtype : {PCC_F32, PCC_F64})
        for (double norm : {0.5, 40.0, 1e6})
            for (double scale : {1.0, 65536.0})
                clipped(dtype, norm, scale);
}

/* Squares that leave f32's range, on either side, are no overflow and no zero. */
static void norms_of_any_size(void **)
{
    for (double factor : {1e-36, 1e-20, 1e-14, 1.0, 1e14, 1e20, 1e30, 0.0})
        for (PccDtype dtype : {PCC_F32, PCC_BF16}) {
            OptimizerCase c(SGD, {});
            for (int64_t size : sizes)
                c.add({PCC_F32, dtype, PCC_F32, PCC_NEAREST, 0}, size);
            c.step.check_gradients = true;
            for (size_t p = 0; p < c.params.size(); p++)
                for (int64_t i = 0; i < c.elements(p); i++)
                    put(c.gradient(p), dtype, i, next_value() * (i / 4 % 3 == 0 ? 1e-9 : 1) * factor);
            CudaStep cuda;
            DeviceCase device(cuda, c);
            device.update();
            assert_int_equal(device.done.first_overflow, -1);
            assert_true(fabs(device.done.gradient_norm - norm_of(c)) <= 8 * unit<float>() * norm_of(c));
        }
}

/* Squares of f64 that overflow are not gradients that do. */
static void huge_f64(void **)
{
    OptimizerCase c = plain_case(SGD, PCC_F64);
    c.step.clip_norm = 1;
    put(c.gradient(3), PCC_F64, 0, 1e200);
    CudaStep cuda;
    DeviceCase device(cuda, c);
    device.update();
    assert_int_equal(device.done.first_overflow, -1);
    assert_true(isinf(device.done.gradient_norm));
}

/* ---- overflow --------------------------------------------------------------------------------------------------- */

static void overflow(void **)
{
    for (double bad : {(double)INFINITY, -(double)INFINITY, (double)NAN})
        for (PccDtype dtype : {PCC_F32, PCC_F64, PCC_F16}) {
            OptimizerCase c(ADAMW, hyper);
            for (int64_t size : sizes)
                c.add({dtype, dtype, PCC_F32, PCC_NEAREST, 0}, size);
            c.step.check_gradients = true;
            c.fill();
            c.set_gradients();
            put(c.gradient(5), dtype, 4096, (double)NAN);
            put(c.gradient(1), dtype, sizes[1] - 1, bad);
            CudaStep cuda;
            DeviceCase device(cuda, c);
            c.update();
            device.update();
            assert_int_equal(device.done.first_overflow, 1);
            assert_int_equal(device.step.update, 0);
            assert_int_equal(device.loss_scale.skipped, 1);
            expect_same_update(c, device);
        }
}

/* Nobody looks where neither clipping nor checks ask for it. */
static void unchecked(void **)
{
    OptimizerCase c = plain_case(SGD, PCC_F32);
    put(c.gradient(4), PCC_F32, 3, (double)INFINITY);
    CudaStep cuda;
    DeviceCase device(cuda, c);
    device.update();
    assert_int_equal(device.done.first_overflow, -1);
    assert_true(device.done.gradient_norm == 0);
    assert_int_equal(device.step.update, 1);
}

/* The trace of scales over overflows at some steps, with a limit that it reaches. */
static void loss_scale_trace(void **)
{
    OptimizerCase c(ADAMW, hyper);
    c.add({PCC_F32, PCC_F32, PCC_F32, PCC_NEAREST, 0}, 300);
    c.scaling = {1024, true, 3, 4096};
    c.set_loss_scale(1024);
    c.step.check_gradients = true;
    CudaStep cuda;
    DeviceCase device(cuda, c);
    for (int step = 0; step < 25; step++) {
        c.set_gradients();
        if (step == 5 || step == 6 || step == 20)
            put(c.gradient(0), PCC_F32, step, (double)INFINITY);
        device.set_gradients(0);
        c.update();
        device.update();
        expect_same_update(c, device);
    }
    assert_int_equal(device.loss_scale.skipped, 3);
    assert_int_equal(device.step.update, 22);
}

/* A program may have nothing to train. */
static void no_parameters(void **)
{
    expect_same_updates(OptimizerCase(ADAMW, hyper), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(sgd_without_momentum),
        cmocka_unit_test(both_widths),
        cmocka_unit_test(unaligned),
        cmocka_unit_test(orders),
        cmocka_unit_test(clipping),
        cmocka_unit_test(norms_of_any_size),
        cmocka_unit_test(huge_f64),
        cmocka_unit_test(overflow),
        cmocka_unit_test(unchecked),
        cmocka_unit_test(loss_scale_trace),
        cmocka_unit_test(no_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
