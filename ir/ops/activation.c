/* activation.c: activation functions, from the definitions in the ONNX operator specification. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/support.h"
#include "ir/ops/shared/unary.h"

/* GeluTanh: x/2 (1 + tanh u) with u = slope (x + cubic x^3) is x sigmoid(2u); slope is sqrt(2/pi). GeluErf: x Phi(x) as
 * x/2 erfc(-root x); root is 1/sqrt(2), 0.5641... is 1/sqrt(pi), gauss(x) is e^(-x^2). These are attributes because
 * exporters that decompose GELU round them to f32, and f64 training must compute with what the model says.
 * Softplus: log(1 + e^x), written so that nothing overflows. Mish: x t with t = tanh(softplus(x)), whose derivative is
 * t + x sigmoid(x) (1 - t^2). */
/* clang-format off */
#define RELU_ROWS(ROW) \
    ROW(Relu, "", 0, 14, FOLLOW, maximum(x, 0.0), OUTPUT, x > 0.0 ? y : 0.0)

#define ACTIVATION_ROWS(ROW) \
    ROW(LeakyRelu, "alpha:float=0.01", 1, 16, FOLLOW, x < 0.0 ? p0 * x : x, INPUT, x > 0.0 ? y : p0 * y) \
    ROW(ThresholdedRelu, "alpha:float=1.0", 1, 22, FOLLOW, x > p0 ? x : 0.0, INPUT, x > p0 ? y : 0.0) \
    ROW(Shrink, "bias:float=0.0, lambd:float=0.5", 2, 9, FOLLOW, \
        x < -p1 ? x + p0 : (x > p1 ? x - p0 : 0.0), INPUT, x < -p1 || x > p1 ? y : 0.0) \
    ROW(Elu, "alpha:float=1.0", 1, 22, FOLLOW, \
        x < 0.0 ? p0 * expm1(minimum(x, 0.0)) : x, INPUT, x > 0.0 ? y : y * p0 * exp(minimum(x, 0.0))) \
    ROW(Selu, "alpha:float=1.67326319217681884765625, gamma:float=1.05070102214813232421875", 2, 22, FOLLOW, \
        p1 * (x > 0.0 ? x : p0 * expm1(minimum(x, 0.0))), INPUT, \
        p1 * (x > 0.0 ? y : y * p0 * exp(minimum(x, 0.0)))) \
    ROW(Celu, "alpha:float=1.0", 1, 12, FOLLOW, \
        maximum(x, 0.0) + minimum(p0 * expm1(minimum(x / p0, 0.0)), 0.0), INPUT, \
        x > 0.0 ? y : y * exp(minimum(x / p0, 0.0))) \
    ROW(HardSigmoid, "alpha:float=0.2, beta:float=0.5", 2, 22, FOLLOW, \
        maximum(minimum(p0 * x + p1, 1.0), 0.0), OUTPUT, x > 0.0 && x < 1.0 ? p0 * y : 0.0) \
    ROW(HardSwish, "", 0, 22, FOLLOW, \
        x * maximum(minimum(x * (1.0 / 6.0) + 0.5, 1.0), 0.0), INPUT, \
        x <= -3.0 ? 0.0 : (x >= 3.0 ? y : y * (x * (1.0 / 3.0) + 0.5))) \
    ROW(Softplus, "", 0, 22, KEEP, maximum(x, 0.0) + log1p(exp(-absolute(x))), INPUT, y * sigmoid(x)) \
    ROW(Softsign, "", 0, 22, FOLLOW, \
        x / (1.0 + absolute(x)), INPUT, y / ((1.0 + absolute(x)) * (1.0 + absolute(x)))) \
    ROW(Swish, "alpha:float=1.0", 1, 24, FOLLOW, x * sigmoid(p0 * x), INPUT, \
        y * sigmoid(p0 * x) * (1.0 + p0 * x * (1.0 - sigmoid(p0 * x)))) \
    ROW(Mish, "", 0, 22, FOLLOW, x * tanh(maximum(x, 0.0) + log1p(exp(-absolute(x)))), INPUT, \
        y * (tanh(maximum(x, 0.0) + log1p(exp(-absolute(x)))) + \
             x * sigmoid(x) * (1.0 - tanh(maximum(x, 0.0) + log1p(exp(-absolute(x)))) * \
                                     tanh(maximum(x, 0.0) + log1p(exp(-absolute(x)))))))

#define GELU_ROWS(ROW) \
    ROW(GeluErf, "root:float=0.7071067811865476", 1, OWN, FOLLOW, x * half_erfc(-p0 * x), INPUT, \
        y * (half_erfc(-p0 * x) + x * (p0 * 0.5641895835477563) * gauss(-p0 * x))) \
    ROW(GeluTanh, "slope:float=0.7978845608028654, cubic:float=0.044715", 2, OWN, FOLLOW, \
        x * sigmoid(2.0 * p0 * (x + p1 * x * x * x)), INPUT, \
        y * sigmoid(2.0 * p0 * (x + p1 * x * x * x)) * \
            (1.0 + x * (1.0 - sigmoid(2.0 * p0 * (x + p1 * x * x * x))) * 2.0 * p0 * (1.0 + 3.0 * p1 * x * x)))
/* clang-format on */

#define ROWS_FOR_RELU(...) UNARY_ROWS_WITH(.keeps_range = 1 << 0, __VA_ARGS__)
#define ROWS_FOR_GELU(...) UNARY_ROWS_WITH(.stands_for = "Gelu", __VA_ARGS__)

RELU_ROWS(UNARY_DEFINE)
ACTIVATION_ROWS(UNARY_DEFINE)
GELU_ROWS(UNARY_DEFINE)

static bool gelu_infer(Graph *graph, Node *node)
{
    const char *form = attr_string(node, "approximate");
    if (strcmp(form, "none") != 0 && strcmp(form, "tanh") != 0)
        return REJECT(graph, node, "attribute 'approximate' is '%s'; it must be 'none' or 'tanh'", form);
    return infer_like_first(graph, node);
}

static void gelu_expand(Graph *graph, Node *node, Value **replacements)
{
    bool by_tanh = strcmp(attr_string(node, "approximate"), "tanh") == 0;
    replacements[0] = build_unary(graph, by_tanh ? "GeluTanh" : "GeluErf", node->inputs[0]);
}

/* PRelu: the slope broadcasts to X, never X to the slope. */
EXPRESSION(PRelu, 0, x < 0.0 ? x * y : x)
EXPRESSION(PReluGrad, 0, x > 0.0 ? z : y * z)
EXPRESSION(PReluSlopeGrad, 0, x > 0.0 ? 0.0 : x * y)

static bool prelu_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *slope = &node->inputs[1]->type;
    Type joint;
    if (!broadcast_dims(x, slope, &joint) || !same_dims(&joint, x))
        return REJECT(graph, node, "slope %s does not broadcast to X %s", type_text(graph->arena, slope),
                      type_text(graph->arena, x));
    return infer_like_first(graph, node);
}

static void prelu_gradient(Differentiator *d, Node *node)
{
    Value *x = node->inputs[0], *slope = node->inputs[1], *dy = dy_of(d, node, 0);
    if (wants(d, node, 0))
        contribute(d, node, 0, build(d->graph, "PReluGrad", 3, (Value *[]){x, slope, dy}));
    if (wants(d, node, 1))
        contribute(d, node, 1, build_binary(d->graph, "PReluSlopeGrad", x, dy));
}

static bool swiglu_infer(Graph *graph, Node *node)
{
    if (!same_type(&node->inputs[0]->type, &node->inputs[1]->type))
        return REJECT(graph, node, "A is %s and B %s; they must be alike",
                      type_text(graph->arena, &node->inputs[0]->type), type_text(graph->arena, &node->inputs[1]->type));
    return infer_like_first(graph, node);
}

static void swiglu_expand(Graph *graph, Node *node, Value **replacements)
{
    Node *swish = build_begin(graph, "Swish", 1, node->inputs, 1);
    set_float(graph, swish, "alpha", attr_float(node, "alpha"));
    replacements[0] = build_mul(graph, build_finish(graph, swish), node->inputs[1]);
}

const Op activation_ops[] = {
    RELU_ROWS(ROWS_FOR_RELU) ACTIVATION_ROWS(UNARY_ROWS) GELU_ROWS(ROWS_FOR_GELU){
        .name = "Gelu",
        .inputs = "X",
        .outputs = "Y",
        .attributes = "approximate:string=none",
        .since = 20,
        .precision = CLASS_FOLLOW,
        .kind = OP_EXPAND,
        .follow_axis = follow_every,
        .infer = gelu_infer,
        .expand = gelu_expand,
    },
    {.name = "SwiGLU",
     .inputs = "A:float, B:float",
     .outputs = "Y",
     .attributes = "alpha:float=1.0",
     .since = 28,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = follow_broadcast,
     .infer = swiglu_infer,
     .expand = swiglu_expand},
    {ELEMENTWISE(PRelu), .inputs = "X, Slope", .roles = {ROLE_DATA, ROLE_SLOPE}, .since = 16,
     .precision = CLASS_PROMOTE, .infer = prelu_infer, .gradient = prelu_gradient},
    {ELEMENTWISE(PReluGrad), .inputs = "X, Slope, dY", .since = 1, .internal = true, .precision = CLASS_PROMOTE},
    {ELEMENTWISE(PReluSlopeGrad), .inputs = "X, dY", .since = 1, .internal = true, .precision = CLASS_PROMOTE},
    {0},
};
