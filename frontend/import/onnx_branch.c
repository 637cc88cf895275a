/* onnx_branch.c: what the tensors of an If's branch are called: the branch's names behind a prefix that makes them
 * different from all others, and which the export finds again. */
#include "frontend/import/onnx_control.h"

const char *branch_place(Arena *arena, const char *outer, const char *output, const char *branch)
{
    return arena_printf(arena, "%s%s\n%s\n", outer, output, branch);
}

static const char *first_output(const NodeProto *node)
{
    for (size_t i = 0; i < node->n_output; i++) {
        if (*node->output[i]) {
            return node->output[i];
        }
    }
    return "";
}

/* ---- what a graph defines, without its subgraphs ---- */

static size_t count_names(const GraphProto *graph)
{
    size_t count = graph->n_initializer + graph->n_sparse_initializer;
    for (size_t i = 0; i < graph->n_node; i++) {
        count += graph->node[i]->n_output;
    }
    return count;
}

/* NULL or "" for what has no name. */
static const char **defined_names(Import *import, const GraphProto *graph)
{
    const char **names = NEW_ARRAY(import->arena, const char *, count_names(graph) + 1);
    size_t count = 0;
    for (size_t i = 0; i < graph->n_initializer; i++) {
        names[count++] = graph->initializer[i]->name;
    }
    for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
        const TensorProto *values = graph->sparse_initializer[i]->values;
        names[count++] = values ? values->name : NULL;
    }
    for (size_t i = 0; i < graph->n_node; i++) {
        for (size_t j = 0; j < graph->node[i]->n_output; j++) {
            names[count++] = graph->node[i]->output[j];
        }
    }
    return names;
}

/* The names behind the prefix; false when one of them is taken, or the prefix itself. */
static bool are_free(Import *import, const char *prefix, size_t count, const char *const *names, const char **behind)
{
    bool free = !name_table_find(&import->taken, prefix);
    for (size_t i = 0; free && i < count; i++) {
        behind[i] = arena_printf(import->arena, "%s%s", prefix, text_or_empty(names[i]));
        free = !name_table_find(&import->taken, behind[i]);
    }
    return free;
}

static void take(Import *import, size_t count, const char *const *names)
{
    for (size_t i = 0; i < count; i++) {
        name_table_set(&import->taken, import->arena, text_or_empty(names[i]), import);
    }
}

/* ---- the prefix ---- */

/* Several nodes may have one name, but no two of a graph an output of one name; and tensors may be called anything. */
static const char *candidate(const Control *control, int attempt)
{
    Arena *arena = control->import->arena;
    const char *node = control->origin.node, *output = first_output(control->node);
    return attempt == 0   ? arena_printf(arena, "%s/", node)
           : attempt == 1 ? arena_printf(arena, "%s:%s/", node, output)
                          : arena_printf(arena, "%s:%s:%d/", node, output, attempt);
}

static const char *free_prefix(const Control *control, const GraphProto *graph)
{
    Import *import = control->import;
    const GraphProto *whole = import->model->proto->graph;
    if (import->taken.count == 0) {
        take(import, count_names(whole), defined_names(import, whole));
    }
    const size_t count = count_names(graph);
    const char **names = defined_names(import, graph), **behind = NEW_ARRAY(import->arena, const char *, count + 1);
    int attempt = 0;
    while (!are_free(import, candidate(control, attempt), count, names, behind)) {
        attempt++;
    }
    const char *prefix = candidate(control, attempt);
    take(import, 1, &prefix);
    take(import, count, behind);
    return prefix;
}

/* What the branch stores goes back to its place. */
Body branch_body(const Control *control, const char *branch, const GraphProto *graph)
{
    OnnxModel *model = control->import->model;
    Body body = *control->body;
    if (body.repeated) {
        body.prefix = arena_printf(control->import->arena, "%s/", control->origin.node);
        return body;
    }
    body.prefix = free_prefix(control, graph);
    body.place = branch_place(model->arena, control->body->place, first_output(control->node), branch);
    name_table_set(&model->branches, model->arena, body.place, (void *)(uintptr_t)body.prefix);
    return body;
}
