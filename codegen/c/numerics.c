/* numerics.c: --check-numerics in C: results are checked behind each node's call. */
#include "codegen/c/print.h"
#include "passes/view.h"

void print_c_watched_tensor(Emitter *e, Text *text, const char *watched, Value *value)
{
    const View window = window_of(value);
    const Argument dims = {.kind = ARGUMENT_DIMS, .count = value->type.rank, .dims = value->type.dims};
    const Argument strides = {.kind = ARGUMENT_DIMS, .count = value->type.rank, .dims = window.strides};
    Text *call = text_create(e->arena);
    append(call, "pcc_watch_tensor(s, (PccWatched)%s, %s, %d, ", watched, dtype_info[value->type.dtype].runtime,
           value->type.rank);
    print_c_literal(call, &dims);
    append(call, ", ");
    print_c_literal(call, &strides);
    line(text, "%s, %s);", call->data, operand_address(e, value));
}

void print_c_watched_loop(Emitter *e, Text *text, const char *const *watched, int count)
{
    (void)e;
    line(text, "pcc_watch_loop(s, (const PccWatched[]){");
    for (int i = 0; i < count; i++)
        line(text, "%s,", watched[i]);
    line(text, "}, %d);", count);
}
