/* reference.c: the expected outputs against the reference evaluator's, over the graph as imported. */
#include "conformance.h"

void check_reference(const Case *test, Result *result)
{
    Graph *graph = test->graph;
    graph_verify(graph);
    Tensor *tensors = NEW_ARRAY(graph->arena, Tensor, graph->value_count);
    for (int i = 0; i < graph->input_count; i++) {
        const Value *value = graph->inputs[i];
        tensors[value->id] = tensor_from_data(graph->arena, &value->type, case_input(test, value->name));
    }
    evaluate_graph(graph, tensors);
    result->stage = STAGE_REFERENCE;
    for (int i = 0; i < graph->output_count; i++) {
        Tensor output = evaluated_tensor(graph, tensors, graph->outputs[i]);
        if (output.type.dtype != test->outputs[i].type.dtype) {
            snprintf(result->message, MESSAGE_BYTES, "output %d is %s", i, type_text(graph->arena, &output.type));
            return;
        }
        if (!same_contents(&output, &test->outputs[i], graph->arena, result->message))
            return;
    }
    result->stage = STAGE_PASSED;
}
