/* recurrent.c: ONNX's LSTM, GRU and RNN. Each expands into one product of all steps' inputs with the weights of all
 * gates, and a recurrence (recurrence.c) for what is sequential. */
#include "ir/ops/shared/recurrence.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* Operands and results, the same for the three where they have them. */
enum { LAYER_X, LAYER_W, LAYER_R, LAYER_B, LAYER_LENGTHS, LAYER_H, LAYER_C, LAYER_P };

/* ---- activation functions ---- */

/* What ONNX's lists of alphas and betas give, in the order of the functions that take one, or the default. */
typedef struct GateName {
    const char *name;
    bool takes_alpha, takes_beta;
    double alpha, beta;
} GateName;

static const GateName gate_names[GATE_KIND_COUNT] = {
    [GATE_SIGMOID] = {"Sigmoid", false, false, 0, 0},
    [GATE_TANH] = {"Tanh", false, false, 0, 0},
    [GATE_RELU] = {"Relu", false, false, 0, 0},
    [GATE_AFFINE] = {"Affine", true, true, 1, 0},
    [GATE_LEAKY_RELU] = {"LeakyRelu", true, false, 0.01, 0},
    [GATE_THRESHOLDED_RELU] = {"ThresholdedRelu", true, false, 1, 0},
    [GATE_SCALED_TANH] = {"ScaledTanh", true, true, 1, 1},
    [GATE_HARD_SIGMOID] = {"HardSigmoid", true, true, 0.2, 0.5},
    [GATE_ELU] = {"Elu", true, false, 1, 0},
    [GATE_SOFTSIGN] = {"Softsign", false, false, 0, 0},
    [GATE_SOFTPLUS] = {"Softplus", false, false, 0, 0},
};

static bool find_gate(const char *name, size_t length, GateKind *kind)
{
    for (int i = 0; i < GATE_KIND_COUNT; i++)
        if (strlen(gate_names[i].name) == length && strncasecmp(gate_names[i].name, name, length) == 0) {
            *kind = (GateKind)i;
            return true;
        }
    return false;
}

/* Number `*used` of a list, which it advances; without it the default. */
static double next_number(const Node *node, const char *list, bool takes, int *used, double fallback)
{
    const Attr *numbers = find_attr(node, list);
    if (!takes)
        return 0;
    const int at = (*used)++;
    return numbers && at < numbers->count ? numbers->floats[at] : fallback;
}

static bool check_numbers(Graph *graph, const Node *node, const char *list)
{
    const Attr *numbers = find_attr(node, list);
    for (int i = 0; numbers && i < numbers->count; i++)
        if (!isfinite(numbers->floats[i]))
            return REJECT(graph, node, "attribute '%s' has %g as number %d; it must be finite", list,
                          numbers->floats[i], i);
    return true;
}

/* The functions of every direction into functions[directions][cell_functions()]; false with a message. */
static bool read_gate_functions(Graph *graph, const Node *node, int64_t directions,
                                GateFunction functions[2][MAX_GATE_FUNCTIONS])
{
    static const char *const defaults[] = {"Tanh", "Sigmoid Tanh Tanh", "Sigmoid Tanh"};
    const Cell cell = cell_of(node);
    const int count = cell_functions(cell);
    const char *list = has_attr(node, "activations") ? attr_string(node, "activations") : "", *at = list;
    int alphas = 0, betas = 0;
    for (int i = 0; i < (int)directions * count; i++) {
        if (*list == 0 && i % count == 0)
            at = defaults[cell];
        at += strspn(at, " ");
        const size_t length = strcspn(at, " ");
        GateKind kind;
        if (length == 0)
            return REJECT(graph, node, "attribute 'activations' has %d functions; %d are needed", i,
                          (int)directions * count);
        if (!find_gate(at, length, &kind))
            return REJECT(graph, node, "attribute 'activations' has '%.*s', which ONNX does not define", (int)length,
                          at);
        const GateName *known = &gate_names[kind];
        functions[i / count][i % count] =
            (GateFunction){kind, next_number(node, "activation_alpha", known->takes_alpha, &alphas, known->alpha),
                           next_number(node, "activation_beta", known->takes_beta, &betas, known->beta)};
        if ((kind == GATE_LEAKY_RELU || kind == GATE_ELU) && functions[i / count][i % count].alpha < 0)
            return REJECT_UNSUPPORTED(graph, node, "%s with a negative alpha, %g, is not supported", known->name,
                                      functions[i / count][i % count].alpha);
        at += length;
    }
    at += strspn(at, " ");
    return *list == 0 || *at == 0 ||
           REJECT(graph, node, "attribute 'activations' has more than the %d functions that are needed",
                  (int)directions * count);
}

/* ---- inference ---- */

static bool check_dims(Graph *graph, const Node *node, int i, const char *name, int rank, const int64_t *dims)
{
    const Value *operand = input(node, i);
    Type wanted = make_type(operand ? operand->type.dtype : DTYPE_F32, rank, dims);
    if (operand && !same_dims(&operand->type, &wanted))
        return REJECT(graph, node, "%s is %s; X, R and the direction want %s", name,
                      type_text(graph->arena, &operand->type), type_text(graph->arena, &wanted));
    return true;
}

static bool check_direction(Graph *graph, const Node *node, int64_t directions)
{
    const char *direction = attr_string(node, "direction");
    const bool both = strcasecmp(direction, "bidirectional") == 0;
    if (!both && strcasecmp(direction, "forward") != 0 && strcasecmp(direction, "reverse") != 0)
        return REJECT(graph, node, "attribute 'direction' is '%s'; it must be forward, reverse or bidirectional",
                      direction);
    if (directions != (both ? 2 : 1))
        return REJECT(graph, node, "R is of %" PRId64 " directions, but attribute 'direction' is '%s'", directions,
                      direction);
    return true;
}

/* The extents of a layer. */
typedef struct Layer {
    Cell cell;
    int64_t steps, batch, directions, width, inputs, gates;
    bool batch_first, is_reversed;
    GateFunction functions[2][MAX_GATE_FUNCTIONS];
} Layer;

static Layer layer_of(const Node *node)
{
    const Type *x = &node->inputs[LAYER_X]->type, *r = &node->inputs[LAYER_R]->type;
    const bool batch_first = attr_int(node, "layout");
    const Cell cell = cell_of(node);
    return (Layer){.cell = cell,
                   .steps = x->dims[batch_first],
                   .batch = x->dims[!batch_first],
                   .directions = r->dims[0],
                   .width = r->dims[2],
                   .inputs = x->dims[2],
                   .gates = cell_gates(cell),
                   .batch_first = batch_first,
                   .is_reversed = strcasecmp(attr_string(node, "direction"), "reverse") == 0};
}

static bool check_operands(Graph *graph, const Node *node, const Layer *l)
{
    const int64_t rows = l->gates * l->width;
    const int64_t weights[] = {l->directions, rows, l->inputs}, recurrent[] = {l->directions, rows, l->width};
    const int64_t biases[] = {l->directions, 2 * rows}, peepholes[] = {l->directions, 3 * l->width};
    const int64_t state[] = {l->batch_first ? l->batch : l->directions, l->batch_first ? l->directions : l->batch,
                             l->width};
    return check_dims(graph, node, LAYER_W, "W", 3, weights) && check_dims(graph, node, LAYER_R, "R", 3, recurrent) &&
           check_dims(graph, node, LAYER_B, "B", 2, biases) &&
           check_dims(graph, node, LAYER_LENGTHS, "sequence_lens", 1, &l->batch) &&
           check_dims(graph, node, LAYER_H, "initial_h", 3, state) &&
           check_dims(graph, node, LAYER_C, "initial_c", 3, state) &&
           check_dims(graph, node, LAYER_P, "P", 2, peepholes);
}

static bool infer_layer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[LAYER_X]->type, *weights = &node->inputs[LAYER_R]->type;
    GateFunction functions[2][MAX_GATE_FUNCTIONS];
    const int64_t layout = attr_int(node, "layout");
    if (layout != 0 && layout != 1)
        return REJECT(graph, node, "attribute 'layout' is %" PRId64 "; it must be 0 or 1", layout);
    if (x->rank != 3 || weights->rank != 3 || x->dims[layout] < 1)
        return REJECT(graph, node, "X is %s and R %s; they must be of rank 3, and of one step at least",
                      type_text(graph->arena, x), type_text(graph->arena, weights));
    if (has_attr(node, "clip") && !(attr_float(node, "clip") >= 0))
        return REJECT(graph, node, "attribute 'clip' is %g; it must be a positive bound", attr_float(node, "clip"));
    const Layer l = layer_of(node);
    if (has_attr(node, "hidden_size") && attr_int(node, "hidden_size") != l.width)
        return REJECT(graph, node, "attribute 'hidden_size' is %" PRId64 ", but R is %s", attr_int(node, "hidden_size"),
                      type_text(graph->arena, weights));
    if (!check_direction(graph, node, l.directions) || !check_operands(graph, node, &l) ||
        !check_numbers(graph, node, "activation_alpha") || !check_numbers(graph, node, "activation_beta") ||
        !read_gate_functions(graph, node, l.directions, functions))
        return false;
    const int64_t all[] = {l.steps, l.directions, l.batch, l.width},
                  flipped[] = {l.batch, l.steps, l.directions, l.width};
    const int64_t state[] = {l.directions, l.batch, l.width}, state_flipped[] = {l.batch, l.directions, l.width};
    return set_output_type(graph, node, 0, make_type(x->dtype, 4, layout ? flipped : all)) &&
           set_output_type(graph, node, 1, make_type(x->dtype, 3, layout ? state_flipped : state)) &&
           set_output_type(graph, node, 2, make_type(x->dtype, 3, layout ? state_flipped : state));
}

/* ---- expansion ---- */

/* Does the operand hold nothing but zeros, as the initial states of most exports? */
static bool is_zero(const Value *operand)
{
    const Node *producer = operand->producer;
    if (producer && (strcmp(producer->op->name, "Expand") == 0 || strcmp(producer->op->name, "Cast") == 0 ||
                     producer->op->keeps_order))
        return is_zero(producer->inputs[0]);
    const char *bytes = operand->data;
    if (operand->kind != VALUE_CONST || !bytes)
        return false;
    for (int64_t i = 0; i < type_bytes(&operand->type); i++)
        if (bytes[i])
            return false;
    return true;
}

/* The directions [first, first + count) of an operand [D, ...]; NULL of NULL. */
static Value *build_directions(Graph *graph, Value *operand, int64_t first, int64_t count)
{
    return operand ? build_slice(graph, operand, 0, first, first + count) : NULL;
}

/* An initial state as [D, B, H], or NULL for zeros. */
static Value *build_initial(Graph *graph, const Node *node, const Layer *l, int i)
{
    Value *state = input(node, i);
    if (!state || is_zero(state))
        return NULL;
    return l->batch_first ? build_transpose(graph, state, (const int[]){1, 0, 2}) : state;
}

/* Of B [D, 2·k·H], the biases of W before those of R: what is added to every step's sums, as a vector; and, for a GRU
 * that resets after the product, the candidate's recurrent bias [D, H], which is not. */
static Value *build_bias(Graph *graph, const Layer *l, Value *b, bool reset_after, Value **candidate)
{
    const int64_t rows = l->gates * l->width, added = reset_after ? rows - l->width : rows;
    Value *of_w = build_slice(graph, b, 1, 0, rows);
    Value *sum = build_add(graph, build_slice(graph, of_w, 1, 0, added), build_slice(graph, b, 1, rows, rows + added));
    if (reset_after) {
        sum = build_joined(graph, sum, build_slice(graph, of_w, 1, added, rows), 1);
        *candidate = build_slice(graph, b, 1, rows + added, 2 * rows);
    }
    return build_reshape(graph, sum, 1, (int64_t[]){b->type.dims[0] * rows});
}

/* The sums of all gates and steps, of x [T, B, I]: [T, B, D·k·H]. */
static Value *build_sums(Graph *graph, const Layer *l, Value *x, Value *w, Value *bias)
{
    const int64_t columns = w->type.dims[0] * w->type.dims[1];
    Value *rows = build_reshape(graph, x, 2, (int64_t[]){l->steps * l->batch, l->inputs});
    Value *sums = build_matmul(graph, rows, false, build_reshape(graph, w, 2, (int64_t[]){columns, l->inputs}), true);
    if (bias)
        sums = build_add(graph, sums, build_cast(graph, bias, sums->type.dtype));
    return build_reshape(graph, sums, 3, (int64_t[]){l->steps, l->batch, columns});
}

/* The recurrence of directions that walk together, over x [T, B, I]. */
static Node *build_recurrence(Graph *graph, const Node *node, const Layer *l, Value *x, int64_t first, int64_t count,
                              bool reverse)
{
    static const char *const names[] = {"RnnRecurrence", "LstmRecurrence", "GruRecurrence"};
    const bool reset_after = l->cell == CELL_GRU && attr_int(node, "linear_before_reset");
    Value *candidate = NULL, *bias = build_directions(graph, input(node, LAYER_B), first, count);
    if (bias)
        bias = build_bias(graph, l, bias, reset_after, &candidate);
    Value *sums = build_sums(graph, l, x, build_directions(graph, node->inputs[LAYER_W], first, count), bias);
    Value *lengths = input(node, LAYER_LENGTHS);
    Value *operands[RECURRENCE_INPUTS] = {
        [RECURRENCE_G] = sums,
        [RECURRENCE_R] = build_directions(graph, node->inputs[LAYER_R], first, count),
        [RECURRENCE_BIAS] = candidate ? build_cast(graph, candidate, sums->type.dtype) : NULL,
        [RECURRENCE_H0] = build_directions(graph, build_initial(graph, node, l, LAYER_H), first, count),
        [RECURRENCE_C0] = build_directions(graph, build_initial(graph, node, l, LAYER_C), first, count),
        [RECURRENCE_P] = build_directions(graph, input(node, LAYER_P), first, count),
        [RECURRENCE_LENGTHS] = lengths ? build_cast(graph, lengths, DTYPE_I64) : NULL,
    };
    Node *recurrence = build_begin(graph, names[l->cell], RECURRENCE_INPUTS, operands, 2);
    set_gate_functions(graph, recurrence, cell_functions(l->cell), l->functions[first]);
    set_float(graph, recurrence, "clip", has_attr(node, "clip") ? attr_float(node, "clip") : 0);
    set_int(graph, recurrence, "input_forget", l->cell == CELL_LSTM && attr_int(node, "input_forget"));
    set_int(graph, recurrence, "reset_after", reset_after);
    set_int(graph, recurrence, "reverse", reverse);
    build_finish(graph, recurrence);
    return recurrence;
}

/* x or y with the steps of each sequence in the opposite order, what is behind its length left in place. */
static Value *build_reversed(Graph *graph, Value *x, Value *lengths)
{
    return build(graph, "ReverseSequence", 2, VALUES(x, lengths));
}

/* Y [T, B, D·H], h and c [D, B, H]; NULL where the node does not have the output. */
typedef struct Results {
    Value *y, *h, *c;
} Results;

/* A direction that walks backwards from each sequence's own end is a forward one over the reversed sequences. */
static Results build_walk(Graph *graph, const Node *node, const Layer *l, Value *x, int64_t first, int64_t count)
{
    const bool reverse = count == 1 && (l->is_reversed || first == 1);
    Value *lengths = reverse ? input(node, LAYER_LENGTHS) : NULL;
    if (lengths)
        x = build_reversed(graph, x, lengths);
    Node *walk = build_recurrence(graph, node, l, x, first, count, reverse && !lengths);
    Results results = {walk->outputs[RECURRENCE_Y], NULL, NULL};
    if (lengths)
        results.y = build_reversed(graph, results.y, lengths);
    if (has_output(node, 1))
        results.h = saved_output(graph, walk, RECURRENCE_H);
    if (has_output(node, 2))
        results.c = saved_output(graph, walk, RECURRENCE_C);
    return results;
}

/* May both directions be one node's? */
static bool walks_together(const Node *node, const Layer *l)
{
    bool equal = true;
    for (int i = 0; l->directions == 2 && i < cell_functions(l->cell); i++) {
        const GateFunction *a = &l->functions[0][i], *b = &l->functions[1][i];
        equal &= a->kind == b->kind && a->alpha == b->alpha && a->beta == b->beta;
    }
    return l->directions == 1 || (equal && !input(node, LAYER_LENGTHS));
}

static void expand_layer(Graph *graph, Node *node, Value **replacements)
{
    Layer l = layer_of(node);
    if (!read_gate_functions(graph, node, l.directions, l.functions))
        leave(graph->diagnostics);
    Value *x = node->inputs[LAYER_X];
    if (l.batch_first)
        x = build_transpose(graph, x, (const int[]){1, 0, 2});
    const bool together = walks_together(node, &l);
    Results all = build_walk(graph, node, &l, x, 0, together ? l.directions : 1);
    if (!together) {
        Results second = build_walk(graph, node, &l, x, 1, 1);
        all.y = build_joined(graph, all.y, second.y, 2);
        all.h = all.h ? build_joined(graph, all.h, second.h, 0) : NULL;
        all.c = all.c ? build_joined(graph, all.c, second.c, 0) : NULL;
    }
    Value *y = build_reshape(graph, all.y, 4, (int64_t[]){l.steps, l.batch, l.directions, l.width});
    replacements[0] = build_transpose(graph, y, l.batch_first ? (const int[]){1, 0, 2, 3} : (const int[]){0, 2, 1, 3});
    if (all.h)
        replacements[1] = l.batch_first ? build_transpose(graph, all.h, (const int[]){1, 0, 2}) : all.h;
    if (all.c)
        replacements[2] = l.batch_first ? build_transpose(graph, all.c, (const int[]){1, 0, 2}) : all.c;
}

/* The axis of the sequences, in Y and in the last states; that of the steps is mixed. */
static int layer_follow_axis(const Node *node, int i, int axis, int output)
{
    const bool batch_first = attr_int(node, "layout");
    const int to = batch_first ? 0 : output == 0 ? 2 : 1;
    if (i == LAYER_LENGTHS)
        return axis == 0 ? to : -1;
    return (i == LAYER_X || i == LAYER_H || i == LAYER_C) && axis == !batch_first ? to : -1;
}

enum { STORED_OPERANDS = 1 << LAYER_B | 1 << LAYER_C };

/* clang-format off */
#define LAYER_INPUTS "X:float, W:float, R:float, B:float?, sequence_lens:int?, initial_h:float?"
#define LAYER_ATTRIBUTES \
    "activation_alpha:floats, activation_beta:floats, activations:string, clip:float=0, direction:string=forward, " \
    "hidden_size:int, layout:int=0"

#define LAYER_ROW(NAME, INPUTS, OUTPUTS, ATTRIBUTES) \
    {.name = NAME, \
     .inputs = INPUTS, \
     .roles = {[LAYER_W] = ROLE_WEIGHT, [LAYER_R] = ROLE_WEIGHT, [LAYER_B] = ROLE_WEIGHT, \
               [LAYER_H] = ROLE_SHIFT, [LAYER_C] = ROLE_SHIFT, [LAYER_P] = ROLE_WEIGHT}, \
     .as_stored = STORED_OPERANDS, \
     .outputs = OUTPUTS, \
     .attributes = ATTRIBUTES, \
     .since = 22, \
     .precision = CLASS_LOWER, \
     .kind = OP_EXPAND, \
     .follow_axis_to = layer_follow_axis, \
     .infer = infer_layer, \
     .expand = expand_layer}
/* clang-format on */

const Op recurrent_ops[] = {
    LAYER_ROW("LSTM", LAYER_INPUTS ", initial_c:float?, P:float?", "Y?, Y_h?, Y_c?",
              LAYER_ATTRIBUTES ", input_forget:int=0"),
    LAYER_ROW("GRU", LAYER_INPUTS, "Y?, Y_h?", LAYER_ATTRIBUTES ", linear_before_reset:int=0"),
    LAYER_ROW("RNN", LAYER_INPUTS, "Y?, Y_h?", LAYER_ATTRIBUTES),
    {0},
};
