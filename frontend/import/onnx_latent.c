/* onnx_latent.c: weights that a file does not store as such. A single float in a Constant node, or what ConstantOfShape
 * makes, is a number of the computation until a weight's place reads it, directly or through nodes that only move it.
 */
#include <string.h>

#include "frontend/import/onnx_model.h"
#include "ir/schema.h"

static bool reads_weight(const Node *node, int i)
{
    const OperandRole role = operand_role(node->op, i);
    const bool weight = role == ROLE_WEIGHT || role == ROLE_TABLE || role == ROLE_SLOPE || role == ROLE_STATISTIC;
    return weight && node->inputs[i] && node->inputs[i]->kind == VALUE_CONST && node->inputs[i]->name;
}

static bool is_latent(const Import *import, const Value *value)
{
    return value->name && name_table_find(&import->latent, value->name) == value;
}

void mark_weights(Import *import, Node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        if (reads_weight(node, i) && is_latent(import, node->inputs[i])) {
            node->inputs[i]->kind = VALUE_PARAM;
        }
    }
}

/* Files without their weights, and some initializers, write a parameter so; a shape that is computed, from the input's
 * say, makes a mask or a zero state. */
void note_filling(Import *import, const Body *body, const Node *node, Value *result)
{
    if (strcmp(node->op->name, "ConstantOfShape") != 0 || body->repeated || !result || !result->name ||
        !is_float(result->type.dtype) || element_count(&result->type) == 0) {
        return;
    }
    const Value *shape = input(node, 0);
    if (shape->name && name_table_find(&import->stored_integers, shape->name) == shape) {
        name_table_set(&import->latent, import->arena, result->name, result);
    }
}

/* A node that has been folded, and the constant that it became. */
typedef struct FoldedView {
    const Node *node;
    Value *constant;
} FoldedView;

static FoldedView *folded_view(const Import *import, const Value *value)
{
    FoldedView *view = value->name ? name_table_find(&import->folded_views, value->name) : NULL;
    return view && view->constant == value ? view : NULL;
}

void note_folded_view(Import *import, const Body *body, const Node *node, Value *result)
{
    if (!node->op->rearranges || node->output_count != 1 || body->repeated || !result || !result->name) {
        return;
    }
    const Value *operand = input(node, 0);
    if (is_latent(import, operand) || folded_view(import, operand)) {
        FoldedView *view = NEW(import->arena, FoldedView);
        *view = (FoldedView){node, result};
        name_table_set(&import->folded_views, import->arena, result->name, view);
    }
}

/* The node again, at the cursor. */
static void unfold_view(Import *import, FoldedView *view, Forwarding *forwarding)
{
    Graph *graph = import->graph;
    graph->origin = view->node->origin;
    Node *node = node_create(graph, view->node->op, view->node->input_count, view->node->inputs, 1);
    copy_attrs(graph, node, view->node);
    infer_node(graph, node);
    node->outputs[0]->name = view->constant->name;
    view->constant->name = NULL; /* found no more */
    forward_value(forwarding, view->constant, node->outputs[0]);
}

/* A view of a view comes behind the one that it reads. */
static void unfold_weight(Import *import, const Value *weight, Forwarding *forwarding)
{
    FoldedView **views = NULL;
    int count = 0;
    for (FoldedView *v = folded_view(import, weight); v; v = folded_view(import, input(v->node, 0))) {
        APPEND(import->arena, views, count, v);
    }
    for (int i = count - 1; i >= 0; i--) {
        Value *operand = input(views[i]->node, 0);
        operand->kind = is_latent(import, operand) ? VALUE_PARAM : operand->kind;
        unfold_view(import, views[i], forwarding);
    }
}

void unfold_weights(Import *import)
{
    Graph *graph = import->graph;
    Forwarding forwarding = {.graph = graph};
    graph->cursor = graph->first; /* what a view reads is stored */
    for (Node *node = graph->first; node; node = node->next) {
        for (int i = 0; i < node->input_count; i++) {
            if (reads_weight(node, i) && operand_role(node->op, i) != ROLE_STATISTIC) {
                unfold_weight(import, node->inputs[i], &forwarding);
            }
        }
    }
    graph->cursor = NULL;
    forward_all(&forwarding);
}
