/* quantized_product.c: products of quantised tensors. They are taken of the numbers that the integers stand for, in
 * f64, where the sums of ONNX's 32-bit integers are exact; what they have of a gradient is in quantize.c. */
#include "ir/ops/shared/row.h"

/* Input i in f64, of one number, or of one for each position of `axis` of an operand of rank `rank`. */
static Value *build_along(Graph *graph, const Node *node, int i, int rank, int axis)
{
    Value *numbers = build_cast(graph, node->inputs[i], DTYPE_F64);
    const int64_t count = element_count(&numbers->type);
    int64_t dims[MAX_RANK];
    for (int d = 0; d < rank; d++)
        dims[d] = d == axis ? count : 1;
    return count == 1               ? build_reshape(graph, numbers, 0, NULL)
           : numbers->type.rank > 1 ? numbers
                                    : build_reshape(graph, numbers, rank, dims);
}

/* x - zero point in f64. */
static Value *build_centred(Graph *graph, const Node *node, int x, int zero, int axis)
{
    Value *numbers = build_cast(graph, node->inputs[x], DTYPE_F64);
    return input(node, zero) ? build_sub(graph, numbers, build_along(graph, node, zero, numbers->type.rank, axis))
                             : numbers;
}

static bool check_zero(Graph *graph, Node *node, int x, int zero, int axis)
{
    const Type *numbers = &node->inputs[x]->type, *offset = input(node, zero) ? &node->inputs[zero]->type : NULL;
    Type joint;
    if (!offset || element_count(offset) == 1 ||
        (offset->rank == 1 && numbers->rank > axis && axis >= 0 && offset->dims[0] == numbers->dims[axis]) ||
        (offset->rank > 1 && broadcast_dims(offset, numbers, &joint) && same_dims(&joint, numbers)))
        return true;
    return REJECT(graph, node, "the zero point %s does not fit %s", type_text(graph->arena, offset),
                  type_text(graph->arena, numbers));
}

/* Of ConvInteger and QLinearConv; the others are MatMuls. */
static bool is_conv(const Node *node)
{
    return strstr(node->op->name, "Conv") != NULL;
}

/* The type of the product of operands x and w in a scratch graph, so that its row checks them. */
static bool product_type(Graph *graph, Node *node, int x, int w, Type *type)
{
    Graph *apart = graph_create(graph->arena, graph->diagnostics, graph->name);
    Value *operands[2];
    for (int i = 0; i < 2; i++) {
        Type floats = node->inputs[i ? w : x]->type;
        floats.dtype = DTYPE_F64;
        operands[i] = value_create(apart, VALUE_INPUT, floats, NULL);
    }
    apart->origin = node->origin;
    Node *product = build_begin(apart, is_conv(node) ? "Conv" : "MatMul", 2, operands, 1);
    if (is_conv(node))
        copy_attrs(apart, product, node);
    if (!infer_node(apart, product))
        return false;
    *type = product->outputs[0]->type;
    return true;
}

static Value *build_product(Graph *graph, const Node *node, Value *x, Value *w)
{
    Node *product = build_begin(graph, is_conv(node) ? "Conv" : "MatMul", 2, VALUES(x, w), 1);
    if (is_conv(node))
        copy_attrs(graph, product, node);
    return build_finish(graph, product);
}

/* ---- MatMulInteger, ConvInteger: A, B, zero points of them
 * ----------------------------------------------------------- */

/* The axis of one zero point each: rows of A, columns of B; output channels of W. */
static int first_axis(const Node *node)
{
    return node->inputs[0]->type.rank - 2;
}

static int second_axis(const Node *node, int b)
{
    return is_conv(node) ? 0 : node->inputs[b]->type.rank - 1;
}

static bool integer_infer(Graph *graph, Node *node)
{
    Type type;
    if (!product_type(graph, node, 0, 1, &type) ||
        !check_zero(graph, node, 0, 2, is_conv(node) ? -1 : first_axis(node)) ||
        !check_zero(graph, node, 1, 3, second_axis(node, 1)))
        return false;
    type.dtype = DTYPE_I32;
    return set_output_type(graph, node, 0, type);
}

static void integer_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = build_centred(graph, node, 0, 2, first_axis(node));
    Value *w = build_centred(graph, node, 1, 3, second_axis(node, 1));
    replacements[0] = build_cast(graph, build_product(graph, node, x, w), DTYPE_I32);
}

/* ---- QLinearMatMul, QLinearConv: (A, scale, zero), (B, scale, zero), (scale, zero) of Y, bias
 * ------------------------ */

enum { A = 0, B = 3, Y_SCALE = 6, Y_ZERO = 7, BIAS = 8 };

static bool linear_infer(Graph *graph, Node *node)
{
    const bool conv = is_conv(node);
    Type type;
    if (!product_type(graph, node, A, B, &type))
        return false;
    for (int i = 1; i <= 2; i++)
        if (!check_zero(graph, node, A, A + i, conv ? -1 : first_axis(node)) ||
            !check_zero(graph, node, B, B + i, second_axis(node, B)))
            return false;
    for (int i = A + 1; conv && i <= B + 1; i += B)
        if (element_count(&node->inputs[i]->type) != 1 && node->inputs[i]->type.rank != 1)
            return REJECT(graph, node, "the scale is %s; it must be one number, or one for each output channel",
                          type_text(graph->arena, &node->inputs[i]->type));
    if (element_count(&node->inputs[Y_SCALE]->type) != 1 || element_count(&node->inputs[Y_ZERO]->type) != 1)
        return REJECT_UNSUPPORTED(graph, node, "a scale of the result of more than one number");
    type.dtype = node->inputs[Y_ZERO]->type.dtype;
    return set_output_type(graph, node, 0, type);
}

static Value *build_quantized(Graph *graph, const Node *node, Value *y)
{
    Node *quantize =
        build_begin(graph, "QuantizeLinear", 3,
                    VALUES(y, build_cast(graph, node->inputs[Y_SCALE], DTYPE_F64), node->inputs[Y_ZERO]), 1);
    set_int(graph, quantize, "output_dtype", dtype_info[node->inputs[Y_ZERO]->type.dtype].onnx);
    return build_finish(graph, quantize);
}

static void linear_expand(Graph *graph, Node *node, Value **replacements)
{
    const int b_axis = second_axis(node, B);
    Value *a = build_centred(graph, node, A, A + 2, first_axis(node)),
          *b = build_centred(graph, node, B, B + 2, b_axis);
    if (!is_conv(node)) {
        a = build_mul(graph, a, build_along(graph, node, A + 1, a->type.rank, first_axis(node)));
        b = build_mul(graph, b, build_along(graph, node, B + 1, b->type.rank, b_axis));
        replacements[0] = build_quantized(graph, node, build_product(graph, node, a, b));
        return;
    }
    Value *y = build_product(graph, node, a, b);
    if (input(node, BIAS))
        y = build_add(graph, y,
                      build_channel_vector(graph, build_cast(graph, node->inputs[BIAS], DTYPE_F64), y->type.rank));
    y = build_mul(graph, y, build_along(graph, node, A + 1, y->type.rank, 1));
    y = build_mul(graph, y, build_along(graph, node, B + 1, y->type.rank, 1));
    replacements[0] = build_quantized(graph, node, y);
}

#define CONV_ATTRIBUTES \
    "auto_pad:string=NOTSET, dilations:ints, group:int=1, kernel_shape:ints, pads:ints, strides:ints"
#define LINEAR_OPERANDS "A, AScale:float, AZero, B, BScale:float, BZero, YScale:float, YZero"

const Op quantized_product_ops[] = {
    {.name = "MatMulInteger",
     .inputs = "A, B, AZero?, BZero?",
     .outputs = "Y",
     .since = 10,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .infer = integer_infer,
     .expand = integer_expand},
    {.name = "ConvInteger",
     .inputs = "X, W, XZero?, WZero?",
     .outputs = "Y",
     .attributes = CONV_ATTRIBUTES,
     .since = 10,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .infer = integer_infer,
     .expand = integer_expand},
    {.name = "QLinearMatMul",
     .inputs = LINEAR_OPERANDS,
     .outputs = "Y",
     .since = 10,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .infer = linear_infer,
     .expand = linear_expand},
    {.name = "QLinearConv",
     .inputs = LINEAR_OPERANDS ", Bias?",
     .outputs = "Y",
     .attributes = CONV_ATTRIBUTES,
     .since = 10,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .infer = linear_infer,
     .expand = linear_expand},
    {0},
};
