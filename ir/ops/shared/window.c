/* window.c: sliding windows over activations, for convolution and pooling in both layouts. */
#include "ir/ops/shared/window.h"

#include <string.h>

/* ---- activations ---- */

Activation read_activation(const Type *type, bool channels_last)
{
    Activation a = {type->dims[0], type->dims[channels_last ? type->rank - 1 : 1], {1, 1, 1}};
    for (int i = 0, rank = type->rank - 2; i < rank; i++)
        a.spatial[MAX_SPATIAL - rank + i] = type->dims[channels_last ? 1 + i : 2 + i];
    return a;
}

Type activation_type(Dtype dtype, int rank, bool channels_last, const Activation *activation)
{
    Type type = {.dtype = dtype, .rank = rank};
    type.dims[0] = activation->n;
    type.dims[channels_last ? rank - 1 : 1] = activation->c;
    for (int i = 0; i < rank - 2; i++)
        type.dims[channels_last ? 1 + i : 2 + i] = activation->spatial[MAX_SPATIAL - (rank - 2) + i];
    return type;
}

Activation activation_strides(const Activation *a, bool channels_last)
{
    int64_t column = channels_last ? a->c : 1, row = column * a->spatial[2], plane = row * a->spatial[1];
    int64_t all = plane * a->spatial[0];
    return (Activation){channels_last ? all : all * a->c, channels_last ? 1 : all, {plane, row, column}};
}

bool check_activation(Graph *graph, Node *node, const Type *type)
{
    if (!is_float(type->dtype))
        return REJECT(graph, node, "X is %s; activations must be floating-point", type_text(graph->arena, type));
    if (type->rank < 3)
        return REJECT(graph, node, "X is %s; activations have a batch, a channel and at least one spatial dim",
                      type_text(graph->arena, type));
    for (int i = 0; i < type->rank; i++)
        if (type->dims[i] > INT32_MAX) /* so that no extent that follows overflows */
            return REJECT(graph, node, "X is %s, which is too large", type_text(graph->arena, type));
    if (type->rank > 2 + MAX_SPATIAL)
        return REJECT_UNSUPPORTED(graph, node, "X is %s; at most %d spatial dims are supported",
                                  type_text(graph->arena, type), MAX_SPATIAL);
    return true;
}

/* ---- windows ---- */

static int64_t span(const Window *w, int i)
{
    return (w->kernel[i] - 1) * w->dilation[i] + 1;
}

void derive_out(Window *w)
{
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int64_t room = w->in[i] + w->before[i] + w->after[i] - span(w, i);
        w->out[i] = room < 0 ? 0 : room / w->stride[i] + 1;
    }
}

void derive_in(Window *w)
{
    for (int i = 0; i < MAX_SPATIAL; i++)
        w->in[i] = (w->out[i] - 1) * w->stride[i] + span(w, i) - w->before[i] - w->after[i];
}

void derive_kernel(Window *w)
{
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int64_t reach = w->in[i] + w->before[i] + w->after[i] - (w->out[i] - 1) * w->stride[i];
        w->kernel[i] = reach < 1 ? 0 : (reach - 1) / w->dilation[i] + 1;
    }
}

void make_window_exact(Window *w)
{
    for (int i = 0; i < MAX_SPATIAL; i++)
        w->after[i] = (w->out[i] - 1) * w->stride[i] + span(w, i) - w->in[i] - w->before[i];
}

bool check_window(Graph *graph, Node *node, const Window *w)
{
    int64_t taps = 1;
    for (int i = MAX_SPATIAL - w->rank; i < MAX_SPATIAL; i++) {
        int axis = i - (MAX_SPATIAL - w->rank);
        if (w->in[i] < 1 || w->kernel[i] < 1)
            return REJECT(graph, node, "spatial dim %d has input extent %" PRId64 " and kernel extent %" PRId64, axis,
                          w->in[i], w->kernel[i]);
        if (w->out[i] < 1)
            return REJECT(graph, node,
                          "spatial dim %d: a window of %" PRId64 " does not fit into %" PRId64 " padded by %" PRId64
                          " and %" PRId64,
                          axis, span(w, i), w->in[i], w->before[i], w->after[i]);
        if (__builtin_mul_overflow(taps, w->kernel[i], &taps) || taps > MOST_TAPS)
            return REJECT_UNSUPPORTED(graph, node, "a window of more than %d positions", MOST_TAPS);
    }
    return true;
}

static Window unit_window(int rank)
{
    Window w = {.rank = rank};
    for (int i = 0; i < MAX_SPATIAL; i++)
        w.in[i] = w.out[i] = w.kernel[i] = w.stride[i] = w.dilation[i] = 1;
    return w;
}

Window whole_window(int rank, const int64_t in[MAX_SPATIAL])
{
    Window w = unit_window(rank);
    memcpy(w.in, in, sizeof w.in);
    memcpy(w.kernel, in, sizeof w.kernel);
    return w;
}

/* The attribute's values into the last `rank` entries; absent: left alone. */
static bool read_spatial(Graph *graph, Node *node, const char *name, int rank, int64_t least,
                         int64_t values[MAX_SPATIAL])
{
    const int64_t *given;
    int count = attr_ints(node, name, &given);
    if (count != 0 && count != rank)
        return REJECT(graph, node, "attribute '%s' has %d values, but there are %d spatial dims", name, count, rank);
    for (int i = 0; i < count; i++) {
        if (given[i] < least || given[i] > INT32_MAX)
            return REJECT(graph, node, "attribute '%s' has the value %" PRId64, name, given[i]);
        values[MAX_SPATIAL - rank + i] = given[i];
    }
    return true;
}

static bool read_pads(Graph *graph, Node *node, Window *w)
{
    const int64_t *pads;
    int count = attr_ints(node, "pads", &pads);
    if (count != 0 && count != 2 * w->rank)
        return REJECT(graph, node, "attribute 'pads' has %d values, but there are %d spatial dims", count, w->rank);
    for (int i = 0; i < count; i++) {
        if (pads[i] < -INT32_MAX || pads[i] > INT32_MAX)
            return REJECT(graph, node, "attribute 'pads' has the value %" PRId64, pads[i]);
        int axis = MAX_SPATIAL - w->rank + i % w->rank;
        *(i < w->rank ? &w->before[axis] : &w->after[axis]) = pads[i];
    }
    return true;
}

static bool has_schema_attr(const Node *node, const char *name)
{
    return strstr(node->op->attributes, name) != NULL;
}

/* auto_pad: SAME_UPPER and SAME_LOWER make out = ceil(in / stride), the odd element of padding going behind or before;
 * VALID pads nothing. */
static bool apply_auto_pad(Graph *graph, Node *node, Window *w)
{
    const char *mode = has_schema_attr(node, "auto_pad") ? attr_string(node, "auto_pad") : "NOTSET";
    bool upper = !strcmp(mode, "SAME_UPPER"), lower = !strcmp(mode, "SAME_LOWER");
    if (!strcmp(mode, "NOTSET"))
        return true;
    if (!upper && !lower && strcmp(mode, "VALID") != 0)
        return REJECT(graph, node, "attribute 'auto_pad' is '%s'; it must be NOTSET, SAME_UPPER, SAME_LOWER or VALID",
                      mode);
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int64_t out = (w->in[i] + w->stride[i] - 1) / w->stride[i];
        int64_t total = (out - 1) * w->stride[i] + span(w, i) - w->in[i];
        total = total < 0 || !(upper || lower) ? 0 : total;
        w->before[i] = upper ? total / 2 : total - total / 2;
        w->after[i] = total - w->before[i];
    }
    return true;
}

/* ceil_mode counts a last window that hangs over, if it begins inside the input or the padding before it. */
static void round_out_up(Window *w)
{
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int64_t room = w->in[i] + w->before[i] + w->after[i] - span(w, i);
        int64_t begin = (room + w->stride[i] - 1) / w->stride[i] * w->stride[i];
        if (room >= 0 && begin < w->in[i] + w->before[i])
            w->out[i] = begin / w->stride[i] + 1;
    }
}

bool window_of_onnx(Graph *graph, Node *node, int rank, const int64_t in[MAX_SPATIAL], const int64_t *kernel, Window *w)
{
    *w = unit_window(rank);
    for (int i = 0; i < rank; i++)
        w->kernel[MAX_SPATIAL - rank + i] = kernel[i];
    memcpy(w->in, in, sizeof w->in);
    for (int i = 0; i < rank; i++)
        if (kernel[i] < 1 || kernel[i] > INT32_MAX)
            return REJECT(graph, node, "the kernel's extent along spatial dim %d is %" PRId64, i, kernel[i]);
    if (!read_spatial(graph, node, "strides", rank, 1, w->stride) || !read_pads(graph, node, w))
        return false;
    if (has_schema_attr(node, "dilations") && !read_spatial(graph, node, "dilations", rank, 1, w->dilation))
        return false;
    if (!apply_auto_pad(graph, node, w))
        return false;
    derive_out(w);
    if (has_schema_attr(node, "ceil_mode") && attr_int(node, "ceil_mode"))
        round_out_up(w);
    if (!check_window(graph, node, w))
        return false;
    make_window_exact(w);
    return true;
}

void set_window(Graph *graph, Node *node, const Window *w)
{
    int first = MAX_SPATIAL - w->rank;
    int64_t pads[2 * MAX_SPATIAL];
    for (int i = 0; i < w->rank; i++) {
        pads[i] = w->before[first + i];
        pads[w->rank + i] = w->after[first + i];
    }
    set_ints(graph, node, "strides", w->rank, w->stride + first);
    set_ints(graph, node, "dilations", w->rank, w->dilation + first);
    set_ints(graph, node, "pads", 2 * w->rank, pads);
}

bool read_window(Graph *graph, Node *node, int rank, Window *w)
{
    *w = unit_window(rank);
    return read_spatial(graph, node, "strides", rank, 1, w->stride) &&
           read_spatial(graph, node, "dilations", rank, 1, w->dilation) && read_pads(graph, node, w);
}

bool check_whole_window(Graph *graph, Node *node, int rank)
{
    const int64_t *values;
    if (attr_ints(node, "strides", &values) != rank || attr_ints(node, "dilations", &values) != rank ||
        attr_ints(node, "pads", &values) != 2 * rank)
        return REJECT(graph, node, "attributes 'strides', 'dilations' and 'pads' do not fit %d spatial dims", rank);
    Window window;
    return read_window(graph, node, rank, &window);
}

Window node_window(const Node *node, int rank)
{
    Window w = unit_window(rank);
    const int64_t *strides, *dilations, *pads;
    attr_ints(node, "strides", &strides);
    attr_ints(node, "dilations", &dilations);
    attr_ints(node, "pads", &pads);
    for (int i = 0; i < rank; i++) {
        int axis = MAX_SPATIAL - rank + i;
        w.stride[axis] = strides[i];
        w.dilation[axis] = dilations[i];
        w.before[axis] = pads[i];
        w.after[axis] = pads[rank + i];
    }
    return w;
}

int64_t spatial_volume(const int64_t extents[MAX_SPATIAL])
{
    return extents[0] * extents[1] * extents[2];
}

void unravel(int64_t index, const int64_t extents[MAX_SPATIAL], int64_t position[MAX_SPATIAL])
{
    for (int i = MAX_SPATIAL - 1; i >= 0; i--) {
        position[i] = index % extents[i];
        index /= extents[i];
    }
}

int64_t window_reads(const Window *w, int i, int64_t out, int64_t k)
{
    int64_t position = out * w->stride[i] - w->before[i] + k * w->dilation[i];
    return position >= 0 && position < w->in[i] ? position : -1;
}
