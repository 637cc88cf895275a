/* narrow_case.h: a narrow kernel beside the f64 kernel on the same rounded operands. */
#ifndef NARROW_CASE_H
#define NARROW_CASE_H

#include "stored_check.h"

/* What the operands and the result are stored in. */
typedef struct Mixture {
    PccDtype in, out;
} Mixture;

static const Mixture mixtures[] = {
    {PCC_BF16, PCC_BF16}, {PCC_F16, PCC_F16}, {PCC_BF16, PCC_F32}, {PCC_F32, PCC_F16}, {PCC_F32, PCC_F32},
};

#define EACH_MIXTURE(m) for (const Mixture *m = mixtures; m < mixtures + sizeof(mixtures) / sizeof(*mixtures); m++)

/* Operands of whichever kernel a test runs. */
typedef struct NarrowCase {
    const void *shape;
    int64_t option;
    Stored x, u, out; /* u: a second operand, if any */
    double *want;     /* what the f64 kernel makes of x.exact and u.exact */
    int64_t *index;
    int64_t *selected; /* outputs that are positions */
    void *scratch, *wide_scratch;
} NarrowCase;

/* Noise in [-1, 1) of `in` and `moved` elements, results of `out`; scratch of at least as many doubles. */
static inline NarrowCase narrow_case(const Mixture *m, const void *shape, int64_t in, int64_t moved, int64_t out)
{
    const size_t scratch = (size_t)(in + moved + out + 1024) * sizeof(double);
    return (NarrowCase){
        .shape = shape,
        .x = stored_noise(m->in, in, 0, 1),
        .u = stored_noise(m->in, moved, 0, 1),
        .out = stored_new(m->out, out),
        .want = calloc((size_t)out + 1, sizeof(double)),
        .scratch = aligned_alloc(64, (scratch + 63) / 64 * 64),
        .wide_scratch = aligned_alloc(64, (scratch + 63) / 64 * 64),
    };
}

typedef void RunCase(void *narrow_case);

/* `slack` is what computing in f32 explains, relative to the greatest magnitude of the results. */
static inline void compare_case(NarrowCase *c, RunCase *narrow, RunCase *wide, double slack, const char *what)
{
    double greatest = 0;
    wide(c);
    check_threads(narrow, c, c->out.data, (size_t)c->out.count * (c->out.dtype == PCC_F32 ? 4 : 2));
    for (int64_t i = 0; i < c->out.count; i++)
        greatest = isfinite(c->want[i]) ? fmax(greatest, fabs(c->want[i])) : greatest;
    stored_check(&c->out, c->want, slack * greatest, what);
}

static inline void release_case(NarrowCase *c)
{
    stored_free(&c->x);
    stored_free(&c->u);
    stored_free(&c->out);
    free(c->want);
    free(c->index);
    free(c->selected);
    free(c->scratch);
    free(c->wide_scratch);
}

#endif
