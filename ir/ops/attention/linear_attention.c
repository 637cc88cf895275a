/* linear_attention.c: recurrences that stand for attention, and the convolution in front of them: the states of steps
 * are operands and results. They are unrolled, so that their gradient is that of the steps. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/heads.h"

#include <math.h>

enum { PAST = 3, DECAY = 4, BETA = 5, MOST_STEPS = 1024 };

/* ---- LinearAttention ---- */

typedef struct Recurrence {
    int64_t batch, steps, q_heads, heads, width, value_width; /* heads: of keys and values */
    bool gated, delta;
    double scale;
} Recurrence;

static bool rule_of(Graph *graph, const Node *node, Recurrence *r)
{
    const char *rule = attr_string(node, "update_rule");
    r->gated = strcmp(rule, "gated") == 0 || strcmp(rule, "gated_delta") == 0;
    r->delta = strcmp(rule, "delta") == 0 || strcmp(rule, "gated_delta") == 0;
    if (!r->gated && !r->delta && strcmp(rule, "linear") != 0)
        return REJECT(graph, node,
                      "attribute 'update_rule' is '%s'; it must be 'linear', 'gated', 'delta' or "
                      "'gated_delta'",
                      rule);
    if ((r->gated && !input(node, DECAY)) || (r->delta && !input(node, BETA)))
        return REJECT(graph, node, "the rule '%s' needs %s", rule, r->gated && !input(node, DECAY) ? "decay" : "beta");
    return true;
}

static bool recurrence_of(Graph *graph, const Node *node, Recurrence *r)
{
    const Type *q = &node->inputs[0]->type, *k = &node->inputs[1]->type, *v = &node->inputs[2]->type;
    *r = (Recurrence){.q_heads = attr_int(node, "q_num_heads"), .heads = attr_int(node, "kv_num_heads")};
    bool agrees = q->rank == 3 && k->rank == 3 && v->rank == 3 && r->heads > 0 && r->q_heads > 0 &&
                  r->q_heads % r->heads == 0 && q->dims[2] % r->q_heads == 0 && v->dims[2] % r->heads == 0 &&
                  k->dims[2] * r->q_heads == q->dims[2] * r->heads;
    for (int i = 0; agrees && i < 2; i++)
        agrees = q->dims[i] == k->dims[i] && k->dims[i] == v->dims[i];
    if (!agrees)
        return REJECT(graph, node, "query %s, key %s and value %s do not agree with %" PRId64 " and %" PRId64 " heads",
                      type_text(graph->arena, q), type_text(graph->arena, k), type_text(graph->arena, v), r->q_heads,
                      r->heads);
    r->batch = q->dims[0];
    r->steps = q->dims[1];
    r->width = q->dims[2] / r->q_heads;
    r->value_width = v->dims[2] / r->heads;
    r->scale = attr_float(node, "scale") != 0 ? attr_float(node, "scale") : 1 / sqrt((double)r->width);
    if (r->steps > MOST_STEPS)
        return REJECT_UNSUPPORTED(graph, node, "%" PRId64 " steps; pcc unrolls up to %d", r->steps, MOST_STEPS);
    return rule_of(graph, node, r);
}

/* decay [B, T, H·width] or [B, T, H]; beta [B, T, H] or [B, T, 1]; past [B, H, width, value width] */
static bool check_gates(Graph *graph, Node *node, const Recurrence *r)
{
    const Type state = make_type(DTYPE_F32, 4, (int64_t[]){r->batch, r->heads, r->width, r->value_width});
    if (input(node, PAST) && !same_dims(&node->inputs[PAST]->type, &state))
        return REJECT(graph, node, "past_state is %s; it must have the dims of %s",
                      type_text(graph->arena, &node->inputs[PAST]->type), type_text(graph->arena, &state));
    for (int i = DECAY; i <= BETA; i++) {
        const Type *gate = input(node, i) ? &node->inputs[i]->type : NULL;
        const int64_t whole = i == DECAY ? r->heads * r->width : 1;
        if (gate && (gate->rank != 3 || gate->dims[0] != r->batch || gate->dims[1] != r->steps ||
                     (gate->dims[2] != r->heads && gate->dims[2] != whole)))
            return REJECT(graph, node, "input %d is %s; it must be [batch, steps, heads] of one number a head", i,
                          type_text(graph->arena, gate));
    }
    return true;
}

static bool linear_attention_infer(Graph *graph, Node *node)
{
    Recurrence r;
    if (!recurrence_of(graph, node, &r) || !check_gates(graph, node, &r))
        return false;
    const Dtype dtype = node->inputs[0]->type.dtype;
    const Dtype state = input(node, PAST) ? node->inputs[PAST]->type.dtype : dtype;
    return set_output_type(graph, node, 0,
                           make_type(dtype, 3, (int64_t[]){r.batch, r.steps, r.q_heads * r.value_width})) &&
           set_output_type(graph, node, 1, make_type(state, 4, (int64_t[]){r.batch, r.heads, r.width, r.value_width}));
}

/* Step t of x[B, T, C], as [B, H, rows, columns]. */
static Value *build_step(Graph *graph, Value *x, int64_t t, int64_t heads, int64_t rows, int64_t columns)
{
    Value *step = build_slice(graph, x, 1, t, t + 1);
    return build_reshape(graph, step, 4, (int64_t[]){x->type.dims[0], heads, rows, columns});
}

/* S·e^g */
static Value *build_decayed(Graph *graph, const Node *node, const Recurrence *r, Value *state, Value *const *in,
                            int64_t t)
{
    if (!r->gated)
        return state;
    const int64_t rows = node->inputs[DECAY]->type.dims[2] == r->heads ? 1 : r->width;
    Value *gate = build_unary(graph, "Exp", build_step(graph, in[DECAY], t, r->heads, rows, 1));
    return build_mul(graph, state, gate);
}

/* S + k ⊗ v, or S + β k ⊗ (v - Sᵀk) */
static Value *build_written(Graph *graph, const Node *node, const Recurrence *r, Value *state, Value *const *in,
                            int64_t t)
{
    Value *k = build_step(graph, in[1], t, r->heads, r->width, 1);
    Value *v = build_step(graph, in[2], t, r->heads, 1, r->value_width);
    if (r->delta) {
        Value *beta = build_step(graph, in[BETA], t, node->inputs[BETA]->type.dims[2], 1, 1);
        v = build_mul(graph, beta, build_sub(graph, v, build_matmul(graph, k, true, state, false)));
    }
    return build_add(graph, state, build_mul(graph, k, v));
}

static void linear_attention_expand(Graph *graph, Node *node, Value **replacements)
{
    Recurrence r;
    recurrence_of(graph, node, &r);
    const Dtype dtype = wide_dtype(node->inputs[0]->type.dtype);
    const Type zeros = make_type(dtype, 4, (int64_t[]){r.batch, r.heads, r.width, r.value_width});
    Value *in[6] = {NULL}, *state, **rows = NEW_ARRAY(graph->arena, Value *, r.steps + 1);
    for (int i = 0; i < 6; i++)
        in[i] = input(node, i) ? build_cast(graph, node->inputs[i], dtype) : NULL;
    state = in[PAST] ? in[PAST] : build_zeros(graph, &zeros);
    for (int64_t t = 0; t < r.steps; t++) {
        state = build_decayed(graph, node, &r, state, in, t);
        state = build_written(graph, node, &r, state, in, t);
        Value *q = build_step(graph, in[0], t, r.heads, r.q_heads / r.heads, r.width);
        Value *y = build_scale(graph, build_matmul(graph, q, false, state, false), r.scale);
        rows[t] = build_reshape(graph, y, 3, (int64_t[]){r.batch, 1, r.q_heads * r.value_width});
    }
    const Type empty = node->outputs[0] ? node->outputs[0]->type : zeros;
    Value *y = r.steps ? build_concat(graph, (int)r.steps, rows, 1) : build_zeros(graph, &empty);
    replacements[0] = build_cast(graph, y, node->inputs[0]->type.dtype);
    if (has_output(node, 1))
        replacements[1] = build_cast(graph, state, node->outputs[1]->type.dtype);
}

/* ---- CausalConvWithState ---- */

static bool causal_conv_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *w = &node->inputs[1]->type;
    const char *activation = attr_string(node, "activation");
    if (x->rank != 3 || w->rank != 3 || w->dims[0] != x->dims[1] || w->dims[1] != 1 || w->dims[2] < 1)
        return REJECT(graph, node, "X is %s and W %s; they must be [batch, channels, length] and [channels, 1, taps]",
                      type_text(graph->arena, x), type_text(graph->arena, w));
    if (strcmp(activation, "none") != 0 && strcmp(activation, "silu") != 0 && strcmp(activation, "swish") != 0)
        return REJECT(graph, node, "attribute 'activation' is '%s'; it must be 'none', 'silu' or 'swish'", activation);
    Type state = *x;
    state.dims[2] = w->dims[2] - 1;
    if (input(node, 3) && !same_dims(&node->inputs[3]->type, &state))
        return REJECT(graph, node, "past_state is %s; it must have the dims of %s",
                      type_text(graph->arena, &node->inputs[3]->type), type_text(graph->arena, &state));
    return set_output_type(graph, node, 0, *x) && set_output_type(graph, node, 1, state);
}

/* The state, or zeros, before x; then a convolution without padding. */
static void causal_conv_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = node->inputs[0], *w = node->inputs[1];
    const int64_t before = w->type.dims[2] - 1;
    Type state = x->type;
    state.dims[2] = before;
    if (before > 0)
        x = build_joined(
            graph, input(node, 3) ? build_cast(graph, node->inputs[3], x->type.dtype) : build_zeros(graph, &state), x,
            2);
    Node *conv = build_begin(graph, "Conv", 3, VALUES(x, w, input(node, 2)), 1);
    set_int(graph, conv, "group", w->type.dims[0]);
    Value *y = build_finish(graph, conv);
    replacements[0] = strcmp(attr_string(node, "activation"), "none") == 0 ? y : build_unary(graph, "Swish", y);
    if (has_output(node, 1))
        replacements[1] = build_slice(graph, x, 2, x->type.dims[2] - before, x->type.dims[2]);
}

const Op linear_attention_ops[] = {
    {.name = "LinearAttention",
     .inputs = "Q:float, K:float, V:float, past_state:float?, decay:float?, beta:float?",
     .outputs = "Y, present_state?",
     .attributes = "chunk_size:int=64, kv_num_heads:int!, q_num_heads:int!, scale:float=0, "
                   "update_rule:string=gated_delta",
     .since = 27,
     .precision = CLASS_LOWER,
     .kind = OP_EXPAND,
     .infer = linear_attention_infer,
     .expand = linear_attention_expand},
    {.name = "CausalConvWithState",
     .inputs = "X:float, W:float, B:float?, past_state:float?",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT},
     .outputs = "Y, present_state?",
     .attributes = "activation:string=none",
     .since = 27,
     .precision = CLASS_LOWER,
     .kind = OP_EXPAND,
     .infer = causal_conv_infer,
     .expand = causal_conv_expand},
    {0},
};
