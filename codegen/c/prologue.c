/* prologue.c: what the functions of a C program stand on: includes, and macros that type its places. */
#include "codegen/c/print.h"

void print_prologue(Emitter *e, Text *text, const Program *program, bool narrow)
{
    (void)program;
    if (narrow)
        line(text, "#define PCC_NARROW 1 /* kernels and updates of 16-bit and 8-bit storage */");
    line(text, "#include <pcc/pcc.h>");
    line(text, "#include <pcc/kernels/kernels.h>");
    if (e->options->check_numerics)
        line(text, "#include <pcc/kernels/numerics.h>");
    line(text, "PCC_WIDEST_VECTORS");
    blank(text);
    line(text, "/* Typed pointers: into a block at a byte offset, to what the step was given. */");
    line(text, "#define AT(type, block, offset) ((type *)(void *)((block) + (offset)))");
    line(text, "#define INPUT(type, index) ((const type *)s->inputs[index])");
    if (applies_gradients(e->weights))
        line(text, "#define GRADIENT(type, index) ((type *)(void *)pcc_gradient(s, &params[index]))");
    line(text, "#define TARGET(type) ((const type *)s->target)");
    blank(text);
}

const char *c_build_line(Emitter *e)
{
    return arena_printf(e->arena, "cc -O3 -march=native -fopenmp %s %s -o train", e->emit->source_name,
                        e->emit->standalone ? "-lz -lm" : "$(pkg-config --cflags --libs pcc-runtime)");
}
