/* conv.c: convolutions. ONNX's Conv and ConvTranspose expand into pcc's three bilinear rows and an Add of the bias:
 *
 *     Convolution(X, W) -> Y              y[o] = Σ x[o·stride - before + k·dilation]·w[k]
 *     ConvolutionGradInput(Y, W) -> X     its adjoint in X: also what ConvTranspose computes
 *     ConvolutionGradWeight(X, Y) -> W    its adjoint in W
 *
 * Each is linear in both operands, so that the three are one another's gradients. X and Y are activations in the
 * layout of attribute channels_last; W is [O, C/group, kernel...] always. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/geometry.h"
#include "ir/schema.h"

#include <string.h>

static int64_t channels_per_group(const Convolution *c)
{
    return c->x.c / c->group;
}

static Type weight_type(Dtype dtype, const Convolution *c)
{
    Type type = {.dtype = dtype, .rank = 2 + c->window.rank, .dims = {c->y.c, channels_per_group(c)}};
    for (int i = 0; i < c->window.rank; i++)
        type.dims[2 + i] = c->window.kernel[MAX_SPATIAL - c->window.rank + i];
    return type;
}

static void read_kernel(const Type *weight, Window *window)
{
    for (int i = 0; i < window->rank; i++)
        window->kernel[MAX_SPATIAL - window->rank + i] = weight->dims[2 + i];
}

/* The convolution of an inferred node, from those of its operands that are not NULL. */
Convolution convolution_of(const Node *node, const Type *x, const Type *w, const Type *y)
{
    Convolution c = {.window = node_window(node, (x ? x : y)->rank - 2),
                     .group = attr_int(node, "group"),
                     .channels_last = attr_int(node, "channels_last")};
    if (w)
        read_kernel(w, &c.window);
    if (x) {
        c.x = read_activation(x, c.channels_last);
        memcpy(c.window.in, c.x.spatial, sizeof c.window.in);
    }
    if (y) {
        c.y = read_activation(y, c.channels_last);
        memcpy(c.window.out, c.y.spatial, sizeof c.window.out);
    }
    return c;
}

/* ---- inference ---- */

static bool check_convolution(Graph *graph, Node *node, const Type *activation, const Type *other)
{
    if (!check_activation(graph, node, activation))
        return false;
    if (!dtypes_agree(node, other->dtype, activation->dtype) || other->rank != activation->rank)
        return REJECT(graph, node, "%s and %s do not agree in dtype or rank", type_text(graph->arena, activation),
                      type_text(graph->arena, other));
    if (attr_int(node, "group") < 1)
        return REJECT(graph, node, "attribute 'group' is %" PRId64, attr_int(node, "group"));
    return check_whole_window(graph, node, activation->rank - 2);
}

/* `outer` channels on the weight's side O, `inner` on its side C/group. */
static bool check_channels(Graph *graph, Node *node, int64_t outer, int64_t inner, const Type *weight)
{
    int64_t group = attr_int(node, "group");
    if (outer % group != 0 || weight->dims[0] != outer || weight->dims[1] * group != inner)
        return REJECT(graph, node,
                      "weights %s do not fit %" PRId64 " input and %" PRId64 " output channels in %" PRId64 " groups",
                      type_text(graph->arena, weight), inner, outer, group);
    return true;
}

static bool infer_convolution(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *w = &node->inputs[1]->type;
    if (!check_convolution(graph, node, x, w))
        return false;
    Convolution c = convolution_of(node, x, w, NULL);
    if (!check_channels(graph, node, w->dims[0], c.x.c, w))
        return false;
    derive_out(&c.window);
    if (!check_window(graph, node, &c.window))
        return false;
    c.y = (Activation){.n = c.x.n, .c = w->dims[0]};
    memcpy(c.y.spatial, c.window.out, sizeof c.window.out);
    return set_stored_type(graph, node, activation_type(x->dtype, x->rank, c.channels_last, &c.y));
}

static bool infer_grad_input(Graph *graph, Node *node)
{
    const Type *y = &node->inputs[0]->type, *w = &node->inputs[1]->type;
    if (!check_convolution(graph, node, y, w))
        return false;
    Convolution c = convolution_of(node, NULL, w, y);
    if (!check_channels(graph, node, c.y.c, w->dims[1] * c.group, w))
        return false;
    derive_in(&c.window);
    if (!check_window(graph, node, &c.window))
        return false;
    c.x = (Activation){.n = c.y.n, .c = w->dims[1] * c.group};
    memcpy(c.x.spatial, c.window.in, sizeof c.window.in);
    return set_stored_type(graph, node, activation_type(y->dtype, y->rank, c.channels_last, &c.x));
}

static bool infer_grad_weight(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *y = &node->inputs[1]->type;
    if (!check_convolution(graph, node, x, y))
        return false;
    Convolution c = convolution_of(node, x, NULL, y);
    if (c.x.n != c.y.n || c.x.c % c.group != 0 || c.y.c % c.group != 0)
        return REJECT(graph, node, "%s and %s are not the two sides of a convolution in %" PRId64 " groups",
                      type_text(graph->arena, x), type_text(graph->arena, y), c.group);
    derive_kernel(&c.window);
    if (!check_window(graph, node, &c.window))
        return false;
    return set_stored_type(graph, node, weight_type(x->dtype, &c));
}

/* ---- reference ---- */

/* What one (n, o, output position, kernel position) adds, over `count` channels: x at `step` elements, w at `tap`. */
typedef void Accumulate(int64_t count, double *x, int64_t step, double *w, int64_t tap, double *y);

static void accumulate_y(int64_t count, double *x, int64_t step, double *w, int64_t tap, double *y)
{
    for (int64_t i = 0; i < count; i++)
        *y += x[i * step] * w[i * tap];
}

static void accumulate_x(int64_t count, double *x, int64_t step, double *w, int64_t tap, double *y)
{
    for (int64_t i = 0; i < count; i++)
        x[i * step] += *y * w[i * tap];
}

static void accumulate_w(int64_t count, double *x, int64_t step, double *w, int64_t tap, double *y)
{
    for (int64_t i = 0; i < count; i++)
        w[i * tap] += *y * x[i * step];
}

/* Offset in x of what output position `out` reads at kernel position `k`; -1 in the padding. */
static int64_t input_offset(const Window *w, const int64_t strides[MAX_SPATIAL], const int64_t out[MAX_SPATIAL],
                            const int64_t k[MAX_SPATIAL])
{
    int64_t offset = 0;
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int64_t position = window_reads(w, i, out[i], k[i]);
        if (position < 0)
            return -1;
        offset += position * strides[i];
    }
    return offset;
}

static void accumulate_output(const Convolution *c, Accumulate *accumulate, double *x, double *w, double *y,
                              const int64_t out[MAX_SPATIAL])
{
    Activation xs = activation_strides(&c->x, c->channels_last), ys = activation_strides(&c->y, c->channels_last);
    int64_t taps = spatial_volume(c->window.kernel), depth = channels_per_group(c), width = c->y.c / c->group;
    int64_t to = out[0] * ys.spatial[0] + out[1] * ys.spatial[1] + out[2] * ys.spatial[2], k[MAX_SPATIAL];
    for (int64_t tap = 0; tap < taps; tap++) {
        unravel(tap, c->window.kernel, k);
        int64_t from = input_offset(&c->window, xs.spatial, out, k);
        for (int64_t o = 0; from >= 0 && o < c->y.c; o++)
            accumulate(depth, x + from + o / width * depth * xs.c, xs.c, w + o * depth * taps + tap, taps,
                       y + to + o * ys.c);
    }
}

static void evaluate_all(const Convolution *c, Accumulate *accumulate, double *x, double *w, double *y)
{
    Activation xs = activation_strides(&c->x, c->channels_last), ys = activation_strides(&c->y, c->channels_last);
    int64_t out[MAX_SPATIAL];
    for (int64_t n = 0; n < c->x.n; n++)
        for (int64_t position = 0; position < spatial_volume(c->window.out); position++) {
            unravel(position, c->window.out, out);
            accumulate_output(c, accumulate, x + n * xs.n, w, y + n * ys.n, out);
        }
}

static void evaluate_convolution(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Convolution c = convolution_of(node, &inputs[0].type, &inputs[1].type, &outputs[0].type);
    evaluate_all(&c, accumulate_y, inputs[0].f, inputs[1].f, outputs[0].f);
}

static void evaluate_grad_input(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Convolution c = convolution_of(node, &outputs[0].type, &inputs[1].type, &inputs[0].type);
    evaluate_all(&c, accumulate_x, outputs[0].f, inputs[1].f, inputs[0].f);
}

static void evaluate_grad_weight(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Convolution c = convolution_of(node, &inputs[0].type, &outputs[0].type, &inputs[1].type);
    evaluate_all(&c, accumulate_w, inputs[0].f, outputs[0].f, inputs[1].f);
}

/* ---- gradients ---- */

/* A row of the three over the same window, whose pads are made exact first (window.h). */
static Value *build_convolution(Graph *graph, const char *op, Value *left, Value *right, const Convolution *c)
{
    Node *node = build_begin(graph, op, 2, VALUES(left, right), 1);
    set_window(graph, node, &c->window);
    set_int(graph, node, "group", c->group);
    set_int(graph, node, "channels_last", c->channels_last);
    return build_finish(graph, node);
}

static void convolution_gradient(Differentiator *d, Node *node)
{
    Value *x = node->inputs[0], *w = node->inputs[1], *dy = dy_of(d, node, 0);
    Convolution c = convolution_of(node, &x->type, &w->type, &node->outputs[0]->type);
    make_window_exact(&c.window);
    if (wants(d, node, 0))
        contribute(d, node, 0, build_convolution(d->graph, "ConvolutionGradInput", dy, w, &c));
    if (wants(d, node, 1))
        contribute(d, node, 1, build_convolution(d->graph, "ConvolutionGradWeight", x, dy, &c));
}

static void grad_input_gradient(Differentiator *d, Node *node)
{
    Value *y = node->inputs[0], *w = node->inputs[1], *dx = dy_of(d, node, 0);
    Convolution c = convolution_of(node, &node->outputs[0]->type, &w->type, &y->type);
    if (wants(d, node, 0))
        contribute(d, node, 0, build_convolution(d->graph, "Convolution", dx, w, &c));
    if (wants(d, node, 1))
        contribute(d, node, 1, build_convolution(d->graph, "ConvolutionGradWeight", dx, y, &c));
}

static void grad_weight_gradient(Differentiator *d, Node *node)
{
    Value *x = node->inputs[0], *y = node->inputs[1], *dw = dy_of(d, node, 0);
    Convolution c = convolution_of(node, &x->type, &node->outputs[0]->type, &y->type);
    if (wants(d, node, 0))
        contribute(d, node, 0, build_convolution(d->graph, "ConvolutionGradInput", y, dw, &c));
    if (wants(d, node, 1))
        contribute(d, node, 1, build_convolution(d->graph, "Convolution", x, dw, &c));
}

/* A convolution and both of its gradients multiply each output position with each weight of its group once. */
static double products_flops(const Type *output, const Type *weight)
{
    int64_t positions = dims_product(output, 0, output->rank - 1); /* channels-last */
    return 2.0 * (double)positions * (double)element_count(weight);
}

static double convolution_flops(const Node *node)
{
    return products_flops(result_type(node), &node->inputs[1]->type);
}

static double grad_input_flops(const Node *node)
{
    return products_flops(&node->inputs[0]->type, &node->inputs[1]->type);
}

static double grad_weight_flops(const Node *node)
{
    return products_flops(&node->inputs[1]->type, &node->outputs[0]->type);
}

/* ---- ONNX's rows ---- */

/* kernel_shape may be left out: it is the weights'. */
static bool check_kernel_shape(Graph *graph, Node *node, const Type *weight)
{
    const int64_t *kernel;
    int count = attr_ints(node, "kernel_shape", &kernel);
    for (int i = 0; i < count; i++)
        if (count != weight->rank - 2 || kernel[i] != weight->dims[2 + i])
            return REJECT(graph, node, "attribute 'kernel_shape' does not agree with the weights' %s",
                          type_text(graph->arena, weight));
    return true;
}

static bool check_onnx_operands(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *w = &node->inputs[1]->type;
    if (!check_activation(graph, node, x))
        return false;
    if (w->dtype != x->dtype || w->rank != x->rank)
        return REJECT(graph, node, "X is %s and W is %s; they must agree in dtype and rank", type_text(graph->arena, x),
                      type_text(graph->arena, w));
    if (attr_int(node, "group") < 1)
        return REJECT(graph, node, "attribute 'group' is %" PRId64, attr_int(node, "group"));
    return check_kernel_shape(graph, node, w);
}

static bool check_bias(Graph *graph, Node *node, int64_t channels)
{
    const Value *bias = input(node, 2);
    if (bias && (bias->type.rank != 1 || bias->type.dims[0] != channels))
        return REJECT(graph, node, "B is %s, but there are %" PRId64 " output channels",
                      type_text(graph->arena, &bias->type), channels);
    return true;
}

static Value *add_bias(Graph *graph, Value *y, const Node *node)
{
    return input(node, 2) ? build_add(graph, y, build_channel_vector(graph, node->inputs[2], y->type.rank)) : y;
}

static bool onnx_convolution(Graph *graph, Node *node, Convolution *c)
{
    const Type *x = &node->inputs[0]->type, *w = &node->inputs[1]->type;
    *c = (Convolution){.x = read_activation(x, false), .group = attr_int(node, "group")};
    if (!window_of_onnx(graph, node, x->rank - 2, c->x.spatial, w->dims + 2, &c->window))
        return false;
    c->y = (Activation){.n = c->x.n, .c = w->dims[0]};
    memcpy(c->y.spatial, c->window.out, sizeof c->window.out);
    return true;
}

static bool infer_conv(Graph *graph, Node *node)
{
    Convolution c;
    if (!check_onnx_operands(graph, node) || !onnx_convolution(graph, node, &c))
        return false;
    if (!check_channels(graph, node, c.y.c, c.x.c, &node->inputs[1]->type) || !check_bias(graph, node, c.y.c))
        return false;
    return set_output_type(graph, node, 0,
                           activation_type(node->inputs[0]->type.dtype, node->inputs[0]->type.rank, false, &c.y));
}

static void expand_conv(Graph *graph, Node *node, Value **replacements)
{
    Convolution c;
    onnx_convolution(graph, node, &c);
    replacements[0] =
        add_bias(graph, build_convolution(graph, "Convolution", node->inputs[0], node->inputs[1], &c), node);
}

/* Extents and padding of a transposed convolution: each is the convolution that reads `in` = this node's result and
 * writes `out` = this node's X. output_shape, where given, fixes the result and leaves the padding to auto_pad. */
static void transposed_extent(const Node *node, Window *w, int i, int64_t output_padding, const int64_t *output_shape)
{
    const char *auto_pad = attr_string(node, "auto_pad");
    bool upper = !strcmp(auto_pad, "SAME_UPPER"), same = upper || !strcmp(auto_pad, "SAME_LOWER");
    int64_t full = (w->out[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1;
    if (!strcmp(auto_pad, "VALID"))
        w->before[i] = w->after[i] = 0;
    if (!same && !output_shape) {
        w->in[i] = full + output_padding - w->before[i] - w->after[i];
    } else {
        w->in[i] = output_shape ? *output_shape : w->out[i] * w->stride[i];
        int64_t total = full + output_padding > w->in[i] ? full + output_padding - w->in[i] : 0;
        w->before[i] = upper ? total / 2 : total - total / 2;
    }
    w->after[i] = full - w->in[i] - w->before[i]; /* exact, so negative where the result outreaches all windows */
}

static bool onnx_transposed(Graph *graph, Node *node, Convolution *c)
{
    const Type *x = &node->inputs[0]->type, *w = &node->inputs[1]->type;
    const int64_t *extra, *shape;
    int rank = x->rank - 2, extra_count = attr_ints(node, "output_padding", &extra);
    int shape_count = attr_ints(node, "output_shape", &shape);
    *c = (Convolution){.y = read_activation(x, false), .group = attr_int(node, "group")};
    if (!read_window(graph, node, rank, &c->window))
        return false;
    if ((extra_count != 0 && extra_count != rank) || (shape_count != 0 && shape_count < rank))
        return REJECT(graph, node, "attributes 'output_padding' and 'output_shape' must have %d values", rank);
    memcpy(c->window.out, c->y.spatial, sizeof c->window.out);
    read_kernel(w, &c->window);
    for (int i = 0; i < rank; i++)
        transposed_extent(node, &c->window, MAX_SPATIAL - rank + i, extra_count ? extra[i] : 0,
                          shape_count ? &shape[shape_count - rank + i] : NULL);
    c->x = (Activation){.n = c->y.n, .c = w->dims[1] * c->group};
    memcpy(c->x.spatial, c->window.in, sizeof c->window.in);
    return check_window(graph, node, &c->window);
}

static bool infer_conv_transpose(Graph *graph, Node *node)
{
    Convolution c;
    if (!check_onnx_operands(graph, node) || !onnx_transposed(graph, node, &c))
        return false;
    if (!check_channels(graph, node, c.y.c, c.x.c, &node->inputs[1]->type) || !check_bias(graph, node, c.x.c))
        return false;
    return set_output_type(graph, node, 0,
                           activation_type(node->inputs[0]->type.dtype, node->inputs[0]->type.rank, false, &c.x));
}

static void expand_conv_transpose(Graph *graph, Node *node, Value **replacements)
{
    Convolution c;
    onnx_transposed(graph, node, &c);
    replacements[0] =
        add_bias(graph, build_convolution(graph, "ConvolutionGradInput", node->inputs[0], node->inputs[1], &c), node);
}

#define CONVOLUTION_ATTRIBUTES WINDOW_ATTRIBUTES ", group:int=1, channels_last:int=0, stored:int=0"

const Op conv_ops[] = {
    {.name = "Conv",
     .inputs = "X:float, W:float, B:float?",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT},
     .outputs = "Y",
     .attributes = "auto_pad:string=NOTSET, dilations:ints, group:int=1, kernel_shape:ints, pads:ints, strides:ints",
     .since = 1,
     .precision = CLASS_LOWER,
     .kind = OP_EXPAND,
     .follow_axis = follow_first,
     .infer = infer_conv,
     .expand = expand_conv},
    {.name = "ConvTranspose",
     .inputs = "X:float, W:float, B:float?",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT},
     .outputs = "Y",
     .attributes = "auto_pad:string=NOTSET, dilations:ints, group:int=1, kernel_shape:ints, output_padding:ints, "
                   "output_shape:ints, pads:ints, strides:ints",
     .since = 1,
     .precision = CLASS_LOWER,
     .kind = OP_EXPAND,
     .follow_axis = follow_first,
     .infer = infer_conv_transpose,
     .expand = expand_conv_transpose},
    {.name = "Convolution",
     .inputs = "X:float, W:float",
     .outputs = "Y",
     .attributes = CONVOLUTION_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_LOWER,
     .kind = OP_KERNEL,
     .follow_axis = follow_first,
     .infer = infer_convolution,
     .gradient = convolution_gradient,
     .evaluate = evaluate_convolution,
     .flops = convolution_flops},
    {.name = "ConvolutionGradInput",
     .inputs = "Y:float, W:float",
     .outputs = "X",
     .attributes = CONVOLUTION_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_LOWER,
     .kind = OP_KERNEL,
     .infer = infer_grad_input,
     .gradient = grad_input_gradient,
     .evaluate = evaluate_grad_input,
     .flops = grad_input_flops},
    {.name = "ConvolutionGradWeight",
     .inputs = "X:float, Y:float",
     .outputs = "W",
     .attributes = CONVOLUTION_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_LOWER,
     .kind = OP_KERNEL,
     .infer = infer_grad_weight,
     .gradient = grad_weight_gradient,
     .evaluate = evaluate_grad_weight,
     .flops = grad_weight_flops},
    {0},
};
