/* explain.h: --explain CODE and --explain-precision. */
#ifndef PCC_FRONTEND_EXPLAIN_H
#define PCC_FRONTEND_EXPLAIN_H

#include "frontend/commands/driver.h"

/* What a warning means and what to do about it; an unknown code is wrong use. */
void explain_warning(Compilation *c, FILE *stream);

/* ---- explain_precision.c ---- */

/* When pass autocast has run: c->precision_report. */
void keep_precision_report(Compilation *c, const Graph *graph);
/* When all passes have run: nodes, casts and bytes, as a table or one JSON object. Compiles the model once more, in
 * 32-true, to compare with. */
void explain_precision(Compilation *c, FILE *stream);

#endif
