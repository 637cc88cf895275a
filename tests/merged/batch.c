/* batch.c: cases as one program: compiled, loaded, run; and the graph that it has to agree with. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "merged.h"

const Case *find_case(const Batch *batch, const char *value, const char **rest)
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

const void *case_input(const Case *test, const char *name)
{
    for (int i = 0; i < test->input_count; i++)
        if (strcmp(test->inputs[i].name, name) == 0)
            return test->inputs[i].data;
    return NULL;
}

/* The tensor of an input "CASE/NAME" of the merged graph; zeros for the anchor. Float inputs come in f32. */
static Tensor batch_input(const Batch *batch, const char *name, Type type)
{
    const char *rest;
    const Case *test = find_case(batch, name, &rest);
    type.dtype = is_float(type.dtype) ? DTYPE_F32 : type.dtype;
    return test ? tensor_from_data(batch->arena, &type, case_input(test, rest)) : tensor_alloc(batch->arena, type);
}

/* ---- the evaluator's side ---- */

Graph *derive_batch(const Batch *batch, Tensor **tensors)
{
    Graph *graph = merge_cases(batch->arena, batch->diagnostics, batch->cases, batch->count);
    const Options options = merged_options("64-true");
    Pass *const needed[] = {trainable, attach_loss, precision, expand, bind_states, grad};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        graph->cursor = NULL;
        needed[i](graph, &options);
    }
    *tensors = NEW_ARRAY(batch->arena, Tensor, graph->value_count);
    for (int i = 0; i < graph->input_count; i++) {
        const Value *value = graph->inputs[i];
        (*tensors)[value->id] = batch_input(batch, value->name, value->type);
        (*tensors)[value->id].type = value->type;
    }
    return graph;
}

/* ---- the program's side ---- */

static void compile(const Batch *batch, const char *source, const char *library)
{
    const char *command = arena_printf(batch->arena,
                                       "%s -march=native -fopenmp -shared -fPIC -Wall -Wextra -Werror "
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

static void load(Batch *batch, const char *library, const char *weights)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    PccError error = {0};
    batch->program = handle ? dlsym(handle, "pcc_program") : NULL;
    batch->session = batch->program ? pcc_open(batch->program, weights, 2, &error) : NULL;
    if (!batch->session || pcc_keep_outputs(batch->session, &error))
        fatal(batch->diagnostics, EXIT_STATUS_INTERNAL, NO_ORIGIN, "%s", batch->program ? error.message : dlerror());
}

Batch open_batch(const Case *cases, int count, const char *mode, const char *folder)
{
    Graph *first = cases[0].graph;
    Batch batch = {.cases = cases,
                   .count = count,
                   .arena = first->arena,
                   .diagnostics = first->diagnostics};
    const char *stem = arena_printf(batch.arena, "%s/%s", folder, cases[0].name);
    const char *source = arena_printf(batch.arena, "%s.c", stem);
    const char *library = arena_printf(batch.arena, "%s.so", stem);
    const char *weights = arena_printf(batch.arena, "%s.safetensors", stem);
    Options options = merged_options(mode);
    Program program = run_pipeline(merge_cases(batch.arena, batch.diagnostics, cases, count), &options);
    EmitOptions emit = {.model_path = "merged",
                        .command_line = "",
                        .source_name = "cases.c",
                        .weights_name = "cases.safetensors",
                        .library = true};
    Emitted emitted = emit_program(&program, &options, &emit);
    write_source(&batch, source, &emitted);
    write_weights(&program, &options, &emit, weights);
    compile(&batch, source, library);
    load(&batch, library, weights);
    return batch;
}

void run_batch(Batch *batch)
{
    const PccProgram *program = batch->program;
    const void **inputs = NEW_ARRAY(batch->arena, const void *, program->input_count + 1);
    for (int64_t i = 0; i < program->input_count; i++) {
        const PccTensor *wanted = &program->inputs[i];
        Type type = make_type((Dtype)wanted->dtype, wanted->rank, wanted->dims);
        Tensor tensor = batch_input(batch, wanted->name, type);
        tensor.type = type;
        inputs[i] = tensor_to_data(batch->arena, &tensor);
    }
    pcc_backward(batch->session, &(PccFeed){.inputs = inputs, .valid = program->batch});
}

void close_batch(Batch *batch)
{
    pcc_close(batch->session);
}

static Tensor loaded_tensor(const Batch *batch, const PccTensor *tensor, const void *data)
{
    Type type = make_type((Dtype)tensor->dtype, tensor->rank, tensor->dims);
    return tensor_from_data(batch->arena, &type, data);
}

bool batch_output(const Batch *batch, const Case *test, int index, Tensor *output)
{
    const PccTensor *description;
    const char *name = arena_printf(batch->arena, "%s/output %d", test->name, index);
    const void *data = pcc_output(batch->session, name, &description);
    if (!data || description->offset == PCC_NONE)
        return false;
    *output = loaded_tensor(batch, description, data);
    return true;
}

bool batch_gradient(const Batch *batch, const char *parameter, Tensor *gradient)
{
    const PccProgram *program = batch->program;
    for (int64_t i = 0; i < program->param_count; i++) {
        const PccParam *param = &program->params[i];
        if (strcmp(param->value.name, parameter) != 0)
            continue;
        PccTensor place = param->value;
        place.dtype = param->gradient_dtype;
        const PccStep *step = pcc_step_context(batch->session);
        *gradient = loaded_tensor(batch, &place, step->gradients + param->gradient);
        for (int64_t k = 0; k < element_count(&gradient->type); k++)
            gradient->f[k] /= step->loss_scale;
        return true;
    }
    return false;
}

const Value *output_of(const Graph *graph, const char *name)
{
    for (int i = 0; i < graph->output_count; i++)
        if (strcmp(graph->output_names[i], name) == 0)
            return graph->outputs[i];
    internal_error(graph->diagnostics, NO_ORIGIN, "no output '%s'", name);
}
