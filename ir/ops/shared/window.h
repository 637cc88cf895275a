/* window.h: sliding windows over activations, for convolution and pooling in both layouts. */
#ifndef PCC_OPS_WINDOW_H
#define PCC_OPS_WINDOW_H

#include "ir/ops/shared/row.h"

enum { MAX_SPATIAL = 3, MOST_TAPS = 1 << 24 /* of a window: 4096 by 4096 */ };

/* Activations [N, C, spatial...] or [N, spatial..., C] of rank 3 to 5. The spatial dims are depth, height, width:
 * those that a lower rank lacks lead, with extent 1. */
typedef struct Activation {
    int64_t n, c, spatial[MAX_SPATIAL];
} Activation;

Activation read_activation(const Type *type, bool channels_last);
Type activation_type(Dtype dtype, int rank, bool channels_last, const Activation *activation);
/* Element strides when dense, in the same order. */
Activation activation_strides(const Activation *activation, bool channels_last);
/* True when `type` can be an activation; else false after an error. */
bool check_activation(Graph *graph, Node *node, const Type *type);

/* Windows along the spatial dims: output position o reads input positions o·stride - before + k·dilation. Missing
 * leading dims have extent, kernel, stride and dilation 1. */
typedef struct Window {
    int rank; /* spatial dims that exist, 1 to 3 */
    int64_t in[MAX_SPATIAL], out[MAX_SPATIAL], kernel[MAX_SPATIAL];
    int64_t stride[MAX_SPATIAL], dilation[MAX_SPATIAL], before[MAX_SPATIAL], after[MAX_SPATIAL];
} Window;

/* The window of an ONNX node over `in`, from the attributes auto_pad, strides, dilations, pads and ceil_mode where its
 * row has them; false after an error. `kernel` has `rank` entries. */
bool window_of_onnx(Graph *graph, Node *node, int rank, const int64_t in[MAX_SPATIAL], const int64_t *kernel,
                    Window *window);

/* A window of one position that spans all of `in`. */
Window whole_window(int rank, const int64_t in[MAX_SPATIAL]);

/* pcc's own rows carry a window as strides, dilations and *exact* pads: those with which the last window ends at the
 * padded input's last element. Behind, they exceed ONNX's under ceil_mode and are less, even negative, where ONNX's
 * rounding down leaves elements unread. Then the extents of input, kernel and output each follow from the other two,
 * which gives a row and its adjoints the same attributes. */
#define WINDOW_ATTRIBUTES "strides:ints!, dilations:ints!, pads:ints!"
void set_window(Graph *graph, Node *node, const Window *window);
/* Reads these attributes back; the caller then sets two of in, kernel, out and derives the third. */
bool read_window(Graph *graph, Node *node, int rank, Window *window);
/* Are they all there, in range and of this rank? node_window() relies on it. */
bool check_whole_window(Graph *graph, Node *node, int rank);
Window node_window(const Node *node, int rank); /* of an inferred node */
void derive_out(Window *window);
void derive_in(Window *window);
void derive_kernel(Window *window);
/* Sets `after` to what makes the pads exact, given all extents. */
void make_window_exact(Window *window);
/* False after an error when an extent is not positive. */
bool check_window(Graph *graph, Node *node, const Window *window);

int64_t spatial_volume(const int64_t extents[MAX_SPATIAL]);
/* Row-major position `index` of a box of these extents. */
void unravel(int64_t index, const int64_t extents[MAX_SPATIAL], int64_t position[MAX_SPATIAL]);
/* Along spatial dim i, what window position `k` of output position `out` reads; -1 in the padding. */
int64_t window_reads(const Window *window, int i, int64_t out, int64_t k);

#endif
