/* loops.c: Fused nodes as loop nests.
 *
 * The innermost loop is a SIMD loop; the outer ones, or fixed blocks of a single flat loop, are shared among threads.
 * Blocks do not depend on the number of threads: which elements a vector iteration covers never changes, and so
 * neither do the bits. */
#include "codegen/c/print.h"

enum { BLOCK = 4096, PARALLEL_ELEMENTS = 16384 };

void print_simd(Emitter *e, Text *text)
{
    if (!e->options->check_numerics)
        line(text, "#pragma omp simd");
}

const char *element_at(Arena *arena, const char *pointer, const char *index, int64_t stride)
{
    if (stride == 0)
        return arena_printf(arena, "%s[0]", pointer);
    if (stride == 1)
        return arena_printf(arena, "%s[%s]", pointer, index);
    return arena_printf(arena, "%s[%s * %lld]", pointer, index, (long long)stride);
}

/* Pointers of one row of the innermost loop. */
static void print_row_pointers(Text *text, const BodyOperands *operands, const char **names)
{
    for (int i = 0; i < operands->count; i++) {
        const char *pointer = operand_name(text->arena, operands, i);
        const char *offset = row_offset(text->arena, &operands->nest, i);
        names[i] = pointer;
        if (!*offset)
            continue;
        names[i] = arena_printf(text->arena, "%s_row", pointer);
        line(text, "%s_row = %s%s;", operand_declaration(text->arena, operands, i), pointer, offset);
    }
}

static void print_innermost(Emitter *e, Text *text, const Node *node, const BodyOperands *operands,
                            const char *const *names)
{
    const char **elements = NEW_ARRAY(e->arena, const char *, operands->count + 1);
    for (int i = 0; i < operands->count; i++)
        elements[i] = element_at(e->arena, names[i], "i", last_stride(&operands->nest, i));
    print_body(e, text, node->body, 0, elements, elements + operands->reads);
}

static void print_flat_loop(Emitter *e, Text *text, const Node *node, const BodyOperands *operands,
                            const char *const *names)
{
    const int64_t count = operands->nest.dims[0];
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
    print_innermost(e, text, node, operands, names);
    line(text, "}");
    if (count >= PARALLEL_ELEMENTS)
        line(text, "}");
}

static void print_nested_loops(Emitter *e, Text *text, const Node *node, const BodyOperands *operands,
                               const char **names)
{
    const LoopNest *nest = &operands->nest;
    const int64_t total = nest_elements(nest);
    if (total >= PARALLEL_ELEMENTS && nest->rank > 2)
        line(text, "#pragma omp parallel for collapse(%d) schedule(static)", nest->rank - 1);
    else if (total >= PARALLEL_ELEMENTS)
        line(text, "#pragma omp parallel for schedule(static)");
    for (int axis = 0; axis < nest->rank - 1; axis++)
        line(text, "for (int64_t i%d = 0; i%d < %lld; i%d++) {", axis, axis, (long long)nest->dims[axis], axis);
    print_row_pointers(text, operands, names);
    print_simd(e, text);
    line(text, "for (int64_t i = 0; i < %lld; i++) {", (long long)nest->dims[nest->rank - 1]);
    print_innermost(e, text, node, operands, names);
    for (int axis = 0; axis < nest->rank; axis++)
        line(text, "}");
}

/* The function that runs a loop; returns its name. */
static const char *emit_loop(Emitter *e, const Node *node)
{
    Text *text = function_text(e);
    const BodyOperands operands = loop_operands(e->arena, node);
    const int rank = operands.nest.rank;
    const char **names = NEW_ARRAY(e->arena, const char *, operands.count + 1);
    line(text, "PCC_NODE_FUNCTION void @@(%s)", operand_declarations(e->arena, &operands));
    line(text, "{");
    if (rank < 2)
        print_row_pointers(text, &operands, names);
    if (rank == 0)
        print_innermost(e, text, node, &operands, names);
    else if (rank == 1)
        print_flat_loop(e, text, node, &operands, names);
    else
        print_nested_loops(e, text, node, &operands, names);
    line(text, "}");
    return intern_function(e, loop_stem(e->arena, node), text->data);
}

const char *run_loop(Emitter *e, const Node *node)
{
    Text *call = text_create(e->arena);
    append(call, "%s(", emit_loop(e, node));
    append_addresses(e, call, node);
    append(call, ");");
    return call->data;
}
