/* onnx_taken.c: names that are taken. The program's files hold tensors by name, so one that the import makes up, of a
 * branch's tensor or of a copy, must be no other's. */
#include "frontend/import/onnx_model.h"

static size_t count_names(const GraphProto *graph)
{
    size_t count = graph->n_initializer + graph->n_sparse_initializer;
    for (size_t i = 0; i < graph->n_node; i++) {
        count += graph->node[i]->n_output;
    }
    return count;
}

const char **defined_names(Import *import, const GraphProto *graph, size_t *count)
{
    const char **names = NEW_ARRAY(import->arena, const char *, count_names(graph) + 1);
    *count = 0;
    for (size_t i = 0; i < graph->n_initializer; i++) {
        names[(*count)++] = text_or_empty(graph->initializer[i]->name);
    }
    for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
        const TensorProto *values = graph->sparse_initializer[i]->values;
        names[(*count)++] = values ? text_or_empty(values->name) : "";
    }
    for (size_t i = 0; i < graph->n_node; i++) {
        for (size_t j = 0; j < graph->node[i]->n_output; j++) {
            names[(*count)++] = graph->node[i]->output[j];
        }
    }
    return names;
}

void take_names(Import *import, size_t count, const char *const *names)
{
    for (size_t i = 0; i < count; i++) {
        name_table_set(&import->taken, import->arena, names[i], import);
    }
}

bool is_taken(Import *import, const char *name)
{
    if (import->taken.count == 0) {
        size_t count;
        const char **names = defined_names(import, import->model->proto->graph, &count);
        take_names(import, count, names);
    }
    return name_table_find(&import->taken, name);
}

const char *free_name(Import *import, const char *wanted)
{
    const char *name = wanted;
    while (is_taken(import, name)) { /* each number once: whatever the file's names are, their count bounds the tries */
        name = arena_printf(import->arena, "%s:%d", wanted, ++import->name_number);
    }
    take_names(import, 1, &name);
    return name;
}
