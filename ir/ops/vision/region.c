/* region.c: MaxRoiPool: the maxima of bins of regions, which RegionArgMax finds and a Gather reads. So the gradient
 * goes to the pixel that won; the regions' corners, which are rounded to pixels, have none. */
#include "ir/ops/shared/geometry.h"
#include "ir/ops/shared/row.h"

#include <math.h>

enum { MOST_BINS = 1 << 20 }; /* along an axis */

Regions regions_of(const Node *node)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t *bins;
    attr_ints(node, "pooled_shape", &bins);
    return (Regions){.n = x->dims[0],
                     .c = x->dims[1],
                     .h = x->dims[2],
                     .w = x->dims[3],
                     .count = node->inputs[1]->type.dims[0],
                     .rows = bins[0],
                     .columns = bins[1]};
}

/* X [N, C, H, W], regions [R, 5] -> [R, C, rows, columns] of `dtype`. */
static bool infer_bins(Graph *graph, Node *node, Dtype dtype)
{
    const Type *x = &node->inputs[0]->type, *regions = &node->inputs[1]->type;
    const int64_t *bins;
    if (x->rank != 4 || regions->rank != 2 || regions->dims[1] != 5)
        return REJECT(graph, node, "X is %s and the regions %s; they must be [N, C, H, W] and [R, 5]",
                      type_text(graph->arena, x), type_text(graph->arena, regions));
    const int count = attr_ints(node, "pooled_shape", &bins);
    if (count != 2)
        return REJECT(graph, node, "attribute 'pooled_shape' has %d values; it must have 2, rows and columns", count);
    for (int i = 0; i < count; i++)
        if (bins[i] < 1 || bins[i] > MOST_BINS)
            return REJECT(graph, node, "attribute 'pooled_shape' has the value %" PRId64 "; it must be from 1 to %d",
                          bins[i], MOST_BINS);
    return set_output_type(graph, node, 0,
                           make_type(dtype, 4, (int64_t[]){regions->dims[0], x->dims[1], bins[0], bins[1]}));
}

/* ---- RegionArgMax ---- */

static bool infer_region_argmax(Graph *graph, Node *node)
{
    return infer_bins(graph, node, DTYPE_I64);
}

/* The positions of bin number `bin` of `bins` that share `length` from `start` on, as far as they are in the image. */
typedef struct Bin {
    int64_t first, end;
} Bin;

static int64_t limited(int64_t position, int64_t extent)
{
    return position < 0 ? 0 : position > extent ? extent : position;
}

static Bin bin_of(int64_t start, int64_t length, int64_t bins, int64_t bin, int64_t extent)
{
    return (Bin){limited(start + bin * length / bins, extent),
                 limited(start + ((bin + 1) * length + bins - 1) / bins, extent)};
}

static int64_t bin_argmax(const double *x, int64_t plane, int64_t width, Bin rows, Bin columns)
{
    int64_t winner = -1;
    for (int64_t i = rows.first; i < rows.end; i++)
        for (int64_t j = columns.first; j < columns.end; j++) {
            const int64_t at = plane + i * width + j;
            if (winner < 0 || x[at] > x[winner] || (isnan(x[at]) && !isnan(x[winner])))
                winner = at;
        }
    return winner;
}

/* A region: image, first row and column, height and width. */
static void evaluate_region_argmax(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    const Regions r = regions_of(node);
    const int64_t bins = r.rows * r.columns;
    (void)arena;
    for (int64_t i = 0; i < element_count(&outputs[0].type); i++) {
        const int64_t line = i / bins, bin = i % bins, *at = inputs[1].i + line / r.c * 5;
        const Bin rows = bin_of(at[1], at[3], r.rows, bin / r.columns, r.h);
        const Bin columns = bin_of(at[2], at[4], r.columns, bin % r.columns, r.w);
        const bool is_there = at[0] >= 0 && at[0] < r.n;
        const int64_t plane = is_there ? (at[0] * r.c + line % r.c) * r.h * r.w : 0;
        outputs[0].i[i] = is_there ? bin_argmax(inputs[0].f, plane, r.w, rows, columns) : -1;
    }
}

/* ---- MaxRoiPool ---- */

static bool infer_roi_pool(Graph *graph, Node *node)
{
    return infer_bins(graph, node, node->inputs[0]->type.dtype);
}

/* Columns [first, end) of the regions as pixels: scaled, rounded with halves away from 0, and no further away than
 * integers can be multiplied. */
static Value *build_corners(Graph *graph, const Node *node, int first, int end)
{
    const double far = 0x1p40;
    Value *x = build_slice(graph, node->inputs[1], 1, first, end);
    const Dtype dtype = wide_dtype(x->type.dtype);
    x = build_scale(graph, build_cast(graph, x, dtype), attr_float(node, "spatial_scale"));
    Value *size =
        build_unary(graph, "Floor", build_add(graph, build_unary(graph, "Abs", x), const_float(graph, dtype, 0.5)));
    size = build_binary(graph, "Minimum", size, const_float(graph, dtype, far));
    return build_cast(graph, build_mul(graph, size, build_unary(graph, "Sign", x)), DTYPE_I64);
}

/* Image, first row and column, height and width, from image, x1, y1, x2, y2. */
static Value *build_regions(Graph *graph, const Node *node)
{
    Value *first = build_corners(graph, node, 1, 3), *last = build_corners(graph, node, 3, 5);
    Value *one = const_ints(graph, 1, (int64_t[]){1});
    Value *extent = build_binary(graph, "Maximum", build_add(graph, build_sub(graph, last, first), one), one);
    Value *image = build_cast(graph, build_slice(graph, node->inputs[1], 1, 0, 1), DTYPE_I64);
    Value *parts[] = {image, build_slice(graph, first, 1, 1, 2), build_slice(graph, first, 1, 0, 1),
                      build_slice(graph, extent, 1, 1, 2), build_slice(graph, extent, 1, 0, 1)};
    return build_concat(graph, 5, parts, 1);
}

static void expand_roi_pool(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0], *zero = const_ints(graph, 1, (int64_t[]){0});
    const int64_t *bins;
    if (element_count(&x->type) == 0) {
        replacements[0] = build_zeros(graph, &node->outputs[0]->type);
        return;
    }
    attr_ints(node, "pooled_shape", &bins);
    Node *find = build_begin(graph, "RegionArgMax", 2, VALUES(x, build_regions(graph, node)), 1);
    set_ints(graph, find, "pooled_shape", 2, bins);
    Value *at = build_finish(graph, find);
    Value *pixels = build_reshape(graph, x, 1, (int64_t[]){element_count(&x->type)});
    Value *most = build_binary(graph, "Gather", pixels, build_binary(graph, "Maximum", at, zero));
    Value *is_there = build_binary(graph, "GreaterOrEqual", at, zero);
    replacements[0] = build_where(graph, is_there, most, const_float(graph, x->type.dtype, 0));
}

enum { ROIS_OPERAND = 1 << 1 }; /* as_stored: in bf16 pixels beyond 256 would be others */

const Op region_ops[] = {
    {.name = "MaxRoiPool",
     .inputs = "X:float, Rois:float",
     .outputs = "Y",
     .attributes = "pooled_shape:ints!, spatial_scale:float=1",
     .since = 1,
     .precision = CLASS_FOLLOW,
     .as_stored = ROIS_OPERAND,
     .kind = OP_EXPAND,
     .infer = infer_roi_pool,
     .expand = expand_roi_pool},
    {.name = "RegionArgMax",
     .inputs = "X:float, Regions:int",
     .outputs = "Y",
     .attributes = "pooled_shape:ints!",
     .internal = true,
     .precision = CLASS_NONE,
     .kind = OP_KERNEL,
     .infer = infer_region_argmax,
     .evaluate = evaluate_region_argmax},
    {0},
};
