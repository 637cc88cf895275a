/* store.c: the store function of a product: its epilogue over one row segment of finished accumulators. */
#include <ctype.h>
#include <string.h>

#include "codegen/c/print.h"

/* The dims of the result as [rows..., columns]. A matrix times a vector has one column, which no operand has an axis
 * for. */
static LoopNest store_nest(Arena *arena, const Node *node, Value *const *operands, int count)
{
    const Type *result = node->body ? &node->body->inputs[0]->type : &node->outputs[0]->type;
    bool vector = strcmp(node->op->name, "MatMul") == 0 && node->inputs[1]->type.rank == 1;
    if (!vector && result->rank > 0)
        return make_nest(arena, result, operands, count, 1);
    LoopNest nest = make_nest(arena, result, operands, count, 0);
    nest.dims[nest.rank++] = 1; /* its strides are 0 */
    return nest;
}

static const char *operand_name(Arena *arena, int extra, int extra_count)
{
    return extra < extra_count ? arena_printf(arena, "x%d", extra) : arena_printf(arena, "y%d", extra - extra_count);
}

/* Index variables of the leading axes, outermost first, from the flat row. */
static void print_row_indices(Text *text, const LoopNest *nest)
{
    int64_t inner = 1;
    for (int axis = nest->rank - 2; axis >= 0; axis--) {
        const char *divide = inner > 1 ? arena_printf(text->arena, "row / %lld", (long long)inner) : "row";
        if (axis == 0)
            line(text, "const int64_t i0 = %s;", divide);
        else
            line(text, "const int64_t i%d = %s %% %lld;", axis, divide, (long long)nest->dims[axis]);
        inner *= nest->dims[axis];
    }
}

static bool uses_row_index(const LoopNest *nest)
{
    for (int i = 0; i < nest->operand_count; i++)
        for (int axis = 0; axis < nest->rank - 1; axis++)
            if (nest->strides[i][axis] != 0)
                return true;
    return false;
}

static void print_segment_pointer(Text *text, const char *name, const Value *value, bool in, const int64_t *strides,
                                  int rank)
{
    Text *offset = text_create(text->arena);
    for (int axis = 0; axis < rank - 1; axis++)
        if (strides[axis] == 1)
            append(offset, " + i%d", axis);
        else if (strides[axis] != 0)
            append(offset, " + i%d * %lld", axis, (long long)strides[axis]);
    if (strides[rank - 1] == 1)
        append(offset, " + column");
    else if (strides[rank - 1] != 0)
        append(offset, " + column * %lld", (long long)strides[rank - 1]);
    line(text, "%s%s *%s = e->%s%s;", in ? "const " : "", value_c_type(value), name, name, offset->data);
}

static const char *segment_element(Arena *arena, const char *name, int64_t stride)
{
    return stride == 0   ? arena_printf(arena, "%s[0]", name)
           : stride == 1 ? arena_printf(arena, "%s[i]", name)
                         : arena_printf(arena, "%s[i * %lld]", name, (long long)stride);
}

/* Arguments that a body may leave unread. */
static void print_unused(Text *text, const LoopNest *nest, bool rows)
{
    bool columns = false;
    for (int i = 0; i < nest->operand_count; i++)
        columns |= nest->strides[i][nest->rank - 1] != 0;
    if (!rows)
        line(text, "(void)row;");
    if (!columns)
        line(text, "(void)column;");
}

/* "plain", or what the epilogue does: "add_geluerf". */
static const char *store_stem(Emitter *e, const Node *node)
{
    Text *stem = text_create(e->arena);
    append(stem, node->body ? "" : "plain");
    for (const Node *member = node->body ? node->body->first : NULL; member && stem->length < 32; member = member->next)
        append(stem, "%s%s", stem->length ? "_" : "", member->op->name);
    for (char *c = stem->data; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return identifier(e->arena, stem->data, 40);
}

const char *emit_store(Emitter *e, const Node *node, Dtype compute)
{
    Text *text = text_create(e->arena);
    int own = own_input_count(node), extra = node->input_count - own, count = extra + node->output_count;
    Value **operands = NEW_ARRAY(e->arena, Value *, count + 1);
    memcpy(operands, node->inputs + own, (size_t)extra * sizeof(*operands));
    memcpy(operands + extra, node->outputs, (size_t)node->output_count * sizeof(*operands));
    LoopNest nest = store_nest(e->arena, node, operands, count);
    bool rows = uses_row_index(&nest);
    const char **elements = NEW_ARRAY(e->arena, const char *, count + 2);
    elements[0] = "acc[i]";

    line(text, "struct @@_epilogue {");
    for (int i = 0; i < count; i++)
        line(text, "%s%s *%s;", i < extra ? "const " : "", value_c_type(operands[i]), operand_name(e->arena, i, extra));
    line(text, "};");
    blank(text);
    line(text, "static inline __attribute__((always_inline))");
    line(text, "void @@_store(const void *context, int64_t row, int64_t column, int64_t count, const %s *acc)",
         dtype_info[compute].c_type);
    line(text, "{");
    line(text, "const struct @@_epilogue *e = context;");
    print_unused(text, &nest, rows);
    if (rows)
        print_row_indices(text, &nest);
    for (int i = 0; i < count; i++) {
        const char *name = operand_name(e->arena, i, extra);
        print_segment_pointer(text, name, operands[i], i < extra, nest.strides[i], nest.rank);
        elements[i + 1] = segment_element(e->arena, name, nest.strides[i][nest.rank - 1]);
    }
    print_simd(e, text);
    line(text, "for (int64_t i = 0; i < count; i++) {");
    if (node->body)
        print_body(e, text, node->body, 1, elements, elements + 1 + extra);
    else
        line(text, "%s = %s;", elements[1], stored_expression(e->arena, node->outputs[0], "acc[i]"));
    line(text, "}");
    line(text, "}");
    return intern_function(e, store_stem(e, node), text->data);
}
