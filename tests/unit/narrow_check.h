/* narrow_check.h: parameters of any storage for the tests of the optimizer's 16-bit and 8-bit storage. */
#ifndef NARROW_CHECK_H
#define NARROW_CHECK_H

#ifndef PCC_NARROW
#    define PCC_NARROW 1
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

enum { NARROW_PARAMS = 2 };

/* Parameters in one weights block, and the step that points to it. */
typedef struct Narrow {
    PccParam params[NARROW_PARAMS];
    int64_t count, elements[NARROW_PARAMS];
    PccStep s;
    size_t bytes;
} Narrow;

static inline size_t narrow_place(Narrow *narrow, int64_t bytes)
{
    const size_t offset = narrow->bytes;
    narrow->bytes += ((size_t)bytes + 63) / 64 * 64;
    return offset;
}

static inline int64_t narrow_bytes(PccDtype dtype)
{
    return dtype == PCC_U8 ? 1 : pcc_stored_bytes(dtype);
}

/* Adds a parameter with both moments and two copies; narrow_start() gives them memory. */
static inline void narrow_add(Narrow *narrow, Storage storage, int64_t n)
{
    const int64_t scales = (n + PCC_MOMENT_BLOCK - 1) / PCC_MOMENT_BLOCK * 4;
    PccParam *param = &narrow->params[narrow->count];
    narrow->elements[narrow->count++] = n;
    *param = (PccParam){.value = {.name = "w", .dtype = storage.value, .rank = 1, .dims = {n}},
                        .gradient_dtype = storage.gradient,
                        .moment_dtype = storage.moment,
                        .rounding = storage.rounding,
                        .copies = {{.dtype = PCC_BF16}, {.dtype = PCC_F16}},
                        .copy_count = 2};
    param->value.offset = narrow_place(narrow, n * narrow_bytes(storage.value));
    param->gradient = narrow_place(narrow, n * narrow_bytes(storage.gradient));
    param->moment1 = narrow_place(narrow, n * narrow_bytes(storage.moment));
    param->moment2 = narrow_place(narrow, n * narrow_bytes(storage.moment));
    param->extra = narrow_place(narrow, n * 4);
    param->absmax1 = narrow_place(narrow, scales);
    param->absmax2 = narrow_place(narrow, scales);
    param->copies[0].offset = narrow_place(narrow, n * 2);
    param->copies[1].offset = narrow_place(narrow, n * 2);
}

static inline void narrow_start(Narrow *narrow, PccHyper hyper)
{
    narrow->s = (PccStep){.weights = aligned_alloc(64, narrow->bytes + 64), .loss_scale = 1, .hyper = hyper};
    narrow->s.gradients = narrow->s.weights;
    narrow->s.thread_scratch = aligned_alloc(64, 4 * PCC_THREAD_SCRATCH);
    memset(narrow->s.weights, 0, narrow->bytes);
}

static inline void narrow_end(Narrow *narrow)
{
    free(narrow->s.weights);
    free(narrow->s.thread_scratch);
}

static inline double narrow_get(const Narrow *narrow, size_t offset, PccDtype dtype, int64_t i)
{
    return (double)pcc_read_one((PccIn){narrow->s.weights + offset, dtype}, i);
}

static inline void narrow_set(Narrow *narrow, size_t offset, PccDtype dtype, int64_t i, double value)
{
    pcc_write_one((PccOut){narrow->s.weights + offset, dtype}, i, (float)value);
}

/* Sets a value, and the master where there is one. */
static inline void narrow_set_weight(Narrow *narrow, int p, int64_t i, double value)
{
    const PccParam *param = &narrow->params[p];
    narrow_set(narrow, param->value.offset, param->value.dtype, i, value);
    if (param->rounding == PCC_MASTER)
        narrow_set(narrow, param->extra, PCC_F32, i, narrow_get(narrow, param->value.offset, param->value.dtype, i));
}

static inline double narrow_value(const Narrow *narrow, int p, int64_t i)
{
    return narrow_get(narrow, narrow->params[p].value.offset, narrow->params[p].value.dtype, i);
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
