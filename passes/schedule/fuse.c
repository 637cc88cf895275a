/* fuse.c: elementwise nodes become loops, and loops over a product become its epilogue.
 *
 * A group is a set of elementwise nodes over the same dims, perhaps led by one MatMul or convolution of those dims.
 * Nodes join in topological order; a join is legal when the contracted graph stays acyclic, that is, when no path
 * leaves the group and comes back to the newcomer. Each group becomes one Fused node, or the body of its leader.
 *
 * A Cast that widens for one elementwise node alone (pass widen-at-readers) is a load of that node: it goes where the
 * node goes, and what the node depends on is what the Cast reads. */
#include <string.h>

#include "passes/match.h"

enum { MAX_GROUP_NODES = 48, MAX_GROUP_INPUTS = 20 }; /* nodes: see PCC_WATCHED_NODES of numerics.h */
/* Nodes that one search may look at: a group that is farther away than this is out of every cache anyway. */
enum { MAX_SEARCHED_NODES = 512 };

typedef struct Group {
    Node *leader;    /* the product, or NULL */
    Type loop;       /* its dims are the loop's */
    int first, last; /* positions of the earliest and the latest member */
    int size;
    Node **members; /* in topological order, without the leader */
} Group;

typedef struct Fusion {
    Graph *graph;
    const Target *target;
    bool merges_clones; /* two results of one loop live together: not where memory is all that counts */
    Node ***users;
    bool *is_result;  /* by value id: an output, gradient, ... of the graph */
    int *position;    /* by node id */
    Group **group_of; /* by node id, NULL: none */
    int *span_first;  /* by position: where the earliest group starts whose members span it; else the position */
    bool *is_load;    /* by node id */
    int *visited;     /* by node id: the search that last saw it */
    int search;
    const Node **pending; /* the list of the search: each node at most once */
    int pending_count;
} Fusion;

/* A Reshape to the same dims: pass `recompute` puts one before what clones read, as producer_of() does not look through
 * it and so no clone joins the loop that made its operand. */
static bool keeps_clones_apart(const Node *node)
{
    return node && node->op->kind == OP_VIEW && strcmp(node->op->name, "Reshape") == 0 && node->inputs[0] &&
           same_dims(&node->inputs[0]->type, &node->outputs[0]->type);
}

/* Operand i of `node`, or what its load reads. */
static const Value *read_by(const Fusion *f, const Node *node, int i)
{
    const Value *value = node->inputs[i];
    return value && value->producer && f->is_load[value->producer->id] ? value->producer->inputs[0] : value;
}

static Node *producer_of(const Fusion *f, const Node *node, int i)
{
    const Value *value = read_by(f, node, i);
    return value ? value->producer : NULL;
}

static void visit(Fusion *f, const Node *node)
{
    if (f->visited[node->id] == f->search)
        return;
    f->visited[node->id] = f->search;
    f->pending[f->pending_count++] = node;
}

/* Puts what `node` reads from outside `except` on the list of the search. */
static void visit_producers(Fusion *f, const Node *node, const Group *except)
{
    for (int i = 0; i < node->input_count; i++) {
        const Node *producer = producer_of(f, node, i);
        if (producer && (!except || f->group_of[producer->id] != except))
            visit(f, producer);
    }
}

/* The position before which nothing depends on a member of `target`, be it through a group that reaches across. */
static int search_floor(const Fusion *f, const Group *target)
{
    int at = target->first;
    while (f->span_first[at] < at)
        at = f->span_first[at];
    return at;
}

/* Does anything on the list depend on a member of `target`, or may it, as far as the search goes? The nodes of a group
 * run together, so a path may enter a group at one member and leave it at any other. */
static bool search_reaches(Fusion *f, const Group *target)
{
    const int floor = search_floor(f, target);
    for (int searched = 0; f->pending_count > 0; searched++) {
        const Node *node = f->pending[--f->pending_count];
        const Group *own = f->group_of[node->id];
        if (own == target || searched == MAX_SEARCHED_NODES) {
            f->pending_count = 0;
            return true;
        }
        if (f->position[node->id] < floor)
            continue;
        if (!own) {
            visit_producers(f, node, NULL);
            continue;
        }
        if (own->leader)
            visit_producers(f, own->leader, own);
        for (int m = 0; m < own->size; m++)
            visit_producers(f, own->members[m], own);
    }
    return false;
}

/* Would a path leave `group` and come back through another input of `node`? */
static bool returns_through(Fusion *f, const Node *node, const Group *group)
{
    f->search++;
    visit_producers(f, node, group);
    return search_reaches(f, group);
}

/* Operands that `node` reads from outside the group. */
static int count_node_inputs(const Fusion *f, const Group *group, const Node *node)
{
    int count = 0;
    for (int i = 0; i < node->input_count; i++) {
        const Node *producer = producer_of(f, node, i);
        count += node->inputs[i] && !(producer && f->group_of[producer->id] == group);
    }
    return count;
}

static int count_inputs(const Fusion *f, const Group *group)
{
    int count = 0;
    for (int m = 0; m < group->size; m++)
        if (!f->is_load[group->members[m]->id]) /* its reader counts what it loads */
            count += count_node_inputs(f, group, group->members[m]);
    return count;
}

static int count_loads(const Fusion *f, const Node *node)
{
    int count = 0;
    for (int i = 0; i < node->input_count; i++)
        count += node->inputs[i] && node->inputs[i]->producer && f->is_load[node->inputs[i]->producer->id];
    return count;
}

static bool may_join(Fusion *f, const Node *node, const Group *group)
{
    if (group->size + 1 + count_loads(f, node) > MAX_GROUP_NODES || !same_dims(&group->loop, &node->outputs[0]->type) ||
        count_inputs(f, group) + count_node_inputs(f, group, node) > MAX_GROUP_INPUTS)
        return false;
    return !returns_through(f, node, group);
}

static void add_member(Fusion *f, Node *node, Group *group)
{
    group->members[group->size++] = node;
    f->group_of[node->id] = group;
    if (f->position[node->id] < group->first)
        group->first = f->position[node->id];
    if (f->position[node->id] > group->last)
        group->last = f->position[node->id];
    for (int at = group->first + 1; at <= group->last; at++)
        if (f->span_first[at] > group->first)
            f->span_first[at] = group->first;
}

/* With its loads. */
static void join(Fusion *f, Node *node, Group *group)
{
    for (int i = 0; i < node->input_count; i++) {
        Node *load = node->inputs[i] ? node->inputs[i]->producer : NULL;
        if (load && f->is_load[load->id])
            add_member(f, load, group);
    }
    add_member(f, node, group);
}

static Group *new_group(Fusion *f, Node *leader, Node *first)
{
    Group *group = NEW(f->graph->arena, Group);
    group->members = NEW_ARRAY(f->graph->arena, Node *, MAX_GROUP_NODES);
    Node *node = leader ? leader : first;
    group->leader = leader;
    group->loop = node->outputs[0]->type;
    group->first = group->last = f->position[node->id];
    if (leader)
        f->group_of[leader->id] = group;
    else
        join(f, first, group);
    return group;
}

/* The group that `node` joins: a product's before a loop's, the latest first (its data are still in cache). */
static Group *choose_group(Fusion *f, const Node *node)
{
    Group *best = NULL;
    for (int i = 0; i < node->input_count; i++) {
        const Node *producer = producer_of(f, node, i);
        Group *group = producer ? f->group_of[producer->id] : NULL;
        if (!group || group == best || !may_join(f, node, group))
            continue;
        bool better = !best || (group->leader != NULL) > (best->leader != NULL) ||
                      ((group->leader != NULL) == (best->leader != NULL) && group->first > best->first);
        if (better)
            best = group;
    }
    return best;
}

/* Does `later` depend on `earlier` through nodes of neither, or does its product read what `earlier` makes? */
static bool depends_around(Fusion *f, const Group *later, const Group *earlier)
{
    f->search++;
    for (int m = 0; m < later->size + (later->leader != NULL); m++) {
        const Node *member = m < later->size ? later->members[m] : later->leader;
        for (int i = 0; i < member->input_count; i++) {
            const Node *producer = producer_of(f, member, i);
            if (producer && member == later->leader && f->group_of[producer->id] == earlier) {
                f->pending_count = 0;
                return true;
            }
            if (producer && f->group_of[producer->id] != later && f->group_of[producer->id] != earlier)
                visit(f, producer);
        }
    }
    return search_reaches(f, earlier);
}

/* Takes the loop `other` into `group`, where both fit and neither waits for the other through further nodes. */
static void merge_loop(Fusion *f, Group *group, const Group *other)
{
    if (!other || other == group || other->leader || !same_dims(&other->loop, &group->loop) ||
        other->size + group->size > MAX_GROUP_NODES ||
        count_inputs(f, other) + count_inputs(f, group) > MAX_GROUP_INPUTS || depends_around(f, other, group) ||
        depends_around(f, group, other))
        return;
    for (int m = 0; m < other->size; m++)
        add_member(f, other->members[m], group);
}

/* Takes in another loop over the same dims whose values `node`, a member, reads. */
static void merge_loops(Fusion *f, Node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        const Node *producer = producer_of(f, node, i);
        if (producer)
            merge_loop(f, f->group_of[node->id], f->group_of[producer->id]);
    }
}

/* Takes in the loops of pass `recompute` that make something of what `node`, a member, reads. */
static void merge_clones(Fusion *f, Node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        const Value *read = read_by(f, node, i);
        for (Node **user = read ? f->users[read->id] : NULL; user && *user; user++)
            for (Node **clone = keeps_clones_apart(*user) ? f->users[(*user)->outputs[0]->id] : NULL; clone && *clone;
                 clone++)
                merge_loop(f, f->group_of[node->id], f->group_of[(*clone)->id]);
    }
}

static int by_position(const Fusion *f, const Node *a, const Node *b)
{
    return f->position[a->id] - f->position[b->id];
}

static void sort_members(const Fusion *f, Group *group)
{
    for (int i = 1; i < group->size; i++)
        for (int j = i; j > 0 && by_position(f, group->members[j - 1], group->members[j]) > 0; j--) {
            Node *swapped = group->members[j];
            group->members[j] = group->members[j - 1];
            group->members[j - 1] = swapped;
        }
}

static bool leaves_group(const Fusion *f, const Group *group, const Value *value)
{
    if (f->is_result[value->id])
        return true;
    for (Node **user = f->users[value->id]; user && *user; user++)
        if (f->group_of[(*user)->id] != group)
            return true;
    return false;
}

/* What a loop loads for `value`: for a clone and its neighbours the same. */
static Value *loaded_value(Value *value)
{
    return keeps_clones_apart(value->producer) ? value->producer->inputs[0] : value;
}

/* The value inside the body that stands for `value`: a member's result, a literal, or a further input. */
static Value *body_value(Graph *body, Value **map, Value *value, Value **operands, int *operand_count)
{
    if (!value)
        return NULL;
    value = loaded_value(value);
    if (map[value->id])
        return map[value->id];
    if (value->kind == VALUE_CONST && value->type.rank == 0)
        return map[value->id] = const_create(body, value->type, value->data, NULL);
    Value *inside = value_create(body, VALUE_INPUT, value->type, NULL);
    graph_add_input(body, inside);
    operands[(*operand_count)++] = value;
    return map[value->id] = inside;
}

/* The result of an earlier load of the same value. */
static Value *loaded_before(const Graph *body, const Value *value)
{
    for (const Node *node = body->first; node; node = node->next)
        if (widens(node) && node->inputs[0] == value)
            return node->outputs[0];
    return NULL;
}

static void clone_member(Graph *body, Value **map, Node *member, Value **operands, int *operand_count)
{
    Value *inputs[MAX_GROUP_INPUTS + 1];
    for (int i = 0; i < member->input_count; i++)
        inputs[i] = body_value(body, map, member->inputs[i], operands, operand_count);
    Value *loaded = widens(member) ? loaded_before(body, inputs[0]) : NULL;
    if (loaded) {
        map[member->outputs[0]->id] = loaded;
        return;
    }
    body->origin = member->origin;
    Node *copy = node_create(body, member->op, member->input_count, inputs, 1);
    copy_attrs(body, copy, member);
    copy->outputs[0]->type = member->outputs[0]->type;
    copy->outputs[0]->name = member->outputs[0]->name;
    map[member->outputs[0]->id] = copy->outputs[0];
}

/* Cleared for the next group. */
static void clear_map(const Group *group, Value **map)
{
    if (group->leader)
        map[group->leader->outputs[0]->id] = NULL;
    for (int m = 0; m < group->size; m++) {
        const Node *member = group->members[m];
        map[member->outputs[0]->id] = NULL;
        for (int i = 0; i < member->input_count; i++)
            if (member->inputs[i])
                map[member->inputs[i]->id] = map[loaded_value(member->inputs[i])->id] = NULL;
    }
}

/* map: by value id, all NULL. */
static void replace_group(Fusion *f, Group *group, Value **map)
{
    Graph *graph = f->graph, *body = graph_create(graph->arena, graph->diagnostics, "body");
    Value *operands[2 * MAX_GROUP_INPUTS + 4], *results[MAX_GROUP_NODES + 1];
    int operand_count = 0, result_count = 0;
    if (group->leader) {
        Value *product = group->leader->outputs[0];
        operands[operand_count++] = group->leader->inputs[0];
        operands[operand_count++] = group->leader->inputs[1];
        map[product->id] = value_create(body, VALUE_INPUT, product->type, NULL);
        graph_add_input(body, map[product->id]);
    }
    for (int m = 0; m < group->size; m++)
        clone_member(body, map, group->members[m], operands, &operand_count);
    for (int m = group->leader ? -1 : 0; m < group->size; m++) {
        Value *value = (m < 0 ? group->leader : group->members[m])->outputs[0];
        if (!leaves_group(f, group, value))
            continue;
        graph_add_output(body, map[value->id]);
        results[result_count++] = value;
    }
    clear_map(group, map);
    Node *last = group->members[group->size - 1];
    graph->cursor = last;
    graph->origin = group->leader ? group->leader->origin : last->origin;
    const Op *op = group->leader ? group->leader->op : find_op("Fused", 5);
    Node *fused = node_create(graph, op, operand_count, operands, result_count);
    if (group->leader)
        copy_attrs(graph, fused, group->leader);
    fused->body = body;
    for (int i = 0; i < result_count; i++) {
        Node *old = results[i]->producer;
        old->outputs[0] = NULL;
        graph->values[fused->outputs[i]->id] = NULL;
        fused->outputs[i] = results[i];
        results[i]->producer = fused;
    }
    graph->cursor = NULL;
}

static void remove_members(Fusion *f, Group *group)
{
    for (int m = group->size - 1; m >= 0; m--)
        node_remove(f->graph, group->members[m]);
    if (group->leader)
        node_remove(f->graph, group->leader);
}

static void assign_groups(Fusion *f, Group **groups, int *group_count)
{
    for (Node *node = f->graph->first; node; node = node->next) {
        if (stores_through_epilogue(f->target, node)) {
            groups[(*group_count)++] = new_group(f, node, NULL);
        } else if (node->op->kind == OP_ELEMENTWISE && !f->is_load[node->id]) {
            Group *group = choose_group(f, node);
            if (group)
                join(f, node, group);
            else
                groups[(*group_count)++] = new_group(f, NULL, node);
            merge_loops(f, node);
            if (f->merges_clones)
                merge_clones(f, node);
        }
    }
}

static void mark_loads(Fusion *f)
{
    for (const Node *node = f->graph->first; node; node = node->next) {
        if (!widens(node) || f->is_result[node->outputs[0]->id])
            continue;
        Node **readers = f->users[node->outputs[0]->id];
        const Node *reader = readers && readers[0] && !readers[1] ? readers[0] : NULL;
        f->is_load[node->id] = reader && reader->op->kind == OP_ELEMENTWISE &&
                               same_dims(&node->outputs[0]->type, &reader->outputs[0]->type);
    }
}

void fuse(Graph *graph, const Options *options)
{
    Fusion f = {.graph = graph,
                .target = options->target,
                .merges_clones = options->recompute != RECOMPUTE_ALL,
                .users = collect_users(graph),
                .is_result = NEW_ARRAY(graph->arena, bool, graph->value_count + 1)};
    mark_graph_results(graph, f.is_result);
    int node_ids = graph->node_count;
    f.position = NEW_ARRAY(graph->arena, int, node_ids + 1);
    f.group_of = NEW_ARRAY(graph->arena, Group *, node_ids + 1);
    f.is_load = NEW_ARRAY(graph->arena, bool, node_ids + 1);
    mark_loads(&f);
    f.visited = NEW_ARRAY(graph->arena, int, node_ids + 1);
    f.pending = NEW_ARRAY(graph->arena, const Node *, node_ids + 1);
    Group **groups = NEW_ARRAY(graph->arena, Group *, node_ids + 1);
    int group_count = 0, count = 0;
    f.span_first = NEW_ARRAY(graph->arena, int, node_ids + 1);
    for (Node *node = graph->first; node; node = node->next, count++)
        f.position[node->id] = f.span_first[count] = count;
    assign_groups(&f, groups, &group_count);

    const int value_ids = graph->value_count; /* fusion makes no value that another group reads */
    Value **map = NEW_ARRAY(graph->arena, Value *, value_ids + 1);
    for (int i = 0; i < group_count; i++) {
        Group *group = groups[i];
        bool emptied = group->size > 0 && f.group_of[group->members[0]->id] != group;
        if (group->size == 0 || emptied)
            continue;
        sort_members(&f, group);
        replace_group(&f, group, map);
        remove_members(&f, group);
    }
    graph->origin = NO_ORIGIN;
    remove_dead_nodes(graph); /* what kept clones apart */
    schedule(graph, options);
}
