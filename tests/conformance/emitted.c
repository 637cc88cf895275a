/* emitted.c: the emitted program of a batch of cases, compared with expected outputs and with the evaluator's
 * gradients. */
#include <math.h>

#include "codegen/codegen.h"
#include "conformance.h"

void check_compiles(const Case *test)
{
    Graph *graph = merge_cases(test->graph->arena, test->graph->diagnostics, test, 1);
    Options options = merged_options("32-true");
    Program program = run_pipeline(graph, &options);
    EmitOptions emit = {.model_path = test->name,
                        .command_line = "",
                        .source_name = "cases.c",
                        .weights_name = "cases.safetensors",
                        .library = true};
    emit_program(&program, &options, &emit);
}

static void compare_outputs(const Batch *batch, const Case *test, Result *result)
{
    for (int i = 0; i < test->output_count; i++) {
        Tensor output;
        result->stage = STAGE_EMITTED;
        if (!batch_output(batch, test, i, &output)) {
            snprintf(result->message, MESSAGE_BYTES, "output %d has no place in memory", i);
            return;
        }
        if (!same_contents(&output, &test->outputs[i], batch->arena, result->message))
            return;
    }
    result->stage = STAGE_PASSED;
}

/* f32 sums of a gradient's terms are off by some ulp of the largest: the scale is the tensor's, not the element's. */
static bool same_gradient(const Tensor *actual, const Tensor *expected, const char *name, char message[MESSAGE_BYTES])
{
    double scale = 1;
    int64_t count = element_count(&expected->type);
    for (int64_t i = 0; i < count; i++)
        if (isfinite(expected->f[i]))
            scale = fmax(scale, fabs(expected->f[i]));
    for (int64_t i = 0; i < count; i++) {
        double difference = fabs(actual->f[i] - expected->f[i]);
        if (isfinite(expected->f[i]) ? difference <= 2e-5 * scale : !isfinite(actual->f[i]))
            continue;
        snprintf(message, MESSAGE_BYTES, "the gradient of '%s'[%lld] is %.9g, expected %.9g", name, (long long)i,
                 actual->f[i], expected->f[i]);
        return false;
    }
    return true;
}

static void compare_gradient(const Batch *batch, const char *parameter, const char *rest, const Tensor *expected,
                             Result *result)
{
    Tensor actual;
    if (!batch_gradient(batch, parameter, &actual)) {
        result->stage = STAGE_GRADIENT;
        snprintf(result->message, MESSAGE_BYTES, "the program has no gradient of '%s'", rest);
        return;
    }
    if (!same_gradient(&actual, expected, rest, result->message))
        result->stage = STAGE_GRADIENT;
}

static void compare_gradients(const Batch *batch, Result *const *results)
{
    Tensor *tensors;
    Graph *graph = derive_batch(batch, &tensors);
    evaluate_graph(graph, tensors);
    for (int i = 0; i < graph->gradient_count; i++) {
        const char *rest, *parameter = graph->gradients[i].target->name;
        const Case *test = find_case(batch, parameter, &rest);
        Result *result = test ? results[test - batch->cases] : NULL;
        Tensor expected = evaluated_tensor(graph, tensors, graph->gradients[i].value);
        if (result && result->stage == STAGE_PASSED)
            compare_gradient(batch, parameter, rest, &expected, result);
    }
}

void check_emitted(const Case *cases, int count, const char *folder, Result *const *results)
{
    Batch batch = open_batch(cases, count, "32-true", folder);
    run_batch(&batch);
    for (int i = 0; i < count; i++)
        compare_outputs(&batch, &cases[i], results[i]);
    compare_gradients(&batch, results);
    close_batch(&batch);
}
