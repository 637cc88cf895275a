/* explain.h: --explain CODE and --explain-precision. */
#ifndef PCC_FRONTEND_EXPLAIN_H
#define PCC_FRONTEND_EXPLAIN_H

#include "frontend/driver.h"

/* What a warning means and what to do about it; an unknown code is wrong use. */
void explain_warning(Compilation *c, FILE *stream);
/* One line a node of the graph as pass `precision` left it: text, or one JSON object. */
void explain_precision(Compilation *c, const Graph *graph, FILE *stream);

#endif
