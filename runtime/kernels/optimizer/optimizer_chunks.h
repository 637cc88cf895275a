/* optimizer_chunks.h: the parameters as one sequence of chunks of equal size, and the gradients' norm over it.
 *
 * A chunk belongs to one parameter. Every thread processes a contiguous range of chunks; the assignment does not
 * influence the results, as each chunk is computed independently and partial norms are added in the order of the
 * chunks. */
#ifndef PCC_OPTIMIZER_CHUNKS_H
#define PCC_OPTIMIZER_CHUNKS_H

#include "../common/step.h"
#include "../common/storage.h"
#include "../common/typed.h"
#include "optimizer_gradient.h"
#include "optimizer_terms.h"

#define PCC_UPDATE_CHUNK 16384 /* elements: AdamW's four arrays of them fit in the second-level cache */

/* Updates `count` elements; pointers are those of the chunk's first element, moments NULL where there are none. */
typedef void (*PccUpdateChunk)(const PccUpdateTerms *terms, int64_t count, void *value, const void *gradient,
                               void *moment1, void *moment2);

/* A rule for each type of arithmetic. */
typedef struct PccUpdateRule {
    PccUpdateChunk f32, f64;
} PccUpdateRule;

typedef struct PccChunk {
    int64_t id;    /* index in the sequence */
    int64_t param; /* its parameter */
    int64_t first, count;
} PccChunk;

PCC_SHARED int64_t pcc_chunk_count(const PccParam *params, int64_t count, int64_t size)
{
    int64_t chunks = 0;
    for (int64_t p = 0; p < count; p++)
        chunks += pcc_ceil_div(pcc_param_elements(params + p), size);
    return chunks;
}

/* PCC_UPDATE_CHUNK, doubled until a partial norm for each chunk fits in one thread's scratch. */
PCC_KERNEL int64_t pcc_chunk_size(const PccParam *params, int64_t count)
{
    int64_t size = PCC_UPDATE_CHUNK, room = (int64_t)(PCC_THREAD_SCRATCH / sizeof(double));
    while (pcc_chunk_count(params, count, size) > room && size < INT64_MAX / 4)
        size *= 2;
    return size;
}

/* Sets the extent of chunk `at`, advancing to the next parameter at the end of one. There must be a chunk left. */
PCC_KERNEL void pcc_settle_chunk(const PccParam *params, int64_t size, PccChunk *at)
{
    while (at->first >= pcc_param_elements(params + at->param)) {
        at->param++;
        at->first = 0;
    }
    at->count = pcc_min_i64(size, pcc_param_elements(params + at->param) - at->first);
}

/* The first of the calling thread's chunks; *end is one past its last. */
PCC_SHARED PccChunk pcc_thread_chunks(const PccParam *params, int64_t count, int64_t size, int64_t chunks, int64_t *end)
{
    PccChunk at = {.id = pcc_share(chunks, pcc_thread())};
    int64_t skip = at.id;
    *end = pcc_share(chunks, pcc_thread() + 1);
    while (at.param < count) {
        int64_t here = pcc_ceil_div(pcc_param_elements(params + at.param), size);
        if (skip < here)
            break;
        skip -= here;
        at.param++;
    }
    at.first = skip * size;
    if (at.id < *end)
        pcc_settle_chunk(params, size, &at);
    return at;
}

PCC_KERNEL void pcc_next_chunk(const PccParam *params, int64_t size, int64_t end, PccChunk *at)
{
    at->first += size;
    if (++at->id < end)
        pcc_settle_chunk(params, size, at);
}

#define PCC_NORM_LANES 64

/* Sums of squares, in double: squares of f32 are exact and cannot overflow, and rounding errors stay negligible for any
 * number of elements. */
#define PCC_DEFINE_SQUARES(T, suffix)                                   \
    PCC_SHARED double pcc_squares_##suffix(int64_t count, const T *g)   \
    {                                                                   \
        double sum[PCC_NORM_LANES] = {0}, total = 0;                    \
        int64_t i = 0;                                                  \
        for (; i + PCC_NORM_LANES <= count; i += PCC_NORM_LANES)        \
            for (int lane = 0; lane < PCC_NORM_LANES; lane++)           \
                sum[lane] += (double)g[i + lane] * (double)g[i + lane]; \
        for (; i < count; i++)                                          \
            sum[i % PCC_NORM_LANES] += (double)g[i] * (double)g[i];     \
        for (int lane = 0; lane < PCC_NORM_LANES; lane++)               \
            total += sum[lane];                                         \
        return total;                                                   \
    }
PCC_DEFINE_SQUARES(float, f32)
PCC_DEFINE_SQUARES(double, f64)

PCC_SHARED double pcc_squares_16(int64_t count, PccIn g)
{
    enum { ROW = 1024 };
    float row[ROW];
    double total = 0;
    for (int64_t at = 0; at < count; at += ROW) {
        const int64_t length = pcc_min_i64(ROW, count - at);
        total += pcc_squares_f32(length, pcc_read(g, at, length, row));
    }
    return total;
}

PCC_KERNEL double pcc_gradient_squares(const PccParam *param, PccChunk chunk, const PccStep *s)
{
    const char *g = pcc_gradient(s, param);
    if (param->gradient_dtype == PCC_F64)
        return pcc_squares_f64(chunk.count, (const double *)(const void *)g + chunk.first);
    if (param->gradient_dtype == PCC_F32)
        return pcc_squares_f32(chunk.count, (const float *)(const void *)g + chunk.first);
    return pcc_squares_16(chunk.count, pcc_in_at((PccIn){g, param->gradient_dtype}, chunk.first));
}

/* Of the calling thread's chunks. A function: compilers copy what stands in a region with a condition. */
PCC_SHARED void pcc_own_squares(const PccParam *params, int64_t count, int64_t size, int64_t chunks, const PccStep *s,
                                double *squares)
{
    int64_t end;
    PccChunk at = pcc_thread_chunks(params, count, size, chunks, &end);
    for (; at.id < end; pcc_next_chunk(params, size, end, &at))
        squares[at.id] = pcc_gradient_squares(params + at.param, at, s);
}

/* Computes squares[chunk] of every chunk. */
PCC_KERNEL void pcc_chunk_squares(const PccParam *params, int64_t count, int64_t size, const PccStep *s,
                                  double *squares)
{
    int64_t chunks = pcc_chunk_count(params, count, size);
#pragma omp parallel if (chunks > 1)
    pcc_own_squares(params, count, size, chunks, s, squares);
}

/* Whether a gradient whose squares add up to `squares` is finite. Squares of finite f64 may overflow, so the elements
 * themselves are checked then. */
PCC_KERNEL bool pcc_gradient_is_finite(const PccParam *param, double squares, const PccStep *s)
{
    if (squares - squares == 0)
        return true;
    if (param->gradient_dtype != PCC_F64)
        return false;
    const double *g = (const double *)pcc_gradient(s, param);
    for (int64_t i = 0; i < pcc_param_elements(param); i++)
        if (g[i] - g[i] != 0)
            return false;
    return true;
}

/* Global 2-norm of the unscaled gradients, and the first parameter whose gradient is not finite. */
PCC_SHARED PccUpdate pcc_gradient_norm(const PccParam *params, int64_t count, const PccStep *s)
{
    double *squares = (double *)s->thread_scratch, total = 0;
    PccUpdate result = {.gradient_norm = 0, .first_overflow = -1};
    int64_t size = pcc_chunk_size(params, count), id = 0;
    pcc_chunk_squares(params, count, size, s, squares);
    for (int64_t p = 0; p < count; p++) {
        double own = 0;
        for (int64_t first = 0; first < pcc_param_elements(params + p); first += size)
            own += squares[id++];
        if (result.first_overflow < 0 && !pcc_gradient_is_finite(params + p, own, s))
            result.first_overflow = p;
        total += own;
    }
    result.gradient_norm = __builtin_sqrt(total) / s->loss_scale;
    return result;
}

#endif
