/* onnx_moved.c: quantised weights that reach DequantizeLinear through nodes that only move them: a table that is looked
 * up in integers, a matrix that is stored transposed. In training the floats are moved instead, behind
 * DequantizeLinear. */
#include <string.h>

#include "frontend/import/onnx_quantised.h"

enum { MOST_MOVES = 16 };

struct MovedIntegers {
    const Node *node; /* which may have been folded */
    Value *value;     /* what it makes */
    QuantisedWeight *weight;
    const MovedIntegers *from; /* what it reads; NULL: the integers as stored */
    int moves;
};

bool is_mover(const Node *node)
{
    return node->output_count == 1 && (node->op->rearranges || strcmp(node->op->name, "Gather") == 0);
}

MovedIntegers *moved_integers(const Import *import, const Value *value)
{
    return value && value->id < import->moved_capacity ? import->moved_by_id[value->id] : NULL;
}

QuantisedWeight *weight_of(const MovedIntegers *moved)
{
    return moved ? moved->weight : NULL;
}

static void add_moved(Import *import, MovedIntegers *moved)
{
    const int id = moved->value->id;
    if (id >= import->moved_capacity) {
        MovedIntegers **larger = NEW_ARRAY(import->arena, MovedIntegers *, 2 * (id + 1));
        for (int i = 0; i < import->moved_capacity; i++) {
            larger[i] = import->moved_by_id[i];
        }
        import->moved_by_id = larger;
        import->moved_capacity = 2 * (id + 1);
    }
    import->moved_by_id[id] = moved;
    APPEND(import->arena, import->moved, import->moved_count, moved);
}

void note_moved_integers(Import *import, const Node *node, Value *result)
{
    if (!is_mover(node)) {
        return;
    }
    const MovedIntegers *from = moved_integers(import, input(node, 0));
    QuantisedWeight *weight = from ? from->weight : stored_weight(import, input(node, 0));
    const int moves = from ? from->moves + 1 : 1;
    if (weight && (!result || moves > MOST_MOVES)) {
        note_other_reader(weight, node->origin);
    } else if (weight) {
        MovedIntegers *moved = NEW(import->arena, MovedIntegers);
        *moved = (MovedIntegers){node, result, weight, from, moves};
        add_moved(import, moved);
    }
}

/* ---- the grid ---- */

/* Where the node puts the operand's axis; -1: nowhere as a whole. */
static int moved_axis(const Node *node, int axis)
{
    const Type *x = &node->inputs[0]->type, *y = &node->outputs[0]->type;
    if (node->op->follow_axis) {
        return node->op->follow_axis(node, 0, axis);
    }
    for (int i = 0; node->op->keeps_order && i < y->rank; i++) {
        if (y->dims[i] == x->dims[axis] && dims_product(y, 0, i) == dims_product(x, 0, axis)) {
            return i;
        }
    }
    return -1;
}

/* The operand's axis of which the node makes this one, position by position; -1: there is none. */
static int source_axis(const Node *node, int axis)
{
    const Type *x = &node->inputs[0]->type, *y = &node->outputs[0]->type;
    for (int i = 0; i < x->rank; i++) {
        if (x->dims[i] == y->dims[axis] && moved_axis(node, i) == axis) {
            return i;
        }
    }
    return -1;
}

bool trace_reading(const MovedIntegers *moved, Reading *reading)
{
    const Type *integers = &moved->weight->integers->type;
    const int rank = reading->type.rank;
    int axis = (int)(reading->axis < 0 ? reading->axis + rank : reading->axis);
    const bool is_one =
        element_count(&reading->scale->type) == 1 && (!reading->zero || element_count(&reading->zero->type) == 1);
    reading->moved = moved;
    reading->type = make_type(reading->type.dtype, integers->rank, integers->dims);
    if (is_one) {
        reading->axis = reading->block = 0;
        return true;
    }
    for (; moved && axis >= 0; moved = moved->from) {
        axis = source_axis(moved->node, axis);
    }
    reading->axis = axis;
    return axis >= 0 && reading->block == 0;
}

/* ---- after all nodes ---- */

void note_moved_results(Import *import, const bool *is_result)
{
    for (int i = 0; i < import->moved_count; i++) {
        if (is_result[import->moved[i]->value->id]) {
            note_other_reader(import->moved[i]->weight, import->moved[i]->node->origin);
        }
    }
}

/* The node again, at the cursor, of floats. */
static Value *move_again(Graph *graph, const Node *node, Value *floats)
{
    Value **operands = NEW_ARRAY(graph->arena, Value *, node->input_count);
    memcpy(operands, node->inputs, (size_t)node->input_count * sizeof *operands);
    operands[0] = floats;
    graph->origin = node->origin;
    Node *again = build_begin(graph, node->op->name, node->input_count, operands, 1);
    copy_attrs(graph, again, node);
    return build_finish(graph, again);
}

Value *move_floats(Graph *graph, const Reading *reading, Value *floats)
{
    const MovedIntegers *path[MOST_MOVES];
    int count = 0;
    for (const MovedIntegers *moved = reading->moved; moved; moved = moved->from) {
        path[count++] = moved;
    }
    while (count > 0) {
        floats = move_again(graph, path[--count]->node, floats);
    }
    return floats;
}
