/* sampling.c: reading images at places between their pixels: AffineGrid, GridSample, RoiAlign and DeformConv, spelt by
 * gathers of whole pixels, all channels at a time, and by their weights. So the gradient reaches the image, and through
 * the weights the places. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/window.h"

#include <math.h>

/* ---- interpolation -------------------------------------------------------------------------------------------------
 */

enum { MOST_CORNERS = 4, MOST_AXES = 3 };

/* The pixels around a place along one axis, i64, and what each weighs; all broadcast to the places. */
typedef struct Taps {
    int count;
    Value *index[MOST_CORNERS], *weight[MOST_CORNERS];
    int64_t extent;
} Taps;

typedef struct Picture {
    Value *pixels; /* [images · extents, channels] */
    Value *first;  /* the row of pixels where the place's image begins, to be broadcast */
    const Taps *taps;
    int axes;
    const char *combine; /* Add, or Maximum */
} Picture;

static Value *build_scalar(Graph *graph, Value *beside, double value)
{
    if (is_float(beside->type.dtype))
        return const_float(graph, beside->type.dtype, value);
    const Tensor scalar = {.type = scalar_type(beside->type.dtype), .i = (int64_t[]){(int64_t)value}};
    return const_tensor(graph, &scalar);
}

static Value *build_shifted(Graph *graph, Value *x, double by)
{
    return by == 0 ? x : build_add(graph, x, build_scalar(graph, x, by));
}

static Value *build_limited(Graph *graph, Value *x, double low, double high)
{
    return build(graph, "Clip", 3, VALUES(x, build_scalar(graph, x, low), build_scalar(graph, x, high)));
}

/* The value at one corner: rows of pixels, times its weight. */
static Value *build_corner(Graph *graph, const Picture *picture, const int *corner)
{
    Value *at = picture->first, *weight = NULL;
    int64_t stride = 1;
    for (int axis = picture->axes - 1; axis >= 0; axis--) {
        const Taps *taps = &picture->taps[axis];
        Value *index = taps->index[corner[axis]], *share = taps->weight[corner[axis]];
        at = build_add(graph, at, stride == 1 ? index : build_mul(graph, index, build_scalar(graph, index, stride)));
        weight = weight ? build_mul(graph, weight, share) : share;
        stride *= taps->extent;
    }
    Value *rows = build_binary(graph, "Gather", picture->pixels, at);
    Type column = at->type;
    column.dtype = weight->type.dtype;
    weight = build_expand(graph, weight, column.rank, column.dims);
    column.dims[column.rank++] = 1;
    return build_mul(graph, rows, build_reshape_as(graph, weight, &column));
}

/* All corners; [places..., channels]. */
static Value *build_interpolated(Graph *graph, const Picture *picture)
{
    int corner[MOST_AXES] = {0};
    Value *y = NULL;
    for (bool more = true; more;) {
        Value *value = build_corner(graph, picture, corner);
        y = y ? build_binary(graph, picture->combine, y, value) : value;
        more = false;
        for (int axis = picture->axes - 1; axis >= 0 && !more; axis--) {
            more = ++corner[axis] < picture->taps[axis].count;
            corner[axis] = more ? corner[axis] : 0;
        }
    }
    return y;
}

/* [N, groups · C, spatial...] as [N · groups · spatial, C] */
static Value *build_pixels(Graph *graph, Value *x, int64_t images, Dtype dtype)
{
    const int64_t volume = dims_product(&x->type, 2, x->type.rank);
    const int64_t channels = x->type.dims[0] * x->type.dims[1] / images;
    Value *planes = build_reshape(graph, build_cast(graph, x, dtype), 3, (int64_t[]){images, channels, volume});
    Value *pixels = build_transpose(graph, planes, (int[]){0, 2, 1});
    return build_reshape(graph, pixels, 2, (int64_t[]){images * volume, channels});
}

/* 0, volume, 2 volume, ... along axis 0 of `rank`. */
static Value *build_image_starts(Graph *graph, int64_t images, int64_t volume, int rank)
{
    int64_t dims[MAX_RANK] = {images};
    for (int i = 1; i < rank; i++)
        dims[i] = 1;
    Tensor starts = tensor_alloc(graph->arena, make_type(DTYPE_I64, rank, dims));
    for (int64_t i = 0; i < images; i++)
        starts.i[i] = i * volume;
    return const_tensor(graph, &starts);
}

/* Tables that the expansions write into the program: as many elements as places, or as images. */
static bool check_table(Graph *graph, Node *node, int64_t rows, int64_t columns)
{
    int64_t count;
    return (!__builtin_mul_overflow(rows, columns, &count) && count <= MOST_TABLE) ||
           REJECT_UNSUPPORTED(graph, node,
                              "a table of %" PRId64 " by %" PRId64 "; pcc makes those of up to %d elements", rows,
                              columns, MOST_TABLE);
}

/* A tap's pixel and weight where beyond the image there are zeros. */
static void limit_to_image(Graph *graph, Taps *taps, int t)
{
    Value *index = taps->index[t], *weight = taps->weight[t];
    Value *inside =
        build_binary(graph, "And", build_binary(graph, "GreaterOrEqual", index, build_scalar(graph, index, 0)),
                     build_binary(graph, "Less", index, build_scalar(graph, index, (double)taps->extent)));
    taps->weight[t] = build_where(graph, inside, weight, const_float(graph, weight->type.dtype, 0));
    taps->index[t] = build_limited(graph, index, 0, (double)(taps->extent - 1));
}

/* ---- AffineGrid ----------------------------------------------------------------------------------------------------
 */

static bool affine_infer(Graph *graph, Node *node)
{
    const Type *theta = &node->inputs[0]->type;
    const int64_t *size;
    int count;
    if (!const_operand_ints(graph, node, 1, &count, &size) || (count != 4 && count != 5) || theta->rank != 3 ||
        theta->dims[0] != size[0] || theta->dims[1] != count - 2 || theta->dims[2] != count - 1)
        return REJECT(graph, node, "theta is %s; it must be [N, 2, 3] for a size of 4 dims, or [N, 3, 4] for one of 5",
                      type_text(graph->arena, theta));
    Type type = {.dtype = theta->dtype, .rank = count};
    type.dims[0] = size[0];
    for (int i = 2; i < count; i++)
        type.dims[i - 1] = size[i];
    type.dims[count - 1] = count - 2;
    return set_output_type(graph, node, 0, type) &&
           check_table(graph, node, dims_product(&type, 1, count - 1), count - 1);
}

/* The centre of pixel i among `extent` from -1 to 1, which are the outer edges, or the outermost centres. */
static double centre_of(int64_t i, int64_t extent, bool align_corners)
{
    if (align_corners)
        return extent > 1 ? 2 * (double)i / (double)(extent - 1) - 1 : -1;
    return (2 * (double)i + 1) / (double)extent - 1;
}

/* Each pixel's place in homogeneous coordinates, [pixels, x y z 1], times theta's rows. */
static void affine_expand(Graph *graph, Node *node, Value **replacements)
{
    const Type *y = &node->outputs[0]->type;
    Value *theta = node->inputs[0];
    const int axes = y->rank - 2;
    const int64_t pixels = dims_product(y, 1, y->rank - 1);
    Tensor places = tensor_alloc(graph->arena, make_type(theta->type.dtype, 2, (int64_t[]){pixels, axes + 1}));
    for (int64_t pixel = 0; pixel < pixels; pixel++) {
        int64_t rest = pixel;
        for (int i = 0; i < axes; i++) {
            const int64_t extent = y->dims[axes - i];
            places.f[pixel * (axes + 1) + i] = centre_of(rest % extent, extent, attr_int(node, "align_corners"));
            rest /= extent;
        }
        places.f[pixel * (axes + 1) + axes] = 1;
    }
    Value *grid = build_matmul(graph, const_tensor(graph, &places), false, theta, true);
    replacements[0] = build_reshape_as(graph, grid, y);
}

/* ---- GridSample ----------------------------------------------------------------------------------------------------
 */

typedef enum Interpolation { NEAREST, LINEAR, CUBIC } Interpolation;
typedef enum Beyond { ZEROS, BORDER, REFLECTION } Beyond;

typedef struct Sampler {
    Interpolation mode;
    Beyond beyond;
    bool align_corners;
} Sampler;

/* Opset 16 says bilinear and bicubic. */
static bool sampler_of(const Node *node, Sampler *sampler)
{
    const char *mode = attr_string(node, "mode"), *beyond = attr_string(node, "padding_mode");
    const bool is_linear = strcmp(mode, "linear") == 0 || strcmp(mode, "bilinear") == 0;
    const bool is_cubic = strcmp(mode, "cubic") == 0 || strcmp(mode, "bicubic") == 0;
    sampler->mode = is_linear ? LINEAR : is_cubic ? CUBIC : NEAREST;
    sampler->beyond = strcmp(beyond, "border") == 0 ? BORDER : strcmp(beyond, "reflection") == 0 ? REFLECTION : ZEROS;
    sampler->align_corners = attr_int(node, "align_corners");
    return (sampler->mode != NEAREST || strcmp(mode, "nearest") == 0) &&
           (sampler->beyond != ZEROS || strcmp(beyond, "zeros") == 0);
}

static bool grid_sample_infer(Graph *graph, Node *node)
{
    Type y = node->inputs[0]->type;
    const Type *grid = &node->inputs[1]->type;
    Sampler sampler;
    if (!sampler_of(node, &sampler))
        return REJECT(graph, node, "attributes 'mode' and 'padding_mode' are '%s' and '%s'", attr_string(node, "mode"),
                      attr_string(node, "padding_mode"));
    if (y.rank < 3 || y.rank > 2 + MOST_AXES || grid->rank != y.rank || grid->dims[0] != y.dims[0] ||
        grid->dims[y.rank - 1] != y.rank - 2 || element_count(&y) == 0)
        return REJECT(graph, node, "X is %s and the grid %s; they must be [N, C, spatial...] and [N, places..., axes]",
                      type_text(graph->arena, &y), type_text(graph->arena, grid));
    for (int i = 2; i < y.rank; i++)
        y.dims[i] = grid->dims[i - 1];
    return check_table(graph, node, y.dims[0], 1) && set_output_type(graph, node, 0, y);
}

/* The place at distance of it from `low`, mirrored there and at `high`, over and over. */
static Value *build_mirrored(Graph *graph, Value *x, double low, double high)
{
    const double span = high - low;
    if (span <= 0)
        return build_limited(graph, x, low, low);
    Value *turns = build_binary(graph, "Remainder", build_shifted(graph, x, -low), build_scalar(graph, x, 2 * span));
    Value *back = build_sub(graph, build_scalar(graph, turns, 2 * span), turns);
    return build_shifted(graph, build_binary(graph, "Minimum", turns, back), low);
}

/* A pixel number inside, mirrored at the edge of the outermost pixel or at its centre. */
static Value *build_mirrored_index(Graph *graph, Value *index, int64_t extent, bool align_corners)
{
    const double period = (double)(align_corners ? 2 * (extent - 1) : 2 * extent);
    if (period == 0)
        return build_limited(graph, index, 0, 0);
    Value *turns = build(graph, "Mod", 2, VALUES(index, build_scalar(graph, index, period)));
    Value *back = build_sub(graph, build_scalar(graph, turns, period - (align_corners ? 0 : 1)), turns);
    return build_binary(graph, "Minimum", turns, back);
}

/* From -1 … 1 to pixels, and for what is not zeros beyond the image, into it. */
static Value *build_place(Graph *graph, const Sampler *sampler, Value *x, int64_t extent)
{
    const double n = (double)extent, low = sampler->align_corners ? 0 : -0.5;
    const double scale = sampler->align_corners ? (n - 1) / 2 : n / 2;
    Value *place = build_shifted(graph, build_mul(graph, x, build_scalar(graph, x, scale)), (n - 1) / 2);
    if (sampler->mode == NEAREST)
        place = build_unary(graph, "Round", place);
    if (sampler->beyond == BORDER)
        return build_limited(graph, place, 0, n - 1);
    return sampler->beyond == REFLECTION ? build_mirrored(graph, place, low, n - 1 - low) : place;
}

/* c0 + s(c1 + s(c2 + s c3)) */
static Value *build_cubic(Graph *graph, Value *s, double c0, double c1, double c2, double c3)
{
    Value *y = build_shifted(graph, build_mul(graph, s, build_scalar(graph, s, c3)), c2);
    y = build_shifted(graph, build_mul(graph, s, y), c1);
    return build_shifted(graph, build_mul(graph, s, y), c0);
}

/* Keys' cubic convolution with a = -3/4, of the taps at -1, 0, 1 and 2 from the pixel below. */
static void set_cubic_weights(Graph *graph, Taps *taps, Value *s)
{
    const double a = -0.75;
    taps->weight[0] = build_cubic(graph, s, 0, a, -2 * a, a);
    taps->weight[1] = build_cubic(graph, s, 1, 0, -(a + 3), a + 2);
    taps->weight[2] = build_cubic(graph, s, 0, -a, 2 * a + 3, -(a + 2));
    taps->weight[3] = build_cubic(graph, s, 0, 0, a, -a);
}

static Taps build_taps(Graph *graph, Interpolation mode, Value *place, int64_t extent)
{
    Taps taps = {.count = mode == CUBIC ? 4 : mode == LINEAR ? 2 : 1, .extent = extent};
    Value *below = build_unary(graph, "Floor", place), *s = build_sub(graph, place, below);
    if (mode == CUBIC)
        set_cubic_weights(graph, &taps, s);
    if (mode == LINEAR) {
        taps.weight[0] = build_sub(graph, build_scalar(graph, s, 1), s);
        taps.weight[1] = s;
    }
    if (mode == NEAREST)
        taps.weight[0] = build_shifted(graph, build_mul(graph, s, build_scalar(graph, s, 0)), 1);
    for (int t = 0; t < taps.count; t++)
        taps.index[t] = build_cast(graph, build_shifted(graph, below, mode == CUBIC ? t - 1 : t), DTYPE_I64);
    return taps;
}

static void bring_inside(Graph *graph, const Sampler *sampler, Taps *taps)
{
    for (int t = 0; t < taps->count; t++) {
        if (sampler->beyond == ZEROS)
            limit_to_image(graph, taps, t);
        else if (sampler->beyond == BORDER)
            taps->index[t] = build_limited(graph, taps->index[t], 0, (double)(taps->extent - 1));
        else
            taps->index[t] = build_mirrored_index(graph, taps->index[t], taps->extent, sampler->align_corners);
    }
}

/* Coordinate `axis` of grid[N, places..., axes], as [N, places]. */
static Value *build_coordinate(Graph *graph, Value *grid, int axis)
{
    const int last = grid->type.rank - 1;
    Value *one = build_slice(graph, grid, last, axis, axis + 1);
    return build_reshape(graph, one, 2, (int64_t[]){grid->type.dims[0], dims_product(&grid->type, 1, last)});
}

static void grid_sample_expand(Graph *graph, Node *node, Value **replacements)
{
    const Type *x = &node->inputs[0]->type, *y = &node->outputs[0]->type;
    const Dtype dtype = wide_dtype(x->dtype);
    const int axes = x->rank - 2;
    Value *grid = build_cast(graph, node->inputs[1], dtype);
    Taps taps[MOST_AXES];
    Sampler sampler;
    sampler_of(node, &sampler);
    for (int axis = 0; axis < axes; axis++) {
        const int64_t extent = x->dims[2 + axis];
        Value *coordinate = build_coordinate(graph, grid, axes - 1 - axis);
        taps[axis] = build_taps(graph, sampler.mode, build_place(graph, &sampler, coordinate, extent), extent);
        bring_inside(graph, &sampler, &taps[axis]);
    }
    const Picture picture = {.pixels = build_pixels(graph, node->inputs[0], x->dims[0], dtype),
                             .first = build_image_starts(graph, x->dims[0], dims_product(x, 2, x->rank), 2),
                             .taps = taps,
                             .axes = axes,
                             .combine = "Add"};
    Value *values = build_transpose(graph, build_interpolated(graph, &picture), (int[]){0, 2, 1});
    replacements[0] = build_cast(graph, build_reshape_as(graph, values, y), y->dtype);
}

/* ---- RoiAlign ------------------------------------------------------------------------------------------------------
 */

static bool roi_upgrade(Graph *graph, Node *node, int opset)
{
    if (opset < 16) /* had no half-pixel shift */
        set_string(graph, node, "coordinate_transformation_mode", "output_half_pixel");
    convert_operand(graph, node, 2, DTYPE_I64);
    return true;
}

static bool roi_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *rois = &node->inputs[1]->type, *images = &node->inputs[2]->type;
    const char *mode = attr_string(node, "mode"), *shift = attr_string(node, "coordinate_transformation_mode");
    const int64_t height = attr_int(node, "output_height"), width = attr_int(node, "output_width");
    if (x->rank != 4 || rois->rank != 2 || rois->dims[1] != 4 || images->rank != 1 || images->dims[0] != rois->dims[0])
        return REJECT(graph, node, "X is %s, rois %s and their images %s; they must be [N, C, H, W], [R, 4] and [R]",
                      type_text(graph->arena, x), type_text(graph->arena, rois), type_text(graph->arena, images));
    if ((strcmp(mode, "avg") != 0 && strcmp(mode, "max") != 0) ||
        (strcmp(shift, "half_pixel") != 0 && strcmp(shift, "output_half_pixel") != 0) || height < 1 || width < 1)
        return REJECT(graph, node, "mode '%s' of coordinates '%s', %" PRId64 " by %" PRId64, mode, shift, height,
                      width);
    if (attr_int(node, "sampling_ratio") < 1 || attr_int(node, "sampling_ratio") > 64)
        return REJECT_UNSUPPORTED(graph, node,
                                  "attribute 'sampling_ratio' is %" PRId64
                                  ": the number of samples would depend on data; give 1 to 64",
                                  attr_int(node, "sampling_ratio"));
    return check_table(graph, node, height > width ? height : width, attr_int(node, "sampling_ratio")) &&
           set_output_type(graph, node, 0,
                           make_type(x->dtype, 4, (int64_t[]){rois->dims[0], x->dims[1], height, width}));
}

/* Along one axis the places of all samples, [R, bins · samples], of rois from column `first` to the one two behind. */
static Value *build_samples(Graph *graph, const Node *node, Value *rois, int first, int64_t bins)
{
    const bool half = strcmp(attr_string(node, "coordinate_transformation_mode"), "half_pixel") == 0;
    const int64_t count = bins * attr_int(node, "sampling_ratio");
    Value *ends[2];
    for (int i = 0; i < 2; i++) {
        Value *end = build_slice(graph, rois, 1, first + 2 * i, first + 2 * i + 1);
        ends[i] = build_shifted(graph, build_scale(graph, end, attr_float(node, "spatial_scale")), half ? -0.5 : 0);
    }
    Value *length = build_sub(graph, ends[1], ends[0]);
    if (!half)
        length = build_binary(graph, "Maximum", length, build_scalar(graph, length, 1));
    Tensor shares = tensor_alloc(graph->arena, make_type(rois->type.dtype, 2, (int64_t[]){1, count}));
    for (int64_t i = 0; i < count; i++)
        shares.f[i] = ((double)i + 0.5) / (double)count;
    return build_add(graph, ends[0], build_mul(graph, length, const_tensor(graph, &shares)));
}

/* Two taps a place; more than a pixel outside weighs nothing, nearer is at the border. */
static Taps build_roi_taps(Graph *graph, Value *place, int64_t extent, const int64_t dims[3])
{
    Value *x = build_reshape(graph, place, 3, dims), *zero = const_float(graph, x->type.dtype, 0);
    Value *low = build_binary(graph, "GreaterOrEqual", x, build_scalar(graph, x, -1));
    Value *high = build_binary(graph, "LessOrEqual", x, build_scalar(graph, x, (double)extent));
    Value *inside = build_binary(graph, "And", low, high);
    Taps taps = build_taps(graph, LINEAR, build_limited(graph, x, 0, (double)(extent - 1)), extent);
    for (int t = 0; t < taps.count; t++) {
        taps.index[t] = build_limited(graph, taps.index[t], 0, (double)(extent - 1));
        taps.weight[t] = build_where(graph, inside, taps.weight[t], zero);
    }
    return taps;
}

/* Samples [R, H·s, W·s, C] pooled to [R, C, H, W]. */
static Value *build_pooled_samples(Graph *graph, const Node *node, Value *samples)
{
    const Type *y = &node->outputs[0]->type;
    const int64_t s = attr_int(node, "sampling_ratio"), channels = y->dims[1];
    const bool is_max = strcmp(attr_string(node, "mode"), "max") == 0;
    Value *apart = build_reshape(graph, samples, 6, (int64_t[]){y->dims[0], y->dims[2], s, y->dims[3], s, channels});
    Node *reduce = build_begin(graph, is_max ? "ReduceMax" : "ReduceMean", 2,
                               VALUES(apart, const_ints(graph, 2, (int64_t[]){2, 4})), 1);
    set_int(graph, reduce, "keepdims", 0);
    return build_transpose(graph, build_finish(graph, reduce), (int[]){0, 3, 1, 2});
}

static void roi_expand(Graph *graph, Node *node, Value **replacements)
{
    const Type *x = &node->inputs[0]->type, *y = &node->outputs[0]->type;
    const Dtype dtype = wide_dtype(x->dtype);
    const int64_t s = attr_int(node, "sampling_ratio"), regions = y->dims[0];
    Value *rois = build_cast(graph, node->inputs[1], dtype);
    Value *rows = build_samples(graph, node, rois, 1, y->dims[2]),
          *columns = build_samples(graph, node, rois, 0, y->dims[3]);
    const Taps taps[] = {
        build_roi_taps(graph, rows, x->dims[2], (int64_t[]){regions, y->dims[2] * s, 1}),
        build_roi_taps(graph, columns, x->dims[3], (int64_t[]){regions, 1, y->dims[3] * s}),
    };
    Value *image = build_reshape(graph, build_cast(graph, node->inputs[2], DTYPE_I64), 3, (int64_t[]){regions, 1, 1});
    const Picture picture = {.pixels = build_pixels(graph, node->inputs[0], x->dims[0], dtype),
                             .first =
                                 build_mul(graph, image, build_scalar(graph, image, (double)(x->dims[2] * x->dims[3]))),
                             .taps = taps,
                             .axes = 2,
                             .combine = strcmp(attr_string(node, "mode"), "max") == 0 ? "Maximum" : "Add"};
    Value *pooled = build_pooled_samples(graph, node, build_interpolated(graph, &picture));
    replacements[0] = build_cast(graph, pooled, y->dtype);
}

/* ---- DeformConv ----------------------------------------------------------------------------------------------------
 */

enum { DEFORM_OFFSET = 2, DEFORM_BIAS = 3, DEFORM_MASK = 4 };

/* The window of an inferred node: two spatial axes. */
static bool deform_window(Graph *graph, Node *node, Window *window)
{
    const Type *x = &node->inputs[0]->type, *w = &node->inputs[1]->type;
    return check_activation(graph, node, x) &&
           window_of_onnx(graph, node, 2, read_activation(x, false).spatial, w->dims + 2, window);
}

static bool deform_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *w = &node->inputs[1]->type, *offset = &node->inputs[DEFORM_OFFSET]->type;
    const int64_t group = attr_int(node, "group"), offsets = attr_int(node, "offset_group");
    Window window;
    if (x->rank != 4 || w->rank != 4 || offset->rank != 4)
        return REJECT_UNSUPPORTED(graph, node, "X %s, W %s and offset %s; pcc has two spatial axes",
                                  type_text(graph->arena, x), type_text(graph->arena, w),
                                  type_text(graph->arena, offset));
    if (group < 1 || offsets < 1 || x->dims[1] != w->dims[1] * group || w->dims[0] % group != 0 ||
        x->dims[1] % offsets != 0)
        return REJECT(graph, node, "X %s and W %s do not agree with %" PRId64 " groups, and %" PRId64 " of offsets",
                      type_text(graph->arena, x), type_text(graph->arena, w), group, offsets);
    if (!deform_window(graph, node, &window))
        return false;
    const int64_t *out = window.out + MAX_SPATIAL - 2, taps = w->dims[2] * w->dims[3];
    if (!check_table(graph, node, taps, out[0] * out[1]) || !check_table(graph, node, x->dims[0], offsets))
        return false;
    const Type wanted = make_type(x->dtype, 4, (int64_t[]){x->dims[0], 2 * offsets * taps, out[0], out[1]});
    Type masks = wanted;
    masks.dims[1] /= 2;
    if (!same_dims(&wanted, offset) ||
        (input(node, DEFORM_MASK) && !same_dims(&node->inputs[DEFORM_MASK]->type, &masks)))
        return REJECT(graph, node, "offset is %s; it must have the dims of %s, and a mask half its channels",
                      type_text(graph->arena, offset), type_text(graph->arena, &wanted));
    const int64_t y[] = {x->dims[0], w->dims[0], out[0], out[1]};
    return check_vector(graph, node, DEFORM_BIAS, "the bias", w->dims[0]) &&
           set_output_type(graph, node, 0, make_type(x->dtype, 4, y));
}

/* Where the taps of a plain convolution read along an axis, [1, taps, out positions]. */
static Value *build_plain_places(Graph *graph, const Window *w, int axis, Dtype dtype)
{
    const int rows = MAX_SPATIAL - 2, columns = MAX_SPATIAL - 1;
    const int64_t taps = w->kernel[rows] * w->kernel[columns], out = w->out[rows] * w->out[columns];
    Tensor places = tensor_alloc(graph->arena, make_type(dtype, 3, (int64_t[]){1, taps, out}));
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t o = 0; o < out; o++) {
            const int64_t k = axis == rows ? tap / w->kernel[columns] : tap % w->kernel[columns];
            const int64_t at = axis == rows ? o / w->out[columns] : o % w->out[columns];
            places.f[tap * out + o] = (double)(at * w->stride[axis] + k * w->dilation[axis] - w->before[axis]);
        }
    return const_tensor(graph, &places);
}

/* offset[N, groups, taps, 2, out], part 0 or 1, as [N·groups, taps, out]. */
static Value *build_offsets(Graph *graph, Value *offset, int part, int64_t images, int64_t taps, int64_t out)
{
    Value *apart = build_reshape(graph, offset, 4, (int64_t[]){images, taps, 2, out});
    return build_reshape(graph, build_slice(graph, apart, 2, part, part + 1), 3, (int64_t[]){images, taps, out});
}

/* What the taps read, as columns [N, groups, C/group · taps, out]. */
static Value *build_columns(Graph *graph, const Node *node, const Window *w, Dtype dtype)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t images = x->dims[0] * attr_int(node, "offset_group"),
                  out = w->out[MAX_SPATIAL - 2] * w->out[MAX_SPATIAL - 1];
    const int64_t count = w->kernel[MAX_SPATIAL - 2] * w->kernel[MAX_SPATIAL - 1], group = attr_int(node, "group");
    Value *offset = build_cast(graph, node->inputs[DEFORM_OFFSET], dtype);
    Taps taps[2];
    for (int i = 0; i < 2; i++) {
        Value *place = build_add(graph, build_plain_places(graph, w, MAX_SPATIAL - 2 + i, dtype),
                                 build_offsets(graph, offset, i, images, count, out));
        taps[i] = build_taps(graph, LINEAR, place, x->dims[2 + i]);
        for (int t = 0; t < taps[i].count; t++)
            limit_to_image(graph, &taps[i], t);
    }
    const Picture picture = {.pixels = build_pixels(graph, node->inputs[0], images, dtype),
                             .first = build_image_starts(graph, images, x->dims[2] * x->dims[3], 3),
                             .taps = taps,
                             .axes = 2,
                             .combine = "Add"};
    Value *read = build_interpolated(graph, &picture);
    if (input(node, DEFORM_MASK)) {
        Value *mask = build_cast(graph, node->inputs[DEFORM_MASK], dtype);
        read = build_mul(graph, read, build_reshape(graph, mask, 4, (int64_t[]){images, count, out, 1}));
    }
    read = build_transpose(graph, read, (int[]){0, 3, 1, 2});
    return build_reshape(graph, read, 4, (int64_t[]){x->dims[0], group, x->dims[1] / group * count, out});
}

static void deform_expand(Graph *graph, Node *node, Value **replacements)
{
    const Type *y = &node->outputs[0]->type;
    const int64_t group = attr_int(node, "group");
    Window window;
    deform_window(graph, node, &window);
    Value *w = node->inputs[1];
    Value *columns = build_cast(graph, build_columns(graph, node, &window, wide_dtype(y->dtype)), y->dtype);
    w = build_reshape(graph, w, 4,
                      (int64_t[]){1, group, w->type.dims[0] / group, dims_product(&w->type, 1, w->type.rank)});
    Value *sums = build_reshape_as(graph, build_matmul(graph, w, false, columns, false), y);
    if (input(node, DEFORM_BIAS))
        sums = build_add(graph, sums, build_channel_vector(graph, node->inputs[DEFORM_BIAS], 4));
    replacements[0] = sums;
}

const Op sampling_ops[] = {
    {.name = "AffineGrid",
     .inputs = "Theta:float, Size:int!",
     .outputs = "Grid",
     .attributes = "align_corners:int=0",
     .since = 20,
     .precision = CLASS_PROMOTE,
     .kind = OP_EXPAND,
     .follow_axis = follow_first,
     .infer = affine_infer,
     .expand = affine_expand},
    {.name = "GridSample",
     .inputs = "X:float, Grid:float",
     .outputs = "Y",
     .attributes = "align_corners:int=0, mode:string=linear, padding_mode:string=zeros",
     .since = 16,
     .precision = CLASS_PROMOTE,
     .kind = OP_EXPAND,
     .follow_axis = follow_first,
     .infer = grid_sample_infer,
     .expand = grid_sample_expand},
    {.name = "RoiAlign",
     .inputs = "X:float, Rois:float, Images:int",
     .outputs = "Y",
     .attributes = "coordinate_transformation_mode:string=half_pixel, mode:string=avg, output_height:int=1, "
                   "output_width:int=1, sampling_ratio:int=0, spatial_scale:float=1",
     .since = 16,
     .precision = CLASS_PROMOTE,
     .kind = OP_EXPAND,
     .upgrade = roi_upgrade,
     .infer = roi_infer,
     .expand = roi_expand},
    {.name = "DeformConv",
     .inputs = "X:float, W:float, Offset:float, B:float?, Mask:float?",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_DATA, ROLE_WEIGHT},
     .outputs = "Y",
     .attributes = "dilations:ints, group:int=1, kernel_shape:ints, offset_group:int=1, pads:ints, strides:ints",
     .since = 19,
     .precision = CLASS_PROMOTE,
     .kind = OP_EXPAND,
     .follow_axis = follow_first,
     .infer = deform_infer,
     .expand = deform_expand},
    {0},
};
