/* store.c: the store function of a product: its epilogue over one row segment of finished accumulators. */
#include "codegen/c/print.h"

static void print_segment_pointer(Text *text, const Epilogue *epilogue, int i, const char *name)
{
    const LoopNest *nest = &epilogue->nest;
    const int64_t stride = nest->strides[i][nest->rank - 1];
    const char *column = stride == 0   ? ""
                         : stride == 1 ? " + column"
                                       : arena_printf(text->arena, " + column * %lld", (long long)stride);
    line(text, "%s%s *%s = e->%s%s%s;", i < epilogue->reads ? "const " : "", value_c_type(epilogue->operands[i]), name,
         name, row_offset(text->arena, nest, i), column);
}

static const char *segment_element(Arena *arena, const char *name, int64_t stride)
{
    return stride == 0   ? arena_printf(arena, "%s[0]", name)
           : stride == 1 ? arena_printf(arena, "%s[i]", name)
                         : arena_printf(arena, "%s[i * %lld]", name, (long long)stride);
}

/* The elements that the body is over, acc's first, after the pointers that they are elements of. */
static const char **print_segment(Emitter *e, Text *text, const Epilogue *epilogue)
{
    const LoopNest *nest = &epilogue->nest;
    const char **elements = NEW_ARRAY(e->arena, const char *, epilogue->count + 2);
    elements[0] = "acc[i]";
    if (uses_row_index(nest))
        print_row_indices(text, nest, "int64_t", "row");
    else
        line(text, "(void)row;"); /* a body may leave arguments unread */
    if (!uses_column_index(nest))
        line(text, "(void)column;");
    for (int i = 0; i < epilogue->count; i++) {
        const char *name = epilogue_operand(e->arena, epilogue, i);
        print_segment_pointer(text, epilogue, i, name);
        elements[i + 1] = segment_element(e->arena, name, nest->strides[i][nest->rank - 1]);
    }
    return elements;
}

const char *emit_store(Emitter *e, const Node *node, Dtype compute)
{
    Text *text = text_create(e->arena);
    const Epilogue epilogue = epilogue_of(e->arena, node);
    line(text, "struct @@_epilogue {");
    print_epilogue_fields(text, &epilogue);
    line(text, "};");
    blank(text);
    line(text, "static inline __attribute__((always_inline))");
    line(text, "void @@_store(const void *context, int64_t row, int64_t column, int64_t count, const %s *acc)",
         dtype_info[compute].c_type);
    line(text, "{");
    line(text, "const struct @@_epilogue *e = context;");
    const char **elements = print_segment(e, text, &epilogue);
    print_simd(e, text);
    line(text, "for (int64_t i = 0; i < count; i++) {");
    if (node->body)
        print_body(e, text, node->body, 1, elements, elements + 1 + epilogue.reads);
    else
        line(text, "%s = %s;", elements[1], stored_expression(e->arena, node->outputs[0], "acc[i]"));
    line(text, "}");
    line(text, "}");
    return intern_function(e, epilogue_stem(e->arena, node), text->data);
}
