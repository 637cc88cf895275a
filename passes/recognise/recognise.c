/* recognise.c: fuses what exporters decomposed back into one operator, which has a precision class, a gradient and a
 * kernel of its own. */
#include "passes/match.h"

typedef bool Recogniser(Matcher *m, Node *node);

/* Larger patterns first. */
static Recogniser *const recognisers[] = {recognise_attention, recognise_layer_norm, recognise_rms_norm,
                                          recognise_gelu,      recognise_swish,      recognise_dropout};

/* Before pass `trainable`, which must not take running statistics for parameters. */
void recognise_statistics(Graph *graph, const Options *options)
{
    (void)options;
    Matcher m = {graph, count_uses(graph), graph->value_count};
    for (Node *node = graph->first; node; node = node->next)
        recognise_batch_norm(&m, node);
}

void recognise(Graph *graph, const Options *options)
{
    (void)options;
    for (size_t i = 0; i < sizeof(recognisers) / sizeof(*recognisers); i++) {
        Matcher m = {graph, count_uses(graph), graph->value_count};
        for (Node *node = graph->first, *next; node; node = next) {
            next = node->next;
            graph->cursor = node;
            graph->origin = node->origin;
            if (recognisers[i](&m, node))
                m = (Matcher){graph, count_uses(graph), graph->value_count};
        }
        graph->cursor = NULL;
        remove_dead_nodes(graph);
    }
    graph->origin = NO_ORIGIN;
}
