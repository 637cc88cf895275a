/* rounding.c: what rounding every result does to a graph's values: by it tolerances follow from a precision. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "merged.h"

double unit_roundoff(const char *precision)
{
    return strcmp(precision, "64-true") == 0   ? 0x1p-53
           : strcmp(precision, "32-true") == 0 ? 0x1p-24
           : strncmp(precision, "16", 2) == 0  ? 0x1p-11
                                               : 0x1p-8;
}

static double random_sign(uint64_t stream, uint64_t i)
{
    uint64_t x = (stream << 32 ^ (i + 1)) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    return (x ^ (x >> 29)) >> 60 & 1 ? 1 : -1;
}

/* Integers up to 1 / roundoff are numbers of the format: rounding does not move what counts or indexes. */
static bool is_rounded(double x, double roundoff)
{
    return x != floor(x) || fabs(x) > 1 / roundoff;
}

/* Views give their operand's elements out, which are rounded already. A recurrence knows the gates that its clip bounds
 * by their values, which no mode rounds. */
static bool has_rounded_results(const Node *node)
{
    return node->op->kind != OP_VIEW && !(has_attr(node, "clip") && attr_float(node, "clip") != 0);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The elements of all operands, ascending. Numbers that the result has in common with them are chosen, not computed:
 * they are rounded already, and gradients find what was chosen by comparing it. */
static double *operand_elements(Graph *graph, const Node *node, Tensor *tensors, int64_t *count)
{
    *count = 0;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && evaluated_tensor(graph, tensors, node->inputs[i]).f)
            *count += element_count(&node->inputs[i]->type);
    double *elements = NEW_ARRAY(graph->arena, double, *count + 1), *next = elements;
    for (int i = 0; i < node->input_count; i++) {
        const double *from = node->inputs[i] ? evaluated_tensor(graph, tensors, node->inputs[i]).f : NULL;
        for (int64_t k = 0; from && k < element_count(&node->inputs[i]->type); k++)
            *next++ = from[k];
    }
    qsort(elements, (size_t)*count, sizeof *elements, ascending);
    return elements;
}

static void round_results(Graph *graph, const Node *node, double roundoff, uint64_t seed, Tensor *tensors)
{
    int64_t count = 0;
    const double *given = has_rounded_results(node) ? operand_elements(graph, node, tensors, &count) : NULL;
    for (int i = 0; i < node->output_count && given; i++) {
        Value *value = node->outputs[i];
        if (!value || !tensors[value->id].f)
            continue;
        Tensor from = tensors[value->id], to = tensor_alloc(graph->arena, from.type);
        for (int64_t k = 0; k < element_count(&from.type); k++)
            if (is_rounded(from.f[k], roundoff) && !bsearch(&from.f[k], given, (size_t)count, sizeof *given, ascending))
                to.f[k] = from.f[k] * (1 + roundoff * random_sign((seed << 20) + (uint64_t)value->id, (uint64_t)k));
            else
                to.f[k] = from.f[k];
        tensors[value->id] = to;
    }
}

Tensor *evaluate_rounded(Graph *graph, const Tensor *inputs, double roundoff, uint64_t seed)
{
    Tensor *tensors = NEW_ARRAY(graph->arena, Tensor, graph->value_count);
    memcpy(tensors, inputs, (size_t)graph->value_count * sizeof(Tensor));
    for (const Node *node = graph->first; node; node = node->next) {
        evaluate_next(graph, node, tensors);
        round_results(graph, node, roundoff, seed, tensors);
    }
    return tensors;
}

double largest_of(const Tensor *tensor)
{
    double largest = 0;
    for (int64_t i = 0; i < element_count(&tensor->type); i++)
        largest = fmax(largest, fabs(tensor->f[i]));
    return largest;
}

double noise_of(const Tensor *exact, const Tensor *rounded)
{
    double noise = 0;
    for (int64_t i = 0; i < element_count(&exact->type); i++) {
        const double difference = exact->f[i] == rounded->f[i] ? 0 : fabs(exact->f[i] - rounded->f[i]);
        noise = isnan(difference) ? INFINITY : fmax(noise, difference); /* fmax() passes over NaN */
    }
    return noise;
}
