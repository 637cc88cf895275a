/* optimizer_case.h: one weights block for the C target's optimizers and a copy for CUDA's, updated side by side. */
#ifndef OPTIMIZER_CASE_H
#define OPTIMIZER_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

extern "C" {
#include <cmocka.h>
}

#define PCC_MIXED 1
#include "runtime/kernels/optimizer/optimizer.cuh"

#include "optimizer_in_c.h"

enum { MOST_PARAMS = 8 };

struct Storage {
    PccDtype value, gradient, moment;
    PccRounding rounding;
    int copies;
};

struct Case {
    Optimizer optimizer;
    PccParam params[MOST_PARAMS];
    int64_t count;
    size_t bytes;
    PccScaling scaling;
    PccStep in_c, in_cuda, mirror;
    PccLossScale scale_in_c, scale_in_cuda;
    PccUpdate done_in_c, done_in_cuda;
    void *scratch;
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

static inline size_t place(Case *c, int64_t bytes)
{
    const size_t offset = c->bytes;
    c->bytes += ((size_t)bytes + 63) / 64 * 64;
    return offset;
}

static inline void add_param(Case *c, Storage storage, int64_t n)
{
    const int64_t scales = (n + PCC_MOMENT_BLOCK - 1) / PCC_MOMENT_BLOCK * 4;
    const bool second = c->optimizer != SGD && c->optimizer != LION;
    PccParam *param = &c->params[c->count++];
    *param = {};
    param->value.dtype = storage.value;
    param->value.rank = 2;
    param->value.dims[0] = n;
    param->value.dims[1] = 1;
    param->value.offset = place(c, n * bytes_of(storage.value));
    param->gradient_dtype = storage.gradient;
    param->moment_dtype = storage.moment;
    param->rounding = storage.rounding;
    param->gradient = place(c, n * bytes_of(storage.gradient));
    param->moment1 = place(c, n * bytes_of(storage.moment));
    param->moment2 = second ? place(c, n * bytes_of(storage.moment)) : PCC_NONE;
    param->extra = place(c, n * 4);
    param->absmax1 = place(c, scales);
    param->absmax2 = place(c, scales);
    param->copy_count = storage.copies;
    for (int i = 0; i < storage.copies; i++)
        param->copies[i] = {i == 0 ? PCC_BF16 : PCC_F16, place(c, n * 2)};
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
        ((PccBf16 *)p)[i] = pcc_bf16_from_f32((float)x);
    else
        ((PccF16 *)p)[i] = pcc_f16_from_f32((float)x);
}

static inline void *aligned(size_t bytes)
{
    void *block = aligned_alloc(256, (bytes + 511) / 256 * 256);
    memset(block, 0, (bytes + 511) / 256 * 256);
    return block;
}

/* The f32 weight of parameters that have one; the value is it, rounded. */
static inline void set_weight(Case *c, const PccParam *param, int64_t i, double x)
{
    char *weights = c->in_c.weights;
    put(weights + param->value.offset, param->value.dtype, i, x);
    if (param->rounding == PCC_MASTER)
        put(weights + param->extra, PCC_F32, i, get(weights + param->value.offset, param->value.dtype, i));
}

static inline void start(Case *c, PccHyper hyper)
{
    c->in_c = {};
    c->in_c.weights = (char *)aligned(c->bytes);
    c->in_c.thread_scratch = (char *)aligned(4 * PCC_THREAD_SCRATCH);
    c->in_c.loss_scale = 1;
    c->in_c.seed = 7;
    c->in_c.hyper = hyper;
    c->in_cuda = c->mirror = c->in_c;
    c->in_cuda.mirror = &c->mirror;
    c->mirror.weights = (char *)aligned(c->bytes);
    c->in_cuda.weights = c->mirror.weights;
    c->scale_in_c = c->scale_in_cuda = {1, 0, 0};
    c->scratch = aligned(pcc_cuda_update_scratch_bytes(c->params, c->count));
    for (int64_t p = 0; p < c->count; p++)
        for (int64_t i = 0; i < c->params[p].value.dims[0]; i++)
            set_weight(c, &c->params[p], i, next_value());
}

static inline void end(Case *c)
{
    free(c->in_c.weights);
    free(c->in_c.thread_scratch);
    free(c->mirror.weights);
    free(c->scratch);
}

/* As the session does it. */
static inline void update_c(Case *c)
{
    c->done_in_c = update_in_c(c->optimizer, c->params, c->count, &c->in_c);
    const bool skipped = c->done_in_c.first_overflow >= 0;
    c->in_c.update += !skipped;
    c->in_c.micro = 0;
    pcc_loss_scale_next(&c->scale_in_c, &c->scaling, skipped);
    c->in_c.loss_scale = c->scale_in_c.scale;
}

static inline void update_cuda(Case *c)
{
    decltype(pcc_sgd) *const functions[] = {pcc_sgd, pcc_adam, pcc_adamw, pcc_lion};
    functions[c->optimizer == LION ? 3 : c->optimizer](c->params, c->params, c->count, c->scaling, c->scratch,
                                                       &c->done_in_cuda, &c->scale_in_cuda, &c->in_cuda);
}

/* Gradients of the scaled loss. */
static inline void set_gradients(Case *c)
{
    for (int64_t p = 0; p < c->count; p++)
        for (int64_t i = 0; i < c->params[p].value.dims[0]; i++)
            put(c->in_c.weights + c->params[p].gradient, c->params[p].gradient_dtype, i,
                (copysign(0.3, next_value()) + next_value() / 4) * c->in_c.loss_scale);
}

/* Both sides begin from the C target's block. */
static inline void share_weights(Case *c)
{
    memcpy(c->mirror.weights, c->in_c.weights, c->bytes);
}

#endif
