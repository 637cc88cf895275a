/* test_convolution_plans.c: convolutions as cuDNN is told of them, GPUs as it is told of them, and, where it is
 * installed, the plans that it makes of both: none of this needs a GPU. */
#include "ir_fixture.h"

#include <string.h>

#include "codegen/cuda/convolution_plans.h"
#ifdef PCC_CUDNN
#    include "codegen/cuda/cudnn_planner.h"
#endif

/* ---- geometry --------------------------------------------------------------------------------------------------- */

static PccConv conv2d(int64_t channels, int64_t filters, int64_t size, int64_t out, int64_t kernel, int64_t stride,
                      int64_t pad)
{
    return (PccConv){
        8,         channels,     filters, 1, {1, size, size}, {1, out, out}, {1, kernel, kernel}, {1, stride, stride},
        {1, 1, 1}, {0, pad, pad}};
}

static void expect_numbers(const int64_t *got, const int64_t *want, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(got[i], want[i]);
}

static void test_two_dimensions(void **state)
{
    (void)state;
    const PccConv shape = {2, 6, 4, 2, {1, 9, 7}, {1, 9, 4}, {1, 3, 5}, {1, 1, 2}, {1, 1, 1}, {0, 1, 2}};
    const ConvolutionGeometry g = convolution_geometry(&shape);
    assert_int_equal(g.rank, 4);
    assert_int_equal(g.space, 2);
    expect_numbers(g.dims[0], (int64_t[]){2, 6, 9, 7}, 4);
    expect_numbers(g.strides[0], (int64_t[]){378, 1, 42, 6}, 4);
    expect_numbers(g.dims[1], (int64_t[]){4, 3, 3, 5}, 4);
    expect_numbers(g.strides[1], (int64_t[]){45, 15, 5, 1}, 4);
    expect_numbers(g.dims[2], (int64_t[]){2, 4, 9, 4}, 4);
    expect_numbers(g.strides[2], (int64_t[]){144, 1, 16, 4}, 4);
    expect_numbers(g.before, (int64_t[]){1, 2}, 2);
    expect_numbers(g.after, (int64_t[]){1, 2}, 2);
    expect_numbers(g.stride, (int64_t[]){1, 2}, 2);
}

static void test_three_dimensions(void **state)
{
    (void)state;
    const PccConv shape = {1, 2, 3, 1, {4, 5, 6}, {4, 5, 6}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
    const ConvolutionGeometry g = convolution_geometry(&shape);
    assert_int_equal(g.rank, 5);
    expect_numbers(g.strides[0], (int64_t[]){240, 1, 60, 12, 2}, 5);
    expect_numbers(g.strides[1], (int64_t[]){54, 27, 9, 3, 1}, 5);
}

/* cuDNN's output extent is 1 + (in + before + after - reach) / stride, and has to be the program's. */
static void test_padding(void **state)
{
    (void)state;
    int unequal = 0;
    for (int64_t in = 1; in <= 12; in++)
        for (int64_t kernel = 1; kernel <= 4; kernel++)
            for (int64_t stride = 1; stride <= 3; stride++)
                for (int64_t pad = 0; pad < kernel; pad++)
                    for (int64_t after = 0; after < kernel; after++) {
                        const int64_t free = in + pad + after - kernel, out = free / stride + 1;
                        if (free < 0)
                            continue;
                        const PccConv shape = conv2d(1, 1, in, out, kernel, stride, pad);
                        const ConvolutionGeometry g = convolution_geometry(&shape);
                        assert_int_equal(1 + (in + g.before[0] + g.after[0] - kernel) / stride, out);
                        unequal += g.before[0] != g.after[0];
                    }
    assert_true(unequal > 0);
}

/* ---- GPUs ------------------------------------------------------------------------------------------------------- */

static void test_gpus(void **state)
{
    Fixture *fixture = *state;
    static const char *const names[] = {
#define NAME(NAME, ...) NAME,
        PCC_GPUS(NAME)
#undef NAME
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const Gpu *gpu = find_gpu(names[i]);
        assert_ptr_equal(described_gpu(gpu, 0), gpu);
        assert_non_null(strstr(gpu_description(fixture->arena, gpu), names[i]));
    }
    const Gpu unknown = {.name = "mine", .architecture = "sm_80"}, nameless = {.architecture = "sm_80"};
    assert_string_equal(described_gpu(NULL, 90)->name, "h100");
    assert_string_equal(described_gpu(&unknown, 80)->name, "a100-40gb");
    assert_string_equal(described_gpu(&nameless, 80)->name, "a100-40gb");
    assert_null(described_gpu(NULL, 87));
    const char *text = gpu_description(fixture->arena, find_gpu("h200"));
    assert_non_null(strstr(text, "\"deviceVer\":900,"));
    assert_non_null(strstr(text, "\"multiProcessorCount\":132,"));
    assert_non_null(strstr(text, "\"maxSharedMemoryPerBlockOptin\":232448,"));
}

#ifdef PCC_CUDNN
/* ---- rules ------------------------------------------------------------------------------------------------------ */

static bool is_allowed(PlanRules rules, PccDtype dtype, int numerical, int behaviour)
{
    const cudnnBackendNumericalNote_t of_numbers[] = {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP,
                                                      (cudnnBackendNumericalNote_t)numerical};
    const cudnnBackendBehaviorNote_t of_behaviour[] = {(cudnnBackendBehaviorNote_t)behaviour};
    return are_notes_allowed(rules, dtype, of_numbers, 1 + (numerical >= 0), of_behaviour, behaviour >= 0);
}

static void test_rules(void **state)
{
    (void)state;
    const PlanRules plain = {0}, tf32 = {.tf32 = true}, deterministic = {.deterministic = true};
    assert_true(is_allowed(plain, PCC_F32, -1, -1));
    assert_true(is_allowed(plain, PCC_BF16, CUDNN_NUMERICAL_NOTE_TENSOR_CORE, -1));
    assert_false(is_allowed(plain, PCC_F32, CUDNN_NUMERICAL_NOTE_TENSOR_CORE, -1));
    assert_true(is_allowed(tf32, PCC_F32, CUDNN_NUMERICAL_NOTE_TENSOR_CORE, -1));
    assert_true(is_allowed(plain, PCC_F32, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, -1));
    assert_false(is_allowed(deterministic, PCC_F32, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, -1));
    static const int never[] = {CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
                                CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
                                CUDNN_NUMERICAL_NOTE_FFT,
                                CUDNN_NUMERICAL_NOTE_WINOGRAD,
                                CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4,
                                CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6,
                                CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13,
                                1000};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_false(is_allowed(tf32, PCC_BF16, never[i], -1));
    assert_true(is_allowed(plain, PCC_F32, -1, CUDNN_BEHAVIOR_NOTE_SUPPORTS_CUDA_GRAPH_NATIVE_API));
    assert_false(is_allowed(plain, PCC_F32, -1, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION));
    assert_false(is_allowed(plain, PCC_F32, -1, 1000));
}

/* ---- plans of the library --------------------------------------------------------------------------------------- */

/* NULL: there is no cuDNN here. */
static ConvolutionPlans *open_plans(Fixture *fixture, const char *gpu, PlanRules rules)
{
    ConvolutionPlans *volatile plans = NULL;
    fixture->diagnostics.can_recover = true;
    if (setjmp(fixture->diagnostics.recover) == 0)
        plans = open_convolution_plans(fixture->arena, &fixture->diagnostics, find_gpu(gpu), 0, rules);
    else
        assert_int_equal(fixture->diagnostics.status, EXIT_STATUS_IO);
    fixture->diagnostics.can_recover = false;
    return plans;
}

static PccCudnnSite site_of(int kind, PccDtype dtype, PccConv shape)
{
    PccCudnnSite site;
    memset(&site, 0, sizeof site);
    site.kind = kind;
    site.dtype = dtype;
    site.shape = shape;
    return site;
}

/* All three of 16 bits, for three generations; asked again, it is the same. */
static void test_plans(void **state)
{
    static const char *const gpus[] = {"a100", "h200", "b200"};
    static const char *const marks[] = {"\"smVersion\":800", "\"smVersion\":900", "\"smVersion\":1000"};
    for (int i = 0; i < 3; i++) {
        ConvolutionPlans *plans = open_plans(*state, gpus[i], (PlanRules){0});
        if (!plans)
            skip();
        assert_true(convolution_plans_version(plans) >= PCC_CUDNN_LEAST_VERSION);
        assert_string_equal(convolution_plans_gpu(plans), gpus[i]);
        for (int kind = PCC_CUDNN_FORWARD; kind <= PCC_CUDNN_GRAD_WEIGHT; kind++) {
            const PccCudnnSite site = site_of(kind, PCC_BF16, conv2d(64, 64, 14, 14, 3, 1, 1));
            const PccCudnnPlan *plan = convolution_plan(plans, &site);
            assert_non_null(plan);
            assert_ptr_equal(convolution_plan(plans, &site), plan);
            assert_true(plan->workspace >= 0 && plan->workspace <= PCC_CUDNN_MOST_WORKSPACE);
            assert_non_null(strstr(plan->text, marks[i]));
            assert_non_null(strstr(plan->text, "\"stride\":[576,9,3,1]"));
        }
        close_convolution_plans(plans);
    }
}

static bool has_other_text(ConvolutionPlans *plans, ConvolutionPlans *others, const PccCudnnSite *site)
{
    const PccCudnnPlan *plan = convolution_plan(plans, site), *other = convolution_plan(others, site);
    return plan && (!other || strcmp(plan->text, other->text) != 0);
}

/* With each rule some of these are planned otherwise than without it. */
static void test_rules_of_plans(void **state)
{
    ConvolutionPlans *plain = open_plans(*state, "h200", (PlanRules){0});
    if (!plain)
        skip();
    ConvolutionPlans *deterministic = open_plans(*state, "h200", (PlanRules){.deterministic = true});
    ConvolutionPlans *tf32 = open_plans(*state, "h200", (PlanRules){.tf32 = true});
    int by_determinism = 0, by_tf32 = 0;
    for (int kind = PCC_CUDNN_FORWARD; kind <= PCC_CUDNN_GRAD_WEIGHT; kind++)
        for (int64_t size = 8; size <= 32; size *= 4)
            for (int64_t stride = 1; stride <= 2; stride++) {
                const PccConv shape = conv2d(16, 64, size, (size - 1) / stride + 1, 3, stride, 1);
                const PccCudnnSite site = site_of(kind, PCC_F32, shape);
                by_determinism += has_other_text(plain, deterministic, &site);
                by_tf32 += has_other_text(plain, tf32, &site);
            }
    close_convolution_plans(plain);
    close_convolution_plans(deterministic);
    close_convolution_plans(tf32);
    assert_true(by_determinism > 0);
    assert_true(by_tf32 > 0);
}

/* What the library does not have is no plan, and no error: here windows that do not make the output. */
static void test_no_plan(void **state)
{
    ConvolutionPlans *plans = open_plans(*state, "h200", (PlanRules){0});
    if (!plans)
        skip();
    const PccCudnnSite site = site_of(PCC_CUDNN_FORWARD, PCC_BF16, conv2d(8, 8, 14, 20, 3, 1, -1));
    assert_null(convolution_plan(plans, &site));
    assert_null(convolution_plan(plans, &site));
    close_convolution_plans(plans);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_dimensions),  cmocka_unit_test(test_three_dimensions),
        cmocka_unit_test(test_padding),         TEST_WITH_FIXTURE(test_gpus),
#ifdef PCC_CUDNN
        cmocka_unit_test(test_rules),           TEST_WITH_FIXTURE(test_plans),
        TEST_WITH_FIXTURE(test_rules_of_plans), TEST_WITH_FIXTURE(test_no_plan),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
