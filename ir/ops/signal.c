/* signal.c: windows, mel filter banks and discrete Fourier transforms. A transform of a static length is a product with
 * a constant matrix of cosines and sines, so that its gradient is one, too. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/row.h"

#include <math.h>

static const double pi = 3.14159265358979323846;
enum { MOST_POINTS = 1 << 13, MOST_WEIGHTS = MOST_TABLE + (1 << 15) }; /* of a transform's matrix: 8192 real points */

/* ---- windows: known when the model is compiled ---------------------------------------------------------------------
 */

static bool check_size(Graph *graph, const Node *node, int i, int64_t *size)
{
    const Value *operand = node->inputs[i];
    if (is_float(operand->type.dtype) || element_count(&operand->type) != 1)
        return REJECT(graph, node, "input %d is %s; it must be one integer", i,
                      type_text(graph->arena, &operand->type));
    *size = const_int_at(operand, 0);
    return (*size >= 0 && *size <= INT32_MAX) ||
           REJECT(graph, node, "input %d is %" PRId64 "; it must be a length", i, *size);
}

static bool check_datatype(Graph *graph, const Node *node, Dtype *dtype)
{
    const int64_t given = attr_int(node, "output_datatype");
    return dtype_from_onnx(given, dtype) ||
           REJECT_UNSUPPORTED(graph, node,
                              "attribute 'output_datatype' is ONNX data type %" PRId64 ", which pcc does not have",
                              given);
}

static bool window_infer(Graph *graph, Node *node)
{
    int64_t size;
    Dtype dtype;
    return check_datatype(graph, node, &dtype) && check_size(graph, node, 0, &size) &&
           set_output_type(graph, node, 0, make_type(dtype, 1, &size));
}

static void store(Tensor *tensor, int64_t i, double value)
{
    if (tensor->f)
        tensor->f[i] = value;
    else
        tensor->i[i] = (int64_t)value;
}

/* constant - first·cos t + second·cos 2t over a turn; a symmetric window ends where it began. */
static void cosine_window(const Node *node, Tensor *y, double constant, double first, double second)
{
    const int64_t size = element_count(&y->type), turn = attr_int(node, "periodic") ? size : size - 1;
    for (int64_t i = 0; i < size; i++) {
        const double t = turn > 0 ? 2 * pi * (double)i / (double)turn : 0;
        store(y, i, constant - first * cos(t) + second * cos(2 * t));
    }
}

static void hann_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)inputs;
    cosine_window(node, &outputs[0], 0.5, 0.5, 0);
}

static void hamming_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)inputs;
    cosine_window(node, &outputs[0], 25.0 / 46, 21.0 / 46, 0);
}

static void blackman_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)inputs;
    cosine_window(node, &outputs[0], 0.42, 0.5, 0.08);
}

/* ---- MelWeightMatrix ---- */

static bool mel_infer(Graph *graph, Node *node)
{
    int64_t bands, length, rate;
    Dtype dtype;
    if (!check_datatype(graph, node, &dtype) || !check_size(graph, node, 0, &bands) ||
        !check_size(graph, node, 1, &length) || !check_size(graph, node, 2, &rate))
        return false;
    for (int i = 3; i <= 4; i++)
        if (!is_float(node->inputs[i]->type.dtype) || element_count(&node->inputs[i]->type) != 1)
            return REJECT(graph, node, "input %d is %s; it must be one number of hertz", i,
                          type_text(graph->arena, &node->inputs[i]->type));
    if (rate == 0)
        return REJECT(graph, node, "the sample rate is 0");
    return set_output_type(graph, node, 0, make_type(dtype, 2, (int64_t[]){length / 2 + 1, bands}));
}

static double mel_of(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

static double hertz_of(double mel)
{
    return 700 * (pow(10, mel / 2595) - 1);
}

/* The spectrum's bin where edge `edge` of bands that are equally wide on the mel scale lies. */
static double edge_bin(const Tensor *inputs, int64_t edge)
{
    const double low = mel_of(inputs[3].f[0]), high = mel_of(inputs[4].f[0]);
    const double step = (high - low) / (double)(inputs[0].i[0] + 2), hertz = hertz_of(low + (double)edge * step);
    return floor((double)(inputs[1].i[0] + 1) * hertz / (double)inputs[2].i[0]);
}

/* Band k is a triangle over the bins from edge k, with its peak at edge k + 1, to edge k + 2. */
static void mel_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    (void)arena, (void)node;
    const int64_t bins = outputs[0].type.dims[0], bands = outputs[0].type.dims[1];
    for (int64_t band = 0; band < bands; band++) {
        const double low = edge_bin(inputs, band), peak = edge_bin(inputs, band + 1), high = edge_bin(inputs, band + 2);
        for (int64_t bin = 0; bin < bins; bin++) {
            const double b = (double)bin;
            const double weight = b == peak              ? 1
                                  : b >= low && b < peak ? (b - low) / (peak - low)
                                  : b > peak && b < high ? (high - b) / (high - peak)
                                                         : 0;
            store(&outputs[0], bin * bands + band, weight);
        }
    }
}

/* ---- DFT ---- */

typedef struct Transform {
    int axis;
    int64_t length, in, out; /* of the transform, and the bins that are read and written */
    int parts_in, parts_out; /* real, or real and imaginary */
    bool inverse, half;      /* half: a real signal's spectrum, of which only the first half is stored */
} Transform;

/* Opset 20 made the attribute `axis` an operand, whose default is the last but one. */
static bool dft_upgrade(Graph *graph, Node *node, int opset)
{
    if (opset < 20) {
        const int64_t axis = has_attr(node, "axis") ? attr_int(node, "axis") : 1;
        set_operand(graph, node, 2, const_ints(graph, 1, &axis));
        remove_attr(node, "axis");
    }
    return true;
}

static bool transform_of(Graph *graph, const Node *node, Transform *t)
{
    const Type *x = &node->inputs[0]->type;
    *t = (Transform){.inverse = attr_int(node, "inverse"), .half = attr_int(node, "onesided"), .parts_out = 2};
    if (x->rank < 2 || (x->dims[x->rank - 1] != 1 && x->dims[x->rank - 1] != 2))
        return REJECT(graph, node, "X is %s; its last axis must have real, or real and imaginary parts",
                      type_text(graph->arena, x));
    t->parts_in = (int)x->dims[x->rank - 1];
    if (input(node, 2) && element_count(&node->inputs[2]->type) != 1)
        return REJECT(graph, node, "the axis is %s; it must be one integer",
                      type_text(graph->arena, &node->inputs[2]->type));
    if (!resolve_axis(graph, node, input(node, 2) ? const_int_at(node->inputs[2], 0) : -2, x->rank, &t->axis))
        return false;
    if (t->axis == x->rank - 1 || (t->half && t->parts_in != (t->inverse ? 2 : 1)))
        return REJECT(graph, node,
                      "X is %s: the axis of the parts has no transform, and a one-sided one is of a real "
                      "signal, or back",
                      type_text(graph->arena, x));
    const int64_t extent = x->dims[t->axis];
    t->length = t->half && t->inverse ? 2 * (extent - 1) : extent;
    if (input(node, 1) && !check_size(graph, node, 1, &t->length))
        return false;
    if (t->length < 1 || t->length > MOST_POINTS)
        return REJECT_UNSUPPORTED(graph, node, "a transform of %" PRId64 " points; pcc has those of 1 to %d", t->length,
                                  MOST_POINTS);
    const int64_t bins = t->length / 2 + 1, wanted = t->half && t->inverse ? bins : t->length;
    t->in = extent < wanted ? extent : wanted;
    t->out = t->half && !t->inverse ? bins : t->length;
    t->parts_out = t->half && t->inverse ? 1 : 2;
    return t->in * t->parts_in * t->out * t->parts_out <= MOST_WEIGHTS ||
           REJECT_UNSUPPORTED(graph, node,
                              "a transform of %" PRId64 " bins to %" PRId64 ", which takes a matrix of more "
                              "than %d numbers",
                              t->in, t->out, MOST_WEIGHTS);
}

static bool dft_infer(Graph *graph, Node *node)
{
    Transform t;
    Type type = node->inputs[0]->type;
    if (!transform_of(graph, node, &t))
        return false;
    type.dims[t.axis] = t.out;
    type.dims[type.rank - 1] = t.parts_out;
    return set_output_type(graph, node, 0, type);
}

/* e^(∓2πi j/length) for every j, inversely divided by the length: all numbers that a transform's matrix has. */
static void turn_of(const Transform *t, double *real, double *imaginary)
{
    const double scale = t->inverse ? 1 / (double)t->length : 1;
    for (int64_t j = 0; j < t->length; j++) {
        const double angle = 2 * pi * (double)j / (double)t->length;
        real[j] = scale * cos(angle);
        imaginary[j] = (t->inverse ? scale : -scale) * sin(angle);
    }
}

/* [in · parts, out · parts]: bin n of the input weighs e^(∓2πi nk/length) in bin k of the output. A bin of half a
 * spectrum stands for its mirror image, too. */
static Value *build_transform(Graph *graph, const Transform *t, Dtype dtype)
{
    const int64_t rows = t->in * t->parts_in, columns = t->out * t->parts_out;
    Tensor matrix = tensor_alloc(graph->arena, make_type(dtype, 2, (int64_t[]){rows, columns}));
    double *real = NEW_ARRAY(graph->arena, double, t->length), *imaginary = NEW_ARRAY(graph->arena, double, t->length);
    turn_of(t, real, imaginary);
    for (int64_t n = 0; n < t->in; n++) {
        const double times = t->half && t->inverse && n > 0 && 2 * n != t->length ? 2 : 1;
        double *row = matrix.f + n * t->parts_in * columns;
        for (int64_t k = 0, j = 0; k < t->out; k++, j = j + n < t->length ? j + n : j + n - t->length) {
            const double block[2][2] = {{times * real[j], times * imaginary[j]},
                                        {-times * imaginary[j], times * real[j]}};
            for (int part = 0; part < t->parts_in; part++)
                for (int to = 0; to < t->parts_out; to++)
                    row[part * columns + k * t->parts_out + to] = block[part][to];
        }
    }
    return const_tensor(graph, &matrix);
}

/* Axis `from` goes to `to`; those between them move up. */
static Value *build_moved_axis(Graph *graph, Value *x, int from, int to)
{
    int permutation[MAX_RANK], count = 0;
    for (int i = 0; i < x->type.rank; i++)
        if (i != from)
            permutation[count++] = i;
    for (int i = count; i > to; i--)
        permutation[i] = permutation[i - 1];
    permutation[to] = from;
    return build_transpose(graph, x, permutation);
}

static Value *build_dft(Graph *graph, Value *x, const Transform *t)
{
    const int rank = x->type.rank;
    x = build_moved_axis(graph, build_slice(graph, x, t->axis, 0, t->in), t->axis, rank - 2);
    Type rows = x->type;
    rows.rank = rank - 1;
    rows.dims[rank - 2] = t->in * t->parts_in;
    Value *y =
        build_matmul(graph, build_reshape_as(graph, x, &rows), false, build_transform(graph, t, x->type.dtype), false);
    rows.rank = rank;
    rows.dims[rank - 2] = t->out;
    rows.dims[rank - 1] = t->parts_out;
    return build_moved_axis(graph, build_reshape_as(graph, y, &rows), rank - 2, t->axis);
}

static void dft_expand(Graph *graph, Node *node, Value **replacements)
{
    Transform t;
    transform_of(graph, node, &t);
    replacements[0] = build_dft(graph, node->inputs[0], &t);
}

/* ---- STFT ---- */

typedef struct Frames {
    int64_t step, length, count;
} Frames;

static bool frames_of(Graph *graph, const Node *node, Frames *frames)
{
    const Type *x = &node->inputs[0]->type;
    const Value *window = input(node, 2);
    if (x->rank != 3 || (x->dims[2] != 1 && x->dims[2] != 2) || (attr_int(node, "onesided") && x->dims[2] != 1))
        return REJECT(graph, node,
                      "the signal is %s; it must be [batch, length, 1], or [batch, length, 2] of two sides",
                      type_text(graph->arena, x));
    frames->length = window ? element_count(&window->type) : x->dims[1];
    if (!check_size(graph, node, 1, &frames->step) || (input(node, 3) && !check_size(graph, node, 3, &frames->length)))
        return false;
    if (frames->step < 1 || frames->length < 1 || frames->length > x->dims[1] ||
        (window && element_count(&window->type) != frames->length))
        return REJECT(graph, node, "frames of %" PRId64 " samples, %" PRId64 " apart, with %s", frames->length,
                      frames->step, window ? type_text(graph->arena, &window->type) : "no window");
    if (frames->length > MOST_POINTS)
        return REJECT_UNSUPPORTED(graph, node, "frames of %" PRId64 " samples; pcc transforms up to %d", frames->length,
                                  MOST_POINTS);
    frames->count = (x->dims[1] - frames->length) / frames->step + 1;
    return frames->count * frames->length <= MOST_TABLE ||
           REJECT_UNSUPPORTED(graph, node, "%" PRId64 " frames of %" PRId64 " samples; pcc reads up to %d together",
                              frames->count, frames->length, MOST_TABLE);
}

static bool stft_infer(Graph *graph, Node *node)
{
    Frames frames = {0};
    const Type *x = &node->inputs[0]->type;
    if (!frames_of(graph, node, &frames))
        return false;
    const int64_t bins = attr_int(node, "onesided") ? frames.length / 2 + 1 : frames.length;
    return set_output_type(graph, node, 0, make_type(x->dtype, 4, (int64_t[]){x->dims[0], frames.count, bins, 2}));
}

/* [batch, length, parts] as [batch, frames, frame length, parts] */
static Value *build_frames(Graph *graph, Value *x, const Frames *frames)
{
    Tensor at = tensor_alloc(graph->arena, make_type(DTYPE_I64, 2, (int64_t[]){frames->count, frames->length}));
    for (int64_t i = 0; i < element_count(&at.type); i++)
        at.i[i] = i / frames->length * frames->step + i % frames->length;
    Node *gather = build_begin(graph, "Gather", 2, VALUES(x, const_tensor(graph, &at)), 1);
    set_int(graph, gather, "axis", 1);
    return build_finish(graph, gather);
}

static void stft_expand(Graph *graph, Node *node, Value **replacements)
{
    Frames frames = {0};
    frames_of(graph, node, &frames);
    Value *x = build_frames(graph, node->inputs[0], &frames), *window = input(node, 2);
    if (window) {
        window = build_reshape(graph, window, 2, (int64_t[]){frames.length, 1});
        x = build_mul(graph, x, build_cast(graph, window, x->type.dtype));
    }
    const bool half = attr_int(node, "onesided");
    const Transform t = {.axis = 2,
                         .length = frames.length,
                         .in = frames.length,
                         .out = half ? frames.length / 2 + 1 : frames.length,
                         .parts_in = (int)x->type.dims[3],
                         .parts_out = 2,
                         .half = half};
    replacements[0] = build_dft(graph, x, &t);
}

#define WINDOW_ROW(NAME, EVALUATE)                                                                               \
    {                                                                                                            \
        .name = #NAME, .inputs = "Size!", .outputs = "Y", .attributes = "output_datatype:int=1, periodic:int=1", \
        .since = 17, .precision = CLASS_NONE, .kind = OP_STATIC, .infer = window_infer, .evaluate = EVALUATE     \
    }

const Op signal_ops[] = {
    WINDOW_ROW(HannWindow, hann_evaluate),
    WINDOW_ROW(HammingWindow, hamming_evaluate),
    WINDOW_ROW(BlackmanWindow, blackman_evaluate),
    {.name = "MelWeightMatrix",
     .inputs = "Bands!, Length!, Rate!, Low!, High!",
     .outputs = "Y",
     .attributes = "output_datatype:int=1",
     .since = 17,
     .precision = CLASS_NONE,
     .kind = OP_STATIC,
     .infer = mel_infer,
     .evaluate = mel_evaluate},
    {.name = "DFT",
     .inputs = "X:float, Length:int?!, Axis:int?!",
     .outputs = "Y",
     .attributes = "axis:int, inverse:int=0, onesided:int=0",
     .since = 20,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .upgrade = dft_upgrade,
     .infer = dft_infer,
     .expand = dft_expand},
    {.name = "STFT",
     .inputs = "X:float, Step:int!, Window:float?, Length:int?!",
     .outputs = "Y",
     .attributes = "onesided:int=1",
     .since = 17,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .infer = stft_infer,
     .expand = stft_expand},
    {0},
};
