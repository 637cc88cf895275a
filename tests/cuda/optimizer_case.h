/* optimizer_case.h: one weights block for the C target's optimizers and a copy on the device, updated side by side. */
#ifndef OPTIMIZER_CASE_H
#define OPTIMIZER_CASE_H

#define PCC_NARROW 1
#include <pcc/kernels/optimizer/optimizer.cuh>

#include "emulated_check.h"
#include "optimizer_in_c.h"

struct Storage {
    PccDtype value, gradient, moment;
    PccRounding rounding;
    int copies;
};

/* In [-1, 1). */
static inline double next_value()
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(state >> 11) * 0x1p-52 - 1;
}

static inline int64_t bytes_of(PccDtype dtype)
{
    return dtype == PCC_F64 ? 8 : dtype == PCC_F32 ? 4 : dtype == PCC_U8 ? 1 : 2;
}

static inline double get(const char *block, PccDtype dtype, int64_t i)
{
    const void *p = block;
    if (dtype == PCC_F64)
        return ((const double *)p)[i];
    if (dtype == PCC_F32)
        return (double)((const float *)p)[i];
    return (double)(dtype == PCC_BF16 ? pcc_wide(((const PccBf16 *)p)[i]) : pcc_wide(((const PccF16 *)p)[i]));
}

static inline void put(char *block, PccDtype dtype, int64_t i, double x)
{
    void *p = block;
    if (dtype == PCC_F64)
        ((double *)p)[i] = x;
    else if (dtype == PCC_F32)
        ((float *)p)[i] = (float)x;
    else if (dtype == PCC_BF16)
        ((PccBf16 *)p)[i] = stored<PccBf16>(x);
    else
        ((PccF16 *)p)[i] = stored<PccF16>(x);
}

/* The host's side of both. */
class OptimizerCase
{
  public:
    Optimizer optimizer;
    std::vector<PccParam> params;
    std::vector<char> weights; /* the C target's; 64-byte alignment is not needed by its kernels */
    PccScaling scaling = {};
    PccStep step = {}; /* of both before the first update */
    PccLossScale loss_scale = {1, 0, 0};
    PccUpdate done = {};

    OptimizerCase(Optimizer kind, PccHyper hyper) : optimizer(kind)
    {
        step.loss_scale = 1;
        step.seed = 7;
        step.hyper = hyper;
    }

    void add(Storage storage, int64_t n);

    /* Noise for weights; moments are 0. */
    void fill();
    void set_gradients();
    void set_loss_scale(double scale)
    {
        step.loss_scale = loss_scale.scale = scale;
    }

    /* An update by the C target, as the session does it. */
    void update();

    int64_t elements(size_t p) const
    {
        return pcc_param_elements(&params[p]);
    }

    char *gradient(size_t p)
    {
        return weights.data() + params[p].gradient;
    }

    double value(size_t p, int64_t i) const
    {
        return get(weights.data() + params[p].value.offset, params[p].value.dtype, i);
    }

  private:
    size_t place(int64_t bytes)
    {
        const size_t offset = weights.size();
        weights.resize(offset + ((size_t)bytes + 63) / 64 * 64);
        return offset;
    }
    std::vector<char> scratch_ = std::vector<char>(PCC_THREAD_SCRATCH);
};

inline void OptimizerCase::add(Storage storage, int64_t n)
{
    const int64_t scales = (n + PCC_MOMENT_BLOCK - 1) / PCC_MOMENT_BLOCK * 4;
    PccParam param = {};
    param.value.dtype = storage.value;
    param.value.rank = 2;
    param.value.dims[0] = n;
    param.value.dims[1] = 1;
    param.value.offset = place(n * bytes_of(storage.value));
    param.gradient_dtype = storage.gradient;
    param.moment_dtype = storage.moment;
    param.rounding = storage.rounding;
    param.gradient = param.made = place(n * bytes_of(storage.gradient));
    param.moment1 = place(n * bytes_of(storage.moment));
    param.moment2 = optimizer == SGD || optimizer == LION ? PCC_NONE : place(n * bytes_of(storage.moment));
    param.extra = storage.rounding < PCC_KAHAN ? PCC_NONE : place(n * 4);
    param.absmax1 = place(scales);
    param.absmax2 = place(scales);
    param.copy_count = storage.copies;
    for (int i = 0; i < storage.copies; i++)
        param.copies[i] = {i == 0 ? PCC_BF16 : PCC_F16, place(n * 2)};
    params.push_back(param);
}

inline void OptimizerCase::fill()
{
    for (size_t p = 0; p < params.size(); p++)
        for (int64_t i = 0; i < elements(p); i++) {
            put(weights.data() + params[p].value.offset, params[p].value.dtype, i, next_value());
            if (params[p].rounding == PCC_MASTER)
                put(weights.data() + params[p].extra, PCC_F32, i, value(p, i));
        }
}

/* Far enough from 0 that no rule divides two small numbers. */
inline void OptimizerCase::set_gradients()
{
    for (size_t p = 0; p < params.size(); p++)
        for (int64_t i = 0; i < elements(p); i++)
            put(gradient(p), params[p].gradient_dtype, i,
                (copysign(0.3, next_value()) + next_value() / 4) * step.loss_scale);
}

inline void OptimizerCase::update()
{
    step.weights = step.gradients = weights.data();
    step.thread_scratch = scratch_.data();
    done = update_in_c(optimizer, params.data(), (int64_t)params.size(), &step);
    const bool skipped = done.first_overflow >= 0;
    step.update += !skipped;
    step.micro = 0;
    pcc_loss_scale_next(&loss_scale, &scaling, skipped);
    step.loss_scale = loss_scale.scale;
}

/* A case's copy on the device. */
class DeviceCase
{
  public:
    PccStep step;
    PccUpdate done;
    PccLossScale loss_scale;
    std::vector<char> weights;

    /* Takes the case as it is. */
    DeviceCase(CudaStep &cuda, const OptimizerCase &c)
        : cuda_(cuda), case_(c), weights_((int64_t)c.weights.size()), params_((int64_t)c.params.size()),
          scratch_((int64_t)pcc_cuda_update_scratch_bytes(c.params.data(), (int64_t)c.params.size())), done_(1),
          loss_scale_(1)
    {
        char *failure = cuda.host.failure;
        void *stream = cuda.host.stream;
        PccStep *mirror = cuda.host.mirror;
        cuda.host = c.step;
        cuda.host.failure = failure;
        cuda.host.stream = stream;
        cuda.host.mirror = mirror;
        cuda.host.weights = cuda.host.gradients = weights_.at();
        cuda.host.thread_scratch = nullptr;
        cuda.get();
        copy(params_.at(), c.params.data(), c.params.size() * sizeof(PccParam));
        copy(loss_scale_.at(), &c.loss_scale, sizeof c.loss_scale);
        copy(weights_.at(), c.weights.data(), c.weights.size());
    }

    /* Takes parameter p's gradients. */
    void set_gradients(size_t p)
    {
        const size_t bytes = (size_t)(case_.elements(p) * bytes_of(case_.params[p].gradient_dtype));
        copy(weights_.at() + case_.params[p].gradient, case_.weights.data() + case_.params[p].gradient, bytes);
    }

    void update()
    {
        decltype(pcc_sgd) *const functions[] = {pcc_sgd, pcc_adam, pcc_adamw, pcc_adamw8bit, pcc_lion};
        functions[case_.optimizer](case_.params.data(), params_.at(), (int64_t)case_.params.size(), case_.scaling,
                                   scratch_.at(), done_.at(), loss_scale_.at(), &cuda_.host);
        read();
    }

    /* Every parameter by itself, the last first, as by a step that applies gradients at once: its gradients are made in
     * the arena, and it counts the update afterwards. */
    void update_one_by_one()
    {
        decltype(pcc_sgd_begin) *const begins[] = {pcc_sgd_begin, pcc_adam_begin, pcc_adamw_begin, pcc_adamw8bit_begin,
                                                   pcc_lion_begin};
        decltype(pcc_sgd_from) *const froms[] = {pcc_sgd_from, pcc_adam_from, pcc_adamw_from, pcc_adamw8bit_from,
                                                 pcc_lion_from};
        const int64_t count = (int64_t)case_.params.size();
        cuda_.host.at_once = true;
        cuda_.host.arena = weights_.at();
        cuda_.host.gradients = nullptr;
        cuda_.get();
        begins[case_.optimizer](case_.params.data(), params_.at(), count, case_.scaling, scratch_.at(), done_.at(),
                                loss_scale_.at(), &cuda_.host);
        for (int64_t p = count - 1; p >= 0; p--)
            froms[case_.optimizer](case_.params.data(), params_.at(), count, p, 1, scratch_.at(), done_.at(),
                                   &cuda_.host);
        read();
        assert_int_equal(step.update, cuda_.host.update);
        cuda_.host.update++;
    }

  private:
    void read()
    {
        step = cuda_.read();
        done = done_.elements()[0];
        loss_scale = loss_scale_.elements()[0];
        weights = weights_.elements();
    }

    static void copy(void *to, const void *from, size_t bytes)
    {
        must(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "copying to the device");
    }

    CudaStep &cuda_;
    const OptimizerCase &case_;
    Device<char> weights_;
    Device<PccParam> params_;
    Device<char> scratch_;
    Device<PccUpdate> done_;
    Device<PccLossScale> loss_scale_;
};

static inline void expect_same_weights(const OptimizerCase &c, const DeviceCase &device)
{
    for (size_t i = 0; i < c.weights.size(); i++)
        if (c.weights[i] != device.weights[i])
            fail_msg("byte %zu of the weights differs", i);
    assert_int_equal(c.done.first_overflow, device.done.first_overflow);
    assert_int_equal(c.done.rounded, device.done.rounded);
    assert_int_equal(c.done.lost, device.done.lost);
}

/* Everything, bit by bit. */
static inline void expect_same_update(const OptimizerCase &c, const DeviceCase &device)
{
    expect_same_weights(c, device);
    assert_int_equal(c.step.update, device.step.update);
    assert_int_equal(device.step.micro, 0);
    assert_true(c.step.loss_scale == device.step.loss_scale);
    assert_true(c.loss_scale.scale == device.loss_scale.scale);
    assert_int_equal(c.loss_scale.clean_steps, device.loss_scale.clean_steps);
    assert_int_equal(c.loss_scale.skipped, device.loss_scale.skipped);
}

/* Updates of both in a row. */
static inline void expect_same_updates(OptimizerCase c, int updates)
{
    CudaStep cuda;
    DeviceCase device(cuda, c);
    for (int i = 0; i < updates; i++) {
        c.set_gradients();
        for (size_t p = 0; p < c.params.size(); p++)
            device.set_gradients(p);
        c.update();
        device.update();
        expect_same_update(c, device);
    }
}

#endif
