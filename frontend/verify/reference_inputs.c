/* reference_inputs.c: draws inputs from a seed. */
#include "frontend/verify/reference_inputs.h"

#include "frontend/verify/reference_ranges.h"

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

/* Whole numbers, both ends among them. */
static void draw_from(Tensor *tensor, Range range, uint64_t seed)
{
    const uint64_t extent = (uint64_t)(range.most - range.least) + 1;
    for (int64_t i = 0, count = element_count(&tensor->type); i < count; i++) {
        const int64_t x = (int64_t)range.least + (int64_t)(random_bits(seed, (uint64_t)i) % extent);
        if (tensor->f)
            tensor->f[i] = (double)x;
        else
            tensor->i[i] = x;
    }
}

/* Three quarters ones; the first of each row is one, so that no row is masked as a whole. */
static void draw_mask(Tensor *tensor, uint64_t seed)
{
    int64_t row = tensor->type.rank > 0 ? tensor->type.dims[tensor->type.rank - 1] : 1;
    for (int64_t i = 0, count = element_count(&tensor->type); i < count; i++)
        tensor->i[i] = i % row == 0 || random_bits(seed, (uint64_t)i) % 4 != 0;
}

/* The extent of the class axis of the output that the loss reads; 0 where it has none. */
static int64_t class_count(const Graph *graph, const Options *options)
{
    if (graph->loss_output < 0 || graph->outputs[graph->loss_output]->type.rank < 2)
        return 0;
    const Type *type = &graph->outputs[graph->loss_output]->type;
    return type->dims[options->loss == LOSS_CROSS_ENTROPY ? 1 : type->rank - 1];
}

Tensor random_input(Graph *graph, const Options *options, int index, uint64_t seed)
{
    const Value *value = graph->inputs[index];
    Tensor tensor = tensor_alloc(graph->arena, value->type);
    const InputRange found = input_range(graph, value);
    const int64_t classes = label_input_index(graph, options) == index ? class_count(graph, options) : 0;
    if (tensor.f && !found.is_index)
        draw_normal(&tensor, seed);
    else if (!found.is_index && classes > 0)
        draw_from(&tensor, (Range){0, (double)classes - 1}, seed);
    else if (!found.is_index && found.range.least == 0 && found.range.most == 1)
        draw_mask(&tensor, seed);
    else
        draw_from(&tensor, found.range, seed);
    return tensor;
}

Tensor random_target(Graph *graph, const Options *options, uint64_t seed)
{
    Tensor tensor = tensor_alloc(graph->arena, graph->target->type);
    if (tensor.i)
        draw_from(&tensor, (Range){0, fmax((double)class_count(graph, options) - 1, 0)}, seed);
    else
        draw_normal(&tensor, seed);
    for (int64_t i = 0; options->loss == LOSS_BCE_WITH_LOGITS && i < element_count(&tensor.type); i++)
        tensor.f[i] = tensor.f[i] > 0;
    return tensor;
}
