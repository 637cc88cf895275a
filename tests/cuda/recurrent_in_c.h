/* recurrent_in_c.h: the C target's recurrences, for tests in C++ that compare with them. */
#ifndef PCC_RECURRENT_IN_C_H
#define PCC_RECURRENT_IN_C_H

#include "runtime/kernels/recurrent/recurrent_shape.h"
#include "runtime/program.h"

/* The operands in the kernels' order, without lengths: of the gradient 10 inputs and 4 outputs. NULL: absent. dtype: of
 * each; if `is_f64`, all are of double. */
enum { RECURRENT_INPUTS = 10, RECURRENT_OUTPUTS = 5 };

typedef struct RecurrentInC {
    PccRecurrent shape;
    int is_f64;
    const void *in[RECURRENT_INPUTS];
    void *out[RECURRENT_OUTPUTS];
    PccDtype in_dtype[RECURRENT_INPUTS], out_dtype[RECURRENT_OUTPUTS];
    const int64_t *lengths;
} RecurrentInC;

#ifdef __cplusplus
extern "C" {
#endif

void c_recurrence(const RecurrentInC *call);
void c_recurrence_grad(const RecurrentInC *call);

#ifdef __cplusplus
}
#endif

#endif
