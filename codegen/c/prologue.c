/* prologue.c: what the functions of a C program stand on: includes, and macros that type its places. */
#include "codegen/c/print.h"

#include <stdlib.h>
#include <string.h>

typedef struct Headers {
    Arena *arena;
    const char **names;
    int count;
} Headers;

static void add_header(Headers *headers, const char *name)
{
    for (int i = 0; i < headers->count; i++)
        if (strcmp(headers->names[i], name) == 0)
            return;
    APPEND(headers->arena, headers->names, headers->count, name);
}

static void add_kernels(Headers *headers, const Graph *graph, const Target *target)
{
    for (const Node *node = graph->first; node; node = node->next) {
        const Kernel *kernel = find_kernel(target, node);
        if (kernel && kernel->header)
            add_header(headers, kernel->header);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of kernels, those that the program calls: for small programs, the others would take a C compiler most of its time. */
static void print_includes(Emitter *e, Text *text, const Program *program)
{
    static const char *const of_all[] = {"common/integer.h", "common/storage.h", "math/math.h",
                                         "optimizer/optimizer.h"};
    Headers headers = {.arena = e->arena};
    for (size_t i = 0; i < sizeof of_all / sizeof *of_all; i++)
        add_header(&headers, of_all[i]);
    if (e->options->check_numerics)
        add_header(&headers, "numerics.h");
    add_kernels(&headers, program->train, e->options->target);
    add_kernels(&headers, program->evaluate, e->options->target);
    qsort(headers.names, (size_t)headers.count, sizeof *headers.names, by_name);
    line(text, "#include <math.h>");
    line(text, "#include <pcc/pcc.h>");
    for (int i = 0; i < headers.count; i++)
        line(text, "#include <pcc/kernels/%s>", headers.names[i]);
}

void print_prologue(Emitter *e, Text *text, const Program *program, bool narrow)
{
    if (narrow)
        line(text, "#define PCC_NARROW 1 /* kernels and updates of 16-bit and 8-bit storage */");
    print_includes(e, text, program);
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
