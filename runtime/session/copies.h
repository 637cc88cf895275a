/* copies.h: what a parameter's value brings along: an f32 master or a compensation, and copies in 16 bits. */
#ifndef PCC_COPIES_H
#define PCC_COPIES_H

#include "session.h"

/* The parameter as exactly as there is one: its master, else its value. What is kept in two halves is joined in the
 * session's memory, until the next call. */
const void *pcc_param_weight(const PccSession *session, const PccParam *param, PccDtype *dtype);

/* Elements of `session->joined`: of the largest parameter that needs it. */
int64_t pcc_joined_elements(const PccProgram *program);

/* A weight that is kept in two halves, from its f32 elements. */
void pcc_split_param(PccSession *session, const PccParam *param, const float *weight);

/* Sets value, master, compensation and copies from data of the value's dtype or, for a 16-bit value, F32, which is
 * rounded to nearest. The data need not be aligned, and may be the value itself. */
void pcc_set_param(PccSession *session, const PccParam *param, const void *data, PccDtype dtype);

/* Writes all copies, from masters and values, with the bits that the last update gave them. */
void pcc_write_copies(PccSession *session);

#endif
