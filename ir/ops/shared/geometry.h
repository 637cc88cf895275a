/* geometry.h: the extents that a node of pcc's kernel operators has, read from its operands and attributes. Each is
 * defined in its family's file; the reference evaluates with it, and targets make their calls from it. */
#ifndef PCC_OPS_GEOMETRY_H
#define PCC_OPS_GEOMETRY_H

#include "ir/ops/shared/window.h"

/* ---- attention.c: q[batch, heads, queries, width], k[batch, heads/group, keys, width], v[batch, heads/group, keys,
 *      value_width] */
typedef struct Attention {
    int64_t batch, heads, queries, keys, width, value_width, group;
    double scale;
    bool causal;
} Attention;
Attention attention_of(const Node *node);
/* The stride of a mask along `axis` of the scores: 0 where it broadcasts. */
int64_t broadcast_stride(const Type *type, const int64_t *strides, int axis);

/* ---- batchnorm.c: x[outer, count, inner], count channels */
typedef struct Channels {
    int64_t outer, count, inner;
} Channels;
Channels channels_of(const Node *node, const Type *x);

/* ---- conv.c; x, w or y is NULL where it is the node's result */
typedef struct Convolution {
    Activation x, y;
    Window window;
    int64_t group;
    bool channels_last;
} Convolution;
Convolution convolution_of(const Node *node, const Type *x, const Type *w, const Type *y);

/* ---- index.c: what a gather or its adjoint loops over: x[outer, axis, inner], y[outer, count, inner] */
typedef struct GatherExtents {
    int64_t outer, axis, inner, count;
} GatherExtents;
GatherExtents gather_extents(const Node *node, const Type *x);

/* ---- loss.c: logits[outer, classes, inner] against target[outer, inner] */
typedef struct Scores {
    int64_t outer, classes, inner;
} Scores;
Scores scores_of(const Node *node, const Type *logits);

/* ---- matmul.c: an operand as a stack of matrices [batch..., rows, columns], in the order that the product reads it:
 *      transposed, and completed by a dim of 1 where the operand is a vector (numpy's rule). Strides in elements. */
typedef struct Matrices {
    Type batch;
    int64_t batch_strides[MAX_RANK];
    int64_t rows, columns, row_stride, column_stride;
} Matrices;
Matrices operand_matrices(const Node *node, int i);

/* ---- norm.c: x[count, width], width normalised together */
typedef struct Rows {
    int64_t count, width;
} Rows;
Rows rows_of(const Node *node, const Type *x);

/* ---- pool.c; x or y is NULL where it is the node's result */

/* What an average divides by: the window's positions inside the input or, with count_include_pad, inside the padded
 * input. The `overhang` positions by which ceil_mode's last window exceeds the padded input never count. */
typedef struct Divisor {
    bool include_pad;
    int64_t overhang[MAX_SPATIAL];
} Divisor;

typedef struct Pool {
    Activation x, y;
    Window window;
    Divisor divisor;
    bool channels_last;
} Pool;
Pool pool_of(const Node *node, const Type *x, const Type *y);

/* ---- region.c: images [n, c, h, w]; `count` regions, each of rows x columns bins */
typedef struct Regions {
    int64_t n, c, h, w, count, rows, columns;
} Regions;
Regions regions_of(const Node *node);

/* ---- resize.c: one axis of a resize; mode, coordinate and rounding as the kernels number them */
typedef struct ResizeAxis {
    int64_t outer, in, inner, out;
    int mode, coordinate, rounding;
    double scale, cubic;
    bool exclude_outside, antialias;
} ResizeAxis;
ResizeAxis resize_axis_of(const Node *node, const Type *type);

/* ---- scatter.c */

/* The order is the kernels' `reduction` literal. */
typedef enum Reduction { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MAX, REDUCE_MIN, REDUCE_COUNT } Reduction;
bool reduction_of(const Node *node, Reduction *reduction);
int batch_dims_of(const Node *node);

/* ---- axes.c: axis permutation[i] of a Transpose's input is axis i of its output; without `perm` the order is
 * reversed. False where `perm` is none. */
bool permutation_of(const Node *transpose, int permutation[MAX_RANK]);

/* y[i] = x[start + i * step] for i < count, along one axis. */
typedef struct SliceWindow {
    int64_t start, step, count;
} SliceWindow;
/* The window on every axis; false when the operands do not fit the rank or each other. */
bool slice_windows(const Node *node, SliceWindow windows[MAX_RANK]);

/* ---- slice.c: padding */

typedef enum PadMode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP, PAD_MODE_COUNT } PadMode; /* as the kernels' */
bool pad_mode(const Node *node, PadMode *mode);
/* Elements added before and after each axis; negative ones crop. False where they do not fit. */
bool pad_widths(const Node *node, int rank, int64_t before[MAX_RANK], int64_t after[MAX_RANK]);

/* ---- softmax.c: x[outer, width, inner], normalised over width */
typedef struct Slices {
    int64_t outer, width, inner;
} Slices;
Slices slices_of(const Node *node, const Type *x);

/* ---- row.c: the literal `batch`: the samples of a step, that of the first axis unless the node says otherwise */
int64_t samples_of(const Node *node, const Type *x);

#endif
