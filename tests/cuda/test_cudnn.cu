/* test_cudnn.cu: convolutions by cuDNN, whose stand-in computes them from their plans, against sums in double; own
 * kernels where there is no plan; and the stand-in's own checks, each of which has to find a mistake that is made here.
 */
#if !__has_include(<cudnn.h>)
#    error "the test needs cuDNN's headers"
#endif

#include "cudnn_case.cuh"

#include <stdlib.h>

#include "expect_fault.h"

static const PlanText right;

template <class X> static void check_planned(PccConv c)
{
    PlannedStep step;
    Planned<X> example(c);
    const int before = pcc_emulated_cudnn_executed();
    step.plan_all<X>(c, right, 0);
    example.run(step.get());
    step.finish();
    assert_int_equal(pcc_emulated_cudnn_executed() - before, 3);
    example.expect_right();
}

static void check_types(PccConv c)
{
    check_planned<PccBf16>(c);
    check_planned<PccF16>(c);
    check_planned<float>(c);
}

static void test_convolutions(void **)
{
    check_types(with(conv2d(2, 3, 5, 1, 7, 3), 1, 1, 1));
    check_types(with(conv2d(2, 5, 8, 1, 9, 3), 2, 2, 2));
    check_types(with(conv2d(1, 16, 8, 1, 8, 1), 1, 1, 0));
    check_types(with(conv2d(1, 6, 8, 2, 7, 3), 2, 1, 1));
    check_types(with(conv2d(1, 3, 4, 1, 11, 5), 3, 1, 0));
    check_types(with_output({2, 4, 6, 1, {1, 1, 13}, {}, {1, 1, 5}, {1, 1, 2}, {1, 1, 1}, {0, 0, 2}}));
    check_types(with_output({1, 2, 3, 1, {5, 6, 4}, {}, {3, 2, 3}, {2, 1, 1}, {1, 2, 1}, {1, 1, 0}}));
}

/* ---- own kernels ------------------------------------------------------------------------------------------------- */

static const PccConv usual = with(conv2d(2, 8, 8, 1, 7, 3), 1, 1, 1);

/* Nothing of the library's runs, and the bits are the own kernels'. */
template <class Prepare> static void expect_own(Prepare prepare)
{
    PlannedStep step;
    Planned<PccBf16> example(usual), own(usual);
    const int before = pcc_emulated_cudnn_executed();
    prepare(step);
    for (int i = 0; i < 2; i++)
        example.run(step.get());
    own.run_own(step.get());
    step.finish();
    assert_int_equal(pcc_emulated_cudnn_executed(), before);
    assert_true(example.bits() == own.bits());
    example.expect_right();
}

static void expect_refused(const PlanText &text, int64_t workspace = 0)
{
    expect_own([&](PlannedStep &step) { step.plan_all<PccBf16>(usual, text, workspace); });
}

static void test_no_plan(void **)
{
    expect_own([](PlannedStep &) {});
    expect_own([](PlannedStep &step) { step.plan_all<PccF16>(usual, right, 0); });
    expect_own([](PlannedStep &step) { step.plan_all<PccBf16>(with(conv2d(2, 8, 8, 1, 7, 3), 1, 1, 0), right, 0); });
}

/* The plan is for something else than what is here. */
static void test_refused(void **)
{
    PlanText text;
    text.architecture = 800;
    expect_refused(text);
    text = right;
    text.multiprocessors = 114;
    expect_refused(text);
    text = right;
    text.driver = 13010;
    expect_refused(text);
    text = right;
    text.version = CUDNN_VERSION - 1;
    expect_refused(text);
    text = right;
    text.workspace = 65;
    expect_refused(text, 64);
    expect_own([](PlannedStep &step) {
        step.plan_all<PccBf16>(usual, right, 0);
        pcc_cudnn_plans.version++;
    });
    setenv("PCC_EMULATOR_CUDNN", "refuse", 1);
    expect_refused(right);
    unsetenv("PCC_EMULATOR_CUDNN");
}

/* A text that is no plan of a convolution, or of one that the library does not have. */
static void test_spoilt_texts(void **)
{
    const auto spoilt = [](void (*spoil)(PlanText &)) {
        PlanText text;
        spoil(text);
        expect_refused(text);
    };
    spoilt([](PlanText &text) { text.end = ""; });
    spoilt([](PlanText &text) { text.end = "},"; });
    spoilt([](PlanText &text) { text.end = ",\"more\":[1,2}"; });
    spoilt([](PlanText &text) { text.mode = "CUDNN_CONVOLUTION"; });
    spoilt([](PlanText &text) { text.alignment = 0; });
    spoilt([](PlanText &text) { text.sums = "CUDNN_DATA_HALF"; });
    spoilt([](PlanText &text) { text.y_type = "CUDNN_DATA_FLOAT"; });
    spoilt([](PlanText &text) { text.more_filters = 8; });
    spoilt([](PlanText &text) { text.more_samples = 1; });
    spoilt([](PlanText &text) { text.more_places = 8; });
}

/* ---- the step --------------------------------------------------------------------------------------------------- */

/* All of it may happen while a stream is captured, and the graph computes it again and again. */
static void test_capture(void **)
{
    PlannedStep step;
    Planned<PccBf16> example(usual);
    const cudaStream_t stream = (cudaStream_t)step.get()->stream;
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    step.plan_all<PccBf16>(usual, right, 0);
    must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "beginning a capture");
    example.run(&step.host);
    must(cudaStreamEndCapture(stream, &graph), "ending a capture");
    must(cudaGraphInstantiate(&executable, graph, 0), "instantiating");
    for (int i = 0; i < 2; i++) {
        example.clear();
        must(cudaGraphLaunch(executable, stream), "launching");
        step.finish();
        example.expect_right();
    }
    cudaGraphExecDestroy(executable);
    cudaGraphDestroy(graph);
}

/* A plan's workspace is poisoned, and lies where the memory plan has it: one that is too small is found. */
static void test_workspace(void **)
{
    enum { BYTES = 1 << 16 };
    PlanText text;
    text.workspace = BYTES;
    PlannedStep step;
    Planned<PccBf16> example(usual, BYTES);
    step.plan_all<PccBf16>(usual, text, BYTES);
    example.run(step.get());
    step.finish();
    example.expect_right();
    for (unsigned char byte : example.scratch.elements())
        assert_int_equal(byte, 0xff);
    expect_fault(
        [] {
            PlanText more;
            more.workspace = BYTES;
            PlannedStep other;
            Planned<PccBf16> small(usual, BYTES - 256);
            other.plan_all<PccBf16>(usual, more, BYTES);
            small.run(other.get());
        },
        "the workspace of cudnnBackendExecute ends behind its allocation");
}

/* What the library refuses of a plan that it took is an error with the call and the site: here an address. */
static void test_failures(void **)
{
    PlannedStep step;
    Planned<PccBf16> example(usual, 0, 1);
    step.plan_all<PccBf16>(usual, right, 0);
    example.run(step.get());
    assert_non_null(strstr(step.host.failure, "cudnnBackendExecute"));
    assert_non_null(strstr(step.host.failure, "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER"));
    assert_non_null(strstr(step.host.failure, "a convolution of 2 x 7 x 8 x 8 channels to 8"));
    assert_non_null(strstr(step.host.failure, "--libraries none"));
    step.host.failure[0] = 0;
}

/* A plan that cannot be loaded now is no plan of another GPU: the step ends, and the next one tries again. */
static void test_failure_to_load(void **)
{
    PlannedStep step;
    Planned<PccBf16> example(usual);
    step.plan_all<PccBf16>(usual, right, 0);
    setenv("PCC_EMULATOR_CUDNN", "fail", 1);
    example.run(step.get());
    unsetenv("PCC_EMULATOR_CUDNN");
    assert_non_null(strstr(step.host.failure, "reading a plan failed: CUDNN_STATUS_EXECUTION_FAILED"));
    step.host.failure[0] = 0;
    example.run(step.get());
    step.finish();
    example.expect_right();
}

/* ---- the stand-in's checks, by seeded mistakes --------------------------------------------------------------------
 */

/* One convolution by the entry points alone, with one thing wrong. */
class Raw
{
  public:
    bool no_plan_finalize = false, no_pack_finalize = false, no_stream = false, captured = false, again = false;
    bool other_handle = false, twice = false, early = false, short_x = false, host_x = false, no_text = false;
    int64_t names[3] = {1, 2, 3}, pointers = 3, workspace = 0;
    cudnnBackendAttributeType_t name_type = CUDNN_TYPE_INT64;

    cudnnStatus_t run()
    {
        PlannedStep step;
        const PccConv c = usual;
        const Operand<PccBf16> x(x_size(c) - short_x, 1), w(w_size(c), 2);
        const Device<PccBf16> y(y_size(c));
        cudnnHandle_t handle, other;
        cudnnBackendDescriptor_t plan, pack;
        cudaGraph_t graph;
        cudnnCreate(&handle);
        cudnnCreate(&other);
        cudnnSetStream(handle, (cudaStream_t)step.get()->stream);
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan);
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
        if (captured)
            must(cudaStreamBeginCapture((cudaStream_t)step.host.stream, cudaStreamCaptureModeThreadLocal), "capturing");
        alignas(16) static char on_host[1 << 16];
        const void *const tensors[] = {host_x ? (const void *)on_host : x.at(), w.at(), y.at()};
        cudnnStatus_t status = prepare_plan(plan, handle);
        if (captured)
            cudaStreamEndCapture((cudaStream_t)step.host.stream, &graph);
        if (!status)
            status = prepare_pack(pack, tensors);
        if (!status && no_stream)
            status = cudnnSetStream(handle, (cudaStream_t)0x1234);
        if (!status)
            status = cudnnBackendExecute(other_handle ? other : handle, plan, pack);
        cudaGetLastError();
        step.finish();
        cudnnBackendDestroyDescriptor(pack);
        cudnnBackendDestroyDescriptor(plan);
        cudnnDestroy(other);
        cudnnDestroy(handle);
        return status;
    }

  private:
    cudnnStatus_t prepare_plan(cudnnBackendDescriptor_t plan, cudnnHandle_t handle) const
    {
        PlanText of;
        of.workspace = workspace;
        const std::string text = of.write(pcc_cudnn_site<PccBf16, PccBf16, PccBf16>(PCC_CUDNN_FORWARD, usual));
        int64_t count, bytes;
        cudnnStatus_t status =
            cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
        if (!status && !no_text)
            status = cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                              (int64_t)text.size(), text.data());
        if (!status && early)
            status = cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                              &count, &bytes);
        for (int i = no_plan_finalize; i < 1 + twice && !status; i++)
            status = cudnnBackendFinalize(plan);
        if (!status && again)
            status = cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
        return status;
    }

    cudnnStatus_t prepare_pack(cudnnBackendDescriptor_t pack, const void *const tensors[3]) const
    {
        void *nothing = nullptr;
        cudnnStatus_t status = cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, name_type, 3, names);
        if (!status)
            status = cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
                                              pointers, tensors);
        if (!status)
            status =
                cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &nothing);
        if (!status && !no_pack_finalize)
            status = cudnnBackendFinalize(pack);
        return status;
    }
};

/* The mistake is made by `spoil`. */
template <class Spoil> static void expect_status(cudnnStatus_t status, Spoil spoil)
{
    Raw raw;
    assert_int_equal(raw.run(), CUDNN_STATUS_SUCCESS);
    spoil(raw);
    assert_int_equal(raw.run(), status);
}

static void test_mistakes(void **)
{
    expect_status(CUDNN_STATUS_BAD_PARAM, [](Raw &raw) { raw.no_plan_finalize = true; });
    expect_status(CUDNN_STATUS_BAD_PARAM, [](Raw &raw) { raw.no_pack_finalize = true; });
    expect_status(CUDNN_STATUS_BAD_PARAM, [](Raw &raw) { raw.no_stream = true; });
    expect_status(CUDNN_STATUS_BAD_PARAM, [](Raw &raw) { raw.other_handle = true; });
    expect_status(CUDNN_STATUS_BAD_PARAM, [](Raw &raw) { raw.again = true; });
    expect_status(CUDNN_STATUS_BAD_PARAM, [](Raw &raw) { raw.twice = true; });
    expect_status(CUDNN_STATUS_BAD_PARAM, [](Raw &raw) { raw.pointers = 2; });
    expect_status(CUDNN_STATUS_BAD_PARAM, [](Raw &raw) { raw.pointers = 0; });
    expect_status(CUDNN_STATUS_NOT_INITIALIZED, [](Raw &raw) { raw.early = true; });
    expect_status(CUDNN_STATUS_EXECUTION_FAILED, [](Raw &raw) { raw.captured = true; });
    expect_status(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, [](Raw &raw) { raw.names[2] = 4; });
    expect_status(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, [](Raw &raw) { raw.workspace = 64; });
    expect_status(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, [](Raw &raw) { raw.name_type = CUDNN_TYPE_VOID_PTR; });
    expect_fault(
        [] {
            Raw raw;
            raw.short_x = true;
            raw.run();
        },
        "x of cudnnBackendExecute ends behind its allocation");
    expect_fault(
        [] {
            Raw raw;
            raw.host_x = true;
            raw.run();
        },
        "x of cudnnBackendExecute points at no memory of the device");
    expect_fault(
        [] {
            Raw raw;
            raw.no_text = true;
            raw.run();
        },
        "cudnnBackendFinalize of a plan without a handle or without its text");
}

/* Of all the tests before. */
static void test_release(void **)
{
    assert_int_equal(pcc_emulated_cudnn_objects(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions), cmocka_unit_test(test_no_plan),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_spoilt_texts), cmocka_unit_test(test_capture),         cmocka_unit_test(test_workspace),
        cmocka_unit_test(test_failures),     cmocka_unit_test(test_failure_to_load), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_release),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
