/* onnx_needed.c: what of a graph its results need.
 *
 * Files hold more than training reads: a label beside the logits, indices of a pool that nobody uses, tables of
 * strings. Nodes and initializers that nothing needed depends on are not imported, whatever they are. */
#include "frontend/import/onnx_model.h"

static char present; /* what the tables of names map to */

void need(Import *import, NameTable *needed, const char *name)
{
    if (name && *name) {
        name_table_set(needed, import->arena, name, &present);
    }
}

bool is_needed(const NameTable *needed, const char *name)
{
    return name && name_table_find(needed, name);
}

bool node_is_needed(const NameTable *needed, const NodeProto *node)
{
    for (size_t i = 0; i < node->n_output; i++) {
        if (is_needed(needed, node->output[i])) {
            return true;
        }
    }
    return false;
}

static void need_graph(Import *import, NameTable *needed, const GraphProto *graph);

/* What a node reads: its inputs, and what its subgraphs take from outside. Names are unique, so that those which a
 * subgraph defines itself do no harm. */
void need_operands(Import *import, NameTable *needed, const NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; i++) {
        need(import, needed, node->input[i]);
    }
    for (size_t i = 0; i < node->n_attribute; i++) {
        if (node->attribute[i]->g) {
            need_graph(import, needed, node->attribute[i]->g);
        }
    }
}

/* As deep as the file nests, which wire_scan() bounds. */
static void need_graph(Import *import, NameTable *needed, const GraphProto *graph)
{
    for (size_t i = 0; i < graph->n_node; i++) {
        need_operands(import, needed, graph->node[i]);
    }
    for (size_t i = 0; i < graph->n_output; i++) {
        need(import, needed, graph->output[i]->name);
    }
}

void need_nodes(Import *import, NameTable *needed, size_t count, NodeProto *const *nodes)
{
    for (size_t i = count; i-- > 0;) {
        if (node_is_needed(needed, nodes[i])) {
            need_operands(import, needed, nodes[i]);
        }
    }
}
