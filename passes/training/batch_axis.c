/* batch_axis.c: where each value has its samples.
 *
 * Inputs come with the samples on their first axis, but a model may lay out what it computes differently: [T, N, C] as
 * recurrent networks do, or [T · N, C]. The place of the samples is followed through the graph by what the rows say of
 * their axes (Op.keeps_order, Op.follow_axis). */
#include <string.h>

#include "passes/training/batch_axis.h"

int64_t place_on_axis(const Type *type, int axis)
{
    return dims_product(type, 0, axis);
}

bool find_digit(const Type *type, int64_t outer, int64_t batch, Digit *digit)
{
    int64_t before = 1;
    for (int axis = 0; axis < type->rank; axis++) {
        int64_t dim = type->dims[axis];
        if (before > 0 && outer % before == 0 && dim > 0 && dim % (outer / before) == 0 &&
            dim / (outer / before) % batch == 0) {
            *digit = (Digit){axis, outer / before, dim / (outer / before) / batch};
            return true;
        }
        before *= dim;
    }
    return false;
}

/* ---- following -----------------------------------------------------------------------------------------------------
 */

/* The axis of output 0 that an axis of operand i becomes, for rows that do not say: elementwise ones broadcast, and
 * others are taken to keep the axes of their first operand, and of those of the result's dims. */
static int followed_axis(const Node *node, int i, int axis)
{
    const Type *from = &node->inputs[i]->type, *to = &node->outputs[0]->type;
    if (node->op->follow_axis)
        return node->op->follow_axis(node, i, axis);
    if (node->op->kind == OP_ELEMENTWISE)
        return axis + to->rank - from->rank;
    return (i == 0 && from->rank == to->rank) || same_dims(from, to) ? axis : -1;
}

/* What operand i says of the place in output 0. */
static int64_t place_by_operand(const Node *node, int i, int64_t outer, int64_t batch)
{
    const Type *from = &node->inputs[i]->type, *to = &node->outputs[0]->type;
    Digit digit;
    if (i == 0 && node->op->keeps_order && element_count(from) == element_count(to))
        return outer;
    if (!find_digit(from, outer, batch, &digit))
        return PLACE_UNKNOWN;
    int axis = followed_axis(node, i, digit.axis);
    if (axis < 0 || axis >= to->rank || to->dims[axis] != from->dims[digit.axis])
        return PLACE_UNKNOWN;
    return place_on_axis(to, axis) * digit.major;
}

/* Operands that agree, or of which only some can tell, decide. */
static int64_t place_in_output(const Node *node, const int64_t *places, int64_t batch)
{
    int64_t found = PLACE_NONE;
    for (int i = 0; i < node->input_count; i++) {
        const Value *operand = node->inputs[i];
        int64_t place = operand ? places[operand->id] : PLACE_NONE;
        if (place > 0)
            place = place_by_operand(node, i, place, batch);
        if (found > 0 && place > 0 && place != found)
            return PLACE_UNKNOWN;
        if (found == PLACE_NONE || place > 0)
            found = place;
    }
    return found;
}

static void follow_node(const Node *node, int64_t *places, int64_t batch)
{
    if (!node->outputs[0])
        return;
    int64_t place = place_in_output(node, places, batch);
    for (int i = 0; i < node->output_count; i++) {
        const Value *output = node->outputs[i];
        if (output)
            places[output->id] =
                place > 0 && !same_dims(&output->type, &node->outputs[0]->type) ? PLACE_UNKNOWN : place;
    }
}

const int64_t *follow_batch(const Graph *graph, int64_t batch)
{
    int64_t *places = NEW_ARRAY(graph->arena, int64_t, graph->value_count + 1);
    for (int i = 0; i < graph->input_count; i++) {
        const Value *value = graph->inputs[i];
        int axis = input_batch_axis(graph, value, batch);
        if (axis >= 0)
            places[value->id] = place_on_axis(&value->type, axis);
    }
    if (graph->target)
        places[graph->target->id] = 1;
    for (const Node *node = graph->first; node; node = node->next)
        follow_node(node, places, batch);
    return places;
}
