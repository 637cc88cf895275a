/* head.c: --head N, fine-tuning's new last layer, and --init random.
 *
 * The head is the last product before the loss's output whose matrix is an initializer; it and its bias get N classes
 * and fresh values. Initialisers are PyTorch's: uniform in ±1/sqrt(fan in) for matrices, convolutions and the biases
 * behind them (Linear.reset_parameters), normal(0, 0.02) for embeddings, 1 for what multiplies, 0 for what is added. */
#include <inttypes.h>
#include <math.h>

#include "ir/schema.h"
#include "passes/match.h"

/* SplitMix64 (Steele, Lea and Flood 2014): a counter-based stream, the same on every machine. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double next_uniform(uint64_t *state)
{
    return ((double)(next_random(state) >> 11) + 0.5) * 0x1p-53;
}

static double next_normal(uint64_t *state)
{
    double radius = sqrt(-2 * log(next_uniform(state)));
    return radius * cos(6.283185307179586 * next_uniform(state));
}

static void fill_uniform(Graph *graph, Value *param, double bound, uint64_t *state)
{
    Tensor tensor = tensor_alloc(graph->arena, param->type);
    for (int64_t i = 0; i < element_count(&param->type); i++)
        tensor.f[i] = bound * (2 * next_uniform(state) - 1);
    param->data = tensor_to_data(graph->arena, &tensor);
}

static void fill_normal(Graph *graph, Value *param, double deviation, uint64_t *state)
{
    Tensor tensor = tensor_alloc(graph->arena, param->type);
    for (int64_t i = 0; i < element_count(&param->type); i++)
        tensor.f[i] = deviation * next_normal(state);
    param->data = tensor_to_data(graph->arena, &tensor);
}

static void fill_value(Graph *graph, Value *param, double value)
{
    Tensor tensor = tensor_alloc(graph->arena, param->type);
    for (int64_t i = 0; i < element_count(&param->type); i++)
        tensor.f[i] = value;
    param->data = tensor_to_data(graph->arena, &tensor);
}

/* The initializer behind transposes, reshapes and casts. */
static Value *initializer_behind(Value *value)
{
    while (value && value->producer &&
           (is_op(value->producer, "Transpose") || is_op(value->producer, "Reshape") ||
            is_op(value->producer, "Cast") || is_op(value->producer, "Identity")))
        value = value->producer->inputs[0];
    return value && value->kind == VALUE_PARAM ? value : NULL;
}

static bool is_product(const Node *node)
{
    return is_op(node, "MatMul") || is_op(node, "Gemm");
}

/* The axis of the initializer that becomes the columns of the product. */
static int class_axis(const Node *product, const Value *weight)
{
    bool swapped = is_op(product, "Gemm") && attr_int(product, "transB");
    for (const Value *v = product->inputs[1]; v != weight; v = v->producer->inputs[0])
        swapped ^= is_op(v->producer, "Transpose");
    return swapped ? 0 : weight->type.rank - 1;
}

/* May `node` stand between the last product and the output? */
static bool keeps_classes(const Node *node)
{
    static const char *const names[] = {"Softmax", "LogSoftmax", "Flatten", "Squeeze", "Identity", "Dropout"};
    bool keeps = node->op->kind == OP_ELEMENTWISE || node->op->kind == OP_VIEW;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        keeps |= is_op(node, names[i]);
    return keeps;
}

static Node *find_head(Graph *graph, const Options *options)
{
    int index = scored_output(graph, options);
    for (Value *value = index >= 0 ? graph->outputs[index] : NULL; value && value->producer;
         value = value->producer->inputs[0]) {
        Node *node = value->producer;
        if (is_product(node))
            return initializer_behind(node->inputs[1]) ? node : NULL;
        if (!keeps_classes(node))
            return NULL;
        /* an Add may have its bias first */
        if (node->input_count > 1 && node->inputs[0]->kind != VALUE_TEMP && node->inputs[1])
            return node->inputs[1]->producer && is_product(node->inputs[1]->producer) ? node->inputs[1]->producer
                                                                                      : NULL;
    }
    return NULL;
}

static void infer_from(Graph *graph, Node *first)
{
    for (Node *node = first; node; node = node->next)
        if (!infer_node(graph, node))
            leave(graph->diagnostics);
}

/* The bias: Gemm's third operand, or what an Add directly behind the product adds. */
static Value *find_bias(Node *product)
{
    if (is_op(product, "Gemm") && input(product, 2))
        return initializer_behind(product->inputs[2]);
    for (Node *node = product->next; node; node = node->next)
        for (int i = 0; is_op(node, "Add") && i < 2; i++)
            if (node->inputs[i] == product->outputs[0])
                return initializer_behind(node->inputs[1 - i]);
    return NULL;
}

void replace_head(Graph *graph, const Options *options)
{
    if (options->head == 0)
        return;
    Node *product = find_head(graph, options);
    if (!product)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "--head %" PRId64
              ": the output does not come from a MatMul or Gemm with an initializer: there is no last "
              "layer to replace",
              options->head);
    Value *weight = initializer_behind(product->inputs[1]), *bias = find_bias(product);
    if (product->inputs[1]->producer && is_op(product->inputs[1]->producer, "Reshape"))
        fatal(graph->diagnostics, EXIT_STATUS_UNSUPPORTED, product->origin,
              "--head: the last layer's matrix '%s' is reshaped before it is used", weight->name);
    int axis = class_axis(product, weight);
    int64_t fan_in = element_count(&weight->type) / weight->type.dims[axis];
    uint64_t state = options->seed;
    weight->type.dims[axis] = options->head;
    fill_uniform(graph, weight, 1 / sqrt((double)fan_in), &state);
    if (bias) {
        bias->type.dims[bias->type.rank - 1] = options->head;
        fill_uniform(graph, bias, 1 / sqrt((double)fan_in), &state);
    }
    infer_from(graph, graph->first);
}

/* The extent of operand `index` along the axis that a product contracts. */
static int64_t contracted_dim(const Node *product, int index)
{
    static const char *const swaps[][2] = {{"trans_a", "trans_b"}, {"transA", "transB"}};
    const Type *type = &product->inputs[index]->type;
    bool swapped = attr_int(product, swaps[is_op(product, "Gemm")][index]) != 0;
    if (type->rank < 2)
        return element_count(type);
    return type->dims[type->rank - ((index == 0) != swapped ? 1 : 2)];
}

static bool is_convolution(const Node *node)
{
    return is_op(node, "Conv") || is_op(node, "ConvTranspose");
}

/* PyTorch's fan in of the layer whose weight is operand `index` of `node`, as the node reads it, which may be
 * transposed; a transposed convolution counts like a convolution. 0: it is no layer's weight. */
static int64_t fan_in(const Node *node, int index)
{
    const Type *type = &node->inputs[index]->type;
    if (is_convolution(node) && index == 1)
        return dims_product(type, 1, type->rank);
    return is_product(node) && index < 2 ? contracted_dim(node, index) : 0;
}

/* Of the layer that operand `index` of `node` is the bias of: its own, or an Add's of what a product gives. */
static int64_t bias_fan_in(const Node *node, int index)
{
    if ((is_convolution(node) || is_op(node, "Gemm")) && index == 2)
        return fan_in(node, 1);
    if (!is_op(node, "Add") || node->inputs[index]->type.rank > 1)
        return 0;
    const Node *product = node->inputs[1 - index]->producer;
    return product && is_product(product) ? contracted_dim(product, 1) : 0;
}

/* How --init random fills a parameter, by its first reader that says something. */
static bool initialise_by_reader(Graph *graph, Value *param, const Node *node, int index, uint64_t *state)
{
    int64_t fan = fan_in(node, index);
    fan = fan > 0 ? fan : bias_fan_in(node, index);
    if (fan > 0)
        fill_uniform(graph, param, 1 / sqrt((double)fan), state);
    else if (node->op->normalizes && index > 0)
        fill_value(graph, param, index == 1 ? 1 : 0);
    else if (operand_role(node->op, index) == ROLE_TABLE)
        fill_normal(graph, param, 0.02, state);
    else if (operand_role(node->op, index) == ROLE_SLOPE)
        fill_value(graph, param, 0.25);
    else if (is_op(node, "Mul") || (is_op(node, "Div") && index == 1))
        fill_value(graph, param, 1); /* a scale, as of a decomposed norm */
    else
        return false;
    return true;
}

static void initialise_param(Graph *graph, Value *param, uint64_t *state)
{
    for (const Node *node = graph->first; node; node = node->next)
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i] && initializer_behind(node->inputs[i]) == param &&
                initialise_by_reader(graph, param, node, i, state))
                return;
    if (param->type.rank <= 1)
        fill_value(graph, param, 0); /* a shift */
    else
        fill_normal(graph, param, 0.02, state); /* tables that are added: positions, class tokens */
}

void initialise(Graph *graph, const Options *options)
{
    if (!options->init_random)
        return;
    uint64_t state = options->seed;
    for (int i = 0; i < graph->value_count; i++)
        if (graph->values[i] && graph->values[i]->kind == VALUE_PARAM)
            initialise_param(graph, graph->values[i], &state);
}
