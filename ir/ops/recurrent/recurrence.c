/* recurrence.c: what is sequential in a recurrent layer. ONNX's LSTM, GRU and RNN (recurrent.c) become products and one
 * of these, a kernel each. T steps, B sequences, D directions, H hidden units, k gates in ONNX's order (LSTM i, o, f,
 * c; GRU z, r, h):
 *
 *   G [T, B, D·k·H]      the gates' sums without their recurrent part: x·Wᵀ and the biases
 *   R [D, k·H, H]        recurrent weights; h0, c0 [D, B, H] initial states, 0 when absent; P [D, 3·H] peepholes
 *   bias [D, H]          GRU with reset_after: of the candidate's recurrent part
 *   lengths [B]          steps of each sequence; Y is 0 behind them, and states stay
 *   Gates [T, B, D·k·H]  the gates' values, for the gradient
 *   Y [T, B, D·H]        hidden states; h, c [D, B, H] the last ones
 *   States [T, B, D·H]   for the gradient: the LSTM's cell states; of GRU with reset_after the candidate's recurrent
 *                        part, h·Rᵀ + bias
 *
 * The gradient's kernel walks the steps backwards and gives dG, whence the gradients of X, W and the biases follow by
 * products and sums over all steps at once, as do those of R and P, which are built here. */
#include "ir/ops/shared/recurrence.h"

/* ---- inference ---- */

static bool check_operand(Graph *graph, const Node *node, int i, const char *name, int rank, const int64_t *dims)
{
    const Value *operand = input(node, i);
    Type wanted = make_type(operand ? operand->type.dtype : DTYPE_F32, rank, dims);
    if (operand && !same_dims(&operand->type, &wanted))
        return REJECT(graph, node, "%s is %s; it must be %s", name, type_text(graph->arena, &operand->type),
                      type_text(graph->arena, &wanted));
    return true;
}

static bool check_functions(Graph *graph, const Node *node)
{
    const int64_t *kinds;
    int count = attr_ints(node, "functions", &kinds);
    for (int i = 0; i < count; i++)
        if (kinds[i] < 0 || kinds[i] >= GATE_KIND_COUNT)
            return REJECT(graph, node, "attribute 'functions' has %" PRId64 ", which is no function", kinds[i]);
    if (count != cell_functions(cell_of(node)))
        return REJECT(graph, node, "attribute 'functions' has %d, but %d are needed", count,
                      cell_functions(cell_of(node)));
    return true;
}

/* G or the gates, and R. */
static bool check_extents(Graph *graph, const Node *node, const Type *gates, const Type *weights)
{
    const int64_t count = cell_gates(cell_of(node));
    const int64_t directions = weights->rank == 3 ? weights->dims[0] : 0,
                  width = weights->rank == 3 ? weights->dims[2] : 0;
    if (gates->rank != 3 || weights->rank != 3 || directions < 1 || directions > 2 || gates->dims[0] < 1 ||
        weights->dims[1] != count * width || gates->dims[2] != directions * count * width)
        return REJECT(graph, node, "the gates' sums %s and R %s do not agree as [T, B, D·%d·H] and [D, %d·H, H]",
                      type_text(graph->arena, gates), type_text(graph->arena, weights), (int)count, (int)count);
    return check_functions(graph, node);
}

static bool infer_recurrence(Graph *graph, Node *node)
{
    const Type *g = &node->inputs[RECURRENCE_G]->type;
    if (!check_extents(graph, node, g, &node->inputs[RECURRENCE_R]->type))
        return false;
    const Recurrence r = recurrence_of(node);
    const int64_t state[] = {r.directions, r.batch, r.width}, all[] = {r.steps, r.batch, r.directions * r.width};
    const int64_t bias[] = {r.directions, r.width}, peepholes[] = {r.directions, 3 * r.width};
    if (!check_operand(graph, node, RECURRENCE_BIAS, "the bias", 2, bias) ||
        !check_operand(graph, node, RECURRENCE_H0, "h0", 3, state) ||
        !check_operand(graph, node, RECURRENCE_C0, "c0", 3, state) ||
        !check_operand(graph, node, RECURRENCE_P, "P", 2, peepholes) ||
        !check_operand(graph, node, RECURRENCE_LENGTHS, "the lengths", 1, &r.batch))
        return false;
    Type gates = *g;
    if (r.clip != 0) /* a clipped gate is known by its value, which must not be rounded */
        gates.dtype = wide_dtype(g->dtype);
    return set_output_type(graph, node, RECURRENCE_GATES, gates) &&
           set_output_type(graph, node, RECURRENCE_Y, make_type(g->dtype, 3, all)) &&
           set_output_type(graph, node, RECURRENCE_H, make_type(g->dtype, 3, state)) &&
           set_output_type(graph, node, RECURRENCE_STATES, make_type(wide_dtype(g->dtype), 3, all)) &&
           set_output_type(graph, node, RECURRENCE_C, make_type(g->dtype, 3, state));
}

static bool infer_recurrence_grad(Graph *graph, Node *node)
{
    const Type *weights = &node->inputs[RECURRENCE_GRAD_R]->type;
    Type gates = node->inputs[RECURRENCE_GRAD_GATES]->type;
    if (!check_extents(graph, node, &gates, weights))
        return false;
    const Recurrence r = recurrence_of(node);
    const int64_t state[] = {r.directions, r.batch, r.width}, all[] = {r.steps, r.batch, r.directions * r.width};
    gates.dtype = weights->dtype;
    return set_output_type(graph, node, RECURRENCE_GRAD_DG, gates) &&
           set_output_type(graph, node, RECURRENCE_GRAD_DH0, make_type(gates.dtype, 3, state)) &&
           set_output_type(graph, node, RECURRENCE_GRAD_DC0, make_type(gates.dtype, 3, state)) &&
           set_output_type(graph, node, RECURRENCE_GRAD_DQ, make_type(gates.dtype, 3, all));
}

/* ---- gradient of R ---- */

/* Gates or states [T, B, ...] beside the states that they were computed from: `now` are all steps but the first one
 * that is walked, `before` the steps before those; `first` is that first one. */
typedef struct Walk {
    int64_t steps;
    bool reversed;
} Walk;

static Value *build_now(Graph *graph, Walk walk, Value *x)
{
    return walk.reversed ? build_slice(graph, x, 0, 0, walk.steps - 1) : build_slice(graph, x, 0, 1, walk.steps);
}

static Value *build_before(Graph *graph, Walk walk, Value *x)
{
    return walk.reversed ? build_slice(graph, x, 0, 1, walk.steps) : build_slice(graph, x, 0, 0, walk.steps - 1);
}

static Value *build_first(Graph *graph, Walk walk, Value *x)
{
    int64_t step = walk.reversed ? walk.steps - 1 : 0;
    return build_slice(graph, x, 0, step, step + 1);
}

/* x[steps, B, n] as rows. */
static Value *build_rows(Graph *graph, Value *x)
{
    const int64_t *d = x->type.dims;
    return build_reshape(graph, x, 2, (int64_t[]){d[0] * d[1], d[2]});
}

static Value *build_sum(Graph *graph, Value *x, Value *y)
{
    return !x ? y : !y ? x : build_add(graph, x, y);
}

/* Sum over steps and sequences of d[t]ᵀ (reset[t] h[t-1]), where h[-1] is `initial` [1, B, H]; reset NULL: all 1. */
static Value *build_outer_sum(Graph *graph, Walk walk, Value *d, Value *reset, Value *h, Value *initial)
{
    Value *sum = NULL;
    if (walk.steps > 1) {
        Value *before = build_before(graph, walk, h);
        if (reset)
            before = build_mul(graph, build_now(graph, walk, reset), before);
        sum = build_matmul(graph, build_rows(graph, build_now(graph, walk, d)), true, build_rows(graph, before), false);
    }
    if (initial) {
        if (reset)
            initial = build_mul(graph, build_first(graph, walk, reset), initial);
        Value *first = build_rows(graph, build_first(graph, walk, d));
        sum = build_sum(graph, sum, build_matmul(graph, first, true, build_rows(graph, initial), false));
    }
    const Type zeros = make_type(d->type.dtype, 2, (int64_t[]){d->type.dims[2], h->type.dims[2]});
    return sum ? sum : build_zeros(graph, &zeros);
}

/* Units [from, from + count)·H of direction `direction` in x[T, B, D·per·H]. */
static Value *build_units(Graph *graph, const Recurrence *r, Value *x, int64_t direction, int64_t per, int64_t from,
                          int64_t count)
{
    const int64_t begin = (direction * per + from) * r->width;
    return build_slice(graph, x, 2, begin, begin + count * r->width);
}

/* x[D, ...]: direction `direction`, the axis kept; NULL of NULL. */
static Value *build_direction(Graph *graph, Value *x, int64_t direction)
{
    return x ? build_slice(graph, x, 0, direction, direction + 1) : NULL;
}

/* The gradient of R's rows of one direction. */
static Value *build_direction_weights(Graph *graph, const Node *node, const Recurrence *r, int64_t d, Value *dg,
                                      Value *dq)
{
    const Walk walk = {r->steps, direction_is_reversed(r, d)};
    Value *h = build_units(graph, r, node->outputs[RECURRENCE_Y], d, 1, 0, 1);
    Value *h0 = build_direction(graph, input(node, RECURRENCE_H0), d);
    if (r->cell != CELL_GRU)
        return build_outer_sum(graph, walk, build_units(graph, r, dg, d, r->gates, 0, r->gates), NULL, h, h0);
    Value *update_reset = build_units(graph, r, dg, d, 3, 0, 2);
    Value *candidate = r->reset_after ? build_units(graph, r, dq, d, 1, 0, 1) : build_units(graph, r, dg, d, 3, 2, 1);
    Value *gates = build_cast(graph, node->outputs[RECURRENCE_GATES], h->type.dtype);
    Value *reset = r->reset_after ? NULL : build_units(graph, r, gates, d, 3, 1, 1);
    return build_concat(graph, 2,
                        VALUES(build_outer_sum(graph, walk, update_reset, NULL, h, h0),
                               build_outer_sum(graph, walk, candidate, reset, h, h0)),
                        0);
}

static Value *build_weights_gradient(Graph *graph, const Node *node, const Recurrence *r, Value *dg, Value *dq)
{
    Value *parts[2];
    for (int64_t d = 0; d < r->directions; d++) {
        Value *rows = build_direction_weights(graph, node, r, d, dg, dq);
        parts[d] = build_reshape(graph, rows, 3, (int64_t[]){1, r->gates * r->width, r->width});
    }
    return build_concat(graph, (int)r->directions, parts, 0);
}

/* ---- gradient of the peepholes ---- */

/* Sum over steps and sequences of d[t] c[t], or d[t] c[t-1] with c[-1] = initial. */
static Value *build_peephole(Graph *graph, Walk walk, Value *d, Value *c, bool of_before, Value *initial)
{
    if (!of_before)
        return build_reduce_sum(graph, build_mul(graph, d, c), 2, (int64_t[]){0, 1}, false);
    Value *sum = NULL;
    if (walk.steps > 1)
        sum = build_reduce_sum(graph, build_mul(graph, build_now(graph, walk, d), build_before(graph, walk, c)), 2,
                               (int64_t[]){0, 1}, false);
    if (initial)
        sum = build_sum(graph, sum,
                        build_reduce_sum(graph, build_mul(graph, build_first(graph, walk, d), initial), 2,
                                         (int64_t[]){0, 1}, false));
    const Type zeros = make_type(d->type.dtype, 1, (int64_t[]){d->type.dims[2]});
    return sum ? sum : build_zeros(graph, &zeros);
}

/* P's thirds are those of the gates i, o and f, which come first in G as well; o sees the state that it lets out. */
static Value *build_peepholes_gradient(Graph *graph, const Node *node, const Recurrence *r, Value *dg)
{
    Value *directions[2];
    Value *states = node->outputs[RECURRENCE_STATES], *wide = build_cast(graph, dg, states->type.dtype);
    for (int64_t d = 0; d < r->directions; d++) {
        const Walk walk = {r->steps, direction_is_reversed(r, d)};
        Value *c = build_units(graph, r, states, d, 1, 0, 1), *thirds[3];
        Value *c0 = build_direction(graph, input(node, RECURRENCE_C0), d);
        c0 = c0 ? build_cast(graph, c0, c->type.dtype) : NULL;
        for (int gate = 0; gate < 3; gate++)
            thirds[gate] = build_peephole(graph, walk, build_units(graph, r, wide, d, 4, gate, 1), c, gate != 1, c0);
        directions[d] = build_reshape(graph, build_concat(graph, 3, thirds, 0), 2, (int64_t[]){1, 3 * r->width});
    }
    return build_concat(graph, (int)r->directions, directions, 0);
}

/* ---- gradient ---- */

static bool saves_states(const Recurrence *r)
{
    return r->cell == CELL_LSTM || (r->cell == CELL_GRU && r->reset_after);
}

static Node *build_recurrence_grad(Differentiator *d, Node *node, const Recurrence *r)
{
    Value *operands[RECURRENCE_GRAD_INPUTS] = {
        [RECURRENCE_GRAD_GATES] = saved_output(d->graph, node, RECURRENCE_GATES),
        [RECURRENCE_GRAD_Y] = saved_output(d->graph, node, RECURRENCE_Y),
        [RECURRENCE_GRAD_STATES] = saves_states(r) ? saved_output(d->graph, node, RECURRENCE_STATES) : NULL,
        [RECURRENCE_GRAD_R] = node->inputs[RECURRENCE_R],
        [RECURRENCE_GRAD_H0] = input(node, RECURRENCE_H0),
        [RECURRENCE_GRAD_C0] = input(node, RECURRENCE_C0),
        [RECURRENCE_GRAD_P] = input(node, RECURRENCE_P),
        [RECURRENCE_GRAD_LENGTHS] = input(node, RECURRENCE_LENGTHS),
        [RECURRENCE_GRAD_DY] = dy_of(d, node, RECURRENCE_Y),
        [RECURRENCE_GRAD_DH] = dy_of(d, node, RECURRENCE_H),
        [RECURRENCE_GRAD_DC] = dy_of(d, node, RECURRENCE_C),
    };
    static const char *const names[] = {"RnnRecurrenceGrad", "LstmRecurrenceGrad", "GruRecurrenceGrad"};
    Node *grad = build_begin(d->graph, names[r->cell], RECURRENCE_GRAD_INPUTS, operands, 1);
    copy_attrs(d->graph, grad, node);
    build_finish(d->graph, grad);
    return grad;
}

static void recurrence_gradient(Differentiator *d, Node *node)
{
    Graph *graph = d->graph;
    const Recurrence r = recurrence_of(node);
    Node *grad = build_recurrence_grad(d, node, &r);
    Value *dg = grad->outputs[RECURRENCE_GRAD_DG];
    Value *dq = r.reset_after && r.cell == CELL_GRU ? saved_output(graph, grad, RECURRENCE_GRAD_DQ) : NULL;
    if (wants(d, node, RECURRENCE_G))
        contribute(d, node, RECURRENCE_G, dg);
    if (wants(d, node, RECURRENCE_R))
        contribute(d, node, RECURRENCE_R, build_weights_gradient(graph, node, &r, dg, dq));
    if (wants(d, node, RECURRENCE_BIAS)) {
        Value *sum = build_reduce_sum(graph, dq, 2, (int64_t[]){0, 1}, false);
        contribute(d, node, RECURRENCE_BIAS, build_reshape(graph, sum, 2, (int64_t[]){r.directions, r.width}));
    }
    if (wants(d, node, RECURRENCE_H0))
        contribute(d, node, RECURRENCE_H0, saved_output(graph, grad, RECURRENCE_GRAD_DH0));
    if (wants(d, node, RECURRENCE_C0))
        contribute(d, node, RECURRENCE_C0, saved_output(graph, grad, RECURRENCE_GRAD_DC0));
    if (wants(d, node, RECURRENCE_P))
        contribute(d, node, RECURRENCE_P, build_peepholes_gradient(graph, node, &r, dg));
}

/* ---- rows ---- */

/* Of every result axis 1 is that of the sequences: [T, B, ...] and [D, B, H]. */
static int recurrence_follow_axis(const Node *node, int i, int axis)
{
    (void)node;
    if (i == RECURRENCE_LENGTHS)
        return axis == 0 ? 1 : -1;
    return (i == RECURRENCE_G || i == RECURRENCE_H0 || i == RECURRENCE_C0) && axis == 1 ? 1 : -1;
}

static double recurrence_flops(const Node *node)
{
    const Recurrence r = recurrence_of(node);
    return 2.0 * (double)r.steps * (double)r.batch * (double)r.directions * (double)(r.gates * r.width * r.width);
}

enum { STATE_OPERAND = 1 << RECURRENCE_C0 };

/* clang-format off */
#define RECURRENCE_ATTRIBUTES \
    "alpha:floats, beta:floats, clip:float=0, functions:ints!, input_forget:int=0, reset_after:int=0, reverse:int=0"

#define RECURRENCE_ROWS(NAME, ONNX) \
    {.name = NAME "Recurrence", \
     .inputs = "G:float, R:float, bias:float?, h0:float?, c0:float?, P:float?, lengths:int?", \
     .roles = {[RECURRENCE_R] = ROLE_WEIGHT}, \
     .as_stored = STATE_OPERAND, \
     .outputs = "Gates, Y, h?, States?, c?", \
     .attributes = RECURRENCE_ATTRIBUTES, \
     .internal = true, \
     .stands_for = ONNX, \
     .precision = CLASS_LOWER, \
     .kind = OP_KERNEL, \
     .follow_axis = recurrence_follow_axis, \
     .infer = infer_recurrence, \
     .gradient = recurrence_gradient, \
     .evaluate = evaluate_recurrence, \
     .flops = recurrence_flops}, \
    {.name = NAME "RecurrenceGrad", \
     .inputs = "Gates:float, Y:float, States:float?, R:float, h0:float?, c0:float?, P:float?, lengths:int?, " \
               "dY:float?, dh:float?, dc:float?", \
     .outputs = "dG, dh0?, dc0?, dQ?", \
     .attributes = RECURRENCE_ATTRIBUTES, \
     .internal = true, \
     .precision = CLASS_LOWER, \
     .kind = OP_KERNEL, \
     .infer = infer_recurrence_grad, \
     .evaluate = evaluate_recurrence_grad, \
     .flops = recurrence_flops}
/* clang-format on */

const Op recurrence_ops[] = {
    RECURRENCE_ROWS("Lstm", "LSTM"),
    RECURRENCE_ROWS("Gru", "GRU"),
    RECURRENCE_ROWS("Rnn", "RNN"),
    {0},
};
