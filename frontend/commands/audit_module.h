/* audit_module.h: --audit. */
#ifndef PCC_FRONTEND_AUDIT_MODULE_H
#define PCC_FRONTEND_AUDIT_MODULE_H

#include "codegen/codegen.h"

/* Loads pcc-audit.so, which is beside pcc, and audits the text. Each finding is an error of EXIT_STATUS_INTERNAL, after
 * which the compile is left; a module or runtime headers that are not installed are one of EXIT_STATUS_IO. */
void audit_source(Arena *arena, Diagnostics *diagnostics, const Emitted *source, const char *source_name,
                  const char *precision);

#endif
