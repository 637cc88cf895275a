/* prologue.c: what a CUDA program stands on, and how it is built. */
#include <string.h>

#include "codegen/cuda/print.h"
#include "ir/ops/shared/geometry.h"

/* The largest width of a head or of its values; 0: the graph attends to nothing. */
static int64_t widest_head(const Graph *graph)
{
    int64_t widest = 0;
    for (const Node *node = graph->first; node; node = node->next) {
        if (strncmp(node->op->name, "ScaledDotProductAttention", strlen("ScaledDotProductAttention")) != 0)
            continue;
        const Attention a = attention_of(node);
        const int64_t wider = a.width > a.value_width ? a.width : a.value_width;
        widest = wider > widest ? wider : widest;
    }
    return widest;
}

void print_cuda_prologue(Emitter *e, Text *text, const Program *program, bool narrow)
{
    const int64_t train = widest_head(program->train), evaluate = widest_head(program->evaluate);
    const int64_t widest = train > evaluate ? train : evaluate;
    if (widest > 0)
        line(text, "#define PCC_ATTENTION_WIDEST %lld /* of heads: kernels of wider ones are not compiled */",
             (long long)widest);
    if (narrow)
        line(text, "#define PCC_NARROW 1 /* updates of 16-bit and 8-bit storage */");
    line(text, "#include <pcc/pcc.h>");
    line(text, "#include <pcc/device/cuda.cuh>");
    line(text, "#include <pcc/kernels/kernels.cuh>");
    if (e->options->check_numerics)
        line(text, "#include <pcc/kernels/numerics.cuh>");
    print_cuda_libraries(e, text);
    print_cuda_plans(e, text, program);
    blank(text);
    line(text,
         "/* Typed pointers: into a block of the device's memory at a byte offset, to what the step was given. */");
    line(text, "#define AT(type, block, offset) ((type *)(void *)((block) + (offset)))");
    line(text, "#define INPUT(type, index) ((const type *)s->inputs[index])");
    if (applies_gradients(e->weights))
        line(text, "#define GRADIENT(type, index) ((type *)(void *)pcc_gradient(s, &params[index]))");
    line(text, "#define TARGET(type) ((const type *)s->target)");
    blank(text);
}

const char *cuda_build_line(Emitter *e)
{
    const char *libraries = cuda_libraries(e), *runtime = "$(pkg-config --cflags --libs pcc-runtime-cuda)";
    if (e->emit->standalone)
        runtime = arena_printf(e->arena, "%s -Xcompiler -fopenmp -lz -lm", e->emit->runtime_name);
    return arena_printf(e->arena, "nvcc -O3 -std=c++17 -arch=native %s %s%s%s -o train", e->emit->source_name, runtime,
                        *libraries ? " " : "", libraries);
}
