/* resize.c: Resize and Upsample, one axis at a time: along it every output position is a weighted sum of input
 * positions, a sparse matrix [out, in] that ResizeAxis applies and ResizeAxisGrad transposes. Semantics of ONNX
 * Resize-19; opset 10 and Upsample are its asymmetric case. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/geometry.h"

#include <math.h>

/* The kernels number the choices in this order. */
static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
static const char *const coordinates[] = {"half_pixel", "pytorch_half_pixel",   "align_corners",
                                          "asymmetric", "half_pixel_symmetric", NULL};
static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};
enum { NEAREST, LINEAR, CUBIC };
enum { HALF_PIXEL, PYTORCH_HALF_PIXEL, ALIGN_CORNERS, ASYMMETRIC, HALF_PIXEL_SYMMETRIC };
enum { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL };

static int choice(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

ResizeAxis resize_axis_of(const Node *node, const Type *type)
{
    int axis = (int)attr_int(node, "axis");
    return (ResizeAxis){.outer = dims_product(type, 0, axis),
                        .in = attr_int(node, "in"),
                        .inner = dims_product(type, axis + 1, type->rank),
                        .out = attr_int(node, "out"),
                        .mode = choice(modes, attr_string(node, "mode")),
                        .coordinate = choice(coordinates, attr_string(node, "coordinate")),
                        .rounding = choice(roundings, attr_string(node, "rounding")),
                        .scale = attr_float(node, "scale"),
                        .cubic = attr_float(node, "cubic_coeff_a"),
                        .exclude_outside = attr_int(node, "exclude_outside"),
                        .antialias = attr_int(node, "antialias")};
}

/* ---- weights ---- */

/* Where in the input, as a real coordinate, output position i lies. */
static double source_of(const ResizeAxis *a, int64_t i)
{
    double in = (double)a->in, out = (double)a->out, at = (double)i;
    switch (a->coordinate) {
    case ALIGN_CORNERS:
        return a->out > 1 ? at * (in - 1) / (out - 1) : 0;
    case ASYMMETRIC:
        return at / a->scale;
    case PYTORCH_HALF_PIXEL:
        return a->out > 1 ? (at + 0.5) / a->scale - 0.5 : 0;
    case HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - out / (in * a->scale)) + (at + 0.5) / a->scale - 0.5;
    default:
        return (at + 0.5) / a->scale - 0.5;
    }
}

static double nearest_to(const ResizeAxis *a, double at)
{
    switch (a->rounding) {
    case FLOOR:
        return floor(at);
    case CEIL:
        return ceil(at);
    case PREFER_CEIL:
        return floor(at + 0.5);
    default:
        return ceil(at - 0.5);
    }
}

/* The interpolating kernel at distance t >= 0: the hat, or the cubic convolution (Keys 1981) with parameter a. */
static double weight_at(const ResizeAxis *axis, double t)
{
    double a = axis->cubic;
    if (axis->mode == LINEAR)
        return t < 1 ? 1 - t : 0;
    if (t <= 1)
        return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static int64_t clamp_position(const ResizeAxis *a, double position)
{
    return position < 0 ? 0 : position > (double)(a->in - 1) ? a->in - 1 : (int64_t)position;
}

/* What is read at the coordinate, as weights[in]. Positions outside the input stand for the border's, or with
 * exclude_outside for nothing, the others being scaled to sum 1. Antialiasing widens the kernel by 1/scale when
 * shrinking. */
static void weights_around(const ResizeAxis *a, double at, double *weights)
{
    double sum = 0;
    memset(weights, 0, (size_t)a->in * sizeof *weights);
    if (a->mode == NEAREST) {
        weights[clamp_position(a, nearest_to(a, at))] = 1;
        return;
    }
    double shrink = a->antialias && a->scale < 1 ? a->scale : 1, reach = (a->mode == LINEAR ? 1 : 2) / shrink;
    for (double position = floor(at) - ceil(reach); position <= floor(at) + ceil(reach) + 1; position++) {
        bool inside = position >= 0 && position < (double)a->in;
        double weight = a->exclude_outside && !inside ? 0 : weight_at(a, fabs(at - position) * shrink);
        weights[clamp_position(a, position)] += weight;
        sum += weight;
    }
    for (int64_t k = 0; (a->exclude_outside || a->antialias) && k < a->in; k++)
        weights[k] /= sum;
}

/* Row i of the matrix. */
static void weights_of(const ResizeAxis *a, int64_t i, double *weights)
{
    weights_around(a, source_of(a, i), weights);
}

/* ---- ResizeAxis ---- */

static bool infer_axis(Graph *graph, Node *node, const char *from, const char *to)
{
    Type type = node->inputs[0]->type;
    int axis;
    if (!is_float(type.dtype))
        return REJECT(graph, node, "X is %s; it must be floating-point", type_text(graph->arena, &type));
    if (!resolve_axis(graph, node, attr_int(node, "axis"), type.rank, &axis))
        return false;
    if (attr_int(node, from) != type.dims[axis] || attr_int(node, "in") < 1 || attr_int(node, "out") < 1)
        return REJECT(graph, node, "axis %d of %s does not have the extent %" PRId64, axis,
                      type_text(graph->arena, &type), attr_int(node, from));
    if (choice(modes, attr_string(node, "mode")) < 0 || choice(coordinates, attr_string(node, "coordinate")) < 0 ||
        choice(roundings, attr_string(node, "rounding")) < 0)
        return REJECT(graph, node, "mode '%s', coordinates '%s', rounding '%s'", attr_string(node, "mode"),
                      attr_string(node, "coordinate"), attr_string(node, "rounding"));
    type.dims[axis] = attr_int(node, to);
    return set_output_type(graph, node, 0, type);
}

static bool infer_resize_axis(Graph *graph, Node *node)
{
    return infer_axis(graph, node, "in", "out");
}

static bool infer_resize_axis_grad(Graph *graph, Node *node)
{
    return infer_axis(graph, node, "out", "in");
}

/* y[outer, out, inner] = Σ weights[out, in]·x[outer, in, inner], or its transpose from y to x. */
static void apply(Arena *arena, const ResizeAxis *a, double *x, double *y, bool transposed)
{
    double *weights = NEW_ARRAY(arena, double, a->in);
    for (int64_t i = 0; i < a->out; i++) {
        weights_of(a, i, weights);
        for (int64_t k = 0; k < a->in; k++)
            for (int64_t outer = 0; weights[k] != 0 && outer < a->outer; outer++)
                for (int64_t inner = 0; inner < a->inner; inner++) {
                    double *from = &x[(outer * a->in + k) * a->inner + inner];
                    double *to = &y[(outer * a->out + i) * a->inner + inner];
                    *(transposed ? from : to) += weights[k] * *(transposed ? to : from);
                }
    }
}

static void evaluate_resize_axis(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    ResizeAxis axis = resize_axis_of(node, &inputs[0].type);
    apply(arena, &axis, inputs[0].f, outputs[0].f, false);
}

static void evaluate_resize_axis_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    ResizeAxis axis = resize_axis_of(node, &inputs[0].type);
    apply(arena, &axis, outputs[0].f, inputs[0].f, true);
}

static void resize_axis_gradient(Differentiator *d, Node *node)
{
    Node *grad = build_begin(d->graph, "ResizeAxisGrad", 1, VALUES(dy_of(d, node, 0)), 1);
    copy_attrs(d->graph, grad, node);
    contribute(d, node, 0, build_finish(d->graph, grad));
}

/* ---- ONNX's rows ---- */

/* What a Resize asks of each axis of X: its new extent, and the scale that maps coordinates. */
typedef struct Plan {
    int64_t out[MAX_RANK];
    double scale[MAX_RANK];
} Plan;

/* The axes that scales or sizes speak of: all, or those of attribute `axes`. */
static bool chosen_axes(Graph *graph, const Node *node, int given, int axes[MAX_RANK])
{
    const int64_t *list;
    int rank = node->inputs[0]->type.rank, count = attr_ints(node, "axes", &list);
    if (given != (count ? count : rank))
        return REJECT(graph, node, "%d scales or sizes for %d axes", given, count ? count : rank);
    for (int i = 0; i < given; i++) {
        axes[i] = i;
        if (count && !resolve_axis(graph, node, list[i], rank, &axes[i]))
            return false;
    }
    return true;
}

static bool plan_by_scales(Graph *graph, const Node *node, const Value *scales, Plan *plan)
{
    const Type *x = &node->inputs[0]->type;
    int axes[MAX_RANK], count = (int)element_count(&scales->type);
    if (!is_float(scales->type.dtype) || !chosen_axes(graph, node, count, axes))
        return false;
    const Tensor factors = tensor_from_data(graph->arena, &scales->type, scales->data);
    for (int i = 0; i < count; i++) {
        double scale = factors.f[i], extent = floor((double)x->dims[axes[i]] * scale);
        if (!(scale > 0) || !(extent >= 1) || extent > INT32_MAX)
            return REJECT(graph, node, "scale %g of axis %d, whose extent is %" PRId64, scale, axes[i],
                          x->dims[axes[i]]);
        plan->scale[axes[i]] = scale;
        plan->out[axes[i]] = (int64_t)extent;
    }
    return true;
}

/* keep_aspect_ratio_policy: one scale for all axes, the least or the greatest that the sizes ask for. */
static void keep_aspect_ratio(const Node *node, int count, const int *axes, Plan *plan)
{
    const char *policy = attr_string(node, "keep_aspect_ratio_policy");
    if (!strcmp(policy, "stretch"))
        return;
    double scale = plan->scale[axes[0]];
    for (int i = 1; i < count; i++) {
        double other = plan->scale[axes[i]];
        scale = !strcmp(policy, "not_larger") ? fmin(scale, other) : fmax(scale, other);
    }
    for (int i = 0; i < count; i++) {
        plan->scale[axes[i]] = scale;
        plan->out[axes[i]] = (int64_t)floor(scale * (double)node->inputs[0]->type.dims[axes[i]] + 0.5);
    }
}

static bool plan_by_sizes(Graph *graph, const Node *node, int count, const int64_t *sizes, Plan *plan)
{
    int axes[MAX_RANK];
    if (!chosen_axes(graph, node, count, axes))
        return false;
    for (int i = 0; i < count; i++) {
        if (sizes[i] < 1 || sizes[i] > INT32_MAX)
            return REJECT(graph, node, "size %" PRId64 " of axis %d", sizes[i], axes[i]);
        plan->out[axes[i]] = sizes[i];
        plan->scale[axes[i]] = (double)sizes[i] / (double)node->inputs[0]->type.dims[axes[i]];
    }
    keep_aspect_ratio(node, count, axes, plan);
    return true;
}

/* Scales and sizes are operands 2 and 3, of which one is given and the other absent or empty. */
static bool make_plan(Graph *graph, const Node *node, Plan *plan)
{
    const Type *x = &node->inputs[0]->type;
    const Value *scales = input(node, 2);
    int count;
    const int64_t *sizes;
    for (int i = 0; i < x->rank; i++) {
        plan->out[i] = x->dims[i];
        plan->scale[i] = 1;
        if (x->dims[i] < 1)
            return REJECT(graph, node, "X is %s, which has no elements", type_text(graph->arena, x));
    }
    if (const_operand_ints(graph, node, 3, &count, &sizes) && count > 0)
        return plan_by_sizes(graph, node, count, sizes, plan);
    if (scales && element_count(&scales->type) > 0)
        return plan_by_scales(graph, node, scales, plan);
    return REJECT(graph, node, "neither scales nor sizes are given");
}

static bool check_choices(Graph *graph, Node *node)
{
    static const char *const attributes[] = {"mode", "coordinate_transformation_mode", "nearest_mode"};
    const char *const *names[] = {modes, coordinates, roundings};
    for (int i = 0; i < 3; i++)
        if (choice(names[i], attr_string(node, attributes[i])) < 0)
            return REJECT_UNSUPPORTED(graph, node, "attribute '%s' is '%s'", attributes[i],
                                      attr_string(node, attributes[i]));
    return true;
}

static bool infer_resize(Graph *graph, Node *node)
{
    Type y = node->inputs[0]->type;
    Plan plan;
    if (!check_choices(graph, node) || !make_plan(graph, node, &plan))
        return false;
    memcpy(y.dims, plan.out, sizeof y.dims);
    return set_output_type(graph, node, 0, y);
}

static bool is_kept(const Plan *plan, const Type *x, int axis)
{
    return plan->scale[axis] == 1 && plan->out[axis] == x->dims[axis];
}

static void expand_resize(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0];
    Plan plan;
    make_plan(graph, node, &plan);
    for (int i = 0; i < x->type.rank; i++) {
        if (is_kept(&plan, &x->type, i))
            continue;
        Node *axis = build_begin(graph, "ResizeAxis", 1, &x, 1);
        set_int(graph, axis, "axis", i);
        set_int(graph, axis, "in", x->type.dims[i]);
        set_int(graph, axis, "out", plan.out[i]);
        set_float(graph, axis, "scale", plan.scale[i]);
        set_string(graph, axis, "mode", attr_string(node, "mode"));
        set_string(graph, axis, "coordinate", attr_string(node, "coordinate_transformation_mode"));
        set_string(graph, axis, "rounding", attr_string(node, "nearest_mode"));
        set_float(graph, axis, "cubic_coeff_a", attr_float(node, "cubic_coeff_a"));
        set_int(graph, axis, "exclude_outside", attr_int(node, "exclude_outside"));
        set_int(graph, axis, "antialias", attr_int(node, "antialias"));
        x = build_finish(graph, axis);
    }
    replacements[0] = x;
}

/* ---- CropAndResize: Resize with coordinates tf_crop_and_resize, of a region that is known ---- */

static int crop_axis_of(const Node *node, int i)
{
    const int64_t *list;
    const int rank = node->inputs[0]->type.rank, count = attr_ints(node, "axes", &list);
    return (int)(!count ? i : list[i] < 0 ? list[i] + rank : list[i]);
}

/* Is entry i of the region, of that axis, more than all of it as it stands? */
static bool is_cropped(const Plan *plan, const Type *x, const Tensor *roi, int i, int axis)
{
    return !is_kept(plan, x, axis) || roi->f[i] != 0 || roi->f[element_count(&roi->type) / 2 + i] != 1;
}

static bool infer_crop(Graph *graph, Node *node)
{
    Type y = node->inputs[0]->type;
    Plan plan;
    const int64_t *list;
    const int count = attr_ints(node, "axes", &list), axes = count ? count : y.rank;
    const Value *roi = input(node, 1);
    if (!roi || !is_float(roi->type.dtype) || element_count(&roi->type) != 2 * (int64_t)axes)
        return REJECT(graph, node, "roi must have a start and an end for each of %d axes", axes);
    if (choice(modes, attr_string(node, "mode")) < 0 || choice(roundings, attr_string(node, "nearest_mode")) < 0)
        return REJECT(graph, node, "mode '%s', rounding '%s'", attr_string(node, "mode"),
                      attr_string(node, "nearest_mode"));
    if (!is_float(y.dtype) || !make_plan(graph, node, &plan))
        return is_float(y.dtype) ? false : REJECT(graph, node, "X must be floating-point");
    const Tensor region = tensor_from_data(graph->arena, &roi->type, roi->data);
    for (int i = 0; i < axes; i++) {
        const int axis = crop_axis_of(node, i);
        int64_t weights;
        if (!is_cropped(&plan, &y, &region, i, axis))
            continue;
        if (__builtin_mul_overflow(plan.out[axis], y.dims[axis], &weights) || weights > MOST_TABLE)
            return REJECT_UNSUPPORTED(graph, node, "axis %d from %" PRId64 " to %" PRId64 " positions", axis,
                                      y.dims[axis], plan.out[axis]);
    }
    memcpy(y.dims, plan.out, sizeof y.dims);
    return set_output_type(graph, node, 0, y);
}

/* Output position i of the region [start, end], of which 1 is the last position of the axis. */
static double crop_source(const ResizeAxis *a, double start, double end, int64_t i)
{
    const double last = (double)(a->in - 1);
    return a->out > 1 ? last * (start + (double)i * (end - start) / (double)(a->out - 1)) : last * (start + end) / 2;
}

typedef struct Crop {
    Graph *graph;
    const Node *node;
    Value *y, *inside; /* so far; inside: which positions lie within X, or NULL */
} Crop;

static void crop_axis(Crop *crop, int axis, int64_t out, double start, double end)
{
    Graph *graph = crop->graph;
    const Node *node = crop->node;
    const int rank = crop->y->type.rank;
    const ResizeAxis a = {.in = crop->y->type.dims[axis],
                          .out = out,
                          .mode = choice(modes, attr_string(node, "mode")),
                          .rounding = choice(roundings, attr_string(node, "nearest_mode")),
                          .scale = 1,
                          .cubic = attr_float(node, "cubic_coeff_a"),
                          .exclude_outside = attr_int(node, "exclude_outside")};
    int64_t dims[MAX_RANK];
    int swap[MAX_RANK];
    for (int i = 0; i < rank; i++) {
        dims[i] = i == axis ? out : 1;
        swap[i] = i == axis ? rank - 1 : i == rank - 1 ? axis : i;
    }
    Tensor matrix = tensor_alloc(graph->arena, make_type(crop->y->type.dtype, 2, (int64_t[]){out, a.in}));
    Tensor inside = tensor_alloc(graph->arena, make_type(DTYPE_BOOL, rank, dims));
    for (int64_t i = 0; i < out; i++) {
        const double at = crop_source(&a, start, end, i);
        inside.i[i] = at >= 0 && at <= (double)(a.in - 1);
        if (inside.i[i])
            weights_around(&a, at, matrix.f + i * a.in);
    }
    Value *rows = build_transpose(graph, crop->y, swap), *here = const_tensor(graph, &inside);
    crop->y = build_transpose(graph, build_matmul(graph, rows, false, const_tensor(graph, &matrix), true), swap);
    crop->inside = crop->inside ? build_binary(graph, "And", crop->inside, here) : here;
}

static void expand_crop(Graph *graph, Node *node, Value **replacements)
{
    const int count = (int)element_count(&node->inputs[1]->type) / 2;
    const Tensor roi = tensor_from_data(graph->arena, &node->inputs[1]->type, node->inputs[1]->data);
    Plan plan;
    make_plan(graph, node, &plan);
    Crop crop = {graph, node, build_cast(graph, node->inputs[0], wide_dtype(node->inputs[0]->type.dtype)), NULL};
    for (int i = 0; i < count; i++) {
        const int axis = crop_axis_of(node, i);
        if (is_cropped(&plan, &crop.y->type, &roi, i, axis))
            crop_axis(&crop, axis, plan.out[axis], roi.f[i], roi.f[count + i]);
    }
    Value *outside = const_float(graph, crop.y->type.dtype, attr_float(node, "extrapolation_value"));
    Value *y = crop.inside ? build_where(graph, crop.inside, crop.y, outside) : crop.y;
    replacements[0] = build_cast(graph, y, node->outputs[0]->type.dtype);
}

/* Upsample, and Resize before opset 11: (X, scales), positions at multiples of 1/scale, rounded down. */
static void upgrade_from_scales(Graph *graph, Node *node)
{
    set_operand(graph, node, 2, input(node, 1));
    node->inputs[1] = NULL;
    set_string(graph, node, "coordinate_transformation_mode", "asymmetric");
    set_string(graph, node, "nearest_mode", "floor");
}

static bool upgrade_resize(Graph *graph, Node *node, int opset)
{
    if (opset < 11)
        upgrade_from_scales(graph, node);
    else if (has_attr(node, "coordinate_transformation_mode") &&
             strcmp(attr_string(node, "coordinate_transformation_mode"), "tf_crop_and_resize") == 0)
        node->op = find_op("CropAndResize", strlen("CropAndResize"));
    return true;
}

static bool upgrade_upsample(Graph *graph, Node *node, int opset)
{
    (void)opset;
    const Attr *scales = find_attr(node, "scales");
    if (scales && scales->kind == ATTR_FLOATS) {
        Tensor tensor = tensor_alloc(graph->arena, make_type(DTYPE_F32, 1, (int64_t[]){scales->count}));
        memcpy(tensor.f, scales->floats, (size_t)scales->count * sizeof *tensor.f);
        set_operand(graph, node, 1, const_tensor(graph, &tensor));
        remove_attr(node, "scales");
    }
    const char *mode = has_attr(node, "mode") ? attr_string(node, "mode") : "nearest";
    if (!strcmp(mode, "bilinear"))
        set_string(graph, node, "mode", "linear");
    upgrade_from_scales(graph, node);
    return true;
}

#define RESIZE_ATTRIBUTES                                                                                       \
    "antialias:int=0, axes:ints, coordinate_transformation_mode:string=half_pixel, cubic_coeff_a:float=-0.75, " \
    "exclude_outside:int=0, extrapolation_value:float=0, keep_aspect_ratio_policy:string=stretch, "             \
    "mode:string=nearest, nearest_mode:string=round_prefer_floor"
#define AXIS_ATTRIBUTES                                                                                \
    "axis:int!, in:int!, out:int!, scale:float!, mode:string!, coordinate:string!, rounding:string!, " \
    "cubic_coeff_a:float=-0.75, exclude_outside:int=0, antialias:int=0"

static int resize_follow_axis(const Node *node, int i, int axis)
{
    Plan plan;
    return i == 0 && make_plan(node->graph, node, &plan) && is_kept(&plan, &node->inputs[0]->type, axis) ? axis : -1;
}

const Op resize_ops[] = {
    {.name = "Resize",
     .inputs = "X, roi?, scales:float?!, sizes:int?!",
     .outputs = "Y",
     .attributes = RESIZE_ATTRIBUTES,
     .since = 19,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .upgrade = upgrade_resize,
     .follow_axis = resize_follow_axis,
     .infer = infer_resize,
     .expand = expand_resize},
    {.name = "CropAndResize",
     .inputs = "X, roi?!, scales:float?!, sizes:int?!",
     .outputs = "Y",
     .attributes = RESIZE_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .infer = infer_crop,
     .expand = expand_crop},
    {.name = "Upsample",
     .inputs = "X, roi?, scales:float?!, sizes:int?!",
     .outputs = "Y",
     .attributes = RESIZE_ATTRIBUTES,
     .since = 10, /* Resize took its place: every Upsample is of an older opset and upgraded */
     .until = 9,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .upgrade = upgrade_upsample,
     .follow_axis = resize_follow_axis,
     .infer = infer_resize,
     .expand = expand_resize},
    {.name = "ResizeAxis",
     .inputs = "X",
     .outputs = "Y",
     .attributes = AXIS_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .follow_axis = follow_others,
     .infer = infer_resize_axis,
     .gradient = resize_axis_gradient,
     .evaluate = evaluate_resize_axis},
    {.name = "ResizeAxisGrad",
     .inputs = "dY:float",
     .outputs = "dX",
     .attributes = AXIS_ATTRIBUTES,
     .internal = true,
     .precision = CLASS_FOLLOW,
     .kind = OP_KERNEL,
     .infer = infer_resize_axis_grad,
     .evaluate = evaluate_resize_axis_grad},
    {0},
};
