/* gpu_file.h: the GPU that --gpu says: a row of the table, or a file that describes one. */
#ifndef PCC_FRONTEND_GPU_FILE_H
#define PCC_FRONTEND_GPU_FILE_H

#include "ir/target/gpu.h"

/* `name` is a row's or a file that can be read: one JSON object of the fields of Gpu, in bytes, bytes a second and FLOP
 * a second; what the GPU does not have may be absent. Fatal where the file is not that. */
const Gpu *read_gpu(Arena *arena, Diagnostics *diagnostics, const char *name);

#endif
