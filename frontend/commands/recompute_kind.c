/* recompute_kind.c: chooses the kind of recomputation by compiling with each: how much memory one takes is known
 * exactly only after fusion and memory planning. */
#include "frontend/commands/recompute_kind.h"

#include <math.h>

/* Bytes of weights and arena of the program that this kind gives. Warnings are left to the final compile. */
static int64_t program_bytes(Compilation *c, RecomputeKind kind)
{
    const Hush before = diagnostics_hush(&c->diagnostics);
    EmitOptions emit = {.model_path = "", .command_line = "", .source_name = "", .weights_name = ""};
    Options options = c->options;
    options.recompute = kind;
    options.init_random = false; /* sizes are the same */
    options.observe = NULL;
    options.dump_after = NULL;
    const Program program = run_pipeline(graph_clone(c->imported), &options);
    const Emitted emitted = emit_program(&program, &options, &emit);
    diagnostics_restore(&c->diagnostics, before);
    if (c->line.verbose)
        fprintf(stderr, "pcc: --recompute %s: weights %lld bytes, arena %lld\n", recompute_names[kind],
                (long long)emitted.weights_bytes, (long long)emitted.arena_bytes);
    return emitted.weights_bytes + emitted.arena_bytes;
}

/* The first of the kinds that take the least. */
static RecomputeKind least_of(Compilation *c, const RecomputeKind *kinds, int count)
{
    int64_t least = INT64_MAX;
    RecomputeKind chosen = kinds[0];
    for (int i = 0; i < count; i++) {
        const int64_t bytes = program_bytes(c, kinds[i]);
        if (bytes < least)
            chosen = kinds[i];
        least = bytes < least ? bytes : least;
    }
    return chosen;
}

/* In MiB from one on, rounded up so that a budget of that size is enough. */
static const char *text_of_bytes(Arena *arena, int64_t bytes)
{
    return bytes < 1 << 20 ? arena_printf(arena, "%lld bytes", (long long)bytes)
                           : arena_printf(arena, "%.2f MiB", ceil((double)bytes / 0x1p20 * 100) / 100);
}

static RecomputeKind first_within(Compilation *c, double budget, const RecomputeKind *kinds, int count)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < count; i++) {
        const int64_t bytes = program_bytes(c, kinds[i]);
        if ((double)bytes <= budget)
            return kinds[i];
        least = bytes < least ? bytes : least;
    }
    fatal(&c->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
          "--memory-budget %s: weights and arena of a step take %s at least; choose a smaller --batch, or a "
          "--precision with smaller weights",
          c->line.memory_budget, text_of_bytes(c->imported->arena, least));
}

void choose_recompute(Compilation *c)
{
    static const RecomputeKind by_cost[] = {RECOMPUTE_NONE, RECOMPUTE_FUSED, RECOMPUTE_AUTO, RECOMPUTE_ALL};
    static const RecomputeKind by_default[] = {RECOMPUTE_FUSED, RECOMPUTE_NONE, RECOMPUTE_AUTO, RECOMPUTE_ALL};
    const RecomputeKind given = c->options.recompute;
    if (c->line.memory_budget && c->line.recompute)
        c->options.recompute =
            first_within(c, size_in_bytes(c->line.memory_budget), by_cost + given, RECOMPUTE_KINDS - (int)given);
    else if (c->line.memory_budget)
        c->options.recompute = first_within(c, size_in_bytes(c->line.memory_budget), by_default, RECOMPUTE_KINDS);
    else if (given > RECOMPUTE_FUSED)
        c->options.recompute = least_of(c, by_cost, (int)given + 1);
}
