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
    LoopNest nest;
    int lanes;         /* elements of an item */
    const char *index; /* the type of offsets */
} LoopText;

static const Value *operand(const Node *node, int i)
{
    return i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
}

static int64_t last_stride(const LoopNest *nest, int i)
{
    return nest->rank ? nest->strides[i][nest->rank - 1] : 0;
}

/* May the operand be accessed `lanes` elements at a time, or is it one element for all lanes? */
static bool takes_lanes(const LoopNest *nest, const Node *node, int i, int lanes)
{
    const int64_t last = last_stride(nest, i);
    if (last == 0)
        return true;
    int64_t aligned = window_of((Value *)operand(node, i)).offset;
    for (int axis = 0; axis < nest->rank - 1; axis++)
        aligned |= nest->strides[i][axis]; /* lanes are a power of two */
    return last == 1 && aligned % lanes == 0;
}

static int lanes_of(const LoopNest *nest, const Node *node)
{
    int bytes = ACCESS_BYTES / MOST_LANES;
    for (int i = 0; i < nest->operand_count; i++) {
        const int own = dtype_info[operand(node, i)->type.dtype].bytes;
        bytes = last_stride(nest, i) != 0 && own > bytes ? own : bytes;
    }
    const int lanes = ACCESS_BYTES / bytes;
    if (nest->rank == 0 || nest->dims[nest->rank - 1] % lanes != 0)
        return 1;
    for (int i = 0; i < nest->operand_count; i++)
        if (!takes_lanes(nest, node, i, lanes))
            return 1;
    return lanes;
}

static int64_t elements_of(const LoopNest *nest)
{
    int64_t elements = 1;
    for (int axis = 0; axis < nest->rank; axis++)
        elements *= nest->dims[axis];
    return elements;
}

static const char *index_type(const LoopNest *nest)
{
    for (int i = 0; i < nest->operand_count; i++) {
        int64_t reach = 0;
        for (int axis = 0; axis < nest->rank; axis++)
            reach += (nest->dims[axis] - 1) * nest->strides[i][axis];
        if (reach > INT32_MAX)
            return "int64_t";
    }
    return elements_of(nest) > INT32_MAX ? "int64_t" : "int";
}

static const char *operand_name(const LoopText *l, int i)
{
    const bool in = i < l->node->input_count;
    return arena_printf(l->e->arena, "%c%d", in ? 'x' : 'y', in ? i : i - l->node->input_count);
}

static void print_signature(const LoopText *l, Text *text)
{
    Text *signature = text_create(l->e->arena);
    for (int i = 0; i < l->nest.operand_count; i++)
        append(signature, "%s%s%s *%s", i ? ", " : "", i < l->node->input_count ? "const " : "",
               value_c_type(operand(l->node, i)), operand_name(l, i));
    line(text, "static __global__ void @@(%s)", signature->data);
}

/* i of the last axis, and i0, i1 ... of those in front of it, as far as they are read. */
static void print_indices(const LoopText *l, Text *text)
{
    const LoopNest *nest = &l->nest;
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
    const int64_t last = last_stride(&l->nest, i);
    const char *column = last == 0   ? ""
                         : last == 1 ? " + i"
                                     : arena_printf(l->e->arena, " + i * %lld", (long long)last);
    return arena_printf(l->e->arena, "%s%s", row_offset(l->e->arena, &l->nest, i), column);
}

static const char *item_address(const LoopText *l, int i)
{
    return arena_printf(l->e->arena, "%s%s", operand_name(l, i), item_offset(l, i));
}

static const char *item_element(const LoopText *l, int i)
{
    const char *offset = item_offset(l, i);
    return arena_printf(l->e->arena, "%s[%s]", operand_name(l, i), *offset ? offset + strlen(" + ") : "0");
}

static const char *vector_type(const LoopText *l, int i)
{
    return arena_printf(l->e->arena, "PccVector<%s, %d>", value_c_type(operand(l->node, i)), l->lanes);
}

/* The item's elements as expressions; those of vectors lie in variables. */
static const char **print_loads(const LoopText *l, Text *text)
{
    Arena *arena = l->e->arena;
    const char **elements = NEW_ARRAY(arena, const char *, l->nest.operand_count + 1);
    for (int i = 0; i < l->nest.operand_count; i++) {
        const bool is_vector = l->lanes > 1 && last_stride(&l->nest, i) != 0;
        elements[i] = is_vector ? arena_printf(arena, "%s_item.at[lane]", operand_name(l, i)) : item_element(l, i);
        if (is_vector && i < l->node->input_count)
            line(text, "const %s %s_item = pcc_load_vector<%d>(%s);", vector_type(l, i), operand_name(l, i), l->lanes,
                 item_address(l, i));
        else if (is_vector)
            line(text, "%s %s_item;", vector_type(l, i), operand_name(l, i));
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
    print_body(l->e, text, l->node->body, 0, elements, elements + l->node->input_count);
    if (l->lanes > 1)
        line(text, "}");
    for (int i = l->node->input_count; l->lanes > 1 && i < l->nest.operand_count; i++)
        line(text, "pcc_store_vector(%s, %s_item);", item_address(l, i), operand_name(l, i));
}

/* The kernel of a loop; returns its name. */
static const char *emit_loop(const LoopText *l)
{
    Text *text = text_create(l->e->arena);
    print_signature(l, text);
    line(text, "{");
    line(text, "PCC_FOR_ITEMS(item, %lld) {", (long long)(elements_of(&l->nest) / l->lanes));
    print_indices(l, text);
    print_item(l, text);
    line(text, "}");
    line(text, "}");
    return intern_function(l->e, loop_stem(l->e, l->node), text->data);
}

const char *run_cuda_loop(Emitter *e, const Node *node)
{
    const int count = node->input_count + node->output_count;
    Value **operands = NEW_ARRAY(e->arena, Value *, count + 1);
    for (int i = 0; i < count; i++)
        operands[i] = (Value *)operand(node, i);
    LoopText l = {.e = e, .node = node};
    l.nest = make_nest(e->arena, &node->outputs[0]->type, operands, count, 0);
    l.lanes = lanes_of(&l.nest, node);
    l.index = index_type(&l.nest);
    Text *call = text_create(e->arena);
    append(call, "PCC_LOOP(%s, %lld, s", emit_loop(&l), (long long)(elements_of(&l.nest) / l.lanes));
    for (int i = 0; i < count; i++)
        append(call, ", %s", operand_address(e, operands[i]));
    append(call, ");");
    return call->data;
}
