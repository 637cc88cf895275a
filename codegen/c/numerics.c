/* numerics.c: --check-numerics in C: results are checked behind each node's call. */
#include "codegen/c/print.h"
#include "passes/view.h"

static const char *int_list(Arena *arena, int count, const int64_t *values)
{
    Text *text = text_create(arena);
    append(text, "(const int64_t[]){");
    for (int i = 0; i < count; i++)
        append(text, "%s%lld", i ? ", " : "", (long long)values[i]);
    append(text, "%s}", count ? "" : "1");
    return text->data;
}

void print_c_watched_tensor(Emitter *e, Text *text, const char *watched, Value *value)
{
    View window = window_of(value);
    const int rank = value->type.rank;
    line(text, "pcc_watch_tensor(s, (PccWatched)%s, %s, %d, %s, %s, %s);", watched,
         dtype_info[value->type.dtype].runtime, rank, int_list(e->arena, rank, value->type.dims),
         int_list(e->arena, rank, window.strides), operand_address(e, value));
}

void print_c_watched_loop(Emitter *e, Text *text, const char *const *watched, int count)
{
    (void)e;
    line(text, "pcc_watch_loop(s, (const PccWatched[]){");
    for (int i = 0; i < count; i++)
        line(text, "%s,", watched[i]);
    line(text, "}, %d);", count);
}
