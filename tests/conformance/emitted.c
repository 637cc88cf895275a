/* emitted.c: the emitted program of a batch of cases: compiled, loaded, run, and compared with expected outputs and
 * with the evaluator's gradients. */
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "conformance.h"
#include "runtime/pcc.h"

typedef struct Batch {
    const Case *cases;
    Result *const *results;
    int count;
    Arena *arena;
    Diagnostics *diagnostics;
    Graph *derivative; /* the merged graph, differentiated, in f64 */
    Tensor *tensors;   /* its values, evaluated */
    const PccProgram *program;
    PccSession *session;
} Batch;

static Arena *arena_of(const Case *test)
{
    return test->graph->arena;
}

void check_compiles(const Case *test)
{
    Graph *graph = merge_cases(arena_of(test), test->graph->diagnostics, test, 1);
    Options options = conformance_options("32-true");
    Program program = run_pipeline(graph, &options);
    EmitOptions emit = {.model_path = test->name,
                        .command_line = "",
                        .source_name = "cases.c",
                        .weights_name = "cases.safetensors",
                        .library = true};
    emit_program(&program, &options, &emit);
}

/* ---- the evaluator's side ---- */

static const Case *find_case(const Batch *batch, const char *value, const char **rest)
{
    const char *slash = strchr(value, '/');
    for (int i = 0; slash && i < batch->count; i++)
        if (strlen(batch->cases[i].name) == (size_t)(slash - value) &&
            strncmp(batch->cases[i].name, value, (size_t)(slash - value)) == 0) {
            *rest = slash + 1;
            return &batch->cases[i];
        }
    return NULL;
}

static const void *batch_input(const Batch *batch, const char *name)
{
    const char *rest;
    const Case *test = find_case(batch, name, &rest);
    return test ? case_input(test, rest) : NEW_ARRAY(batch->arena, float, batch->cases->samples); /* the anchor */
}

/* Only what gives the graph its meaning: no pass that could hide its own mistake from the comparison. */
static void evaluate_derivative(Batch *batch)
{
    Graph *graph = merge_cases(batch->arena, batch->diagnostics, batch->cases, batch->count);
    const Options options = conformance_options("64-true");
    Pass *const needed[] = {trainable, attach_loss, precision, expand, bind_states, grad};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        graph->cursor = NULL;
        needed[i](graph, &options);
    }
    batch->derivative = graph;
    batch->tensors = NEW_ARRAY(batch->arena, Tensor, graph->value_count);
    for (int i = 0; i < graph->input_count; i++) {
        const Value *value = graph->inputs[i];
        Type type = value->type;
        type.dtype = type.dtype == DTYPE_F64 ? DTYPE_F32 : type.dtype; /* the anchor's sample, before `precision` */
        batch->tensors[value->id] = tensor_from_data(batch->arena, &type, batch_input(batch, value->name));
        batch->tensors[value->id].type = value->type;
    }
    evaluate_graph(graph, batch->tensors);
}

/* ---- the program's side ---- */

static void compile(const Batch *batch, const char *source, const char *library)
{
    const char *command = arena_printf(batch->arena,
                                       "%s -O1 -march=native -fopenmp -shared -fPIC -Wall -Wextra -Werror "
                                       "-I '%s' '%s' -o '%s' -lm > '%s.log' 2>&1",
                                       PCC_TEST_CC, PCC_TEST_INCLUDE, source, library, source);
    if (system(command) != 0)
        fatal(batch->diagnostics, EXIT_STATUS_INTERNAL, NO_ORIGIN, "the C compiler refused %s: see %s.log", source,
              source);
}

static void write_source(const Batch *batch, const char *path, const Emitted *emitted)
{
    FILE *file = fopen(path, "w");
    if (!file || fwrite(emitted->text, 1, emitted->length, file) != emitted->length || fclose(file) != 0)
        fatal(batch->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot write %s", path);
}

static void build_and_open(Batch *batch, const char *folder)
{
    const char *stem = arena_printf(batch->arena, "%s/%s", folder, batch->cases[0].name);
    const char *source = arena_printf(batch->arena, "%s.c", stem);
    const char *library = arena_printf(batch->arena, "%s.so", stem);
    const char *weights = arena_printf(batch->arena, "%s.safetensors", stem);
    Options options = conformance_options("32-true");
    Program program = run_pipeline(merge_cases(batch->arena, batch->diagnostics, batch->cases, batch->count), &options);
    EmitOptions emit = {.model_path = "conformance",
                        .command_line = "",
                        .source_name = "cases.c",
                        .weights_name = "cases.safetensors",
                        .library = true};
    Emitted emitted = emit_program(&program, &options, &emit);
    write_source(batch, source, &emitted);
    write_weights(&program, &options, &emit, weights);
    compile(batch, source, library);
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    const PccProgram *loaded = handle ? dlsym(handle, "pcc_program") : NULL;
    PccError error = {0};
    batch->program = loaded;
    batch->session = loaded ? pcc_open(loaded, weights, 2, &error) : NULL;
    if (!batch->session)
        fatal(batch->diagnostics, EXIT_STATUS_INTERNAL, NO_ORIGIN, "%s", loaded ? error.message : dlerror());
}

static void run_step(Batch *batch)
{
    const PccProgram *program = batch->program;
    const void **inputs = NEW_ARRAY(batch->arena, const void *, program->input_count + 1);
    for (int64_t i = 0; i < program->input_count; i++)
        inputs[i] = batch_input(batch, program->inputs[i].name);
    pcc_backward(batch->session, &(PccFeed){.inputs = inputs, .valid = program->batch});
}

static Tensor loaded_tensor(const Batch *batch, const PccTensor *tensor, const void *data)
{
    Type type = make_type((Dtype)tensor->dtype, tensor->rank, tensor->dims);
    return tensor_from_data(batch->arena, &type, data);
}

static void compare_outputs(const Batch *batch, int index)
{
    const Case *test = &batch->cases[index];
    Result *result = batch->results[index];
    for (int i = 0; i < test->output_count; i++) {
        const PccTensor *description;
        const char *name = arena_printf(batch->arena, "%s/output %d", test->name, i);
        const void *data = pcc_output(batch->session, name, &description);
        result->stage = STAGE_EMITTED;
        if (!data || description->offset == PCC_NONE) {
            snprintf(result->message, MESSAGE_BYTES, "output %d has no place in memory", i);
            return;
        }
        Tensor output = loaded_tensor(batch, description, data);
        if (!same_contents(&output, &test->outputs[i], batch->arena, result->message))
            return;
    }
    result->stage = STAGE_PASSED;
}

/* ---- gradients ---- */

static const PccParam *find_param(const PccProgram *program, const char *name)
{
    for (int64_t i = 0; i < program->param_count; i++)
        if (strcmp(program->params[i].value.name, name) == 0)
            return &program->params[i];
    return NULL;
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

static void compare_gradient(const Batch *batch, const Binding *binding, const char *rest, Result *result)
{
    Graph *graph = batch->derivative;
    const PccParam *param = find_param(batch->program, binding->target->name);
    if (!param) {
        result->stage = STAGE_GRADIENT;
        snprintf(result->message, MESSAGE_BYTES, "the program has no gradient of '%s'", rest);
        return;
    }
    Tensor expected = evaluated_tensor(graph, batch->tensors, binding->value);
    PccTensor place = param->value;
    place.dtype = param->gradient_dtype;
    Tensor actual = loaded_tensor(batch, &place, pcc_step_context(batch->session)->weights + param->gradient);
    if (!same_gradient(&actual, &expected, rest, result->message))
        result->stage = STAGE_GRADIENT;
}

static void compare_gradients(const Batch *batch)
{
    const Graph *graph = batch->derivative;
    for (int i = 0; i < graph->gradient_count; i++) {
        const char *rest;
        const Case *test = find_case(batch, graph->gradients[i].target->name, &rest);
        Result *result = test ? batch->results[test - batch->cases] : NULL;
        if (result && result->stage == STAGE_PASSED)
            compare_gradient(batch, &graph->gradients[i], rest, result);
    }
}

void check_emitted(const Case *cases, int count, const char *folder, Result *const *results)
{
    Batch batch = {.cases = cases,
                   .results = results,
                   .count = count,
                   .arena = arena_of(&cases[0]),
                   .diagnostics = cases[0].graph->diagnostics};
    build_and_open(&batch, folder);
    run_step(&batch);
    for (int i = 0; i < count; i++)
        compare_outputs(&batch, i);
    evaluate_derivative(&batch);
    compare_gradients(&batch);
    pcc_close(batch.session);
}
