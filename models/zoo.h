/* zoo.h: `pcc zoo [NAME [key=value ...] -o NAME.onnx]`: standard architectures as ONNX models with fresh weights. */
#ifndef PCC_MODELS_ZOO_H
#define PCC_MODELS_ZOO_H

#include "ir/ir.h"

/* argv[0] is "zoo". Without a name, lists the models with their keys, defaults and parameter counts. Returns the exit
 * status. */
int command_zoo(int argc, char **argv);

/* Writes the model to `path`, or only builds it when that is NULL. Returns the number of parameters. Errors leave
 * through the diagnostics. */
int64_t zoo_write(Arena *arena, Diagnostics *diagnostics, const char *name, int assignment_count,
                  char *const *assignments, const char *path);

#endif
