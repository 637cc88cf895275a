/* random.c: Dropout and random tensors. The reference is deterministic: Dropout is the identity, as in an emitted
 * program under --probe, and a random tensor is its distribution's mean. Attribute `node` is unique in the graph: each
 * node draws from a stream of its own. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/row.h"

/* ---- Dropout ---- */

/* Before opset 12 the ratio was an attribute and the operator, as exported, that of inference. */
static bool upgrade_dropout(Graph *graph, Node *node, int opset)
{
    if (opset < 12)
        float_to_operand(graph, node, "ratio", 1, DTYPE_F32);
    return true;
}

static bool infer_dropout(Graph *graph, Node *node)
{
    Type mask = node->inputs[0]->type;
    mask.dtype = DTYPE_BOOL;
    double ratio = 0.5;
    if (const_operand_float(graph, node, 1, &ratio) && (ratio < 0 || ratio >= 1))
        return REJECT(graph, node, "the ratio is %g; it must lie in [0, 1)", ratio);
    return infer_like_first(graph, node) && set_output_type(graph, node, 1, mask);
}

static bool is_training(Graph *graph, const Node *node)
{
    int count;
    const int64_t *values;
    return const_operand_ints(graph, node, 2, &count, &values) && count == 1 && values[0];
}

static void expand_dropout(Graph *graph, Node *node, Value **replacements)
{
    double ratio = 0.5;
    const_operand_float(graph, node, 1, &ratio);
    if (!is_training(graph, node) || ratio == 0) {
        Type mask = node->inputs[0]->type;
        replacements[0] = build_unary(graph, "Identity", node->inputs[0]);
        if (has_output(node, 1))
            replacements[1] = build_expand(graph, const_float(graph, DTYPE_BOOL, 1), mask.rank, mask.dims);
        return;
    }
    Node *training = build_begin(graph, "DropoutTraining", 1, node->inputs, 2);
    set_float(graph, training, "ratio", ratio);
    set_int(graph, training, "node", node->id);
    replacements[0] = build_finish(graph, training);
    if (has_output(node, 1))
        replacements[1] = build_cast(graph, training->outputs[1], DTYPE_BOOL);
}

static bool infer_dropout_training(Graph *graph, Node *node)
{
    Type mask = node->inputs[0]->type;
    mask.dtype = DTYPE_U8;
    return infer_like_first(graph, node) && set_output_type(graph, node, 1, mask);
}

static void evaluate_dropout(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    copy_elements(&outputs[0], &inputs[0]);
    for (int64_t i = 0; has_output(node, 1) && i < element_count(&outputs[1].type); i++)
        outputs[1].i[i] = 1;
}

/* dx = dy·mask/(1 - ratio); under the reference nothing is dropped and nothing scaled. */
static void evaluate_dropout_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    copy_elements(&outputs[0], &inputs[0]);
}

static void dropout_gradient(Differentiator *d, Node *node)
{
    Node *grad = build_begin(d->graph, "DropoutGrad", 2, VALUES(dy_of(d, node, 0), saved_output(d->graph, node, 1)), 1);
    set_float(d->graph, grad, "ratio", attr_float(node, "ratio"));
    contribute(d, node, 0, build_finish(d->graph, grad));
}

/* ---- random tensors ---- */

/* The element type: attribute `dtype`, an ONNX number, else that of the tensor which `like` gives; else f32. */
static bool random_dtype(Graph *graph, Node *node, Dtype *dtype)
{
    *dtype = node->input_count > 0 ? node->inputs[0]->type.dtype : DTYPE_F32;
    if (has_attr(node, "dtype") && !dtype_from_onnx(attr_int(node, "dtype"), dtype))
        return REJECT(graph, node, "attribute 'dtype' is %" PRId64, attr_int(node, "dtype"));
    if (!is_float(*dtype))
        return REJECT(graph, node, "a random tensor of %s; it must be floating-point", dtype_info[*dtype].name);
    return true;
}

static bool infer_random(Graph *graph, Node *node)
{
    Dtype dtype;
    if (!random_dtype(graph, node, &dtype))
        return false;
    if (node->input_count > 0)
        return set_output_type(graph, node, 0,
                               make_type(dtype, node->inputs[0]->type.rank, node->inputs[0]->type.dims));
    const int64_t *shape;
    int rank = attr_ints(node, "shape", &shape);
    if (rank > MAX_RANK)
        return REJECT(graph, node, "attribute 'shape' has %d dims; at most %d are supported", rank, MAX_RANK);
    return set_output_type(graph, node, 0, make_type(dtype, rank, shape));
}

static Value *build_random(Graph *graph, const Node *node, const char *op, const Type *type, double first,
                           double second)
{
    Node *random = build_begin(graph, op, 0, NULL, 1);
    set_ints(graph, random, "shape", type->rank, type->dims);
    set_int(graph, random, "dtype", dtype_info[type->dtype].onnx);
    set_float(graph, random, "first", first);
    set_float(graph, random, "second", second);
    set_int(graph, random, "node", node->id);
    return build_finish(graph, random);
}

static void expand_normal(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = build_random(graph, node, "NormalTensor", &node->outputs[0]->type, attr_float(node, "mean"),
                                   attr_float(node, "scale"));
}

static void expand_uniform(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = build_random(graph, node, "UniformTensor", &node->outputs[0]->type, attr_float(node, "low"),
                                   attr_float(node, "high"));
}

static bool infer_bernoulli(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    if (has_attr(node, "dtype") && !dtype_from_onnx(attr_int(node, "dtype"), &type.dtype))
        return REJECT(graph, node, "attribute 'dtype' is %" PRId64, attr_int(node, "dtype"));
    return set_output_type(graph, node, 0, type);
}

/* 1 with the probability that the input gives: where a uniform number is below it. The number is f32 at least: one of 8
 * digits would make a probability of 2^-8 out of every lesser one. */
static void expand_bernoulli(Graph *graph, Node *node, Value **replacements)
{
    Value *p = node->inputs[0];
    if (p->type.dtype != DTYPE_F64)
        p = build_cast(graph, p, DTYPE_F32);
    Value *drawn = build_random(graph, node, "UniformTensor", &p->type, 0, 1);
    replacements[0] = build_cast(graph, build_binary(graph, "Less", drawn, p), node->outputs[0]->type.dtype);
}

/* X: [batch, classes], of logits; as many classes a row as are asked for. */
static bool infer_multinomial(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t samples = attr_int(node, "sample_size");
    Dtype dtype = DTYPE_I32;
    if (!is_float(x->dtype) || x->rank != 2 || x->dims[1] < 1)
        return REJECT(graph, node, "X is %s; it must be floats [batch, classes]", type_text(graph->arena, x));
    if (!dtype_from_onnx(attr_int(node, "dtype"), &dtype) || (dtype != DTYPE_I32 && dtype != DTYPE_I64))
        return REJECT(graph, node, "attribute 'dtype' is %" PRId64 "; it must be 6 (INT32) or 7 (INT64)",
                      attr_int(node, "dtype"));
    if (samples < 1 || samples > INT32_MAX)
        return REJECT(graph, node, "attribute 'sample_size' is %" PRId64 "; it must be from 1 to %d", samples,
                      INT32_MAX);
    return set_output_type(graph, node, 0, make_type(dtype, 2, (int64_t[]){x->dims[0], samples}));
}

/* How many classes a uniform number has passed when their probabilities are laid end to end. The last class is passed
 * by none: rounding may leave the sum below 1. */
static void expand_multinomial(Graph *graph, Node *node, Value **replacements)
{
    const Type *y = &node->outputs[0]->type;
    const int64_t batch = y->dims[0], samples = y->dims[1], passed = node->inputs[0]->type.dims[1] - 1;
    if (passed == 0) {
        replacements[0] = build_zeros(graph, y);
        return;
    }
    Value *x = node->inputs[0];
    if (x->type.dtype != DTYPE_F64)
        x = build_cast(graph, x, DTYPE_F32);
    const Type places = make_type(x->type.dtype, 3, (int64_t[]){batch, samples, 1});
    Value *sums = build_binary(graph, "CumSum", build_unary(graph, "Softmax", x), const_ints(graph, 1, (int64_t[]){1}));
    sums = build_reshape(graph, build_slice(graph, sums, 1, 0, passed), 3, (int64_t[]){batch, 1, passed});
    Value *drawn = build_random(graph, node, "UniformTensor", &places, 0, 1);
    Value *count = build_cast(graph, build_binary(graph, "LessOrEqual", sums, drawn), x->type.dtype);
    count = build_reduce_sum(graph, count, 1, (int64_t[]){2}, false);
    replacements[0] = build_cast(graph, count, y->dtype);
}

static void fill(Tensor *tensor, double value)
{
    for (int64_t i = 0; i < element_count(&tensor->type); i++)
        tensor->f[i] = value;
}

static void evaluate_normal(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)inputs;
    fill(&outputs[0], attr_float(node, "first"));
}

static void evaluate_uniform(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)inputs;
    fill(&outputs[0], (attr_float(node, "first") + attr_float(node, "second")) / 2);
}

#define NORMAL_ATTRIBUTES "dtype:int, mean:float=0, scale:float=1, seed:float"
#define UNIFORM_ATTRIBUTES "dtype:int, low:float=0, high:float=1, seed:float"
#define TENSOR_ATTRIBUTES "dtype:int!, shape:ints!, first:float!, second:float!, node:int!"
#define RANDOM_ROW .since = 1, .is_random = true, .precision = CLASS_NONE

const Op random_ops[] = {
    {.name = "Dropout",
     .inputs = "data, ratio?!, training_mode?!",
     .outputs = "output, mask?",
     .attributes = "seed:int",
     .since = 12,
     .is_random = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .upgrade = upgrade_dropout,
     .follow_axis = follow_every,
     .infer = infer_dropout,
     .expand = expand_dropout},
    {.name = "DropoutTraining",
     .inputs = "X",
     .outputs = "Y, mask",
     .attributes = "ratio:float!, node:int!",
     .internal = true,
     .is_random = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .follow_axis = follow_every,
     .infer = infer_dropout_training,
     .gradient = dropout_gradient,
     .evaluate = evaluate_dropout},
    {.name = "DropoutGrad",
     .inputs = "dY, mask",
     .outputs = "dX",
     .attributes = "ratio:float!",
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .infer = infer_like_first,
     .evaluate = evaluate_dropout_grad},
    {.name = "RandomNormal",
     .outputs = "output",
     .attributes = NORMAL_ATTRIBUTES ", shape:ints!",
     RANDOM_ROW,
     .kind = OP_EXPAND,
     .infer = infer_random,
     .expand = expand_normal},
    {.name = "RandomNormalLike",
     .inputs = "input",
     .outputs = "output",
     .attributes = NORMAL_ATTRIBUTES,
     RANDOM_ROW,
     .kind = OP_EXPAND,
     .follow_axis = follow_every,
     .infer = infer_random,
     .expand = expand_normal},
    {.name = "RandomUniform",
     .outputs = "output",
     .attributes = UNIFORM_ATTRIBUTES ", shape:ints!",
     RANDOM_ROW,
     .kind = OP_EXPAND,
     .infer = infer_random,
     .expand = expand_uniform},
    {.name = "RandomUniformLike",
     .inputs = "input",
     .outputs = "output",
     .attributes = UNIFORM_ATTRIBUTES,
     RANDOM_ROW,
     .kind = OP_EXPAND,
     .follow_axis = follow_every,
     .infer = infer_random,
     .expand = expand_uniform},
    {.name = "Bernoulli",
     .inputs = "input",
     .outputs = "output",
     .attributes = "dtype:int, seed:float",
     RANDOM_ROW,
     .kind = OP_EXPAND,
     .follow_axis = follow_every,
     .infer = infer_bernoulli,
     .expand = expand_bernoulli},
    {.name = "Multinomial",
     .inputs = "input:float",
     .outputs = "output",
     .attributes = "dtype:int=6, sample_size:int=1, seed:float",
     RANDOM_ROW,
     .kind = OP_EXPAND,
     .follow_axis = follow_first,
     .infer = infer_multinomial,
     .expand = expand_multinomial},
    {.name = "NormalTensor", /* first: the mean; second: the deviation */
     .outputs = "Y",
     .attributes = TENSOR_ATTRIBUTES,
     .internal = true,
     RANDOM_ROW,
     .kind = OP_KERNEL,
     .infer = infer_random,
     .evaluate = evaluate_normal},
    {.name = "UniformTensor", /* first, second: its bounds */
     .outputs = "Y",
     .attributes = TENSOR_ATTRIBUTES,
     .internal = true,
     RANDOM_ROW,
     .kind = OP_KERNEL,
     .infer = infer_random,
     .evaluate = evaluate_uniform},
    {0},
};
