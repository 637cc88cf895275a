/* store.c: the store function of a product: its epilogue over one row segment of finished accumulators. */
#include "codegen/c/print.h"

/* The distance between the rows of all operands that have any, where one index numbers the rows; else 0. It is a field
 * of the context then: products that differ in nothing but their width share a store function. */
int64_t store_pitch(const LoopNest *nest)
{
    int64_t pitch = 0;
    for (int i = 0; nest->rank == 2 && i < nest->operand_count; i++) {
        const int64_t stride = nest->strides[i][0];
        if (stride != 0 && pitch != 0 && stride != pitch)
            return 0;
        if (stride != 0)
            pitch = stride;
    }
    return pitch;
}

/* The elements that the body is over, acc's first, after the pointers that they are elements of. */
static const char **print_segment(Emitter *e, Text *text, const BodyOperands *operands)
{
    const LoopNest *nest = &operands->nest;
    const char **elements = NEW_ARRAY(e->arena, const char *, operands->count + 2);
    elements[0] = "acc[i]";
    const bool same_pitch = store_pitch(nest) != 0;
    if (!uses_row_index(nest))
        line(text, "(void)row;"); /* a body may leave arguments unread */
    else if (!same_pitch)
        print_row_indices(text, nest, "int64_t", "row");
    if (!uses_column_index(nest))
        line(text, "(void)column;");
    for (int i = 0; i < operands->count; i++) {
        const char *name = operand_name(e->arena, operands, i);
        const int64_t stride = last_stride(nest, i);
        const char *row = row_offset(e->arena, nest, i);
        if (same_pitch && *row)
            row = " + row * e->pitch";
        line(text, "%s = e->%s%s%s;", operand_declaration(e->arena, operands, i), name, row,
             index_term(e->arena, "column", stride));
        elements[i + 1] = element_at(e->arena, name, "i", stride);
    }
    return elements;
}

const char *emit_store(Emitter *e, const Node *node, Dtype compute)
{
    Text *text = function_text(e);
    const BodyOperands operands = epilogue_operands(e->arena, node);
    line(text, "struct @@_epilogue {");
    for (int i = 0; i < operands.count; i++)
        line(text, "%s;", operand_declaration(e->arena, &operands, i));
    if (store_pitch(&operands.nest) != 0)
        line(text, "int64_t pitch;");
    line(text, "};");
    blank(text);
    line(text,
         "PCC_KERNEL void @@_store(const void *context, int64_t row, int64_t column, int64_t count, const %s *acc)",
         dtype_info[compute].c_type);
    line(text, "{");
    line(text, "const struct @@_epilogue *e = context;");
    const char **elements = print_segment(e, text, &operands);
    print_simd(e, text);
    line(text, "for (int64_t i = 0; i < count; i++) {");
    if (node->body)
        print_body(e, text, node->body, 1, elements, elements + 1 + operands.reads);
    else
        line(text, "%s = %s;", elements[1], stored_expression(e->arena, node->outputs[0], "acc[i]"));
    line(text, "}");
    line(text, "}");
    return intern_function(e, epilogue_stem(e->arena, node), text->data);
}
