/* recompute_choice.c: which activations stay in memory for the backward pass.
 *
 * fused: all but what elementwise operators make of activations that the backward pass reads in loops of the same dims
 * anyway: there it is made once more on the way, as GELU of its input is beside GELU's gradient (see merge_clones() of
 * fuse.c). It costs no pass over memory of its own.
 *
 * auto: those that are costly to compute again, and those that are small. What elementwise operators, norms and moves
 * make of activations that stay is neither: it takes a pass over memory, or is fused into the loop that reads it.
 *
 * all: the forward pass is cut into segments. What crosses a cut stays, so that a segment can be computed again from
 * what entered it; the last one, which the backward pass begins with, is treated as auto does. With s segments the step
 * holds what crosses s - 1 cuts and the insides of one segment: least for about the square root of the layers (Chen,
 * Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", 2016), at the price of less than a second
 * forward pass. */
#include <math.h>

#include "passes/schedule/recompute.h"

enum {
    MAX_CHAIN = 16, /* nodes that auto computes again for one activation */
    MAX_SEGMENTS = 64,
    SMALL_SHARE = 16,      /* a statistic is at most this part of what it is taken of: to keep it costs nothing */
    KERNEL_SHARE = 4,      /* and what a pool keeps costs little, beside reading all that it pools */
    COSTLY = MAX_CHAIN + 1 /* more nodes than that */
};

static bool is_costly(const Node *node)
{
    const bool computes = node->op->kind == OP_ELEMENTWISE || node->op->kind == OP_VIEW || node->op->kind == OP_KERNEL;
    return !computes || node->op->precision == CLASS_LOWER;
}

static bool is_statistic(const Node *node, const Value *output)
{
    int64_t most = 0;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && type_bytes(&node->inputs[i]->type) > most)
            most = type_bytes(&node->inputs[i]->type);
    return type_bytes(&output->type) <= most / SMALL_SHARE;
}

/* To compute what a kernel makes of much larger activations again would cost more than it is worth: maxima and their
 * positions, and the statistics that a clone reads. */
static bool condenses(const Forward *f, const Node *node, const Value *output)
{
    int64_t most = 0;
    for (int i = 0; i < node->input_count; i++)
        if (is_activation(f, node->inputs[i]) && element_count(&node->inputs[i]->type) > most)
            most = element_count(&node->inputs[i]->type);
    return !is_costly(node) && node->op->kind == OP_KERNEL && element_count(&output->type) <= most / KERNEL_SHARE;
}

/* ---- fused ------------------------------------------------------------------------------------------------------ */

/* By value id: a loop of the backward pass, over the value's own dims, reads it. */
static bool *find_looped(const Forward *f)
{
    bool *looped = NEW_ARRAY(f->graph->arena, bool, f->value_count + 1);
    for (const Node *node = f->nodes[f->end]->next; node; node = node->next)
        for (int i = 0; node->op->kind == OP_ELEMENTWISE && i < node->input_count; i++)
            if (is_activation(f, node->inputs[i]))
                looped[node->inputs[i]->id] |= same_dims(&node->inputs[i]->type, &node->outputs[0]->type);
    return looped;
}

/* Can the node run again in a loop that reads its operands anyway? free: by value id, can be had in such a loop. */
static bool runs_in_a_loop(const Forward *f, const Node *node, const bool *free)
{
    bool has_operand = false;
    if (node->op->kind != OP_ELEMENTWISE)
        return false;
    for (int i = 0; i < node->input_count; i++) {
        if (!is_activation(f, node->inputs[i]))
            continue;
        if (!free[node->inputs[i]->id] || !same_dims(&node->inputs[i]->type, &node->outputs[0]->type))
            return false;
        has_operand = true;
    }
    return has_operand;
}

static void keep_unless_fused(const Forward *f, bool *kept)
{
    const bool *looped = find_looped(f);
    bool *free = NEW_ARRAY(f->graph->arena, bool, f->value_count + 1);
    for (int at = 0; at <= f->end; at++) {
        const Node *node = f->nodes[at];
        const bool again = runs_in_a_loop(f, node, free);
        for (int i = 0; i < node->output_count; i++) {
            const Value *output = node->outputs[i];
            if (!output)
                continue;
            kept[output->id] = f->is_saved[output->id] && !again;
            free[output->id] = again || (kept[output->id] && looped[output->id]);
        }
    }
}

/* ---- auto ------------------------------------------------------------------------------------------------------- */

/* Nodes to run again for the operands of `node`; COSTLY: too many, or a product among them. */
static int cost_of_operands(const Forward *f, const Node *node, const int *cost)
{
    int sum = 0;
    for (int i = 0; i < node->input_count; i++)
        if (is_activation(f, node->inputs[i]))
            sum += cost[node->inputs[i]->id];
    return sum < COSTLY ? sum : COSTLY;
}

/* In the order of the forward pass: an activation costs nothing once it is kept. */
static void keep_costly(const Forward *f, bool *kept)
{
    int *cost = NEW_ARRAY(f->graph->arena, int, f->value_count + 1);
    for (int at = 0; at <= f->end; at++) {
        const Node *node = f->nodes[at];
        const int again = is_costly(node) ? COSTLY : 1 + cost_of_operands(f, node, cost);
        for (int i = 0; i < node->output_count; i++) {
            const Value *output = node->outputs[i];
            if (!output)
                continue;
            kept[output->id] = condenses(f, node, output) ||
                               (f->is_saved[output->id] && (again >= COSTLY || is_statistic(node, output)));
            cost[output->id] = kept[output->id] ? 0 : again;
        }
    }
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

/* The positions after which the forward pass is cut, ascending. */
typedef struct Cuts {
    int at[MAX_SEGMENTS], count;
} Cuts;

/* Views have no bytes of their own; what they show has. */
static int64_t bytes_of(const Node *node, const Value *output)
{
    return node->op->kind == OP_VIEW ? 0 : type_bytes(&output->type);
}

static bool crosses(const Forward *f, const Value *value, const Cuts *cuts)
{
    const int made = f->position[value->producer->id];
    for (int i = 0; i < cuts->count; i++)
        if (made <= cuts->at[i] && cuts->at[i] < f->last_read[value->id])
            return true;
    return false;
}

static int segment_of(const Cuts *cuts, int position)
{
    int segment = 0;
    while (segment < cuts->count && cuts->at[segment] < position)
        segment++;
    return segment;
}

static bool stays(const Forward *f, const Node *node, const Value *output, const Cuts *cuts)
{
    return crosses(f, output, cuts) || is_statistic(node, output) || f->is_result[output->id];
}

/* Of what crosses cuts, and the insides of the largest segment; kept: by auto. */
static int64_t bytes_held(const Forward *f, const Cuts *cuts, const bool *kept)
{
    int64_t inside[MAX_SEGMENTS + 1] = {0}, crossing = 0, most = 0;
    for (int at = 0; at <= f->end; at++) {
        const Node *node = f->nodes[at];
        int64_t *segment = &inside[segment_of(cuts, at)];
        for (int i = 0; i < node->output_count; i++) {
            const Value *output = node->outputs[i];
            if (output && crosses(f, output, cuts))
                crossing += bytes_of(node, output);
            else if (output && (segment == &inside[cuts->count] ? kept : f->is_saved)[output->id])
                *segment += bytes_of(node, output);
        }
        most = *segment > most ? *segment : most;
    }
    return crossing + most;
}

/* Of what is read by a later node than `at`, by position. */
static int64_t *crossing_bytes(const Forward *f)
{
    int64_t *bytes = NEW_ARRAY(f->graph->arena, int64_t, f->end + 2);
    for (int at = 0; at <= f->end; at++)
        for (int i = 0; i < f->nodes[at]->output_count; i++) {
            const Value *output = f->nodes[at]->outputs[i];
            if (!output || f->last_read[output->id] <= at)
                continue;
            bytes[at] += bytes_of(f->nodes[at], output);
            bytes[f->last_read[output->id]] -= bytes_of(f->nodes[at], output);
        }
    for (int at = 1; at <= f->end; at++)
        bytes[at] += bytes[at - 1];
    return bytes;
}

/* Bytes that the backward pass reads, made up to each position. */
static int64_t *saved_bytes(const Forward *f)
{
    int64_t *bytes = NEW_ARRAY(f->graph->arena, int64_t, f->end + 1);
    for (int at = 0; at <= f->end; at++) {
        bytes[at] = at > 0 ? bytes[at - 1] : 0;
        for (int i = 0; i < f->nodes[at]->output_count; i++) {
            const Value *output = f->nodes[at]->outputs[i];
            if (output && f->is_saved[output->id])
                bytes[at] += bytes_of(f->nodes[at], output);
        }
    }
    return bytes;
}

/* Cuts into segments of about equal saved bytes: near each ideal position, within half a segment, the cut that the
 * fewest bytes cross, and of equal ones the nearest. */
static Cuts cut_into(const Forward *f, int segments, const int64_t *crossing, const int64_t *saved)
{
    Cuts cuts = {.count = 0};
    const double share = (double)saved[f->end] / segments;
    for (int i = 1, at = 0; i < segments; i++) {
        int best = -1;
        double nearest = 0;
        for (; at < f->end && (double)saved[at] < (i + 0.5) * share; at++) {
            const double distance = fabs((double)saved[at] - i * share);
            if (distance > share / 2)
                continue;
            if (best < 0 || crossing[at] < crossing[best] || (crossing[at] == crossing[best] && distance < nearest)) {
                best = at;
                nearest = distance;
            }
        }
        if (best >= 0)
            cuts.at[cuts.count++] = best;
    }
    return cuts;
}

/* kept: by auto. */
static void keep_crossing(const Forward *f, bool *kept)
{
    const int64_t *crossing = crossing_bytes(f), *saved = saved_bytes(f);
    Cuts cuts = {.count = 0};
    int64_t least = bytes_held(f, &cuts, kept);
    for (int segments = 2; segments <= MAX_SEGMENTS; segments++) {
        const Cuts tried = cut_into(f, segments, crossing, saved);
        const int64_t bytes = bytes_held(f, &tried, kept);
        if (bytes < least) {
            least = bytes;
            cuts = tried;
        }
    }
    const int last = cuts.count > 0 ? cuts.at[cuts.count - 1] : -1;
    for (int at = 0; at <= last; at++)
        for (int i = 0; i < f->nodes[at]->output_count; i++) {
            const Value *output = f->nodes[at]->outputs[i];
            if (output)
                kept[output->id] = stays(f, f->nodes[at], output, &cuts);
        }
}

bool *choose_kept(const Forward *forward, RecomputeKind kind)
{
    bool *kept = NEW_ARRAY(forward->graph->arena, bool, forward->value_count + 1);
    if (kind == RECOMPUTE_FUSED)
        keep_unless_fused(forward, kept);
    else
        keep_costly(forward, kept);
    if (kind == RECOMPUTE_ALL)
        keep_crossing(forward, kept);
    return kept;
}
