/* copies.h: what a parameter's value brings along: an f32 master or a compensation, and copies in 16 bits. */
#ifndef PCC_COPIES_H
#define PCC_COPIES_H

#include "session.h"

/* The parameter as exactly as there is one: its master, else its value. */
const void *pcc_param_weight(const PccSession *session, const PccParam *param, PccDtype *dtype);

/* Sets value, master, compensation and copies from data of the value's dtype or, for a 16-bit value, F32, which is
 * rounded to nearest. The data need not be aligned, and may be the value itself. */
void pcc_set_param(PccSession *session, const PccParam *param, const void *data, PccDtype dtype);

/* Writes all copies, from masters and values, with the bits that the last update gave them. */
void pcc_write_copies(PccSession *session);

#endif
