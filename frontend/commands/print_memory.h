/* print_memory.h: --print memory: where everything of a step lies, and whether a GPU has room for it. */
#ifndef PCC_FRONTEND_PRINT_MEMORY_H
#define PCC_FRONTEND_PRINT_MEMORY_H

#include "frontend/commands/driver.h"

void print_memory(Compilation *c, FILE *stream);

#endif
