/* unfold.c: what a pool or a convolution read, put back: Col2Im and MaxUnpool. Both add rows of a plane's positions by
 * index, whose gradient is to read there. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/row.h"

/* x[rows, positions] added into [rows, extent] at the position's index; one out of range is nowhere. */
static Value *build_added(Graph *graph, Value *x, Value *index, int64_t extent)
{
    Node *node = build_begin(graph, "GatherGrad", 2, VALUES(x, index), 1);
    set_int(graph, node, "axis", 1);
    set_int(graph, node, "dim", extent);
    return build_finish(graph, node);
}

/* ---- Col2Im --------------------------------------------------------------------------------------------------------
 */

enum { MOST_SPATIAL = MAX_RANK - 2 };

typedef struct Fold {
    int rank;
    int64_t image[MOST_SPATIAL], block[MOST_SPATIAL], out[MOST_SPATIAL]; /* out: blocks along each axis */
    int64_t stride[MOST_SPATIAL], dilation[MOST_SPATIAL], before[MOST_SPATIAL];
    int64_t taps, blocks, volume;
} Fold;

static int64_t attribute_at(const Node *node, const char *name, int i, int64_t otherwise)
{
    const int64_t *values;
    return attr_ints(node, name, &values) > i ? values[i] : otherwise;
}

static bool fold_axis(const Node *node, Fold *f, int i)
{
    const int64_t after = attribute_at(node, "pads", f->rank + i, 0);
    f->stride[i] = attribute_at(node, "strides", i, 1);
    f->dilation[i] = attribute_at(node, "dilations", i, 1);
    f->before[i] = attribute_at(node, "pads", i, 0);
    const int64_t most = INT32_MAX;
    if (f->image[i] < 1 || f->block[i] < 1 || f->image[i] > most || f->block[i] > most || f->stride[i] < 1 ||
        f->dilation[i] < 1 || f->dilation[i] > most || f->before[i] < 0 || f->before[i] > most || after < 0 ||
        after > most)
        return false;
    const int64_t room = f->image[i] + f->before[i] + after - ((f->block[i] - 1) * f->dilation[i] + 1);
    f->out[i] = room < 0 ? 0 : room / f->stride[i] + 1;
    return !__builtin_mul_overflow(f->taps, f->block[i], &f->taps) &&
           !__builtin_mul_overflow(f->blocks, f->out[i], &f->blocks) &&
           !__builtin_mul_overflow(f->volume, f->image[i], &f->volume);
}

static bool fold_of(Graph *graph, const Node *node, Fold *f)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t *image, *block;
    int count;
    *f = (Fold){.taps = 1, .blocks = 1, .volume = 1};
    if (!const_operand_ints(graph, node, 1, &f->rank, &image) || !const_operand_ints(graph, node, 2, &count, &block) ||
        count != f->rank || f->rank < 1 || f->rank > MOST_SPATIAL)
        return REJECT(graph, node, "image_shape and block_shape need one extent for each of 1 to %d axes",
                      MOST_SPATIAL);
    for (int i = 0; i < f->rank; i++) {
        f->image[i] = image[i];
        f->block[i] = block[i];
        if (!fold_axis(node, f, i))
            return REJECT(graph, node, "blocks of %lld on an axis of %lld do not fit together", (long long)block[i],
                          (long long)image[i]);
    }
    int64_t positions;
    if (__builtin_mul_overflow(f->taps, f->blocks, &positions) || positions > MOST_TABLE)
        return REJECT_UNSUPPORTED(graph, node, "%lld blocks of %lld positions", (long long)f->blocks,
                                  (long long)f->taps);
    return (x->rank == 3 && x->dims[1] % f->taps == 0 && x->dims[2] == f->blocks) ||
           REJECT(graph, node, "X is %s; it must be [N, channels · %lld, %lld]", type_text(graph->arena, x),
                  (long long)f->taps, (long long)f->blocks);
}

static bool col2im_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    Fold f;
    if (!fold_of(graph, node, &f))
        return false;
    Type type = {.dtype = x->dtype, .rank = 2 + f.rank, .dims = {x->dims[0], x->dims[1] / f.taps}};
    memcpy(type.dims + 2, f.image, (size_t)f.rank * sizeof *f.image);
    return set_output_type(graph, node, 0, type);
}

/* Where tap `tap` of block `block` lies in the image; `volume`, which is out of range, in the padding. */
static int64_t fold_index(const Fold *f, int64_t tap, int64_t block)
{
    int64_t index = 0, stride = 1;
    for (int i = f->rank - 1; i >= 0; i--) {
        const int64_t at = block % f->out[i] * f->stride[i] + tap % f->block[i] * f->dilation[i] - f->before[i];
        if (at < 0 || at >= f->image[i])
            return f->volume;
        index += at * stride;
        stride *= f->image[i];
        tap /= f->block[i];
        block /= f->out[i];
    }
    return index;
}

static void col2im_expand(Graph *graph, Node *node, Value **replacements)
{
    Fold f;
    fold_of(graph, node, &f);
    const Type *x = &node->inputs[0]->type;
    const int64_t planes = x->dims[0] * (x->dims[1] / f.taps), positions = f.taps * f.blocks;
    Tensor index = tensor_alloc(graph->arena, make_type(DTYPE_I64, 1, &positions));
    for (int64_t i = 0; i < positions; i++)
        index.i[i] = fold_index(&f, i / f.blocks, i % f.blocks);
    Value *rows = build_reshape(graph, node->inputs[0], 2, (int64_t[]){planes, positions});
    Value *image = build_added(graph, rows, const_tensor(graph, &index), f.volume);
    replacements[0] = build_reshape_as(graph, image, &node->outputs[0]->type);
}

/* ---- MaxUnpool -----------------------------------------------------------------------------------------------------
 */

/* The extents that the pool read, by its attributes. */
static bool pooled_from(Graph *graph, const Node *node, Type *type)
{
    const Type *x = &node->inputs[0]->type;
    const int64_t *kernel;
    const int rank = x->rank - 2;
    *type = *x;
    if (rank < 1 || !same_dims(x, &node->inputs[1]->type) || attr_ints(node, "kernel_shape", &kernel) != rank)
        return REJECT(graph, node, "X is %s, its indices %s, and kernel_shape has another rank",
                      type_text(graph->arena, x), type_text(graph->arena, &node->inputs[1]->type));
    for (int i = 0; i < rank; i++) {
        const int64_t stride = attribute_at(node, "strides", i, 1);
        int64_t extent, pads;
        if (__builtin_mul_overflow(x->dims[2 + i] - 1, stride, &extent) ||
            __builtin_add_overflow(extent, kernel[i], &extent) ||
            __builtin_add_overflow(attribute_at(node, "pads", i, 0), attribute_at(node, "pads", rank + i, 0), &pads) ||
            __builtin_sub_overflow(extent, pads, &extent) || extent < 1 || kernel[i] < 1 || stride < 1)
            return REJECT(graph, node, "no pool of these attributes has %lld outputs on axis %d",
                          (long long)x->dims[2 + i], 2 + i);
        type->dims[2 + i] = extent;
    }
    return type_is_valid(type) || REJECT(graph, node, "the result would be too large");
}

static bool max_unpool_infer(Graph *graph, Node *node)
{
    Type type;
    const int64_t *shape;
    int count;
    if (!pooled_from(graph, node, &type))
        return false;
    if (!input(node, 2))
        return set_output_type(graph, node, 0, type);
    if (!const_operand_ints(graph, node, 2, &count, &shape) || count != type.rank)
        return REJECT(graph, node, "output_shape must have %d extents", type.rank);
    for (int i = 0; i < count; i++)
        if (shape[i] < type.dims[i])
            return REJECT(graph, node, "output_shape has %lld on axis %d, where the pool read %lld",
                          (long long)shape[i], i, (long long)type.dims[i]);
    return set_output_type(graph, node, 0, make_type(type.dtype, count, shape));
}

/* Indices count over all planes; windows that overlap may name a position twice, with one value. */
static void max_unpool_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0];
    Type type;
    pooled_from(graph, node, &type);
    const int64_t count = element_count(&x->type), volume = element_count(&type);
    const Type flat = make_type(type.dtype, 1, &volume);
    Value *index = build_reshape(graph, build_cast(graph, node->inputs[1], DTYPE_I64), 1, &count);
    Value *y = build(graph, "ScatterElements", 3,
                     VALUES(build_zeros(graph, &flat), index, build_reshape(graph, x, 1, &count)));
    y = build_reshape_as(graph, y, &type);
    int64_t pads[2 * MAX_RANK] = {0};
    bool padded = false;
    for (int i = 0; i < type.rank; i++) {
        pads[type.rank + i] = node->outputs[0]->type.dims[i] - type.dims[i];
        padded |= pads[type.rank + i] != 0;
    }
    replacements[0] = padded ? build(graph, "Pad", 2, VALUES(y, const_ints(graph, 2 * type.rank, pads))) : y;
}

const Op unfold_ops[] = {
    {.name = "Col2Im",
     .inputs = "X:float, Image:int!, Block:int!",
     .outputs = "Y",
     .attributes = "dilations:ints, pads:ints, strides:ints",
     .since = 18,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .follow_axis = follow_first,
     .infer = col2im_infer,
     .expand = col2im_expand},
    {.name = "MaxUnpool",
     .inputs = "X:float, Indices:int, Shape:int?!",
     .outputs = "Y",
     .attributes = "kernel_shape:ints!, pads:ints, strides:ints",
     .since = 9,
     .precision = CLASS_FOLLOW,
     .kind = OP_EXPAND,
     .infer = max_unpool_infer,
     .expand = max_unpool_expand},
    {0},
};
