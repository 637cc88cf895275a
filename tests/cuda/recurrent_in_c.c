/* recurrent_in_c.c: see recurrent_in_c.h. */
#define PCC_NARROW
#include "recurrent_in_c.h"

#include <stdlib.h>

#include "runtime/kernels/recurrent/recurrent.h"

#define ARGUMENTS(IN, OUT) \
    call->shape, IN(0), IN(1), IN(2), IN(3), IN(4), IN(5), call->lengths, OUT(0), OUT(1), OUT(2), OUT(3), OUT(4)

#define GRAD_ARGUMENTS(IN, OUT)                                                                                       \
    call->shape, IN(0), IN(1), IN(2), IN(3), IN(4), IN(5), IN(6), call->lengths, IN(7), IN(8), IN(9), OUT(0), OUT(1), \
        OUT(2), OUT(3)

#define F64_IN(i) ((const double *)call->in[i])
#define F64_OUT(i) ((double *)call->out[i])
#define NARROW_IN(i) ((PccIn){call->in[i], call->in_dtype[i]})
#define NARROW_OUT(i) ((PccOut){call->out[i], call->out_dtype[i]})

static void *scratch_of(const RecurrentInC *call)
{
    return aligned_alloc(64, pcc_recurrent_scratch_bytes(call->shape, sizeof(double)));
}

void c_recurrence(const RecurrentInC *call)
{
    void *scratch = scratch_of(call);
    if (call->is_f64)
        pcc_recurrence_f64(ARGUMENTS(F64_IN, F64_OUT), scratch, NULL);
    else
        pcc_recurrence_narrow(ARGUMENTS(NARROW_IN, NARROW_OUT), scratch, NULL);
    free(scratch);
}

void c_recurrence_grad(const RecurrentInC *call)
{
    void *scratch = scratch_of(call);
    if (call->is_f64)
        pcc_recurrence_grad_f64(GRAD_ARGUMENTS(F64_IN, F64_OUT), scratch, NULL);
    else
        pcc_recurrence_grad_narrow(GRAD_ARGUMENTS(NARROW_IN, NARROW_OUT), scratch, NULL);
    free(scratch);
}
