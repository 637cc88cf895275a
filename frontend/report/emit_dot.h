/* emit_dot.h: -o FILE.dot: the imported graph for Graphviz. */
#ifndef PCC_FRONTEND_EMIT_DOT_H
#define PCC_FRONTEND_EMIT_DOT_H

#include "frontend/commands/driver.h"

void write_dot(Compilation *c, FILE *stream);

#endif
