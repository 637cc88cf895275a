/* loops.c: fused loops as kernels.
 *
 * A thread computes one item: an element, or as many neighbours of the last axis as make 16 bytes of the widest
 * operand, where all operands are dense or constant along it and aligned. Items are counted over all axes, so that
 * every loop is one launch over a flat range. */
#include <string.h>

#include "codegen/cuda/print.h"
#include "passes/view.h"

enum { ACCESS_BYTES = 16, MOST_LANES = 8 };

/* A loop on its way to text. */
typedef struct LoopText {
    Emitter *e;
    const Node *node;
    BodyOperands operands;
    int lanes;         /* elements of an item */
    const char *index; /* the type of offsets */
} LoopText;

/* May operand i be accessed `lanes` elements at a time, or is it one element for all lanes? */
static bool takes_lanes(const BodyOperands *operands, int i, int lanes)
{
    const LoopNest *nest = &operands->nest;
    const int64_t last = last_stride(nest, i);
    if (last == 0)
        return true;
    int64_t aligned = window_of(operands->values[i]).offset;
    for (int axis = 0; axis < nest->rank - 1; axis++)
        aligned |= nest->strides[i][axis]; /* lanes are a power of two */
    return last == 1 && aligned % lanes == 0;
}

static int lanes_of(const BodyOperands *operands)
{
    const LoopNest *nest = &operands->nest;
    int bytes = ACCESS_BYTES / MOST_LANES;
    for (int i = 0; i < operands->count; i++) {
        const int own = dtype_info[operands->values[i]->type.dtype].bytes;
        bytes = last_stride(nest, i) != 0 && own > bytes ? own : bytes;
    }
    const int lanes = ACCESS_BYTES / bytes;
    if (nest->rank == 0 || nest->dims[nest->rank - 1] % lanes != 0)
        return 1;
    for (int i = 0; i < operands->count; i++)
        if (!takes_lanes(operands, i, lanes))
            return 1;
    return lanes;
}

const char *cuda_index_type(const LoopNest *nest)
{
    for (int i = 0; i < nest->operand_count; i++) {
        int64_t reach = 0;
        for (int axis = 0; axis < nest->rank; axis++)
            reach += (nest->dims[axis] - 1) * nest->strides[i][axis];
        if (reach > INT32_MAX)
            return "int64_t";
    }
    return nest_elements(nest) > INT32_MAX ? "int64_t" : "int";
}

const char *cuda_element(Arena *arena, const char *name, const char *offset)
{
    return arena_printf(arena, "%s[%s]", name, *offset ? offset + strlen(" + ") : "0");
}

/* i of the last axis, and i0, i1 ... of those in front of it, as far as they are read. */
static void print_indices(const LoopText *l, Text *text)
{
    const LoopNest *nest = &l->operands.nest;
    const bool rows = uses_row_index(nest), columns = uses_column_index(nest);
    if (nest->rank == 0 || !(rows || columns))
        return;
    const int64_t items = nest->dims[nest->rank - 1] / l->lanes;
    const char *item = strcmp(l->index, "int") == 0 ? "(int)item" : "item";
    const char *times = l->lanes > 1 ? arena_printf(l->e->arena, " * %d", l->lanes) : "";
    if (columns && nest->rank == 1)
        line(text, "const %s i = %s%s;", l->index, item, times);
    else if (columns)
        line(text, "const %s i = %s %% %lld%s;", l->index, item, (long long)items, times);
    if (!rows)
        return;
    line(text, "const %s row = %s / %lld;", l->index, item, (long long)items);
    print_row_indices(text, nest, l->index, "row");
}

/* " + i0 * 544 + i": where an item begins. */
static const char *item_offset(const LoopText *l, int i)
{
    const LoopNest *nest = &l->operands.nest;
    return arena_printf(l->e->arena, "%s%s", row_offset(l->e->arena, nest, i),
                        index_term(l->e->arena, "i", last_stride(nest, i)));
}

static const char *name_of(const LoopText *l, int i)
{
    return operand_name(l->e->arena, &l->operands, i);
}

static const char *item_address(const LoopText *l, int i)
{
    return arena_printf(l->e->arena, "%s%s", name_of(l, i), item_offset(l, i));
}

static const char *vector_type(const LoopText *l, int i)
{
    return arena_printf(l->e->arena, "PccVector<%s, %d>", value_c_type(l->operands.values[i]), l->lanes);
}

/* The item's elements as expressions; those of vectors lie in variables. */
static const char **print_loads(const LoopText *l, Text *text)
{
    Arena *arena = l->e->arena;
    const char **elements = NEW_ARRAY(arena, const char *, l->operands.count + 1);
    for (int i = 0; i < l->operands.count; i++) {
        const bool is_vector = l->lanes > 1 && last_stride(&l->operands.nest, i) != 0;
        elements[i] = is_vector ? arena_printf(arena, "%s_item.at[lane]", name_of(l, i))
                                : cuda_element(arena, name_of(l, i), item_offset(l, i));
        if (is_vector && i < l->operands.reads)
            line(text, "const %s %s_item = pcc_load_vector<%d>(%s);", vector_type(l, i), name_of(l, i), l->lanes,
                 item_address(l, i));
        else if (is_vector)
            line(text, "%s %s_item;", vector_type(l, i), name_of(l, i));
    }
    return elements;
}

static void print_item(const LoopText *l, Text *text)
{
    const char **elements = print_loads(l, text);
    if (l->lanes > 1) {
        line(text, "#pragma unroll");
        line(text, "for (int lane = 0; lane < %d; lane++) {", l->lanes);
    }
    print_body(l->e, text, l->node->body, 0, elements, elements + l->operands.reads);
    if (l->lanes > 1)
        line(text, "}");
    for (int i = l->operands.reads; l->lanes > 1 && i < l->operands.count; i++)
        line(text, "pcc_store_vector(%s, %s_item);", item_address(l, i), name_of(l, i));
}

/* The kernel of a loop; returns its name. */
static const char *emit_loop(const LoopText *l)
{
    Text *text = function_text(l->e);
    line(text, "static __global__ void @@(%s)", operand_declarations(l->e->arena, &l->operands));
    line(text, "{");
    line(text, "PCC_FOR_ITEMS(item, %lld) {", (long long)(nest_elements(&l->operands.nest) / l->lanes));
    print_indices(l, text);
    print_item(l, text);
    line(text, "}");
    line(text, "}");
    return intern_function(l->e, loop_stem(l->e->arena, l->node), text->data);
}

const char *run_cuda_loop(Emitter *e, const Node *node)
{
    LoopText l = {.e = e, .node = node, .operands = loop_operands(e->arena, node)};
    l.lanes = lanes_of(&l.operands);
    l.index = cuda_index_type(&l.operands.nest);
    Text *call = text_create(e->arena);
    append(call, "PCC_LOOP(%s, %lld, s, ", emit_loop(&l), (long long)(nest_elements(&l.operands.nest) / l.lanes));
    append_addresses(e, call, node);
    append(call, ");");
    return call->data;
}
