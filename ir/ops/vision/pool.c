/* pool.c: pooling. ONNX's MaxPool and AveragePool expand into pcc's MaxPoolWithIndex and AveragePooling, whose windows
 * are normal (window.h), in the layout of attribute channels_last; the global pools are reductions. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/geometry.h"

#include <math.h>
#include <string.h>

#define POOL_ATTRIBUTES "kernel_shape:ints!, " WINDOW_ATTRIBUTES ", channels_last:int=0"
#define AVERAGE_ATTRIBUTES POOL_ATTRIBUTES ", count_include_pad:int=0, overhang:ints"

/* ---- the window of a node ---- */

static void set_kernel(const Node *node, Window *window)
{
    const int64_t *kernel;
    attr_ints(node, "kernel_shape", &kernel);
    for (int i = 0; i < window->rank; i++)
        window->kernel[MAX_SPATIAL - window->rank + i] = kernel[i];
}

static bool is_average(const Node *node)
{
    return strncmp(node->op->name, "Average", 7) == 0;
}

static Divisor read_divisor(const Node *node, int rank)
{
    const int64_t *overhang;
    Divisor divisor = {.include_pad = attr_int(node, "count_include_pad")};
    int count = attr_ints(node, "overhang", &overhang);
    for (int i = 0; i < count; i++)
        divisor.overhang[MAX_SPATIAL - rank + i] = overhang[i];
    return divisor;
}

static void set_divisor(Graph *graph, Node *node, const Divisor *divisor, int rank)
{
    set_int(graph, node, "count_include_pad", divisor->include_pad);
    set_ints(graph, node, "overhang", rank, divisor->overhang + MAX_SPATIAL - rank);
}

/* The pool of an inferred row of pcc's own, from its input or its output; the other extents follow. */
Pool pool_of(const Node *node, const Type *x, const Type *y)
{
    const Type *known = x ? x : y;
    Pool p = {.channels_last = attr_int(node, "channels_last"), .window = node_window(node, known->rank - 2)};
    set_kernel(node, &p.window);
    if (is_average(node))
        p.divisor = read_divisor(node, p.window.rank);
    p.x = p.y = read_activation(known, p.channels_last);
    if (x) {
        memcpy(p.window.in, p.x.spatial, sizeof p.window.in);
        derive_out(&p.window);
        memcpy(p.y.spatial, p.window.out, sizeof p.window.out);
    } else {
        memcpy(p.window.out, p.y.spatial, sizeof p.window.out);
        derive_in(&p.window);
        memcpy(p.x.spatial, p.window.in, sizeof p.window.in);
    }
    return p;
}

static bool check_pool(Graph *graph, Node *node, const Type *activation)
{
    const int64_t *kernel;
    if (!check_activation(graph, node, activation) || !check_whole_window(graph, node, activation->rank - 2))
        return false;
    int rank = activation->rank - 2, overhangs = is_average(node) ? attr_ints(node, "overhang", &kernel) : 0;
    if (attr_ints(node, "kernel_shape", &kernel) != rank || (overhangs != 0 && overhangs != rank))
        return REJECT(graph, node, "attributes 'kernel_shape' and 'overhang' do not fit %s",
                      type_text(graph->arena, activation));
    for (int i = 0; i < rank; i++)
        if (kernel[i] < 1 || kernel[i] > INT32_MAX)
            return REJECT(graph, node, "attribute 'kernel_shape' has the value %" PRId64, kernel[i]);
    return true;
}

static bool infer_pool(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    if (!check_pool(graph, node, x))
        return false;
    Pool p = pool_of(node, x, NULL);
    if (!check_window(graph, node, &p.window))
        return false;
    Type y = activation_type(x->dtype, x->rank, p.channels_last, &p.y), index = y;
    index.dtype = DTYPE_I32;
    return set_output_type(graph, node, 0, y) && set_output_type(graph, node, 1, index);
}

/* With Mean, Gain and Offset [C], a pool of (X - Mean) * Gain + Offset. */
static bool normalises(const Node *node)
{
    return input(node, 1) != NULL;
}

static bool infer_max_pool(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    for (int i = 1; i < 4; i++) {
        const Value *operand = input(node, i);
        if (!normalises(node) && !operand)
            continue;
        if (!operand || !attr_int(node, "channels_last") || operand->type.rank != 1 || x->rank < 3 ||
            operand->type.dims[0] != x->dims[x->rank - 1])
            return REJECT(graph, node,
                          "Mean, Gain and Offset need be one value a channel each, in channels-last layout");
    }
    return infer_pool(graph, node);
}

static bool infer_pool_grad(Graph *graph, Node *node)
{
    const Type *dy = &node->inputs[0]->type;
    if (!check_pool(graph, node, dy))
        return false;
    Pool p = pool_of(node, NULL, dy);
    if (!check_window(graph, node, &p.window))
        return false;
    return set_output_type(graph, node, 0, activation_type(dy->dtype, dy->rank, p.channels_last, &p.x));
}

/* ---- reference ---- */

/* The row-major position within the input plane that window position `tap` of output position `out` reads; -1 in the
 * padding. */
static int64_t plane_index(const Window *w, int64_t out, int64_t tap)
{
    int64_t o[MAX_SPATIAL], k[MAX_SPATIAL], index = 0;
    unravel(out, w->out, o);
    unravel(tap, w->kernel, k);
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int64_t position = window_reads(w, i, o[i], k[i]);
        if (position < 0)
            return -1;
        index = index * w->in[i] + position;
    }
    return index;
}

/* One channel of one sample: element i of its planes lies at x[i * step]. A plane is dense but for the channels, so
 * that its last spatial stride serves as the stride of flat positions. */
typedef struct Plane {
    double *x, *y;
    int64_t *index; /* or NULL */
    int64_t step;
} Plane;

typedef void PlaneFunction(const Pool *p, const Plane *plane);

static void for_each_plane(const Pool *p, double *x, double *y, int64_t *index, PlaneFunction *function)
{
    Activation xs = activation_strides(&p->x, p->channels_last), ys = activation_strides(&p->y, p->channels_last);
    for (int64_t n = 0; n < p->x.n; n++)
        for (int64_t c = 0; c < p->x.c; c++) {
            int64_t at = n * ys.n + c * ys.c;
            Plane plane = {x + n * xs.n + c * xs.c, y + at, index ? index + at : NULL, xs.spatial[MAX_SPATIAL - 1]};
            function(p, &plane);
        }
}

/* The first maximum wins; a NaN wins over every number. */
static void max_plane(const Pool *p, const Plane *plane)
{
    for (int64_t out = 0; out < spatial_volume(p->window.out); out++) {
        double best = -INFINITY;
        int64_t winner = -1;
        for (int64_t tap = 0; tap < spatial_volume(p->window.kernel); tap++) {
            int64_t at = plane_index(&p->window, out, tap);
            if (at < 0)
                continue;
            double value = plane->x[at * plane->step];
            if (winner < 0 || value > best || (isnan(value) && !isnan(best))) {
                best = value;
                winner = at;
            }
        }
        plane->y[out * plane->step] = best;
        if (plane->index)
            plane->index[out * plane->step] = winner;
    }
}

static void max_plane_grad(const Pool *p, const Plane *plane)
{
    for (int64_t out = 0; out < spatial_volume(p->window.out); out++) {
        int64_t winner = plane->index[out * plane->step];
        if (winner >= 0)
            plane->x[winner * plane->step] += plane->y[out * plane->step];
    }
}

static int64_t divisor_at(const Pool *p, int64_t out)
{
    const Window *w = &p->window;
    int64_t o[MAX_SPATIAL], count = 1;
    unravel(out, w->out, o);
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int64_t taps = 0, padded = (w->out[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1;
        for (int64_t k = 0; k < w->kernel[i]; k++)
            taps += p->divisor.include_pad ? o[i] * w->stride[i] + k * w->dilation[i] < padded - p->divisor.overhang[i]
                                           : window_reads(w, i, o[i], k) >= 0;
        count *= taps;
    }
    return count > 1 ? count : 1;
}

static void average_plane(const Pool *p, const Plane *plane)
{
    for (int64_t out = 0; out < spatial_volume(p->window.out); out++) {
        double sum = 0;
        for (int64_t tap = 0; tap < spatial_volume(p->window.kernel); tap++) {
            int64_t at = plane_index(&p->window, out, tap);
            sum += at < 0 ? 0 : plane->x[at * plane->step];
        }
        plane->y[out * plane->step] = sum / (double)divisor_at(p, out);
    }
}

static void average_plane_grad(const Pool *p, const Plane *plane)
{
    for (int64_t out = 0; out < spatial_volume(p->window.out); out++) {
        double share = plane->y[out * plane->step] / (double)divisor_at(p, out);
        for (int64_t tap = 0; tap < spatial_volume(p->window.kernel); tap++) {
            int64_t at = plane_index(&p->window, out, tap);
            if (at >= 0)
                plane->x[at * plane->step] += share;
        }
    }
}

/* Channels last: channel i % c is that of element i. */
static double *normalised(Arena *arena, const Tensor *inputs, int64_t channels)
{
    const int64_t count = element_count(&inputs[0].type);
    double *y = NEW_ARRAY(arena, double, count);
    for (int64_t i = 0; i < count; i++) {
        const int64_t c = i % channels;
        y[i] = (inputs[0].f[i] - inputs[1].f[c]) * inputs[2].f[c] + inputs[3].f[c];
    }
    return y;
}

static void evaluate_max(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    Pool p = pool_of(node, &inputs[0].type, NULL);
    double *x = normalises(node) ? normalised(arena, inputs, p.x.c) : inputs[0].f;
    for_each_plane(&p, x, outputs[0].f, has_output(node, 1) ? outputs[1].i : NULL, max_plane);
}

static void evaluate_max_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Pool p = pool_of(node, NULL, &inputs[0].type);
    for_each_plane(&p, outputs[0].f, inputs[0].f, inputs[1].i, max_plane_grad);
}

static void evaluate_average(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Pool p = pool_of(node, &inputs[0].type, NULL);
    for_each_plane(&p, inputs[0].f, outputs[0].f, NULL, average_plane);
}

static void evaluate_average_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena;
    Pool p = pool_of(node, NULL, &inputs[0].type);
    for_each_plane(&p, outputs[0].f, inputs[0].f, NULL, average_plane_grad);
}

/* ---- gradients ---- */

static Node *begin_pool(Graph *graph, const char *op, int input_count, Value *const *inputs, const Window *w,
                        bool channels_last)
{
    Node *node = build_begin(graph, op, input_count, inputs, 1);
    set_ints(graph, node, "kernel_shape", w->rank, w->kernel + MAX_SPATIAL - w->rank);
    set_window(graph, node, w);
    set_int(graph, node, "channels_last", channels_last);
    return node;
}

static void max_gradient(Differentiator *d, Node *node)
{
    Value *index = saved_output(d->graph, node, 1);
    Pool p = pool_of(node, &node->inputs[0]->type, NULL);
    make_window_exact(&p.window);
    contribute(d, node, 0,
               build_finish(d->graph, begin_pool(d->graph, "MaxPoolGrad", 2, VALUES(dy_of(d, node, 0), index),
                                                 &p.window, p.channels_last)));
}

static void average_gradient(Differentiator *d, Node *node)
{
    Pool p = pool_of(node, &node->inputs[0]->type, NULL);
    make_window_exact(&p.window);
    Node *grad = begin_pool(d->graph, "AveragePoolGrad", 1, VALUES(dy_of(d, node, 0)), &p.window, p.channels_last);
    set_divisor(d->graph, grad, &p.divisor, p.window.rank);
    contribute(d, node, 0, build_finish(d->graph, grad));
}

/* ---- ONNX's rows ---- */

static bool onnx_window(Graph *graph, Node *node, Window *window)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t *kernel;
    if (!check_activation(graph, node, x))
        return false;
    if (attr_ints(node, "kernel_shape", &kernel) != x->rank - 2)
        return REJECT(graph, node, "attribute 'kernel_shape' does not fit X, which is %s", type_text(graph->arena, x));
    return window_of_onnx(graph, node, x->rank - 2, read_activation(x, false).spatial, kernel, window);
}

static bool infer_onnx_pool(Graph *graph, Node *node)
{
    Window window;
    if (!onnx_window(graph, node, &window))
        return false;
    const Type *x = &node->inputs[0]->type;
    Activation y = read_activation(x, false);
    memcpy(y.spatial, window.out, sizeof window.out);
    Type type = activation_type(x->dtype, x->rank, false, &y);
    if (!set_output_type(graph, node, 0, type))
        return false;
    type.dtype = DTYPE_I64;
    return set_output_type(graph, node, 1, type);
}

/* Pools of the small integers that quantised networks have are pools of their numbers. */
static bool upgrade_max(Graph *graph, Node *node, int opset)
{
    (void)opset;
    if (node->inputs[0]->type.dtype == DTYPE_U8 || node->inputs[0]->type.dtype == DTYPE_I8)
        node->op = find_op("MaxPoolOfBytes", strlen("MaxPoolOfBytes"));
    (void)graph;
    return true;
}

/* The position in a plane, row by row, as ONNX counts it: over all planes and, with storage_order 1, by columns. */
static Value *build_onnx_index(Graph *graph, const Node *node, Value *index)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t volume = dims_product(x, 2, x->rank), width = x->dims[x->rank - 1];
    if (attr_int(node, "storage_order") && x->rank == 4) {
        Value *columns = const_ints(graph, 1, &width), *height = const_ints(graph, 1, &x->dims[2]);
        Value *row = build_div(graph, index, columns), *column = build_binary(graph, "Mod", index, columns);
        index = build_add(graph, row, build_mul(graph, column, height));
    }
    int64_t dims[MAX_RANK] = {x->dims[0], x->dims[1], 1, 1, 1};
    Tensor planes = tensor_alloc(graph->arena, make_type(DTYPE_I64, x->rank, dims));
    for (int64_t i = 0; i < dims[0] * dims[1]; i++)
        planes.i[i] = i * volume;
    return build_add(graph, index, const_tensor(graph, &planes));
}

static void expand_max(Graph *graph, Node *node, Value **replacements)
{
    Window window;
    onnx_window(graph, node, &window);
    Node *pool = begin_pool(graph, "MaxPoolWithIndex", 1, node->inputs, &window, false);
    replacements[0] = build_finish(graph, pool);
    if (has_output(node, 1))
        replacements[1] = build_onnx_index(graph, node, build_cast(graph, saved_output(graph, pool, 1), DTYPE_I64));
}

static Node *begin_float_pool(Graph *graph, const Node *node)
{
    Value *x = build_cast(graph, node->inputs[0], DTYPE_F32);
    Node *pool = build_begin(graph, "MaxPool", 1, &x, node->output_count);
    copy_attrs(graph, pool, node);
    return pool;
}

static bool infer_byte_pool(Graph *graph, Node *node)
{
    Node floats = *node;
    Value x = *node->inputs[0], y = {0}, index = {0};
    x.type.dtype = DTYPE_F32;
    floats.inputs = VALUES(&x);
    floats.outputs = VALUES(&y, has_output(node, 1) ? &index : NULL);
    if (!infer_onnx_pool(graph, &floats))
        return false;
    y.type.dtype = node->inputs[0]->type.dtype;
    return set_output_type(graph, node, 0, y.type) && set_output_type(graph, node, 1, index.type);
}

static void expand_byte_pool(Graph *graph, Node *node, Value **replacements)
{
    Node *pool = begin_float_pool(graph, node);
    Value *y = build_finish(graph, pool);
    replacements[0] = build_cast(graph, y, node->inputs[0]->type.dtype);
    if (has_output(node, 1))
        replacements[1] = pool->outputs[1];
}

/* The padding behind spatial dim i that the node asks for; a window's own is exact, so it may be less or, under
 * ceil_mode, more. */
static int64_t asked_after(const Node *node, const Window *window, int i)
{
    const int64_t *pads;
    int64_t exact = window->after[MAX_SPATIAL - window->rank + i];
    if (attr_ints(node, "pads", &pads))
        return pads[window->rank + i];
    return strncmp(attr_string(node, "auto_pad"), "SAME", 4) == 0 && exact > 0 ? exact : 0;
}

static void expand_average(Graph *graph, Node *node, Value **replacements)
{
    Window window;
    Divisor divisor = {.include_pad = attr_int(node, "count_include_pad")};
    onnx_window(graph, node, &window);
    for (int i = 0; i < window.rank; i++) {
        int axis = MAX_SPATIAL - window.rank + i;
        int64_t behind = window.after[axis] - asked_after(node, &window, i);
        divisor.overhang[axis] = behind > 0 ? behind : 0;
    }
    Node *pool = begin_pool(graph, "AveragePooling", 1, node->inputs, &window, false);
    set_divisor(graph, pool, &divisor, window.rank);
    replacements[0] = build_finish(graph, pool);
}

/* |x|^p and the root of sums of it, for the p-norms over windows. */
static Value *build_norm_power(Graph *graph, Value *x, int64_t p)
{
    Value *magnitude = p % 2 == 0 ? x : build_unary(graph, "Abs", x);
    return p == 1 ? magnitude : build_binary(graph, "Pow", magnitude, const_float(graph, x->type.dtype, (double)p));
}

static Value *build_norm_root(Graph *graph, Value *sum, int64_t p)
{
    if (p <= 2)
        return p == 1 ? sum : build_unary(graph, "NormSqrt", sum);
    Node *root = build_begin(graph, "NormRoot", 1, &sum, 1);
    set_float(graph, root, "degree", (double)p);
    return build_finish(graph, root);
}

/* (Σ |x|^p)^(1/p): the sum is the average that counts all of the window, times its size. */
static void expand_lp(Graph *graph, Node *node, Value **replacements)
{
    int64_t p = attr_int(node, "p");
    Value *power = build_norm_power(graph, build_widened(graph, node->inputs[0]), p);
    Window window;
    onnx_window(graph, node, &window);
    Node *pool = begin_pool(graph, "AveragePooling", 1, &power, &window, false);
    set_int(graph, pool, "count_include_pad", 1);
    Value *sum = build_scale(graph, build_finish(graph, pool), (double)spatial_volume(window.kernel));
    replacements[0] = build_cast(graph, build_norm_root(graph, sum, p), node->outputs[0]->type.dtype);
}

static bool check_degree(Graph *graph, Node *node)
{
    const int64_t p = attr_int(node, "p");
    return p >= 1 || REJECT(graph, node, "attribute 'p' is %" PRId64 "; the norm needs 1 or more", p);
}

static bool infer_lp(Graph *graph, Node *node)
{
    return check_degree(graph, node) && infer_onnx_pool(graph, node);
}

static bool infer_global_pool(Graph *graph, Node *node)
{
    Type y = node->inputs[0]->type;
    if (y.rank < 3)
        return REJECT(graph, node, "X is %s; it needs a batch, a channel and at least one spatial dim",
                      type_text(graph->arena, &y));
    for (int i = 2; i < y.rank; i++)
        y.dims[i] = 1;
    return set_output_type(graph, node, 0, y);
}

static bool infer_global_lp(Graph *graph, Node *node)
{
    return check_degree(graph, node) && infer_global_pool(graph, node);
}

static void expand_global_average(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = build_reduce_range(graph, "ReduceMean", node->inputs[0], 2, node->inputs[0]->type.rank);
}

/* One window: of equal elements the first takes the gradient, as in any max pool, where ReduceMax shares it. */
static void expand_global_max(Graph *graph, Node *node, Value **replacements)
{
    const Type *x = &node->inputs[0]->type;
    if (!is_float(x->dtype) || x->rank > 2 + MAX_SPATIAL || element_count(x) == 0) {
        replacements[0] = build_reduce_range(graph, "ReduceMax", node->inputs[0], 2, x->rank);
        return;
    }
    Window window = whole_window(x->rank - 2, read_activation(x, false).spatial);
    replacements[0] = build_finish(graph, begin_pool(graph, "MaxPoolWithIndex", 1, node->inputs, &window, false));
}

static void expand_global_lp(Graph *graph, Node *node, Value **replacements)
{
    int64_t p = attr_int(node, "p");
    Value *power = build_norm_power(graph, build_widened(graph, node->inputs[0]), p);
    Value *sum = build_reduce_range(graph, "ReduceSum", power, 2, power->type.rank);
    replacements[0] = build_cast(graph, build_norm_root(graph, sum, p), node->outputs[0]->type.dtype);
}

#define ONNX_POOL_ATTRIBUTES \
    "auto_pad:string=NOTSET, ceil_mode:int=0, dilations:ints, kernel_shape:ints!, pads:ints, strides:ints"

const Op pool_ops[] = {
    {.name = "MaxPool",
     .inputs = "X",
     .outputs = "Y, Indices?",
     .attributes = ONNX_POOL_ATTRIBUTES ", storage_order:int=0",
     .since = 1,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .upgrade = upgrade_max,
     .follow_axis = follow_channels,
     .infer = infer_onnx_pool,
     .expand = expand_max},
    {.name = "MaxPoolOfBytes",
     .inputs = "X:int",
     .outputs = "Y, Indices?",
     .attributes = ONNX_POOL_ATTRIBUTES ", storage_order:int=0",
     .since = 1,
     .internal = true,
     .precision = CLASS_NONE,
     .kind = OP_EXPAND,
     .follow_axis = follow_channels,
     .infer = infer_byte_pool,
     .expand = expand_byte_pool},
    {.name = "AveragePool",
     .inputs = "X",
     .outputs = "Y",
     .attributes = ONNX_POOL_ATTRIBUTES ", count_include_pad:int=0",
     .since = 1,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = follow_channels,
     .infer = infer_onnx_pool,
     .expand = expand_average},
    {.name = "LpPool",
     .inputs = "X",
     .outputs = "Y",
     .attributes = ONNX_POOL_ATTRIBUTES ", p:int=2",
     .since = 2,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = follow_channels,
     .infer = infer_lp,
     .expand = expand_lp},
    {.name = "GlobalAveragePool",
     .inputs = "X",
     .outputs = "Y",
     .since = 1,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = follow_channels,
     .infer = infer_global_pool,
     .expand = expand_global_average},
    {.name = "GlobalMaxPool",
     .inputs = "X",
     .outputs = "Y",
     .since = 1,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = follow_channels,
     .infer = infer_global_pool,
     .expand = expand_global_max},
    {.name = "GlobalLpPool",
     .inputs = "X",
     .outputs = "Y",
     .attributes = "p:int=2",
     .since = 2,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .follow_axis = follow_channels,
     .infer = infer_global_lp,
     .expand = expand_global_lp},
    {.name = "MaxPoolWithIndex",
     .inputs = "X, Mean:float?, Gain:float?, Offset:float?",
     .outputs = "Y, Index:int?",
     .attributes = POOL_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .follow_axis = follow_channels,
     .infer = infer_max_pool,
     .gradient = max_gradient,
     .evaluate = evaluate_max},
    {.name = "MaxPoolGrad",
     .inputs = "dY:float, Index:int",
     .outputs = "dX",
     .attributes = POOL_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .infer = infer_pool_grad,
     .evaluate = evaluate_max_grad},
    {.name = "AveragePooling",
     .inputs = "X",
     .outputs = "Y",
     .attributes = AVERAGE_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .follow_axis = follow_channels,
     .infer = infer_pool,
     .gradient = average_gradient,
     .evaluate = evaluate_average},
    {.name = "AveragePoolGrad",
     .inputs = "dY",
     .outputs = "dX",
     .attributes = AVERAGE_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .infer = infer_pool_grad,
     .evaluate = evaluate_average_grad},
    {0},
};
