/* copies.h: what depends on a parameter's value: an f32 master weight or a compensation, and copies in 16 bits. */
#ifndef PCC_COPIES_H
#define PCC_COPIES_H

#include "session.h"

/* The parameter in its greatest precision: its master, else its value. A master stored as value and remainder is joined
 * in the session's memory, which is valid until the next call. */
const void *pcc_param_weight(const PccSession *session, const PccParam *param, PccDtype *dtype);

/* Elements of `session->joined`: those of the largest parameter that needs it. */
int64_t pcc_joined_elements(const PccProgram *program);

/* Splits f32 elements into the value and remainder of a weight. */
void pcc_split_param(PccSession *session, const PccParam *param, const float *weight);

/* Sets value, master, compensation and copies from data of the value's dtype or, for a 16-bit value, F32, which is
 * rounded to nearest. The data need not be aligned, and may be the value itself. */
void pcc_set_param(PccSession *session, const PccParam *param, const void *data, PccDtype dtype);

/* Writes all copies, from masters and values, with the same bits as the last update. */
void pcc_write_copies(PccSession *session);

#endif
