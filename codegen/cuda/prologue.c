/* prologue.c: what a CUDA program stands on, and how it is built. */
#include "codegen/cuda/print.h"

void print_cuda_prologue(Emitter *e, Text *text, bool narrow)
{
    (void)e;
    if (narrow)
        line(text, "#define PCC_NARROW 1 /* updates of 16-bit and 8-bit storage */");
    line(text, "#include <pcc/pcc.h>");
    line(text, "#include <pcc/device/cuda.cuh>");
    line(text, "#include <pcc/kernels/kernels.cuh>");
    blank(text);
    line(text,
         "/* Typed pointers: into a block of the device's memory at a byte offset, to what the step was given. */");
    line(text, "#define AT(type, block, offset) ((type *)(void *)((block) + (offset)))");
    line(text, "#define INPUT(type, index) ((const type *)s->inputs[index])");
    line(text, "#define TARGET(type) ((const type *)s->target)");
    blank(text);
}

const char *cuda_build_line(Emitter *e)
{
    return arena_printf(e->arena, "nvcc -O3 -std=c++17 -arch=native %s %s -o train", e->emit->source_name,
                        e->emit->standalone ? "-lz -lm" : "$(pkg-config --cflags --libs pcc-runtime-cuda)");
}
