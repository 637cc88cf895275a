/* onnx_fold.c: evaluating at compile time what does not depend on data: shape arithmetic, constant tables. */
#include "frontend/import/onnx_model.h"

/* Larger results stay computed: a program that holds them would be larger than the computation. What cannot be computed
 * later, such as the zeros that an embedding starts from, may be larger. */
static const int64_t max_folded_bytes = (int64_t)64 << 20;
enum {
    MAX_STATIC_CHAIN = 64, /* nodes between an initializer and the static operand computed from it */
    MAX_STATIC_NODES = 256 /* all the nodes that it is computed from */
};

static bool is_constant(const Value *value)
{
    return value->kind == VALUE_CONST && value->data;
}

static bool may_hold(const Op *op, const Type *type)
{
    return type_bytes(type) <= max_folded_bytes || (op->kind == OP_STATIC && element_count(type) <= MAX_LARGE_ELEMENTS);
}

/* Shape-like rows (OP_STATIC) need only the types of the operands that are not static. */
bool can_fold(const Node *node)
{
    if (node->op->is_random) {
        return false;
    }
    for (int i = 0; i < node->input_count; i++) {
        bool only_type = node->op->kind == OP_STATIC && !operand_is_static(node->op, i);
        if (node->inputs[i] && !is_constant(node->inputs[i]) && !only_type) {
            return false;
        }
    }
    for (int i = 0; i < node->output_count; i++) {
        if (node->outputs[i] && !may_hold(node->op, &node->outputs[i]->type)) {
            return false;
        }
    }
    return true;
}

static void evaluate_outputs(Graph *graph, const Node *node, Value **constants)
{
    Tensor *inputs = NEW_ARRAY(graph->arena, Tensor, node->input_count);
    Tensor *outputs = NEW_ARRAY(graph->arena, Tensor, node->output_count);
    for (int i = 0; i < node->input_count; i++) {
        const Value *operand = node->inputs[i];
        if (operand && operand->data) {
            inputs[i] = tensor_from_data(graph->arena, &operand->type, operand->data);
        } else if (operand) {
            inputs[i].type = operand->type;
        }
    }
    evaluate_node(graph, node, inputs, outputs);
    for (int i = 0; i < node->output_count; i++) {
        const Value *output = node->outputs[i];
        constants[i] =
            !output ? NULL : const_create(graph, output->type, tensor_to_data(graph->arena, &outputs[i]), output->name);
    }
}

/* Counts large results against what the whole import may hold of them; false when that is spent. */
static bool spend_elements(Import *import, const Node *node)
{
    for (int i = 0; i < node->output_count; i++) {
        const Value *output = node->outputs[i];
        if (output && type_bytes(&output->type) > max_folded_bytes) {
            import->large_elements += element_count(&output->type);
        }
    }
    return import->large_elements <= MAX_LARGE_ELEMENTS;
}

bool fold_results(Import *import, Node *node, Value **constants)
{
    if (!can_fold(node) || !spend_elements(import, node)) {
        return false;
    }
    fold_node(import, node, constants);
    return true;
}

void fold_node(Import *import, Node *node, Value **constants)
{
    evaluate_outputs(import->graph, node, constants);
    node_remove(import->graph, node);
}

Value *fold_value(Import *import, Value *value)
{
    Node *node = value->producer;
    if (!node || !can_fold(node) || node->output_count != 1) {
        return value;
    }
    Value *constant;
    fold_node(import, node, &constant);
    return constant;
}

void fold_helpers(Import *import, Node *after, Node *node)
{
    Node *helper = after ? after->next : import->graph->first;
    while (helper && helper != node) {
        Node *next = helper->next;
        if (can_fold(helper)) {
            Value **constants = NEW_ARRAY(import->arena, Value *, helper->output_count);
            fold_node(import, helper, constants);
            for (Node *user = next; user; user = user->next) {
                for (int i = 0; i < user->input_count; i++) {
                    for (int j = 0; j < helper->output_count; j++) {
                        bool uses = helper->outputs[j] && user->inputs[i] == helper->outputs[j];
                        user->inputs[i] = uses ? constants[j] : user->inputs[i];
                    }
                }
            }
        }
        helper = next;
    }
}

/* The value as a constant, computed from initializers where need be; NULL when data reach it. */
static Value *as_constant(Import *import, Value *value, int depth, int *nodes)
{
    if (is_constant(value)) {
        return value;
    }
    if (value->kind == VALUE_PARAM || (value->kind == VALUE_INPUT && value->data)) {
        return const_create(import->graph, value->type, value->data, NULL);
    }
    Node *producer = value->producer;
    if (!producer || depth == 0 || --*nodes < 0 || producer->op->is_random) {
        return NULL;
    }
    Node copy = *producer;
    copy.inputs = NEW_ARRAY(import->arena, Value *, copy.input_count);
    for (int i = 0; i < copy.input_count; i++) {
        copy.inputs[i] = producer->inputs[i] ? as_constant(import, producer->inputs[i], depth - 1, nodes) : NULL;
        if (producer->inputs[i] && !copy.inputs[i]) {
            return NULL;
        }
    }
    if (!can_fold(&copy)) {
        return NULL;
    }
    Value **constants = NEW_ARRAY(import->arena, Value *, copy.output_count);
    evaluate_outputs(import->graph, &copy, constants);
    for (int i = 0; i < copy.output_count; i++) {
        if (producer->outputs[i] == value) {
            return constants[i];
        }
    }
    return NULL;
}

Value *known_constant(Import *import, Value *value)
{
    int nodes = MAX_STATIC_NODES;
    return as_constant(import, value, MAX_STATIC_CHAIN, &nodes);
}

/* What a constant was computed from cannot learn, whoever else reads it. */
static void settle(Value *value)
{
    value->is_settled |= value->kind == VALUE_PARAM;
    for (int i = 0; value->producer && i < value->producer->input_count; i++) {
        if (value->producer->inputs[i]) {
            settle(value->producer->inputs[i]);
        }
    }
}

/* A float initializer is a parameter until it turns out to be a scale of Resize, a ratio of Dropout and the like. */
void fold_static_operands(Import *import, Node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        Value *operand = node->inputs[i];
        if (operand && operand_is_static(node->op, i) && !is_constant(operand)) {
            Value *constant = known_constant(import, operand);
            if (constant) {
                settle(operand);
                node->inputs[i] = constant;
            }
        }
    }
}
