/* command_run.c: evaluates the imported graph in double: what the model means, before any pass has touched it. */
#include "frontend/commands/command_run.h"

#include <string.h>

#include "frontend/commands/driver.h"
#include "frontend/import/onnx_model.h"
#include "runtime/files/safetensors.h"

enum { MOST_STATIC_ELEMENTS = 64 };

static Type file_type(const PccStTensor *tensor)
{
    return make_type((Dtype)tensor->dtype, tensor->rank, tensor->dims);
}

/* Inputs stand under their ONNX names, or as input/NAME, so that a program's --probe file serves too: NULL for what
 * is something else in such a file. */
static const char *input_name(const PccSafetensors *file, const PccStTensor *tensor)
{
    static const char prefix[] = "input/";
    const size_t length = sizeof prefix - 1;
    bool probe = false;
    for (int64_t i = 0; i < file->count; i++)
        probe |= strncmp(file->tensors[i].name, prefix, length) == 0;
    if (!probe)
        return tensor->name;
    return strncmp(tensor->name, prefix, length) == 0 ? tensor->name + length : NULL;
}

/* Of a sequence the items, NAME.0, NAME.1, ... */
static bool is_model_input(const OnnxModel *model, const char *name)
{
    const GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_input; i++) {
        const char *known = graph->input[i]->name;
        const size_t length = strlen(known);
        if (strcmp(known, name) == 0 || (strncmp(known, name, length) == 0 && name[length] == '.'))
            return true;
    }
    return false;
}

/* The file's bytes have no alignment. */
static const void *aligned_copy(Arena *arena, const PccStTensor *tensor)
{
    return memcpy(arena_alloc(arena, tensor->bytes + 1), tensor->data, tensor->bytes);
}

/* The file's tensors bind the model's open dimensions, and are known where a node must know an operand to be imported,
 * such as Reshape's shape. Short lists of integers, which are exact in any type, become constants throughout. */
static void bind_inputs_by_file(Compilation *c, const PccSafetensors *file, ImportOptions *import)
{
    InputConstant *constants = NEW_ARRAY(c->arena, InputConstant, file->count + 1);
    for (int64_t i = 0; i < file->count; i++) {
        const PccStTensor *tensor = &file->tensors[i];
        const char *name = input_name(file, tensor);
        Type type = file_type(tensor);
        if (!name || !is_model_input(c->model, name))
            continue;
        const bool is_list = !is_float(type.dtype) && type.rank <= 1 && element_count(&type) <= MOST_STATIC_ELEMENTS;
        constants[import->constant_count++] =
            (InputConstant){name, type, aligned_copy(c->arena, tensor), .is_fed = !is_list};
    }
    import->constants = constants;
}

static Tensor read_input(Compilation *c, const PccSafetensors *file, const Value *input)
{
    for (int64_t i = 0; i < file->count; i++) {
        const PccStTensor *from = &file->tensors[i];
        const char *name = input_name(file, from);
        if (!name || strcmp(name, input->name) != 0)
            continue;
        Type type = file_type(from);
        if (!same_dims(&type, &input->type) || is_float(type.dtype) != is_float(input->type.dtype))
            fatal(&c->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "%s: input '%s' is %s, but the model wants %s",
                  c->line.inputs, input->name, type_text(c->arena, &type), type_text(c->arena, &input->type));
        Tensor tensor = tensor_from_data(c->arena, &type, aligned_copy(c->arena, from));
        tensor.type = input->type;
        return tensor;
    }
    fatal(&c->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "%s has no tensor '%s', an input of the model", c->line.inputs,
          input->name);
}

static void write_outputs(Compilation *c, Tensor *tensors)
{
    Graph *graph = c->imported;
    PccStTensor *outputs = NEW_ARRAY(c->arena, PccStTensor, graph->output_count + 1);
    for (int i = 0; i < graph->output_count; i++) {
        Tensor tensor = evaluated_tensor(graph, tensors, graph->outputs[i]);
        outputs[i] = (PccStTensor){.name = graph->output_names[i],
                                   .dtype = tensor.f ? PCC_F64 : PCC_I64,
                                   .rank = tensor.type.rank,
                                   .data = tensor.f ? (const void *)tensor.f : tensor.i};
        memcpy(outputs[i].dims, tensor.type.dims, sizeof outputs[i].dims);
    }
    PccError error = {0};
    if (pcc_st_write(c->line.dump, outputs, graph->output_count, NULL, 0, &error) != PCC_OK)
        fatal(&c->diagnostics, (ExitStatus)error.status, NO_ORIGIN, "%s", error.message);
}

static void evaluate_model(Compilation *c, const PccSafetensors *file)
{
    ImportOptions import = import_options(c->arena, &c->diagnostics, &c->line);
    import.any_output = import.any_input = true;
    check_model_exists(c);
    onnx_read(c->arena, &c->diagnostics, c->line.model, &c->model); /* for the names of its inputs */
    bind_inputs_by_file(c, file, &import);
    onnx_close(c->model);
    c->model = NULL;
    import_with(c, &import);
    Graph *graph = c->imported;
    Tensor *tensors = NEW_ARRAY(c->arena, Tensor, graph->value_count + 1);
    for (int i = 0; i < graph->input_count; i++)
        tensors[graph->inputs[i]->id] = read_input(c, file, graph->inputs[i]);
    evaluate_graph(graph, tensors);
    write_outputs(c, tensors);
}

static void run(Compilation *c)
{
    parse_command_line(c->arena, &c->diagnostics, COMMAND_RUN, c->argc, c->argv, &c->line);
    if (c->line.help) {
        print_help(stdout, COMMAND_RUN);
        return;
    }
    need_model(&c->diagnostics, &c->line);
    if (!c->line.inputs || !c->line.dump)
        fatal(&c->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
              "pcc run needs %s; usage: pcc run MODEL.onnx --inputs IN.safetensors --dump OUT.safetensors",
              c->line.inputs ? "--dump" : "--inputs");
    PccError error = {0};
    c->tensors = NEW(c->arena, PccSafetensors);
    if (pcc_st_open(c->tensors, c->line.inputs, &error) != PCC_OK) {
        c->tensors = NULL;
        fatal(&c->diagnostics, (ExitStatus)error.status, NO_ORIGIN, "%s", error.message);
    }
    evaluate_model(c, c->tensors);
}

int command_run(int argc, char **argv)
{
    Compilation c = {.argc = argc, .argv = argv};
    return run_compilation(&c, run);
}
