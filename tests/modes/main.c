/* main.c: emitted outputs and gradients in 16-bit modes against float64.
 *     modes        each case in two of the four modes, which takes half the time
 *     modes all    in all, with a line for each tensor
 *
 * Tolerances follow from the mode's unit roundoff and from the case's conditioning, which is measured: what rounding
 * every result up or down at random does to the tensor in double. A case whose tolerance is a quarter of the tensor or
 * more would pass with wrong terms, and fails. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modes.h"

enum { MAX_MODE_CASES = 256, SEEDS = 3 };

typedef struct Mode {
    const char *name, *folder;
    bool verbose;
} Mode;

/* ---- the graphs ---- */

typedef struct Contents {
    Arena *arena;
    const ModeCase *test;
    uint64_t drawn;
} Contents;

static const void *coarse_data(void *context, const char *name, const Type *type)
{
    (void)name;
    Contents *contents = context;
    const ModeCase *test = contents->test;
    const double step = exp2(ceil(log2(fmax(fabs(test->low), fabs(test->high)))) - 7);
    const uint64_t steps = (uint64_t)((test->high - test->low) / step);
    Tensor tensor = tensor_alloc(contents->arena, *type);
    for (int64_t i = 0; i < element_count(type); i++) {
        uint64_t x = ++contents->drawn * 0x9e3779b97f4a7c15u;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        tensor.f[i] = test->low + step * (double)((x >> 33) % steps);
    }
    return tensor_to_data(contents->arena, &tensor);
}

static void name_parameters(Graph *graph)
{
    for (int i = 0; i < graph->value_count; i++)
        if (graph->values[i] && graph->values[i]->kind == VALUE_PARAM)
            graph->values[i]->name = arena_printf(graph->arena, "parameter %d", i);
}

static void parse_case(Arena *arena, Diagnostics *diagnostics, const ModeCase *from, Case *test)
{
    Contents contents = {arena, from, 0};
    const char *text = arena_printf(arena, "graph \"%s\" stage \"\"\n%s\n", from->name, from->body);
    Graph *graph = graph_parse(arena, diagnostics, from->name, text, strlen(text), coarse_data, &contents);
    if (!graph)
        fatal(diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "%s does not parse", from->name);
    name_parameters(graph);
    *test = (Case){.name = from->name, .graph = graph, .output_count = graph->output_count, .samples = 1};
}

/* ---- the comparison ---- */

typedef struct Comparison {
    Batch batch;
    Graph *graph; /* the derivative */
    Tensor *exact, *rounded[SEEDS];
    double roundoff;
    bool verbose;
} Comparison;

static double tolerance_of(const Comparison *comparison, const Value *value, const Tensor *exact)
{
    double noise = 0;
    for (int i = 0; i < SEEDS; i++) {
        const Tensor rounded = evaluated_tensor(comparison->graph, comparison->rounded[i], value);
        noise = fmax(noise, noise_of(exact, &rounded));
    }
    return 2 * (noise + comparison->roundoff * largest_of(exact));
}

/* A program's NaN is as far off as can be. */
static double error_of(const Tensor *exact, const Tensor *actual)
{
    for (int64_t i = 0; i < element_count(&actual->type); i++)
        if (isnan(actual->f[i]))
            return INFINITY;
    return noise_of(exact, actual);
}

static bool agrees(const Comparison *comparison, const Value *value, const Tensor *actual, const char *what,
                   Result *result)
{
    const Tensor exact = evaluated_tensor(comparison->graph, comparison->exact, value);
    const double tolerance = tolerance_of(comparison, value, &exact), error = error_of(&exact, actual);
    if (comparison->verbose)
        printf("%-44s largest %8.3g  tolerance %8.2g  error %8.2g  %5.2f\n", what, largest_of(&exact), tolerance, error,
               error / tolerance);
    if (error <= tolerance && tolerance < 0.25 * largest_of(&exact))
        return true;
    snprintf(result->message, MESSAGE_BYTES, "%s errs by %.2g, allowed are %.2g, its largest element is %.2g", what,
             error, tolerance, largest_of(&exact));
    return false;
}

static void compare_outputs(const Comparison *comparison, const Case *test, Result *result)
{
    result->stage = STAGE_EMITTED;
    for (int i = 0; i < test->output_count; i++) {
        const char *name = arena_printf(comparison->batch.arena, "%s/output %d", test->name, i);
        Tensor actual;
        if (!batch_output(&comparison->batch, test, i, &actual)) {
            snprintf(result->message, MESSAGE_BYTES, "output %d has no place in memory", i);
            return;
        }
        if (!agrees(comparison, output_of(comparison->graph, name), &actual, name, result))
            return;
    }
    result->stage = STAGE_PASSED;
}

static void compare_gradients(const Comparison *comparison, Result *const *results)
{
    const Graph *graph = comparison->graph;
    for (int i = 0; i < graph->gradient_count; i++) {
        const Binding *gradient = &graph->gradients[i];
        const char *rest, *name = gradient->target->name;
        const Case *test = find_case(&comparison->batch, name, &rest);
        Result *result = test ? results[test - comparison->batch.cases] : NULL;
        Tensor actual;
        if (!result || result->stage != STAGE_PASSED)
            continue;
        if (!batch_gradient(&comparison->batch, name, &actual))
            snprintf(result->message, MESSAGE_BYTES, "the program has no gradient of %s", rest);
        else if (agrees(comparison, gradient->value, &actual, arena_printf(graph->arena, "gradient of %s", name),
                        result))
            continue;
        result->stage = STAGE_GRADIENT;
    }
}

/* In a child: the cases as one program. */
static void check_cases(const Runner *runner, Arena *arena, Diagnostics *diagnostics, const int *indices, int count)
{
    const Mode *mode = runner->context;
    Comparison comparison = {.roundoff = unit_roundoff(mode->name), .verbose = mode->verbose};
    Case *cases = NEW_ARRAY(arena, Case, count);
    Result **results = NEW_ARRAY(arena, Result *, count);
    for (int i = 0; i < count; i++) {
        parse_case(arena, diagnostics, &mode_cases[indices[i]], &cases[i]);
        results[i] = &runner->results[indices[i]];
    }
    set_results(runner->results, indices, count, STAGE_COMPILE, "");
    comparison.batch = open_batch(cases, count, mode->name, mode->folder);
    if (comparison.batch.program->scaling.initial != 0)
        pcc_step_context(comparison.batch.session)->loss_scale = 16; /* not so large that f16 overflows */
    run_batch(&comparison.batch);
    comparison.graph = derive_batch(&comparison.batch, &comparison.exact);
    for (int i = 0; i < SEEDS; i++)
        comparison.rounded[i] =
            evaluate_rounded(comparison.graph, comparison.exact, comparison.roundoff, (uint64_t)i + 1);
    evaluate_graph(comparison.graph, comparison.exact);
    for (int i = 0; i < count; i++)
        compare_outputs(&comparison, &cases[i], results[i]);
    compare_gradients(&comparison, results);
    close_batch(&comparison.batch);
    fflush(stdout);
}

static int check_mode(const Mode *mode, Result *results, const int *indices, int count)
{
    int failed = 0;
    run_children(&(Runner){check_cases, results, mode}, indices, count, MAX_MODE_CASES);
    for (int i = 0; i < count; i++) {
        const Result *result = &results[indices[i]];
        if (result->stage == STAGE_PASSED)
            continue;
        printf("%s in %s: %s: %s\n", mode_cases[indices[i]].name, mode->name, stage_names[result->stage],
               result->message);
        failed++;
    }
    printf("%d of %d graphs agree with float64 in %s\n", count - failed, count, mode->name);
    return failed;
}

/* One case in two goes with each mode, so that it meets either format, once with f32 beside it and once alone. */
static int choose_cases(int mode, bool all, int *indices)
{
    int count = 0;
    for (int i = 0; mode_cases[i].name; i++)
        if (all || i % 2 == (mode == 1 || mode == 2))
            indices[count++] = i;
    return count;
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"16-mixed", "bf16-mixed", "16-true", "bf16-true"};
    const bool all = argc > 1 && strcmp(argv[1], "all") == 0;
    char folder[] = "/tmp/pcc-modes-XXXXXX";
    Result *results = share_results(MAX_MODE_CASES);
    int indices[MAX_MODE_CASES], failed = 0;
    if (!results || !mkdtemp(folder)) {
        perror("modes");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < 4; i++)
        failed += check_mode(&(Mode){modes[i], folder, all}, results, indices, choose_cases(i, all, indices));
    remove_folder(folder);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
