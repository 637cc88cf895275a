/* standalone.h: --standalone: the emitted program and its runtime as one C file. */
#ifndef PCC_FRONTEND_STANDALONE_H
#define PCC_FRONTEND_STANDALONE_H

#include "codegen/codegen.h"

/* The runtime's sources come first, its headers and kernels where they are included. Fatal with EXIT_STATUS_IO when
 * pcc cannot find or read them. */
Emitted make_standalone(Arena *arena, Diagnostics *diagnostics, Emitted program);

#endif
