/* numerics.c: --check-numerics in CUDA: launches are followed by one that keeps what they saw. A graph runs without the
 * host, which therefore has the nodes in a table and is told their number. */
#include "codegen/cuda/print.h"
#include "passes/view.h"

static int add_watched(Emitter *e, const char *watched)
{
    line(e->watched, "%s,", watched);
    return e->watched_count++;
}

void print_cuda_watched_tensor(Emitter *e, Text *text, const char *watched, Value *value)
{
    const View window = window_of(value);
    const Argument dims = {.kind = ARGUMENT_DIMS, .count = value->type.rank, .dims = value->type.dims};
    const Argument strides = {.kind = ARGUMENT_DIMS, .count = value->type.rank, .dims = window.strides};
    Text *call = text_create(e->arena);
    append(call, "pcc_watch_tensor(%d, %d, ", add_watched(e, watched), value->type.rank);
    print_cuda_literal(call, &dims);
    append(call, ", ");
    print_cuda_literal(call, &strides);
    line(text, "%s, %s, s);", call->data, operand_address(e, value));
}

void print_cuda_watched_loop(Emitter *e, Text *text, const char *const *watched, int count)
{
    const int first = e->watched_count;
    for (int i = 0; i < count; i++)
        add_watched(e, watched[i]);
    line(text, "pcc_watch_loop(%d, %d, s);", first, count);
}
