/* loops.c: Fused nodes as loop nests.
 *
 * The innermost loop is a SIMD loop; the outer ones, or fixed blocks of a single flat loop, are shared among threads.
 * Blocks do not depend on the number of threads: which elements a vector iteration covers never changes, and so
 * neither do the bits. */
#include <string.h>

#include "codegen/c/print.h"

enum { BLOCK = 4096, PARALLEL_ELEMENTS = 16384 };

void print_simd(Emitter *e, Text *text)
{
    if (!e->options->check_numerics)
        line(text, "#pragma omp simd");
}

static const char *element(Arena *arena, const char *pointer, int64_t stride, const char *index)
{
    if (stride == 0)
        return arena_printf(arena, "%s[0]", pointer);
    if (stride == 1)
        return arena_printf(arena, "%s[%s]", pointer, index);
    return arena_printf(arena, "%s[%s * %lld]", pointer, index, (long long)stride);
}

/* "const float *x0" for inputs, "float *y0" for outputs. */
static void print_signature(Text *text, const Node *node)
{
    Text *signature = text_create(text->arena);
    append(signature, "static void @@(");
    for (int i = 0; i < node->input_count; i++)
        append(signature, "%sconst %s *x%d", i ? ", " : "", value_c_type(node->inputs[i]), i);
    for (int i = 0; i < node->output_count; i++)
        append(signature, "%s%s *y%d", node->input_count + i ? ", " : "", value_c_type(node->outputs[i]), i);
    line(text, "%s)", signature->data);
}

/* Pointers of one row of the innermost loop. */
static void print_row_pointers(Emitter *e, Text *text, const Node *node, const LoopNest *nest, const char **names)
{
    for (int i = 0; i < nest->operand_count; i++) {
        bool in = i < node->input_count;
        const Value *value = in ? node->inputs[i] : node->outputs[i - node->input_count];
        const char *pointer = arena_printf(e->arena, "%c%d", in ? 'x' : 'y', in ? i : i - node->input_count);
        const char *offset = row_offset(e->arena, nest, i);
        names[i] = pointer;
        if (!*offset)
            continue;
        names[i] = arena_printf(e->arena, "%s_row", pointer);
        line(text, "%s%s *%s = %s%s;", in ? "const " : "", value_c_type(value), names[i], pointer, offset);
    }
}

static void print_innermost(Emitter *e, Text *text, const Node *node, const LoopNest *nest, const char *const *names)
{
    const char **elements = NEW_ARRAY(e->arena, const char *, nest->operand_count + 1);
    for (int i = 0; i < nest->operand_count; i++)
        elements[i] = element(e->arena, names[i], nest->rank ? nest->strides[i][nest->rank - 1] : 0, "i");
    print_body(e, text, node->body, 0, elements, elements + node->input_count);
}

static void print_flat_loop(Emitter *e, Text *text, const Node *node, const LoopNest *nest, const char *const *names)
{
    int64_t count = nest->dims[0];
    if (count < PARALLEL_ELEMENTS) {
        print_simd(e, text);
        line(text, "for (int64_t i = 0; i < %lld; i++) {", (long long)count);
    } else {
        line(text, "#pragma omp parallel for schedule(static)");
        line(text, "for (int64_t block = 0; block < %lld; block++) {", (long long)((count + BLOCK - 1) / BLOCK));
        line(text, "const int64_t begin = block * %d;", BLOCK);
        if (count % BLOCK == 0)
            line(text, "const int64_t end = begin + %d;", BLOCK);
        else
            line(text, "const int64_t end = begin + %d < %lld ? begin + %d : %lld;", BLOCK, (long long)count, BLOCK,
                 (long long)count);
        print_simd(e, text);
        line(text, "for (int64_t i = begin; i < end; i++) {");
    }
    print_innermost(e, text, node, nest, names);
    line(text, "}");
    if (count >= PARALLEL_ELEMENTS)
        line(text, "}");
}

static void print_nested_loops(Emitter *e, Text *text, const Node *node, const LoopNest *nest, const char **names)
{
    int64_t total = 1;
    for (int axis = 0; axis < nest->rank; axis++)
        total *= nest->dims[axis];
    if (total >= PARALLEL_ELEMENTS && nest->rank > 2)
        line(text, "#pragma omp parallel for collapse(%d) schedule(static)", nest->rank - 1);
    else if (total >= PARALLEL_ELEMENTS)
        line(text, "#pragma omp parallel for schedule(static)");
    for (int axis = 0; axis < nest->rank - 1; axis++)
        line(text, "for (int64_t i%d = 0; i%d < %lld; i%d++) {", axis, axis, (long long)nest->dims[axis], axis);
    print_row_pointers(e, text, node, nest, names);
    print_simd(e, text);
    line(text, "for (int64_t i = 0; i < %lld; i++) {", (long long)nest->dims[nest->rank - 1]);
    print_innermost(e, text, node, nest, names);
    for (int axis = 0; axis < nest->rank; axis++)
        line(text, "}");
}

/* The function that runs a loop; returns its name. */
static const char *emit_loop(Emitter *e, const Node *node)
{
    Text *text = text_create(e->arena);
    int count = node->input_count + node->output_count;
    Value **operands = NEW_ARRAY(e->arena, Value *, count + 1);
    memcpy(operands, node->inputs, (size_t)node->input_count * sizeof(*operands));
    memcpy(operands + node->input_count, node->outputs, (size_t)node->output_count * sizeof(*operands));
    LoopNest nest = make_nest(e->arena, &node->outputs[0]->type, operands, count, 0);
    const char **names = NEW_ARRAY(e->arena, const char *, count + 1);
    print_signature(text, node);
    line(text, "{");
    if (nest.rank < 2)
        print_row_pointers(e, text, node, &nest, names);
    if (nest.rank == 0)
        print_innermost(e, text, node, &nest, names);
    else if (nest.rank == 1)
        print_flat_loop(e, text, node, &nest, names);
    else
        print_nested_loops(e, text, node, &nest, names);
    line(text, "}");
    return intern_function(e, loop_stem(e, node), text->data);
}

const char *run_loop(Emitter *e, const Node *node)
{
    Text *call = text_create(e->arena);
    append(call, "%s(", emit_loop(e, node));
    for (int i = 0; i < node->input_count + node->output_count; i++)
        append(call, "%s%s", i ? ", " : "",
               operand_address(e, i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count]));
    append(call, ");");
    return call->data;
}
