/* onnx_branch.c: what the tensors of an If's branch are called: the branch's names behind a prefix that makes them
 * different from all others, and which the export finds again. */
#include <string.h>

#include "frontend/import/onnx_control.h"

enum { MAX_PREFIXES = 16 }; /* that are tried: each takes all names of the branch */

/* With lengths, for any text may be a name. */
const char *branch_place(Arena *arena, const char *outer, const char *output, const char *branch)
{
    return arena_printf(arena, "%s%zu:%s%zu:%s", outer, strlen(output), output, strlen(branch), branch);
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

/* The names behind the prefix; false when one of them is taken, or the prefix itself. */
static bool are_free(Import *import, const char *prefix, size_t count, const char *const *names, const char **behind)
{
    bool free = !is_taken(import, prefix);
    for (size_t i = 0; free && i < count; i++) {
        behind[i] = arena_printf(import->arena, "%s%s", prefix, names[i]);
        free = !is_taken(import, behind[i]);
    }
    return free;
}

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
    size_t count;
    const char **names = defined_names(import, graph, &count);
    const char **behind = NEW_ARRAY(import->arena, const char *, count + 1);
    const char *prefix = candidate(control, 0);
    for (int i = 1; !are_free(import, prefix, count, names, behind); i++) {
        if (i == MAX_PREFIXES) {
            fatal(import->diagnostics, EXIT_STATUS_INPUT, control->origin,
                  "the graph stores tensors of the names that the branch's would have, up to those behind '%s'; give "
                  "the node another name",
                  prefix);
        }
        prefix = candidate(control, i);
    }
    take_names(import, 1, &prefix);
    take_names(import, count, behind);
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
