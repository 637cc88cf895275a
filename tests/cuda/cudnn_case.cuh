/* cudnn_case.cuh: what the tests of convolutions by cuDNN share: plans as texts of the form that cuDNN writes, in which
 * one thing may be wrong, and a step with the library's table. */
#ifndef CUDNN_CASE_CUH
#define CUDNN_CASE_CUH

#include "conv_case.cuh"

#include <cudnn.h>

#include <string>

#include <pcc/kernels/conv/conv_cudnn.h>

static PccCudnnPlans pcc_cudnn_plans; /* of the test that runs */

#include <pcc/kernels/conv/conv_cudnn.cuh>

/* ---- a plan's text ---------------------------------------------------------------------------------------------- */

struct PlanText {
    int64_t version = CUDNN_VERSION, architecture = 900, multiprocessors = 132, driver = 13000;
    int64_t workspace = 0, alignment = 16, more_filters = 0, more_samples = 0, more_places = 0;
    std::string y_type, sums = "CUDNN_DATA_FLOAT", mode = "CUDNN_CROSS_CORRELATION", end = "}";

    std::string write(const PccCudnnSite &site) const
    {
        static const char *const operations[] = {"FORWARD", "BACKWARD_DATA", "BACKWARD_FILTER"};
        static const char *const marks[][3] = {{"", "", ""}, {"d", "", "d"}, {"", "d", "d"}};
        const PccConv &c = site.shape;
        const char *const *mark = marks[site.kind];
        const std::string type = type_name(site.dtype);
        return "{\"cudnnVersion\":" + text(version) + ",\"emulatedWorkspace\":" + text(workspace) +
               ",\"operationGraph\":{\"tensors\":[" + tensor(0, type, {c.n, c.c, c.in[0], c.in[1], c.in[2]}, true) +
               "," + tensor(1, type, {c.o, c.c / c.groups, c.kernel[0], c.kernel[1], c.kernel[2]}, false) + "," +
               tensor(2, y_type.empty() ? type : y_type,
                      {c.n + more_samples, c.o + more_filters, c.out[0], c.out[1], c.out[2] + more_places}, true) +
               "],\"nodes\":[{\"operation\":\"CUDNN_BACKEND_OPERATION_CONVOLUTION_" + operations[site.kind] +
               "_DESCRIPTOR\",\"mode\":\"" + mode + "\",\"mathPrec\":\"" + sums +
               "\",\"alpha\":1.0,\"beta\":0.0,\"pad\":" + list({c.pad[0], c.pad[1], c.pad[2]}) +
               ",\"stride\":" + list({c.stride[0], c.stride[1], c.stride[2]}) +
               ",\"dilation\":" + list({c.dilation[0], c.dilation[1], c.dilation[2]}) + ",\"" + mark[0] +
               "X\":\"1\",\"" + mark[1] + "W\":\"2\",\"" + mark[2] +
               "Y\":\"3\"}]},\"GPUProfile\":{\"deviceVer\":" + text(architecture) +
               ",\"multiProcessorCount\":" + text(multiprocessors) + ",\"driverVer\":" + text(driver) +
               ",\"deviceName\":\"a GPU\"},\"engine\":{\"engineId\":1,\"knobChoices\":{}}" + end;
    }

  private:
    static std::string text(int64_t number)
    {
        return std::to_string(number);
    }

    static std::string list(const std::vector<int64_t> &numbers)
    {
        std::string all;
        for (int64_t number : numbers)
            all += (all.empty() ? "[" : ",") + text(number);
        return all + "]";
    }

    static std::string type_name(int64_t dtype)
    {
        return dtype == PCC_BF16 ? "CUDNN_DATA_BFLOAT16" : dtype == PCC_F16 ? "CUDNN_DATA_HALF" : "CUDNN_DATA_FLOAT";
    }

    std::string tensor(int64_t i, const std::string &type, const std::vector<int64_t> &dims, bool channels_last) const
    {
        std::vector<int64_t> strides(5);
        int64_t stride = channels_last ? dims[1] : 1;
        for (int d = 4; d >= 0; d--)
            if (d != 1 || !channels_last) {
                strides[(size_t)d] = stride;
                stride *= dims[(size_t)d];
            }
        if (channels_last)
            strides[1] = 1;
        return "{\"name\":\"" + text(1 + i) + "\",\"dataType\":\"" + type + "\",\"dim\":" + list(dims) +
               ",\"stride\":" + list(strides) + ",\"ptrAlignment\":" + text(alignment) + "}";
    }
};

/* ---- a step ----------------------------------------------------------------------------------------------------- */

/* A step of a device whose program has these plans. */
class PlannedStep : public CudaStep
{
  public:
    PlannedStep()
    {
        host.device = &cuda_;
        pcc_emulated_order("forward");
        pcc_cudnn_plans = {CUDNN_VERSION, "h200", nullptr, 0};
    }

    ~PlannedStep()
    {
        if (cuda_.cudnn.state)
            cuda_.cudnn.close(cuda_.cudnn.state);
    }

    void plan(const PccCudnnSite &site, const PlanText &text, int64_t workspace)
    {
        texts_.push_back(text.write(site));
        plans_.push_back({site, workspace, nullptr});
        for (size_t i = 0; i < plans_.size(); i++)
            plans_[i].text = texts_[i].c_str();
        pcc_cudnn_plans.plans = plans_.data();
        pcc_cudnn_plans.count = (int)plans_.size();
    }

    template <class X> void plan_all(const PccConv &c, const PlanText &text, int64_t workspace)
    {
        for (int kind = PCC_CUDNN_FORWARD; kind <= PCC_CUDNN_GRAD_WEIGHT; kind++)
            plan(pcc_cudnn_site<X, X, X>(kind, c), text, workspace);
    }

  private:
    PccCuda cuda_ = {};
    std::vector<std::string> texts_;
    std::vector<PccCudnnPlan> plans_;
};

/* What a plain epilogue is in an emitted program. */
template <class Y> struct Store {
    Y *y0;
    int64_t columns;

    template <class T> __device__ void operator()(int64_t row, int64_t column, T sum) const
    {
        pcc_put(y0, row * columns + column, sum);
    }
};

/* All three on one shape, their workspace of exactly so many bytes where own kernels want less. */
template <class X> struct Planned {
    PccConv c;
    Operand<X> x, dy, w;
    Device<X> y, dx, dw;
    Device<unsigned char> scratch;

    explicit Planned(PccConv of, int64_t workspace = 0, int64_t shift = 0)
        : c(of), x(x_size(c), 1, shift), dy(y_size(c), 3), w(w_size(c), 2), y(y_size(c)), dx(x_size(c)), dw(w_size(c)),
          scratch(std::max({workspace, (int64_t)pcc_cuda_conv_scratch_bytes(c, sizeof(float)),
                            (int64_t)pcc_cuda_conv_grad_input_scratch_bytes(c, sizeof(float)),
                            (int64_t)pcc_cuda_conv_grad_weight_scratch_bytes(c, sizeof(float))}))
    {
    }

    void run(PccStep *s)
    {
        pcc_cudnn_conv<float>(c, x.at(), w.at(), scratch.at(), Store<X>{y.at(), c.o}, s);
        pcc_cudnn_conv_grad_input<float>(c, dy.at(), w.at(), scratch.at(), Store<X>{dx.at(), c.c}, s);
        pcc_cudnn_conv_grad_weight<float>(c, x.at(), dy.at(), dw.at(), scratch.at(), s);
    }

    void run_own(PccStep *s)
    {
        pcc_conv<float>(c, x.at(), w.at(), scratch.at(), Store<X>{y.at(), c.o}, s);
        pcc_conv_grad_input<float>(c, dy.at(), w.at(), scratch.at(), Store<X>{dx.at(), c.c}, s);
        pcc_conv_grad_weight<float>(c, x.at(), dy.at(), dw.at(), scratch.at(), s);
    }

    std::vector<unsigned char> bits() const
    {
        std::vector<unsigned char> all = y.bits();
        append(all, dx.bits());
        append(all, dw.bits());
        return all;
    }

    void clear()
    {
        for (const Device<X> *to : {&y, &dx, &dw})
            must(cudaMemset(to->at(), 0xff, to->bits().size()), "clearing");
        must(cudaDeviceSynchronize(), "clearing");
    }

    void expect_right() const
    {
        const ConvSums want(c, x.values, w.values, dy.values);
        const int64_t taps = pcc_conv_taps(c);
        want.y.expect<float, X>(y.read(), taps * c.c / c.groups, "y");
        want.dx.expect<float, X>(dx.read(), taps * c.o / c.groups, "dx");
        want.dw.expect<float, X>(dw.read(), pcc_conv_positions(c.n, c.out), "dw");
    }
};

#endif
