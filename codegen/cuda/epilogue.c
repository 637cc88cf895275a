/* epilogue.c: the epilogue of a product as a functor: what it reads and writes, and its body for one finished element.
 *
 * The functor's namespace has no name: what kernel templates make of it then is this file's own. Another program of the
 * same executable may have a functor of the same name and other strides, and linkers keep one of two equal names. */
#include <string.h>

#include "codegen/cuda/print.h"

/* Offsets of 32 bits where every operand has so few elements. */
static bool is_small(const Epilogue *epilogue)
{
    const LoopNest *nest = &epilogue->nest;
    for (int i = 0; i < nest->operand_count; i++) {
        int64_t reach = 0;
        for (int axis = 0; axis < nest->rank; axis++)
            reach += (nest->dims[axis] - 1) * nest->strides[i][axis];
        if (reach > INT32_MAX)
            return false;
    }
    return true;
}

static const char *element(Arena *arena, const Epilogue *epilogue, int i)
{
    const LoopNest *nest = &epilogue->nest;
    const char *name = epilogue_operand(arena, epilogue, i), *offset = row_offset(arena, nest, i);
    const int64_t stride = nest->strides[i][nest->rank - 1];
    const char *column = stride == 0   ? ""
                         : stride == 1 ? " + column"
                                       : arena_printf(arena, " + column * %lld", (long long)stride);
    if (!*offset && !*column)
        return arena_printf(arena, "%s[0]", name);
    return arena_printf(arena, "%s[%s%s]", name, *offset ? offset + strlen(" + ") : "",
                        *offset ? column : column + strlen(" + "));
}

const char *emit_cuda_epilogue(Emitter *e, const Node *node, Dtype compute)
{
    Text *text = text_create(e->arena);
    const Epilogue epilogue = epilogue_of(e->arena, node);
    const char *index = is_small(&epilogue) ? "int" : "int64_t", *type = dtype_info[compute].c_type;
    const bool rows = uses_row_index(&epilogue.nest), columns = uses_column_index(&epilogue.nest);
    const char **elements = NEW_ARRAY(e->arena, const char *, epilogue.count + 2);
    elements[0] = "acc";
    for (int i = 0; i < epilogue.count; i++)
        elements[i + 1] = element(e->arena, &epilogue, i);
    line(text, "namespace {");
    line(text, "struct @@_epilogue {");
    print_epilogue_fields(text, &epilogue);
    blank(text);
    line(text, "__device__ void operator()(%s%s, %s%s, %s acc) const", index, rows ? " row" : "", index,
         columns ? " column" : "", type);
    line(text, "{");
    if (rows)
        print_row_indices(text, &epilogue.nest, index, "row");
    if (node->body)
        print_body(e, text, node->body, 1, elements, elements + 1 + epilogue.reads);
    else
        line(text, "%s = %s;", elements[1], stored_expression(e->arena, node->outputs[0], "acc"));
    line(text, "}");
    line(text, "};");
    line(text, "}");
    return intern_function(e, epilogue_stem(e->arena, node), text->data);
}
