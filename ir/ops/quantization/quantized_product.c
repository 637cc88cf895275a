/* quantized_product.c: products of quantised tensors. They are taken of the numbers that the integers stand for, in
 * f64, where the sums of ONNX's 32-bit integers are exact; what they have of a gradient is in quantize.c. */
#include "ir/ops/shared/row.h"

/* x - zero point in f64; a zero point of several numbers goes along `axis` of rank `rank`. */
static Value *build_centred(Graph *graph, const Node *node, int x, int zero, int axis)
{
    Value *numbers = build_cast(graph, node->inputs[x], DTYPE_F64), *offset = input(node, zero);
    if (!offset)
        return numbers;
    offset = build_cast(graph, offset, DTYPE_F64);
    const int64_t count = element_count(&offset->type);
    int64_t dims[MAX_RANK];
    for (int i = 0; i < numbers->type.rank; i++)
        dims[i] = i == axis ? count : 1;
    if (count == 1 || offset->type.rank == 1)
        offset =
            count == 1 ? build_reshape(graph, offset, 0, NULL) : build_reshape(graph, offset, numbers->type.rank, dims);
    return build_sub(graph, numbers, offset);
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

/* The type of a product of operands x and w in a scratch graph, so that its row checks them. */
static bool product_type(Graph *graph, Node *node, const char *op, int x, int w, Type *type)
{
    Graph *apart = graph_create(graph->arena, graph->diagnostics, graph->name);
    Value *operands[2];
    for (int i = 0; i < 2; i++) {
        Type floats = node->inputs[i ? w : x]->type;
        floats.dtype = DTYPE_F64;
        operands[i] = value_create(apart, VALUE_INPUT, floats, NULL);
    }
    apart->origin = node->origin;
    Node *product = build_begin(apart, op, 2, operands, 1);
    if (strcmp(op, "Conv") == 0)
        copy_attrs(apart, product, node);
    if (!infer_node(apart, product))
        return false;
    *type = product->outputs[0]->type;
    return true;
}

static Value *build_product(Graph *graph, const Node *node, const char *op, Value *x, Value *w)
{
    Node *product = build_begin(graph, op, 2, VALUES(x, w), 1);
    if (strcmp(op, "Conv") == 0)
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

static int second_axis(const Node *node, bool conv)
{
    return conv ? 0 : node->inputs[1]->type.rank - 1;
}

static bool integer_infer(Graph *graph, Node *node, const char *op)
{
    const bool conv = strcmp(op, "Conv") == 0;
    Type type;
    if (!product_type(graph, node, op, 0, 1, &type) || !check_zero(graph, node, 0, 2, conv ? -1 : first_axis(node)) ||
        !check_zero(graph, node, 1, 3, second_axis(node, conv)))
        return false;
    type.dtype = DTYPE_I32;
    return set_output_type(graph, node, 0, type);
}

static void integer_expand(Graph *graph, Node *node, Value **replacements, const char *op)
{
    Value *x = build_centred(graph, node, 0, 2, first_axis(node));
    Value *w = build_centred(graph, node, 1, 3, second_axis(node, strcmp(op, "Conv") == 0));
    replacements[0] = build_cast(graph, build_product(graph, node, op, x, w), DTYPE_I32);
}

static bool matmul_integer_infer(Graph *graph, Node *node)
{
    return integer_infer(graph, node, "MatMul");
}

static void matmul_integer_expand(Graph *graph, Node *node, Value **replacements)
{
    integer_expand(graph, node, replacements, "MatMul");
}

static bool conv_integer_infer(Graph *graph, Node *node)
{
    return integer_infer(graph, node, "Conv");
}

static void conv_integer_expand(Graph *graph, Node *node, Value **replacements)
{
    integer_expand(graph, node, replacements, "Conv");
}

/* ---- QLinearMatMul, QLinearConv: (A, scale, zero), (B, scale, zero), (scale, zero) of Y, bias
 * ------------------------ */

enum { A = 0, B = 3, Y_SCALE = 6, Y_ZERO = 7, BIAS = 8 };

static bool linear_infer(Graph *graph, Node *node, const char *op)
{
    const bool conv = strcmp(op, "Conv") == 0;
    Type type;
    if (!product_type(graph, node, op, A, B, &type))
        return false;
    for (int i = 1; i <= 2; i++)
        if (!check_zero(graph, node, A, A + i, conv ? -1 : first_axis(node)) ||
            !check_zero(graph, node, B, B + i, conv ? 0 : node->inputs[B]->type.rank - 1))
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

/* A scale of one number, or of one a position of `axis`. */
static Value *build_scale_along(Graph *graph, const Node *node, int i, int rank, int axis)
{
    Value *scale = build_cast(graph, node->inputs[i], DTYPE_F64);
    const int64_t count = element_count(&scale->type);
    int64_t dims[MAX_RANK];
    for (int d = 0; d < rank; d++)
        dims[d] = d == axis ? count : 1;
    return count == 1             ? build_reshape(graph, scale, 0, NULL)
           : scale->type.rank > 1 ? scale
                                  : build_reshape(graph, scale, rank, dims);
}

static Value *build_quantized(Graph *graph, const Node *node, Value *y)
{
    Node *quantize =
        build_begin(graph, "QuantizeLinear", 3,
                    VALUES(y, build_cast(graph, node->inputs[Y_SCALE], DTYPE_F64), node->inputs[Y_ZERO]), 1);
    set_int(graph, quantize, "output_dtype", dtype_info[node->inputs[Y_ZERO]->type.dtype].onnx);
    return build_finish(graph, quantize);
}

static void linear_expand(Graph *graph, Node *node, Value **replacements, const char *op)
{
    const bool conv = strcmp(op, "Conv") == 0;
    const int b_axis = conv ? 0 : node->inputs[B]->type.rank - 1;
    Value *a = build_centred(graph, node, A, A + 2, first_axis(node)),
          *b = build_centred(graph, node, B, B + 2, b_axis);
    if (!conv) {
        a = build_mul(graph, a, build_scale_along(graph, node, A + 1, a->type.rank, first_axis(node)));
        b = build_mul(graph, b, build_scale_along(graph, node, B + 1, b->type.rank, b_axis));
        replacements[0] = build_quantized(graph, node, build_product(graph, node, op, a, b));
        return;
    }
    Value *y = build_product(graph, node, op, a, b);
    if (input(node, BIAS))
        y = build_add(graph, y,
                      build_channel_vector(graph, build_cast(graph, node->inputs[BIAS], DTYPE_F64), y->type.rank));
    y = build_mul(graph, y, build_scale_along(graph, node, A + 1, y->type.rank, 1));
    y = build_mul(graph, y, build_scale_along(graph, node, B + 1, y->type.rank, 1));
    replacements[0] = build_quantized(graph, node, y);
}

static bool qlinear_matmul_infer(Graph *graph, Node *node)
{
    return linear_infer(graph, node, "MatMul");
}

static void qlinear_matmul_expand(Graph *graph, Node *node, Value **replacements)
{
    linear_expand(graph, node, replacements, "MatMul");
}

static bool qlinear_conv_infer(Graph *graph, Node *node)
{
    return linear_infer(graph, node, "Conv");
}

static void qlinear_conv_expand(Graph *graph, Node *node, Value **replacements)
{
    linear_expand(graph, node, replacements, "Conv");
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
     .infer = matmul_integer_infer,
     .expand = matmul_integer_expand},
    {.name = "ConvInteger",
     .inputs = "X, W, XZero?, WZero?",
     .outputs = "Y",
     .attributes = CONV_ATTRIBUTES,
     .since = 10,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .infer = conv_integer_infer,
     .expand = conv_integer_expand},
    {.name = "QLinearMatMul",
     .inputs = LINEAR_OPERANDS,
     .outputs = "Y",
     .since = 10,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .infer = qlinear_matmul_infer,
     .expand = qlinear_matmul_expand},
    {.name = "QLinearConv",
     .inputs = LINEAR_OPERANDS ", Bias?",
     .outputs = "Y",
     .attributes = CONV_ATTRIBUTES,
     .since = 10,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .infer = qlinear_conv_infer,
     .expand = qlinear_conv_expand},
    {0},
};
