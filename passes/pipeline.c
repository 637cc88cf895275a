/* pipeline.c: which passes run, and in which order. */
#include <string.h>
#include <time.h>

#include "ir/text/words.h"
#include "passes/precision/autocast.h"
#include "passes/precision/precision_warnings.h"

/* On the imported graph, once. */
const PassInfo prepare_passes[] = {
    {"head", replace_head, false, false, "a new last layer (--head)"},
    {"statistics", recognise_statistics, false, false, "running statistics that look like parameters"},
    {"trainable", trainable, false, false, "which initializers learn"},
    {"initialise", initialise, false, false, "fresh weights (--init random)"},
    {"simplify", simplify, false, true, "algebra, folding, common subexpressions, dead code"},
    {"recognise", recognise, false, true, "find operators that exporters have decomposed"},
    {"loss", attach_loss, false, false, "the loss and its target"},
    {"precision", precision, false, false, "floats in the widest dtype of the mode"},
    {"autocast", autocast, false, false, "which values are stored in 16 bits"},
    {"precision-warnings", precision_warnings, false, false, "what 16 bits would do to the model's numbers"},
    {"expand-stored", expand_stored, false, false, "floats of weights that the model stores packed"},
    {0},
};

/* On the training graph, and, but for the rows marked training_only, on the evaluation graph. */
const PassInfo pipeline_passes[] = {
    {"simplify", simplify, false, true, "algebra, folding, common subexpressions, dead code"},
    {"expand", expand, false, false, "decompose operators into primitive ones"},
    {"relu-after-pool", relu_after_pool, false, true, "ReLU over pooled values"},
    {"samples", count_samples, false, false, "which rows belong to a sample"},
    {"states", bind_states, true, false, "BatchNormalization statistics written back"},
    {"channels-last", channels_last, false, false, "convolutional regions in channels-last order"},
    {"simplify", simplify, false, true, "algebra, folding, common subexpressions, dead code"},
    {"split", split_slices, false, true, "slices of one value as one Split"},
    {"grad", grad, true, false, "reverse-mode differentiation"},
    {"zero-sums", zero_sums, true, false, "gradients that are zero in exact arithmetic"},
    {"accumulate", accumulate_gradients, true, false, "gradients summed over micro-batches (--accumulate)"},
    {"expand-kernels", expand_kernels, false, false, "what is left without a kernel"},
    {"simplify", simplify, false, true, "algebra, folding, common subexpressions, dead code"},
    {"hoist-casts", hoist_casts, false, false, "casts of parameters in the optimizer's write"},
    {"fuse-casts", fuse_casts, false, true, "casts in the loads and stores of kernels"},
    {"legalise", legalise, false, false, "casts around kernels that take no 16-bit operands"},
    {"widen-at-readers", widen_at_readers, false, false, "16-bit operands of loops widened by each that reads them"},
    {"normalise-in-pool", normalise_in_pool, false, true, "BatchNormalization in the loads of a maximum pool"},
    {"recompute", recompute, true, false, "activations computed again in the backward pass (--recompute)"},
    {"fuse", fuse, false, false, "elementwise loops and epilogues"},
    {"casts", report_casts, true, false, "which casts are passes over memory (--explain-precision)"},
    {"layout", layout, false, false, "views instead of copies"},
    {"schedule", schedule, false, false, "the order of execution"},
    {"apply", apply_gradients, true, true, "gradients applied during the backward pass"},
    {0},
};

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void run_pass(const PassInfo *pass, Graph *graph, const Options *options, const char *which)
{
    if (pass->optional && options->passes && !has_word(options->passes, ',', pass->name))
        return;
    double start = seconds_now();
    graph->cursor = NULL;
    graph->origin = NO_ORIGIN;
    pass->run(graph, options);
    if (options->observe)
        options->observe(options->observe_context, pass->name, which, graph, seconds_now() - start);
    graph->stage = pass->name;
    if (graph->diagnostics->error_count > 0)
        leave(graph->diagnostics);
    if (options->verify)
        graph_verify(graph);
    if (options->dump_after &&
        (strcmp(options->dump_after, pass->name) == 0 || strcmp(options->dump_after, "all") == 0)) {
        fprintf(options->dump_stream, "# %s after %s\n", which, pass->name);
        graph_print(graph, options->dump_stream, 64);
    }
}

/* Differentiation may find that no gradient reaches a parameter: then it is a constant in both graphs. */
static void agree_on_parameters(const Graph *train, Graph *evaluate)
{
    for (int i = 0; i < evaluate->value_count && i < train->value_count; i++)
        if (evaluate->values[i] && train->values[i] && evaluate->values[i]->kind == VALUE_PARAM)
            evaluate->values[i]->kind = train->values[i]->kind;
}

Program run_pipeline(Graph *imported, const Options *options)
{
    for (const PassInfo *pass = prepare_passes; pass->name; pass++)
        run_pass(pass, imported, options, "model");
    Program program = {imported, graph_clone(imported)};
    program.evaluate->precision = NULL; /* the report is of the training step */
    inference(program.evaluate, options);
    for (const PassInfo *pass = pipeline_passes; pass->name; pass++)
        run_pass(pass, program.train, options, "train");
    warn_unreached(program.evaluate, program.train, options);
    agree_on_parameters(program.train, program.evaluate);
    for (const PassInfo *pass = pipeline_passes; pass->name; pass++)
        if (!pass->training_only)
            run_pass(pass, program.evaluate, options, "evaluate");
    return program;
}
