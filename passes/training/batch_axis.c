/* batch_axis.c: where each value has its samples.
 *
 * Inputs come with the samples on their first axis, but a model may lay out what it computes differently: [T, N, C] as
 * recurrent networks do, or [T · N, C]. The place of the samples is followed through the graph by what the rows say of
 * their axes (ir/batch_place.h). */
#include "passes/training/batch_axis.h"

#include "passes/training/axis_names.h"

/* What operand i says of the place in an output. A row that does not say is taken to keep the axes of its first
 * operand: a loss has to find its samples somewhere, and the axis of the same extent is the best guess. */
static int64_t place_by_operand(const Node *node, int i, int output, int64_t outer, int64_t batch)
{
    const Type *from = &node->inputs[i]->type, *to = &node->outputs[output]->type;
    int64_t place = followed_place(node, i, output, outer, batch);
    Digit digit;
    bool guess = place == PLACE_UNKNOWN && !node->op->follow_axis && !node->op->follow_axis_to && i == 0 &&
                 from->rank == to->rank;
    return guess && find_digit(from, outer, batch, &digit) ? place_moved(from, outer, batch, to, digit.axis) : place;
}

/* Operands that agree, or of which only some can tell, decide. */
static int64_t place_in_output(const Node *node, int output, const int64_t *places, int64_t batch)
{
    int64_t found = PLACE_NONE;
    for (int i = 0; i < node->input_count; i++) {
        const Value *operand = node->inputs[i];
        int64_t place = operand ? places[operand->id] : PLACE_NONE;
        if (place > 0)
            place = place_by_operand(node, i, output, place, batch);
        if (found > 0 && place > 0 && place != found)
            return PLACE_UNKNOWN;
        if (found == PLACE_NONE || place > 0)
            found = place;
    }
    return found;
}

static void follow_node(const Node *node, int64_t *places, int64_t batch)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            places[node->outputs[i]->id] = place_in_output(node, i, places, batch);
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
