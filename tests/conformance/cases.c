/* cases.c: a node test from its folder. */
#include <string.h>
#include <unistd.h>

#include "conformance.h"
#include "frontend/import/onnx_model.h"

static int read_tensors(Arena *arena, Diagnostics *diagnostics, const char *folder, const char *kind,
                        CaseTensor *tensors)
{
    int count = 0;
    for (;; count++) {
        const char *path = arena_printf(arena, "%s/test_data_set_0/%s_%d.pb", folder, kind, count);
        if (access(path, R_OK) != 0)
            return count;
        if (count == MAX_CASE_TENSORS)
            internal_error(diagnostics, NO_ORIGIN, "more than %d tensors", MAX_CASE_TENSORS);
        onnx_read_tensor(arena, diagnostics, path, &tensors[count].type, &tensors[count].data, &tensors[count].name);
    }
}

/* Which inputs are constants: the attempts of load_case(), in order. */
enum { CONSTANT_NONE, CONSTANT_INTEGERS, CONSTANT_REST, CONSTANT_ALL, CONSTANT_CHOICES };

static bool is_constant_input(const Case *test, int index, int choice)
{
    return choice == CONSTANT_ALL || (choice == CONSTANT_REST && index > 0) ||
           (choice == CONSTANT_INTEGERS && !is_float(test->inputs[index].type.dtype));
}

/* A sequence's items, or what an optional holds, have files of their own, under names that say so. */
static bool is_item_of(const char *name, const char *container)
{
    const size_t length = strlen(container);
    return strncmp(name, container, length) == 0 && (name[length] == '.' || name[length] == '\0');
}

/* Inputs come in the order of the graph's, less those that are initializers; the files' own names are not reliable.
 * Names outlive this reading of the model. */
static void name_inputs(Arena *arena, Case *test)
{
    const GraphProto *graph = test->model->proto->graph;
    int at = 0;
    for (size_t i = 0; i < graph->n_input; i++) {
        const char *name = arena_strndup(arena, graph->input[i]->name, strlen(graph->input[i]->name));
        if (graph->input[i]->type && graph->input[i]->type->tensor_type) {
            if (at < test->input_count)
                test->inputs[at++].name = name;
            continue;
        }
        while (at < test->input_count && is_item_of(test->inputs[at].name, name))
            at++;
    }
}

static Graph *import_case(Arena *arena, Diagnostics *diagnostics, const char *path, Case *test, int choice)
{
    InputConstant constants[MAX_CASE_TENSORS];
    ShapeBinding shapes[MAX_CASE_TENSORS];
    ImportOptions options = {.constants = constants, .shapes = shapes, .any_input = true};
    for (int i = 0; i < test->input_count; i++) {
        const CaseTensor *tensor = &test->inputs[i];
        const bool is_constant = is_constant_input(test, i, choice);
        if (is_constant || strchr(tensor->name, '.')) {
            constants[options.constant_count++] = (InputConstant){
                .input = tensor->name, .type = tensor->type, .data = tensor->data, .is_fed = !is_constant};
            continue;
        }
        ShapeBinding shape = {.input = tensor->name, .rank = tensor->type.rank};
        memcpy(shape.dims, tensor->type.dims, sizeof shape.dims);
        shapes[options.shape_count++] = shape;
    }
    return onnx_import(arena, diagnostics, path, &options, &test->model);
}

/* Messages of an attempt that another may follow are not for the user. NULL when it failed. */
static Graph *try_import(Arena *arena, Diagnostics *diagnostics, const char *path, Case *test, int choice)
{
    Diagnostics *attempt = NEW(arena, Diagnostics);
    *attempt = *diagnostics;
    attempt->can_recover = true;
    attempt->quiet = true;
    if (setjmp(attempt->recover))
        return NULL;
    Graph *graph = import_case(arena, attempt, path, test, choice);
    graph->diagnostics = diagnostics;
    return graph->output_count == test->output_count ? graph : NULL; /* some may be left out */
}

/* Float inputs learn: their gradients are compared too. */
static void make_parameters(Case *test)
{
    Graph *graph = test->graph;
    int kept = 0;
    for (int i = 0; i < graph->input_count; i++) {
        Value *value = graph->inputs[i];
        if (is_float(value->type.dtype)) {
            value->kind = VALUE_PARAM;
            value->data = case_input(test, value->name);
        } else {
            graph->inputs[kept++] = value;
        }
    }
    graph->input_count = kept;
}

void load_case(Arena *arena, Diagnostics *diagnostics, const char *folder, const char *name, Case *test)
{
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    const char *model = arena_printf(arena, "%s/model.onnx", path);
    *test = (Case){.name = name};
    test->output_count = read_tensors(arena, diagnostics, path, "output", test->outputs);
    test->input_count = read_tensors(arena, diagnostics, path, "input", test->inputs);
    onnx_read(arena, diagnostics, model, &test->model);
    name_inputs(arena, test);
    onnx_close(test->model);
    test->model = NULL;
    for (int choice = 0; choice + 1 < CONSTANT_CHOICES && !test->graph; choice++) {
        test->graph = try_import(arena, diagnostics, model, test, choice);
        if (!test->graph)
            unload_case(test);
    }
    if (!test->graph)
        test->graph = import_case(arena, diagnostics, model, test, CONSTANT_ALL);
    if (test->graph->output_count != test->output_count)
        fatal(diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "%d outputs, but %d are expected", test->graph->output_count,
              test->output_count);
    test->samples = test->input_count > 0 && test->inputs[0].type.rank > 0 ? test->inputs[0].type.dims[0] : 1;
    make_parameters(test);
}

void unload_case(Case *test)
{
    onnx_close(test->model);
    test->model = NULL;
}
