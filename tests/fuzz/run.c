/* run.c: the programs of a batch of graphs against the evaluator, as exactly as their dtype computes. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

typedef struct Comparison {
    Batch batch;
    Graph *graph;            /* the derivative */
    Tensor *exact, *rounded; /* its values; with every result off by a roundoff */
    double roundoff;
} Comparison;

static void evaluate_both(Comparison *comparison)
{
    comparison->graph = derive_batch(&comparison->batch, &comparison->exact);
    comparison->rounded = evaluate_rounded(comparison->graph, comparison->exact, comparison->roundoff, 0);
    evaluate_graph(comparison->graph, comparison->exact);
}

static double scale_of(const Tensor *tensor)
{
    return fmax(1, largest_of(tensor));
}

/* Some roundoffs of the largest element, and some times what rounding every result does to the tensor. */
static double tolerance_of(const Comparison *comparison, const Tensor *exact, const Tensor *rounded)
{
    return 256 * comparison->roundoff * scale_of(exact) + 32 * noise_of(exact, rounded);
}

static bool agrees(Comparison *comparison, const Value *value, const Tensor *actual, const char *what, char *message)
{
    const Tensor exact = evaluated_tensor(comparison->graph, comparison->exact, value);
    const Tensor rounded = evaluated_tensor(comparison->graph, comparison->rounded, value);
    if (!same_dims(&exact.type, &actual->type) || !exact.f != !actual->f) {
        snprintf(message, MESSAGE_BYTES, "%s is %s, expected %s", what,
                 type_text(comparison->batch.arena, &actual->type), type_text(comparison->batch.arena, &exact.type));
        return false;
    }
    const double tolerance = exact.f ? tolerance_of(comparison, &exact, &rounded) : 0;
    if (!isfinite(tolerance)) {
        snprintf(message, MESSAGE_BYTES, "%s has no tolerance: rounding makes it not finite", what);
        return false;
    }
    if (exact.f && tolerance > sqrt(comparison->roundoff) * scale_of(&exact))
        snprintf(message, MESSAGE_BYTES, "%s is vague: within %.1e", what, tolerance);
    for (int64_t i = 0; i < element_count(&exact.type); i++) {
        if (exact.f ? fabs(actual->f[i] - exact.f[i]) <= tolerance : actual->i[i] == exact.i[i])
            continue;
        snprintf(message, MESSAGE_BYTES, "%s[%lld] is %.17g, expected %.17g within %.1e", what, (long long)i,
                 exact.f ? actual->f[i] : (double)actual->i[i], exact.f ? exact.f[i] : (double)exact.i[i], tolerance);
        return false;
    }
    return true;
}

/* A message that does not stand for a failure says that the comparison of a tensor proves little. */
static void compare_outputs(Comparison *comparison, const Case *test, Result *result)
{
    result->stage = STAGE_EMITTED;
    for (int i = 0; i < test->output_count; i++) {
        const char *what = arena_printf(comparison->batch.arena, "output %d", i);
        Tensor actual;
        if (!batch_output(&comparison->batch, test, i, &actual)) {
            snprintf(result->message, MESSAGE_BYTES, "%s has no place in memory", what);
            return;
        }
        const char *name = arena_printf(comparison->batch.arena, "%s/%s", test->name, what);
        if (!agrees(comparison, output_of(comparison->graph, name), &actual, what, result->message))
            return;
    }
    result->stage = STAGE_PASSED;
}

static void compare_gradient(Comparison *comparison, const Binding *gradient, const char *name, Result *result)
{
    const char *what = arena_printf(comparison->batch.arena, "the gradient of '%s'", name);
    Tensor actual;
    if (!batch_gradient(&comparison->batch, gradient->target->name, &actual)) {
        result->stage = STAGE_GRADIENT;
        snprintf(result->message, MESSAGE_BYTES, "the program does not have %s", what);
    } else if (!agrees(comparison, gradient->value, &actual, what, result->message)) {
        result->stage = STAGE_GRADIENT;
    }
}

static void compare_gradients(Comparison *comparison, Result *const *results)
{
    const Graph *graph = comparison->graph;
    for (int i = 0; i < graph->gradient_count; i++) {
        const char *rest;
        const Case *test = find_case(&comparison->batch, graph->gradients[i].target->name, &rest);
        Result *result = test ? results[test - comparison->batch.cases] : NULL;
        if (result && result->stage == STAGE_PASSED)
            compare_gradient(comparison, &graph->gradients[i], rest, result);
    }
}

void check_cases(const Case *cases, int count, const char *precision, const char *folder, Result *const *results)
{
    Comparison comparison = {.batch = open_batch(cases, count, precision, folder),
                             .roundoff = unit_roundoff(precision)};
    run_batch(&comparison.batch);
    evaluate_both(&comparison);
    for (int i = 0; i < count; i++)
        compare_outputs(&comparison, &cases[i], results[i]);
    if (comparison.roundoff < 0x1p-20) /* gradients of 16 bits have signs that rounding moves */
        compare_gradients(&comparison, results);
    close_batch(&comparison.batch);
}
