/* CUDA's optimizers on 16-bit and 8-bit storage beside the C target's, bit by bit: every combination of value,
 * gradient, moments and rounding, with copies; stochastic draws, counts, several updates; the exact master in bf16 and
 * 16 bits. */
#include "optimizer_case.h"

static const PccHyper hyper = {0.01, 0.1, 0.9, 0.99, 1e-8, 0.9};
static const PccDtype dtypes[] = {PCC_F32, PCC_BF16, PCC_F16};

enum { ELEMENTS = 777 }; /* three rows and a part */

static bool exists(PccDtype value, PccRounding rounding)
{
    return rounding == PCC_REMAINDER ? value == PCC_BF16 : value != PCC_F32 || rounding == PCC_NEAREST;
}

static void every_storage(void **)
{
    for (Optimizer optimizer : {SGD, ADAMW, LION}) {
        OptimizerCase c(optimizer, hyper); /* one parameter of each, so that draws differ */
        for (PccDtype value : dtypes)
            for (PccDtype gradient : dtypes)
                for (PccDtype moment : dtypes)
                    for (int rounding = PCC_NEAREST; rounding <= PCC_REMAINDER; rounding++)
                        if (exists(value, (PccRounding)rounding))
                            c.add({value, gradient, moment, (PccRounding)rounding, 2}, ELEMENTS);
        c.fill();
        c.step.update = 5;
        c.set_loss_scale(4);
        expect_same_updates(c, 3);
    }
}

/* Small updates, most of which are lost or are up to the draws, of parameters of several chunks and of few elements. */
static void counts(void **)
{
    for (int rounding = PCC_NEAREST; rounding <= PCC_REMAINDER; rounding++)
        for (PccDtype value : {PCC_BF16, PCC_F16}) {
            PccHyper h = hyper;
            h.lr = 1e-5;
            OptimizerCase c(ADAMW, h);
            for (int64_t size : {(int64_t)3, (int64_t)PCC_CUDA_UPDATE_CHUNK + 300, (int64_t)0, (int64_t)256})
                if (exists(value, (PccRounding)rounding))
                    c.add({value, value, value, (PccRounding)rounding, 0}, size);
            c.fill();
            expect_same_updates(c, 2);
        }
}

/* Beside parameters that are f32 or f64 throughout, and one whose moments do not exist. */
static void beside_others(void **)
{
    OptimizerCase c(SGD, hyper);
    c.add({PCC_F32, PCC_F32, PCC_F32, PCC_NEAREST, 0}, 300);
    c.add({PCC_BF16, PCC_F32, PCC_F32, PCC_MASTER, 1}, 300);
    c.add({PCC_F64, PCC_F64, PCC_F64, PCC_NEAREST, 0}, 300);
    c.add({PCC_F16, PCC_F16, PCC_F16, PCC_STOCHASTIC, 0}, 300);
    c.params[3].moment1 = PCC_NONE;
    c.fill();
    expect_same_updates(c, 2);
}

/* Gradients that are applied as they are made, with the draws and counts of an update of all. */
static void one_by_one(void **)
{
    for (Optimizer optimizer : {SGD, ADAM, ADAMW, ADAMW8BIT, LION}) {
        OptimizerCase c(optimizer, hyper);
        c.add({PCC_F32, PCC_F32, PCC_F32, PCC_NEAREST, 0}, PCC_CUDA_UPDATE_CHUNK + 300);
        c.add({PCC_BF16, PCC_BF16, optimizer == ADAMW8BIT ? PCC_U8 : PCC_BF16, PCC_STOCHASTIC, 0}, 2 * ELEMENTS);
        c.add({PCC_BF16, PCC_F32, PCC_F32, PCC_REMAINDER, 1}, ELEMENTS);
        c.add({PCC_F16, PCC_F16, PCC_F16, PCC_KAHAN, 0}, ELEMENTS);
        c.add({PCC_F32, PCC_BF16, PCC_F32, PCC_NEAREST, 2}, 3);
        if (optimizer != ADAMW8BIT)
            c.add({PCC_F64, PCC_F64, PCC_F64, PCC_NEAREST, 0}, ELEMENTS);
        c.fill();
        CudaStep cuda;
        DeviceCase device(cuda, c);
        for (int update = 0; update < 2; update++) {
            c.set_gradients();
            for (size_t p = 0; p < c.params.size(); p++)
                device.set_gradients(p);
            c.update();
            device.update_one_by_one();
            expect_same_weights(c, device);
        }
    }
}

static void moments8(void **)
{
    OptimizerCase c(ADAMW8BIT, hyper);
    for (PccDtype value : dtypes)
        for (PccRounding rounding : {PCC_NEAREST, PCC_STOCHASTIC, PCC_REMAINDER})
            if (exists(value, rounding))
                c.add({value, value, PCC_U8, rounding, 1}, PCC_CUDA_UPDATE_CHUNK + 300);
    c.add({PCC_F32, PCC_F32, PCC_F32, PCC_NEAREST, 0}, 100); /* too few elements for 8 bits */
    c.fill();
    expect_same_updates(c, 3);
}

/* Every decade of the map, zeros, a row of zeros only and a tiny one. */
static double moment8_gradient(int step, int64_t i)
{
    const int64_t row = i / PCC_MOMENT_BLOCK;
    if (row == 2 || i % 50 == 7)
        return 0;
    const double size = pow(10, -9.0 * (double)(i % 97) / 97) * (row == 3 ? 1e-30 : 1);
    const double factors[] = {1, -0.5, 0.01, 1,
                              0}; /* with beta1 = 0.5, the second leaves next to nothing of momentum */
    return sin((double)i) * size * factors[step];
}

static void moments8_of_any_size(void **)
{
    OptimizerCase c(ADAMW8BIT, {0.01, 0.1, 0.5, 0.9, 1e-8, 0.9});
    c.add({PCC_F32, PCC_F32, PCC_U8, PCC_NEAREST, 0}, 4 * PCC_MOMENT_BLOCK + 100);
    c.fill();
    CudaStep cuda;
    DeviceCase device(cuda, c);
    for (int step = 0; step < 5; step++) {
        for (int64_t i = 0; i < c.elements(0); i++)
            put(c.gradient(0), PCC_F32, i, moment8_gradient(step, i));
        device.set_gradients(0);
        c.update();
        device.update();
        expect_same_update(c, device);
    }
}

static void orders(void **)
{
    OptimizerCase c(ADAMW8BIT, hyper);
    c.add({PCC_BF16, PCC_BF16, PCC_U8, PCC_STOCHASTIC, 1}, PCC_CUDA_UPDATE_CHUNK + 300);
    c.add({PCC_F16, PCC_F16, PCC_BF16, PCC_KAHAN, 1}, 1000);
    c.fill();
    c.set_gradients();
    c.step.clip_norm = 1;
    check_orders([&](CudaStep &cuda) {
        DeviceCase device(cuda, c);
        device.update();
        std::vector<unsigned char> bytes(device.weights.begin(), device.weights.end());
        bytes.push_back((unsigned char)device.done.lost);
        return bytes;
    });
}

static void skipped(void **)
{
    OptimizerCase c(ADAMW, hyper);
    c.add({PCC_F16, PCC_F16, PCC_F16, PCC_STOCHASTIC, 1}, 1000);
    c.step.check_gradients = true;
    c.scaling = {65536, true, 2000, 0};
    c.set_loss_scale(65536);
    c.fill();
    c.set_gradients();
    put(c.gradient(0), PCC_F16, 999, 1e9);
    CudaStep cuda;
    DeviceCase device(cuda, c);
    c.update();
    device.update();
    assert_int_equal(device.done.first_overflow, 0);
    expect_same_update(c, device);
}

/* ---- the exact master ------------------------------------------------------------------------------------------- */

/* Every upper half with lower halves around the ties, and the rest in steps. */
static void split_and_join(void **)
{
    for (uint32_t upper = 0; upper < 0x10000; upper++)
        for (uint32_t lower : {0u, 1u, 0x7ffeu, 0x7fffu, 0x8000u, 0x8001u, 0xfffeu, 0xffffu, upper * 40503u & 0xffff}) {
            const uint32_t bits = upper << 16 | lower;
            const float x = pcc_f32_of_bits(bits);
            const PccSplitF32 split = pcc_split_f32(x);
            const float back = pcc_join_f32(split.value, split.remainder);
            if (isnan(x)) {
                assert_true(isnan(back) && isnan(pcc_wide(split.value)));
                continue;
            }
            assert_int_equal(pcc_bits_of_f32(back), bits);
            /* to nearest: half an ulp of the upper half, and away from 0 of two that are as near */
            const uint16_t want = (uint16_t)(upper + (lower >= 0x8000));
            assert_int_equal(split.value.bits, want);
        }
}

/* The master's path, whatever the value shows of it: as f32's where gradients and moments are f32. */
static void remainder_is_f32(void **)
{
    OptimizerCase exact(ADAMW, hyper), split(ADAMW, hyper);
    exact.add({PCC_F32, PCC_F32, PCC_F32, PCC_NEAREST, 0}, 1000);
    split.add({PCC_BF16, PCC_F32, PCC_F32, PCC_REMAINDER, 0}, 1000);
    exact.fill();
    for (int64_t i = 0; i < 1000; i++) {
        const PccSplitF32 parts = pcc_split_f32((float)exact.value(0, i));
        memcpy(split.weights.data() + split.params[0].value.offset + 2 * i, &parts.value, 2);
        memcpy(split.weights.data() + split.params[0].extra + 2 * i, &parts.remainder, 2);
    }
    CudaStep cuda;
    DeviceCase device(cuda, split);
    for (int step = 0; step < 3; step++) {
        exact.set_gradients();
        memcpy(split.gradient(0), exact.gradient(0), 4000);
        device.set_gradients(0);
        exact.update();
        device.update();
    }
    for (int64_t i = 0; i < 1000; i++) {
        PccSplitF32 parts;
        memcpy(&parts.value, device.weights.data() + split.params[0].value.offset + 2 * i, 2);
        memcpy(&parts.remainder, device.weights.data() + split.params[0].extra + 2 * i, 2);
        assert_true(pcc_join_f32(parts.value, parts.remainder) == (float)exact.value(0, i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_storage),  cmocka_unit_test(counts),  cmocka_unit_test(beside_others),
        cmocka_unit_test(moments8),       cmocka_unit_test(orders),  cmocka_unit_test(moments8_of_any_size),
        cmocka_unit_test(split_and_join), cmocka_unit_test(skipped), cmocka_unit_test(remainder_is_f32),
        cmocka_unit_test(one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
