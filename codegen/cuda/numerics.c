/* numerics.c: --check-numerics in CUDA: launches are followed by one that keeps what they saw. A graph runs without the
 * host, which therefore has the nodes in a table and is told their number. */
#include "codegen/cuda/print.h"
#include "passes/view.h"

static int add_watched(Emitter *e, const char *watched)
{
    line(e->watched, "%s,", watched);
    return e->watched_count++;
}

static void append_list(Text *text, int count, const int64_t *values)
{
    append(text, "PccDims{");
    for (int i = 0; i < count; i++)
        append(text, "%s%lld", i ? ", " : "", (long long)values[i]);
    append(text, "}");
}

void print_cuda_watched_tensor(Emitter *e, Text *text, const char *watched, Value *value)
{
    const View window = window_of(value);
    const int rank = value->type.rank;
    Text *call = text_create(e->arena);
    append(call, "pcc_watch_tensor(%d, %d, ", add_watched(e, watched), rank);
    append_list(call, rank, value->type.dims);
    append(call, ", ");
    append_list(call, rank, window.strides);
    line(text, "%s, %s, s);", call->data, operand_address(e, value));
}

void print_cuda_watched_loop(Emitter *e, Text *text, const char *const *watched, int count)
{
    const int first = e->watched_count;
    for (int i = 0; i < count; i++)
        add_watched(e, watched[i]);
    line(text, "pcc_watch_loop(%d, %d, s);", first, count);
}
