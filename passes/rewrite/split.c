/* split.c: Slices that partition an axis of one value become one Split, whose gradient is one Concat instead of a sum
 * of padded parts: q, k and v of one projection, for example. */
#include "ir/ops/shared/geometry.h"
#include "passes/match.h"

typedef struct Part {
    Node *slice;
    int64_t start, end;
} Part;

enum { MAX_PARTS = 16 };

/* The range that a Slice takes of one axis alone, in steps of 1. */
static bool single_range(const Node *slice, int *axis, int64_t *start, int64_t *end)
{
    SliceWindow windows[MAX_RANK];
    if (!is_op(slice, "Slice") || element_count(&slice->inputs[1]->type) != 1 || !input(slice, 3) ||
        !slice_windows(slice, windows))
        return false;
    *axis = (int)const_int_at(slice->inputs[3], 0);
    *axis += *axis < 0 ? slice->inputs[0]->type.rank : 0;
    *start = windows[*axis].start;
    *end = *start + windows[*axis].count;
    return windows[*axis].step == 1;
}

static void insert_sorted(Part *parts, int *count, Part part)
{
    int at = (*count)++;
    for (; at > 0 && parts[at - 1].start > part.start; at--)
        parts[at] = parts[at - 1];
    parts[at] = part;
}

/* All slices of `value` along `axis`, by start; 0 when they do not partition it. */
static int collect_parts(Node *const *users, const Value *value, int axis, Part parts[MAX_PARTS])
{
    int count = 0, other;
    Part part;
    for (; users && *users; users++) {
        part.slice = *users;
        if (single_range(*users, &other, &part.start, &part.end) && other == axis && count < MAX_PARTS)
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

/* One walk over the nodes; the slices of values that it makes are left to the next walk. */
static bool split_values(Graph *graph)
{
    const int known = graph->value_count;
    Node ***users = collect_users(graph);
    bool *done = NEW_ARRAY(graph->arena, bool, known), changed = false;
    for (Node *node = graph->first; node; node = node->next) {
        int axis;
        int64_t start, end;
        Part parts[MAX_PARTS];
        if (!single_range(node, &axis, &start, &end) || node->inputs[0]->id >= known || done[node->inputs[0]->id])
            continue;
        Value *value = node->inputs[0];
        int count = collect_parts(users[value->id], value, axis, parts);
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
