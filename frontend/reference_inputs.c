/* reference_inputs.c: draws inputs from a seed. What an integer input may hold follows from what reads it. */
#include "frontend/reference_inputs.h"

#include <math.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood 2014): the i-th number of a stream by its counter. */
static uint64_t random_bits(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double random_unit(uint64_t seed, uint64_t i)
{
    return ((double)(random_bits(seed, i) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller (1958). */
static double random_normal(uint64_t seed, uint64_t i)
{
    const double two_pi = 6.283185307179586;
    return sqrt(-2 * log(random_unit(seed, 2 * i))) * cos(two_pi * random_unit(seed, 2 * i + 1));
}

static void draw_normal(Tensor *tensor, uint64_t seed)
{
    for (int64_t i = 0, count = element_count(&tensor->type); i < count; i++)
        tensor->f[i] = (double)(float)random_normal(seed, (uint64_t)i);
}

static void draw_below(Tensor *tensor, int64_t extent, uint64_t seed)
{
    for (int64_t i = 0, count = element_count(&tensor->type); i < count; i++)
        tensor->i[i] = (int64_t)(random_bits(seed, (uint64_t)i) % (uint64_t)extent);
}

/* Three quarters ones; the first of each row is one, so that no row is masked as a whole. */
static void draw_mask(Tensor *tensor, uint64_t seed)
{
    int64_t row = tensor->type.rank > 0 ? tensor->type.dims[tensor->type.rank - 1] : 1;
    for (int64_t i = 0, count = element_count(&tensor->type); i < count; i++)
        tensor->i[i] = i % row == 0 || random_bits(seed, (uint64_t)i) % 4 != 0;
}

/* ---- what reads an integer input --------------------------------------------------------------------------------- */

typedef struct IndexUse {
    const char *op;
    int operand;      /* the one that holds indices or classes */
    int extent_of;    /* the operand whose axis bounds them */
    const char *axis; /* the attribute that names the axis, or NULL: fixed_axis */
    int fixed_axis;
} IndexUse;

static const IndexUse index_uses[] = {
    {"Gather", 1, 0, "axis", 0},
    {"GatherElements", 1, 0, "axis", 0},
    {"ScatterElements", 1, 0, "axis", 0},
    {"CrossEntropy", 1, 0, "axis", 0},
    {"SoftmaxCrossEntropyLoss", 1, 0, NULL, 1},
    {"NegativeLogLikelihoodLoss", 1, 0, NULL, 1},
};

/* The bound that `node` sets for the values of `value`; 0: none. */
static int64_t bound_by_node(const Node *node, const Value *value)
{
    for (size_t k = 0; k < sizeof index_uses / sizeof *index_uses; k++) {
        const IndexUse *use = &index_uses[k];
        if (strcmp(node->op->name, use->op) != 0 || input(node, use->operand) != value)
            continue;
        const Type *type = &input(node, use->extent_of)->type;
        int64_t axis = use->axis ? attr_int(node, use->axis) : use->fixed_axis;
        return type->dims[axis < 0 ? axis + type->rank : axis];
    }
    return 0;
}

/* Does output 0 hold nothing but elements of operand `value`? */
static bool passes_elements(const Node *node, const Value *value)
{
    static const char *const gathers[] = {"Cast", "Gather", "GatherElements", "Identity"};
    bool moves = node->op->kind == OP_VIEW;
    for (size_t k = 0; k < sizeof gathers / sizeof *gathers; k++)
        moves |= strcmp(node->op->name, gathers[k]) == 0;
    return moves && input(node, 0) == value;
}

/* The smallest bound that any reader sets, through nodes that only move elements. */
static int64_t index_bound(const Graph *graph, const Value *source)
{
    bool *carries = NEW_ARRAY(graph->arena, bool, graph->value_count);
    int64_t least = 0;
    carries[source->id] = true;
    for (const Node *node = graph->first; node; node = node->next)
        for (int i = 0; i < node->input_count; i++) {
            const Value *value = node->inputs[i];
            if (!value || !carries[value->id])
                continue;
            int64_t bound = bound_by_node(node, value);
            if (bound > 0 && (least == 0 || bound < least))
                least = bound;
            for (int k = 0; k < node->output_count && passes_elements(node, value); k++)
                if (node->outputs[k])
                    carries[node->outputs[k]->id] = true;
        }
    return least;
}

/* The extent of the class axis of the output that the loss reads; 0 where it has none. */
static int64_t class_count(const Graph *graph, const Options *options)
{
    for (int i = 0; i < graph->output_count; i++) {
        const Type *type = &graph->outputs[i]->type;
        if (options->output ? strcmp(graph->output_names[i], options->output) != 0 : !is_float(type->dtype))
            continue;
        if (type->rank < 2)
            return 0;
        return type->dims[options->loss == LOSS_CROSS_ENTROPY ? 1 : type->rank - 1];
    }
    return 0;
}

Tensor random_input(Graph *graph, const Options *options, int index, uint64_t seed)
{
    const Value *value = graph->inputs[index];
    Tensor tensor = tensor_alloc(graph->arena, value->type);
    int64_t bound = tensor.f ? 0 : index_bound(graph, value);
    if (bound == 0 && !tensor.f && label_input_index(graph, options) == index)
        bound = class_count(graph, options);
    if (tensor.f)
        draw_normal(&tensor, seed);
    else if (bound > 0)
        draw_below(&tensor, bound, seed);
    else
        draw_mask(&tensor, seed);
    return tensor;
}

Tensor random_target(Graph *graph, const Options *options, uint64_t seed)
{
    Tensor tensor = tensor_alloc(graph->arena, graph->target->type);
    if (tensor.i)
        draw_below(&tensor, class_count(graph, options), seed);
    else
        draw_normal(&tensor, seed);
    for (int64_t i = 0; options->loss == LOSS_BCE_WITH_LOGITS && i < element_count(&tensor.type); i++)
        tensor.f[i] = tensor.f[i] > 0;
    return tensor;
}
