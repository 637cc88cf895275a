/* mixed_check.h: parameters of any storage for the tests of the optimizer's 16-bit and 8-bit storage. */
#ifndef MIXED_CHECK_H
#define MIXED_CHECK_H

#ifndef PCC_MIXED
#    define PCC_MIXED 1
#endif
#include "runtime/kernels/optimizer/optimizer.h"

#include "kernel_check.h"

typedef PccUpdate (*UpdateFunction)(const PccParam *params, int64_t count, PccStep *s);

static inline PccUpdate run_sgd(const PccParam *params, int64_t count, PccStep *s)
{
    return pcc_sgd(params, count, s);
}

static inline PccUpdate run_adamw(const PccParam *params, int64_t count, PccStep *s)
{
    return pcc_adamw(params, count, s);
}

static inline PccUpdate run_lion(const PccParam *params, int64_t count, PccStep *s)
{
    return pcc_lion(params, count, s);
}

static inline PccUpdate run_adamw8bit(const PccParam *params, int64_t count, PccStep *s)
{
    return pcc_adamw8bit(params, count, s);
}

/* How a parameter is stored. */
typedef struct Storage {
    PccDtype value, gradient, moment;
    PccRounding rounding;
} Storage;

enum { MIXED_PARAMS = 2 };

/* Parameters in one weights block, and the step that points to it. */
typedef struct Mixed {
    PccParam params[MIXED_PARAMS];
    int64_t count, elements[MIXED_PARAMS];
    PccStep s;
    size_t bytes;
} Mixed;

static inline size_t mixed_place(Mixed *mixed, int64_t bytes)
{
    const size_t offset = mixed->bytes;
    mixed->bytes += ((size_t)bytes + 63) / 64 * 64;
    return offset;
}

static inline int64_t mixed_bytes(PccDtype dtype)
{
    return dtype == PCC_U8 ? 1 : pcc_stored_bytes(dtype);
}

/* Adds a parameter with both moments and two copies; mixed_start() gives them memory. */
static inline void mixed_add(Mixed *mixed, Storage storage, int64_t n)
{
    const int64_t scales = (n + PCC_MOMENT_BLOCK - 1) / PCC_MOMENT_BLOCK * 4;
    PccParam *param = &mixed->params[mixed->count];
    mixed->elements[mixed->count++] = n;
    *param = (PccParam){.value = {.name = "w", .dtype = storage.value, .rank = 1, .dims = {n}},
                        .gradient_dtype = storage.gradient,
                        .moment_dtype = storage.moment,
                        .rounding = storage.rounding,
                        .copies = {{.dtype = PCC_BF16}, {.dtype = PCC_F16}},
                        .copy_count = 2};
    param->value.offset = mixed_place(mixed, n * mixed_bytes(storage.value));
    param->gradient = mixed_place(mixed, n * mixed_bytes(storage.gradient));
    param->moment1 = mixed_place(mixed, n * mixed_bytes(storage.moment));
    param->moment2 = mixed_place(mixed, n * mixed_bytes(storage.moment));
    param->extra = mixed_place(mixed, n * 4);
    param->absmax1 = mixed_place(mixed, scales);
    param->absmax2 = mixed_place(mixed, scales);
    param->copies[0].offset = mixed_place(mixed, n * 2);
    param->copies[1].offset = mixed_place(mixed, n * 2);
}

static inline void mixed_start(Mixed *mixed, PccHyper hyper)
{
    mixed->s = (PccStep){.weights = aligned_alloc(64, mixed->bytes + 64), .loss_scale = 1, .hyper = hyper};
    mixed->s.thread_scratch = aligned_alloc(64, 4 * PCC_THREAD_SCRATCH);
    memset(mixed->s.weights, 0, mixed->bytes);
}

static inline void mixed_end(Mixed *mixed)
{
    free(mixed->s.weights);
    free(mixed->s.thread_scratch);
}

static inline double mixed_get(const Mixed *mixed, size_t offset, PccDtype dtype, int64_t i)
{
    return (double)pcc_read_one((PccIn){mixed->s.weights + offset, dtype}, i);
}

static inline void mixed_set(Mixed *mixed, size_t offset, PccDtype dtype, int64_t i, double value)
{
    pcc_write_one((PccOut){mixed->s.weights + offset, dtype}, i, (float)value);
}

/* Sets a value, and the master where there is one. */
static inline void mixed_set_weight(Mixed *mixed, int p, int64_t i, double value)
{
    const PccParam *param = &mixed->params[p];
    mixed_set(mixed, param->value.offset, param->value.dtype, i, value);
    if (param->rounding == PCC_MASTER)
        mixed_set(mixed, param->extra, PCC_F32, i, mixed_get(mixed, param->value.offset, param->value.dtype, i));
}

static inline double mixed_value(const Mixed *mixed, int p, int64_t i)
{
    return mixed_get(mixed, mixed->params[p].value.offset, mixed->params[p].value.dtype, i);
}

/* One ulp at x. */
static inline double ulp_of(PccDtype dtype, double x)
{
    const int digits = dtype == PCC_BF16 ? 7 : dtype == PCC_F16 ? 10 : 23;
    const int least = dtype == PCC_F16 ? -14 : -126;
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, (x == 0 || exponent - 1 < least ? least : exponent - 1) - digits);
}

#endif
