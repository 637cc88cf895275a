/* split.c: slices that tile an axis of one value become a Split, whose gradient is one Concat instead of a sum of
 * padded parts. This is how q, k and v come out of one projection. */
#include "passes/match.h"

typedef struct Part {
    Node *slice;
    int64_t start, end;
} Part;

enum { MAX_PARTS = 16 };

/* The range that a Slice takes of `axis` alone, in steps of 1. */
static bool single_range(Graph *graph, const Node *slice, int *axis, int64_t *start, int64_t *end)
{
    int count, axis_count, step_count;
    const int64_t *starts, *ends, *axes, *steps;
    if (!is_op(slice, "Slice") || !const_operand_ints(graph, slice, 1, &count, &starts) || count != 1 ||
        !const_operand_ints(graph, slice, 2, &count, &ends) ||
        !const_operand_ints(graph, slice, 3, &axis_count, &axes) ||
        (const_operand_ints(graph, slice, 4, &step_count, &steps) && steps[0] != 1))
        return false;
    const Type *type = &slice->inputs[0]->type;
    *axis = (int)(axes[0] < 0 ? axes[0] + type->rank : axes[0]);
    int64_t dim = type->dims[*axis];
    *start = starts[0] < 0 ? starts[0] + dim : starts[0];
    *start = *start < 0 ? 0 : *start > dim ? dim : *start;
    *end = *start + slice->outputs[0]->type.dims[*axis];
    return true;
}

static void insert_sorted(Part *parts, int *count, Part part)
{
    int at = (*count)++;
    for (; at > 0 && parts[at - 1].start > part.start; at--)
        parts[at] = parts[at - 1];
    parts[at] = part;
}

/* All slices of `value` along `axis`, by start; 0 when they do not tile it. */
static int collect_parts(Graph *graph, Node *const *users, const Value *value, int axis, Part parts[MAX_PARTS])
{
    int count = 0, other;
    Part part;
    for (; users && *users; users++) {
        part.slice = *users;
        if (single_range(graph, *users, &other, &part.start, &part.end) && other == axis && count < MAX_PARTS)
            insert_sorted(parts, &count, part);
    }
    int64_t covered = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].start != covered || parts[i].end <= covered)
            return 0;
        covered = parts[i].end;
    }
    return count > 1 && covered == value->type.dims[axis] ? count : 0;
}

static void replace_slices(Graph *graph, Node *first, Value *value, int axis, const Part *parts, int count)
{
    int64_t sizes[MAX_PARTS];
    for (int i = 0; i < count; i++)
        sizes[i] = parts[i].end - parts[i].start;
    graph->cursor = first;
    graph->origin = first->origin;
    Value *operands[] = {value, const_ints(graph, count, sizes)};
    Node *split = build_begin(graph, "Split", 2, operands, count);
    set_int(graph, split, "axis", axis);
    build_finish(graph, split);
    for (int i = 0; i < count; i++)
        substitute(graph, parts[i].slice->outputs[0], split->outputs[i]);
    graph->cursor = NULL;
}

/* One walk: values that it makes are for the next. */
static bool split_values(Graph *graph)
{
    const int known = graph->value_count;
    Node ***users = collect_users(graph);
    bool *done = NEW_ARRAY(graph->arena, bool, known), changed = false;
    for (Node *node = graph->first; node; node = node->next) {
        int axis;
        int64_t start, end;
        Part parts[MAX_PARTS];
        if (!single_range(graph, node, &axis, &start, &end) || node->inputs[0]->id >= known ||
            done[node->inputs[0]->id])
            continue;
        Value *value = node->inputs[0];
        int count = collect_parts(graph, users[value->id], value, axis, parts);
        done[value->id] = true;
        if (count > 0)
            replace_slices(graph, node, value, axis, parts, count);
        changed |= count > 0;
    }
    graph->origin = NO_ORIGIN;
    remove_dead_nodes(graph);
    return changed;
}

void split_slices(Graph *graph, const Options *options)
{
    (void)options;
    while (split_values(graph))
        ; /* each walk leaves fewer slices: parts of parts come after their wholes */
}
