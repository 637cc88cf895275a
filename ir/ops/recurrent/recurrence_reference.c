/* recurrence_reference.c: recurrent layers and their gradients in double: see recurrence.c for the operands. */
#include "ir/ops/shared/expression.h"
#include "ir/ops/shared/recurrence.h"

#include <math.h>
#include <string.h>

/* ---- functions of the gates ---- */

static double apply(const GateFunction *f, double x)
{
    const double a = f->alpha, b = f->beta;
    switch (f->kind) {
    case GATE_SIGMOID:
        return sigmoid(x);
    case GATE_TANH:
        return tanh(x);
    case GATE_RELU:
        return x > 0 ? x : 0;
    case GATE_AFFINE:
        return a * x + b;
    case GATE_LEAKY_RELU:
        return x > 0 ? x : a * x;
    case GATE_THRESHOLDED_RELU:
        return x > a ? x : 0;
    case GATE_SCALED_TANH:
        return a * tanh(b * x);
    case GATE_HARD_SIGMOID:
        return fmin(fmax(a * x + b, 0), 1);
    case GATE_ELU:
        return x > 0 ? x : a * expm1(x);
    case GATE_SOFTSIGN:
        return x / (1 + fabs(x));
    default:
        return fmax(x, 0) + log1p(exp(-fabs(x)));
    }
}

/* The derivative where the function's value is y. */
static double slope(const GateFunction *f, double y)
{
    const double a = f->alpha, b = f->beta;
    switch (f->kind) {
    case GATE_SIGMOID:
        return y * (1 - y);
    case GATE_TANH:
        return 1 - y * y;
    case GATE_RELU:
        return y > 0;
    case GATE_AFFINE:
        return a;
    case GATE_LEAKY_RELU:
        return y > 0 ? 1 : a;
    case GATE_THRESHOLDED_RELU:
        return y != 0;
    case GATE_SCALED_TANH:
        return a == 0 ? 0 : b * (a - y * y / a);
    case GATE_HARD_SIGMOID:
        return y > 0 && y < 1 ? a : 0;
    case GATE_ELU:
        return y > 0 ? 1 : y + a;
    case GATE_SOFTSIGN:
        return (1 - fabs(y)) * (1 - fabs(y));
    default:
        return 1 - exp(-y);
    }
}

/* Of a gate, whose sum is clipped. */
static double apply_clipped(const Recurrence *r, int f, double x)
{
    if (r->clip != 0)
        x = fmin(fmax(x, -r->clip), r->clip);
    return apply(&r->functions[f], x);
}

static double clipped_slope(const Recurrence *r, int f, double y)
{
    const GateFunction *function = &r->functions[f];
    if (r->clip != 0 && (y == apply(function, r->clip) || y == apply(function, -r->clip)))
        return 0;
    return slope(function, y);
}

/* ---- where the numbers of one sequence and direction are ---- */

typedef struct Sequence {
    const Recurrence *r;
    int64_t direction, index, length;
} Sequence;

static int64_t step_of(const Sequence *s, int64_t i)
{
    return direction_is_reversed(s->r, s->direction) ? s->r->steps - 1 - i : i;
}

/* x[t, sequence, direction, 0] of x[T, B, D·units·H]. */
static double *at_step(const Tensor *x, const Sequence *s, int64_t t, int64_t units)
{
    const Recurrence *r = s->r;
    return x->f ? x->f + ((t * r->batch + s->index) * r->directions + s->direction) * units * r->width : NULL;
}

/* x[D, B, H] */
static double *at_state(const Tensor *x, const Sequence *s)
{
    return x->f ? x->f + (s->direction * s->r->batch + s->index) * s->r->width : NULL;
}

static const double *weights_of(const Tensor *weights, const Sequence *s)
{
    return weights->f + s->direction * s->r->gates * s->r->width * s->r->width;
}

static Sequence sequence_of(const Recurrence *r, const Tensor *lengths, int64_t direction, int64_t index)
{
    Sequence s = {r, direction, index, r->steps};
    if (lengths->i && lengths->i[index] < s.length)
        s.length = lengths->i[index] < 0 ? 0 : lengths->i[index];
    return s;
}

/* sum[rows] += weights[rows, width] x[width] */
static void add_product(int64_t rows, int64_t width, const double *weights, const double *x, double *sum)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++)
            sum[i] += weights[i * width + j] * x[j];
}

/* sum[width] += weights[rows, width]ᵀ x[rows] */
static void add_transposed(int64_t rows, int64_t width, const double *weights, const double *x, double *sum)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++)
            sum[j] += weights[i * width + j] * x[i];
}

/* ---- one step forward: sum has the gates' sums but for the candidate's recurrent part of a GRU ---- */

typedef struct Forward {
    Sequence sequence;
    const double *weights, *bias, *peepholes; /* or NULL */
    double *sum, *h, *c, *work;               /* [gates·H], [H], [H], [H] */
    double *gates, *states;                   /* of the step; states or NULL */
} Forward;

static double peephole(const Forward *f, int gate, int64_t j, double c)
{
    return f->peepholes ? f->peepholes[gate * f->sequence.r->width + j] * c : 0;
}

static void lstm_step(const Forward *f)
{
    const Recurrence *r = f->sequence.r;
    const int64_t width = r->width;
    for (int64_t j = 0; j < width; j++) {
        const double before = f->c[j];
        double i = apply_clipped(r, 0, f->sum[j] + peephole(f, 0, j, before));
        double forget = apply_clipped(r, 0, f->sum[2 * width + j] + peephole(f, 2, j, before));
        double candidate = apply_clipped(r, 1, f->sum[3 * width + j]);
        forget = r->input_forget ? 1 - i : forget;
        f->c[j] = forget * before + i * candidate;
        double o = apply_clipped(r, 0, f->sum[width + j] + peephole(f, 1, j, f->c[j]));
        f->h[j] = o * apply(&r->functions[2], f->c[j]);
        const double gates[] = {i, o, forget, candidate};
        for (int gate = 0; gate < 4; gate++)
            f->gates[gate * width + j] = gates[gate];
        if (f->states)
            f->states[j] = f->c[j];
    }
}

static void gru_step(const Forward *f)
{
    const Recurrence *r = f->sequence.r;
    const int64_t width = r->width;
    double *z = f->gates, *reset = z + width, *candidate = reset + width;
    for (int64_t j = 0; j < width; j++) {
        z[j] = apply_clipped(r, 0, f->sum[j]);
        reset[j] = apply_clipped(r, 0, f->sum[width + j]);
    }
    for (int64_t j = 0; j < width; j++)
        f->work[j] = r->reset_after ? f->h[j] : reset[j] * f->h[j];
    for (int64_t j = 0; j < width; j++)
        f->c[j] = f->bias ? f->bias[j] : 0;
    add_product(width, width, f->weights + 2 * width * width, f->work, f->c);
    for (int64_t j = 0; j < width; j++) {
        const double recurrent = r->reset_after ? reset[j] * f->c[j] : f->c[j];
        candidate[j] = apply_clipped(r, 1, f->sum[2 * width + j] + recurrent);
        f->h[j] = (1 - z[j]) * candidate[j] + z[j] * f->h[j];
        if (f->states)
            f->states[j] = f->c[j];
    }
}

static void rnn_step(const Forward *f)
{
    const Recurrence *r = f->sequence.r;
    for (int64_t j = 0; j < r->width; j++)
        f->gates[j] = f->h[j] = apply_clipped(r, 0, f->sum[j]);
}

static void walk_forward(Forward *f, const Tensor *inputs, Tensor *outputs)
{
    const Sequence *s = &f->sequence;
    const Recurrence *r = s->r;
    const int64_t width = r->width, products = r->cell == CELL_GRU ? 2 : r->gates;
    static void (*const steps[CELL_COUNT])(const Forward *) = {rnn_step, lstm_step, gru_step};
    for (int64_t i = 0; i < s->length; i++) {
        const int64_t t = step_of(s, i);
        memcpy(f->sum, at_step(&inputs[RECURRENCE_G], s, t, r->gates), (size_t)(r->gates * width) * sizeof(double));
        add_product(products * width, width, f->weights, f->h, f->sum);
        f->gates = at_step(&outputs[RECURRENCE_GATES], s, t, r->gates);
        f->states = at_step(&outputs[RECURRENCE_STATES], s, t, 1);
        steps[r->cell](f);
        memcpy(at_step(&outputs[RECURRENCE_Y], s, t, 1), f->h, (size_t)width * sizeof(double));
    }
}

/* x[0, count), of zeros where `from` is NULL. */
static void copy_or_clear(double *x, const double *from, int64_t count)
{
    for (int64_t j = 0; j < count; j++)
        x[j] = from ? from[j] : 0;
}

/* Operands that a node does not have, or outputs that nobody wants, as tensors without contents. */
static void complete(const Tensor *given, int count, Value *const *values, Tensor *all, int capacity)
{
    for (int i = 0; i < capacity; i++)
        all[i] = i < count && values[i] ? given[i] : (Tensor){0};
}

void evaluate_recurrence(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    const Recurrence r = recurrence_of(node);
    Tensor in[RECURRENCE_INPUTS], out[RECURRENCE_C + 1];
    complete(inputs, node->input_count, node->inputs, in, RECURRENCE_INPUTS);
    complete(outputs, node->output_count, node->outputs, out, RECURRENCE_C + 1);
    double *gates = NEW_ARRAY(arena, double, r.gates *r.width);
    if (!out[RECURRENCE_Y].f)
        out[RECURRENCE_Y] =
            tensor_alloc(arena, make_type(DTYPE_F64, 3, (int64_t[]){r.steps, r.batch, r.directions * r.width}));
    if (!out[RECURRENCE_GATES].f)
        out[RECURRENCE_GATES] = tensor_alloc(arena, in[RECURRENCE_G].type);
    Forward f = {.sum = gates,
                 .h = NEW_ARRAY(arena, double, r.width),
                 .c = NEW_ARRAY(arena, double, r.width),
                 .work = NEW_ARRAY(arena, double, r.width)};
    for (int64_t k = 0; k < r.directions * r.batch; k++) {
        f.sequence = sequence_of(&r, &in[RECURRENCE_LENGTHS], k / r.batch, k % r.batch);
        f.weights = weights_of(&in[RECURRENCE_R], &f.sequence);
        f.bias = in[RECURRENCE_BIAS].f ? in[RECURRENCE_BIAS].f + f.sequence.direction * r.width : NULL;
        f.peepholes = in[RECURRENCE_P].f ? in[RECURRENCE_P].f + f.sequence.direction * 3 * r.width : NULL;
        copy_or_clear(f.h, at_state(&in[RECURRENCE_H0], &f.sequence), r.width);
        copy_or_clear(f.c, at_state(&in[RECURRENCE_C0], &f.sequence), r.width);
        walk_forward(&f, in, out);
        if (out[RECURRENCE_H].f)
            copy_or_clear(at_state(&out[RECURRENCE_H], &f.sequence), f.h, r.width);
        if (out[RECURRENCE_C].f)
            copy_or_clear(at_state(&out[RECURRENCE_C], &f.sequence), f.c, r.width);
    }
}

/* ---- one step backward: dh, dc are the cotangents of the states behind the step, then of those before it ---- */

typedef struct Backward {
    Sequence sequence;
    const double *weights, *peepholes;
    const double *gates, *states, *h_before, *c_before; /* of the step; the latter NULL: 0 */
    double *dg, *dq;                                    /* of the step; dq or NULL */
    double *dh, *dc, *work;                             /* [H] */
} Backward;

static double element_or_zero(const double *x, int64_t j)
{
    return x ? x[j] : 0;
}

static double weight_or_zero(const Backward *b, int gate, int64_t j)
{
    return element_or_zero(b->peepholes ? b->peepholes + gate * b->sequence.r->width : NULL, j);
}

static void lstm_back(Backward *b)
{
    const Recurrence *r = b->sequence.r;
    const int64_t width = r->width;
    for (int64_t j = 0; j < width; j++) {
        const double i = b->gates[j], o = b->gates[width + j], forget = b->gates[2 * width + j];
        const double candidate = b->gates[3 * width + j], before = element_or_zero(b->c_before, j);
        const double out = apply(&r->functions[2], b->states[j]);
        const double d_o = b->dh[j] * out * clipped_slope(r, 0, o);
        const double dc = b->dc[j] + b->dh[j] * o * slope(&r->functions[2], out) + d_o * weight_or_zero(b, 1, j);
        const double kept = r->input_forget ? before : 0;
        const double d_i = dc * (candidate - kept) * clipped_slope(r, 0, i);
        const double d_forget = r->input_forget ? 0 : dc * before * clipped_slope(r, 0, forget);
        const double d_candidate = dc * i * clipped_slope(r, 1, candidate);
        const double gates[] = {d_i, d_o, d_forget, d_candidate};
        for (int gate = 0; gate < 4; gate++)
            b->dg[gate * width + j] = gates[gate];
        b->dc[j] = dc * forget + d_i * weight_or_zero(b, 0, j) + d_forget * weight_or_zero(b, 2, j);
    }
    memset(b->dh, 0, (size_t)width * sizeof(double));
    add_transposed(4 * width, width, b->weights, b->dg, b->dh);
}

static void gru_back(Backward *b)
{
    const Recurrence *r = b->sequence.r;
    const int64_t width = r->width;
    const double *z = b->gates, *reset = z + width, *candidate = reset + width;
    const double *candidate_weights = b->weights + 2 * width * width;
    memset(b->work, 0, (size_t)width * sizeof(double)); /* of what the candidate's weights multiply */
    for (int64_t j = 0; j < width; j++)
        b->dg[2 * width + j] = b->dh[j] * (1 - z[j]) * clipped_slope(r, 1, candidate[j]);
    for (int64_t j = 0; j < width && b->dq; j++)
        b->dq[j] = b->dg[2 * width + j] * reset[j];
    add_transposed(width, width, candidate_weights, r->reset_after ? b->dq : b->dg + 2 * width, b->work);
    for (int64_t j = 0; j < width; j++) {
        const double before = element_or_zero(b->h_before, j);
        const double d_reset = r->reset_after ? b->dg[2 * width + j] * b->states[j] : b->work[j] * before;
        b->dg[j] = b->dh[j] * (before - candidate[j]) * clipped_slope(r, 0, z[j]);
        b->dg[width + j] = d_reset * clipped_slope(r, 0, reset[j]);
        b->dh[j] = b->dh[j] * z[j] + b->work[j] * (r->reset_after ? 1 : reset[j]);
    }
    add_transposed(2 * width, width, b->weights, b->dg, b->dh);
}

static void rnn_back(Backward *b)
{
    const Recurrence *r = b->sequence.r;
    for (int64_t j = 0; j < r->width; j++)
        b->dg[j] = b->dh[j] * clipped_slope(r, 0, b->gates[j]);
    memset(b->dh, 0, (size_t)r->width * sizeof(double));
    add_transposed(r->width, r->width, b->weights, b->dg, b->dh);
}

static void walk_backward(Backward *b, const Tensor *inputs, Tensor *outputs)
{
    const Sequence *s = &b->sequence;
    const Recurrence *r = s->r;
    static void (*const steps[CELL_COUNT])(Backward *) = {rnn_back, lstm_back, gru_back};
    for (int64_t i = s->length - 1; i >= 0; i--) {
        const int64_t t = step_of(s, i), before = step_of(s, i - 1);
        const double *dy = at_step(&inputs[RECURRENCE_GRAD_DY], s, t, 1);
        for (int64_t j = 0; j < r->width; j++)
            b->dh[j] += element_or_zero(dy, j);
        b->gates = at_step(&inputs[RECURRENCE_GRAD_GATES], s, t, r->gates);
        b->states = at_step(&inputs[RECURRENCE_GRAD_STATES], s, t, 1);
        b->h_before =
            i > 0 ? at_step(&inputs[RECURRENCE_GRAD_Y], s, before, 1) : at_state(&inputs[RECURRENCE_GRAD_H0], s);
        b->c_before =
            i > 0 ? at_step(&inputs[RECURRENCE_GRAD_STATES], s, before, 1) : at_state(&inputs[RECURRENCE_GRAD_C0], s);
        b->dg = at_step(&outputs[RECURRENCE_GRAD_DG], s, t, r->gates);
        b->dq = at_step(&outputs[RECURRENCE_GRAD_DQ], s, t, 1);
        steps[r->cell](b);
    }
}

void evaluate_recurrence_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    const Recurrence r = recurrence_of(node);
    Tensor in[RECURRENCE_GRAD_INPUTS], out[RECURRENCE_GRAD_DQ + 1];
    complete(inputs, node->input_count, node->inputs, in, RECURRENCE_GRAD_INPUTS);
    complete(outputs, node->output_count, node->outputs, out, RECURRENCE_GRAD_DQ + 1);
    Backward b = {.dh = NEW_ARRAY(arena, double, r.width),
                  .dc = NEW_ARRAY(arena, double, r.width),
                  .work = NEW_ARRAY(arena, double, r.width)};
    for (int64_t k = 0; k < r.directions * r.batch; k++) {
        b.sequence = sequence_of(&r, &in[RECURRENCE_GRAD_LENGTHS], k / r.batch, k % r.batch);
        b.weights = weights_of(&in[RECURRENCE_GRAD_R], &b.sequence);
        b.peepholes = in[RECURRENCE_GRAD_P].f ? in[RECURRENCE_GRAD_P].f + b.sequence.direction * 3 * r.width : NULL;
        copy_or_clear(b.dh, at_state(&in[RECURRENCE_GRAD_DH], &b.sequence), r.width);
        copy_or_clear(b.dc, at_state(&in[RECURRENCE_GRAD_DC], &b.sequence), r.width);
        walk_backward(&b, in, out);
        if (out[RECURRENCE_GRAD_DH0].f)
            copy_or_clear(at_state(&out[RECURRENCE_GRAD_DH0], &b.sequence), b.dh, r.width);
        if (out[RECURRENCE_GRAD_DC0].f)
            copy_or_clear(at_state(&out[RECURRENCE_GRAD_DC0], &b.sequence), b.dc, r.width);
    }
}
