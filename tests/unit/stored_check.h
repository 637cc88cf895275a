/* stored_check.h: operands of narrow kernels for tests: filled with values that their dtype holds exactly, and compared
 * with a computation on the same values in wider types. */
#ifndef STORED_CHECK_H
#define STORED_CHECK_H

#include "kernel_check.h"
#include "runtime/kernels/common/storage.h"

typedef struct Stored {
    PccDtype dtype;
    int64_t count;
    void *data;
    double *exact; /* the same values */
} Stored;

/* How far from the value a computation in f32, rounded to dtype, may be: half an ulp, and 8 epsilons of f32. */
static inline double relative_error(PccDtype dtype)
{
    return (dtype == PCC_BF16 ? 0x1p-8 : dtype == PCC_F16 ? 0x1p-11 : 0) + 8 * 0x1p-23;
}

/* The least number that relative_error() holds for, below which the error is absolute. */
static inline double least_normal(PccDtype dtype)
{
    return dtype == PCC_F16 ? 0x1p-14 : 0x1p-126;
}

static inline Stored stored_new(PccDtype dtype, int64_t count)
{
    return (Stored){dtype, count, malloc((size_t)(count * 4)), malloc((size_t)count * sizeof(double))};
}

static inline PccIn stored_in(const Stored *t)
{
    return (PccIn){t->data, t->dtype};
}

static inline PccOut stored_out(const Stored *t)
{
    return (PccOut){t->data, t->dtype};
}

static inline void stored_set(Stored *t, int64_t i, double value)
{
    pcc_write_one(stored_out(t), i, (float)value);
    t->exact[i] = (double)pcc_read_one(stored_in(t), i);
}

static inline double stored_get(const Stored *t, int64_t i)
{
    return (double)pcc_read_one(stored_in(t), i);
}

/* offset + spread [-1, 1), rounded to dtype. */
static inline Stored stored_noise(PccDtype dtype, int64_t count, double offset, double spread)
{
    Stored t = stored_new(dtype, count);
    for (int64_t i = 0; i < count; i++)
        stored_set(&t, i, offset + spread * next_value());
    return t;
}

static inline void stored_free(Stored *t)
{
    free(t->data);
    free(t->exact);
}

/* Each element is `want` but for its rounding to the tensor's dtype and `slack`, which sums in f32 explain. */
static inline void stored_check(const Stored *t, const double *want, double slack, const char *what)
{
    for (int64_t i = 0; i < t->count; i++) {
        const double size = fmax(fabs(want[i]) + slack, least_normal(t->dtype));
        check_close(stored_get(t, i), want[i], relative_error(t->dtype) * size + slack, what, i);
    }
}

#endif
