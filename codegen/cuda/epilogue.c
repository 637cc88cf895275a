/* epilogue.c: the epilogue of a product as a functor: what it reads and writes, and its body for one finished element.
 *
 * The functor's namespace has no name: what kernel templates make of it then is this file's own. Another program of the
 * same executable may have a functor of the same name and other strides, and linkers keep one of two equal names. */
#include "codegen/cuda/print.h"

static const char *element(Arena *arena, const BodyOperands *operands, int i)
{
    const LoopNest *nest = &operands->nest;
    const char *offset =
        arena_printf(arena, "%s%s", row_offset(arena, nest, i), index_term(arena, "column", last_stride(nest, i)));
    return cuda_element(arena, operand_name(arena, operands, i), offset);
}

const char *emit_cuda_epilogue(Emitter *e, const Node *node, Dtype compute)
{
    Text *text = function_text(e);
    const BodyOperands operands = epilogue_operands(e->arena, node);
    const char *index = cuda_index_type(&operands.nest), *type = dtype_info[compute].c_type;
    const bool rows = uses_row_index(&operands.nest), columns = uses_column_index(&operands.nest);
    const char **elements = NEW_ARRAY(e->arena, const char *, operands.count + 2);
    elements[0] = "acc";
    for (int i = 0; i < operands.count; i++)
        elements[i + 1] = element(e->arena, &operands, i);
    line(text, "namespace {");
    line(text, "struct @@_epilogue {");
    for (int i = 0; i < operands.count; i++)
        line(text, "%s;", operand_declaration(e->arena, &operands, i));
    blank(text);
    line(text, "__device__ void operator()(%s%s, %s%s, %s acc) const", index, rows ? " row" : "", index,
         columns ? " column" : "", type);
    line(text, "{");
    if (rows)
        print_row_indices(text, &operands.nest, index, "row");
    if (node->body)
        print_body(e, text, node->body, 1, elements, elements + 1 + operands.reads);
    else
        line(text, "%s = %s;", elements[1], stored_expression(e->arena, node->outputs[0], "acc"));
    line(text, "}");
    line(text, "};");
    line(text, "}");
    return intern_function(e, epilogue_stem(e->arena, node), text->data);
}
