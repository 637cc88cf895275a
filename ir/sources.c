/* sources.c: which input of the graph a value is computed from. */
#include "ir/ir.h"

const Value *feeding_input(const Graph *graph, const Value *value)
{
    enum { MOST_STEPS = 4096 }; /* a hint is not worth more, and a hostile graph may ask for many */
    const Value **stack = NULL;
    int depth = 0;
    APPEND(graph->arena, stack, depth, value);
    for (int step = 0; depth > 0 && step < MOST_STEPS; step++) {
        const Value *at = stack[--depth];
        if (at->kind == VALUE_INPUT)
            return at;
        for (int i = at->producer ? at->producer->input_count : 0; i-- > 0;)
            if (at->producer->inputs[i])
                APPEND(graph->arena, stack, depth, at->producer->inputs[i]);
    }
    return NULL;
}
