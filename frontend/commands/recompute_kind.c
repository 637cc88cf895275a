/* recompute_kind.c: chooses the kind of recomputation by compiling with each: how much memory one takes is known
 * exactly only after fusion and memory planning. */
#include "frontend/commands/recompute_kind.h"

/* Bytes of weights and arena of the program that this kind gives. Warnings are left to the final compile. */
static int64_t program_bytes(Compilation *c, RecomputeKind kind)
{
    const Hush before = diagnostics_hush(&c->diagnostics);
    EmitOptions emit = {.model_path = "", .command_line = "", .source_name = "", .weights_name = ""};
    Options options = c->options;
    options.recompute = kind;
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

static void choose_least(Compilation *c)
{
    const RecomputeKind most = c->options.recompute;
    int64_t least = INT64_MAX;
    for (RecomputeKind kind = RECOMPUTE_NONE; kind <= most; kind++) {
        const int64_t bytes = program_bytes(c, kind);
        if (bytes < least)
            c->options.recompute = kind;
        least = bytes < least ? bytes : least;
    }
}

static void choose_first_within(Compilation *c, double budget)
{
    int64_t least = INT64_MAX;
    for (RecomputeKind kind = c->options.recompute; kind < RECOMPUTE_KINDS; kind++) {
        const int64_t bytes = program_bytes(c, kind);
        c->options.recompute = kind;
        if ((double)bytes <= budget)
            return;
        least = bytes < least ? bytes : least;
    }
    fatal(&c->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
          "--memory-budget %s: weights and arena of a step take %.2f MiB at least; choose a smaller --batch, or a "
          "--precision with smaller weights",
          c->line.memory_budget, (double)least / 0x1p20);
}

void choose_recompute(Compilation *c)
{
    if (c->line.memory_budget)
        choose_first_within(c, size_in_bytes(c->line.memory_budget));
    else if (c->options.recompute > RECOMPUTE_FUSED)
        choose_least(c);
}
