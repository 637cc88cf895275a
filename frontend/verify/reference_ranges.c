/* reference_ranges.c: walks the graph from its end and asks each node which operands keep its outputs in range.
 *
 * Two ranges are followed. `must` begins at operands that hold indices or classes: leaving it is an error in the
 * model's own terms. `should` begins where an operator shows what is meant, such as 1 - mask, or a comparison with the
 * numbers of a constant, as one-hot vectors are made. */
#include "frontend/verify/reference_ranges.h"

#include <math.h>
#include <string.h>

typedef struct Ranges {
    Graph *graph;
    Range *must, *should; /* by value id */
    Range *known;         /* by value id: of constants and of what keeps their range; NOTHING where unknown */
} Ranges;

static const Range ANYTHING = {-INFINITY, INFINITY}, NOTHING = {INFINITY, -INFINITY};

static Range intersect(Range a, Range b)
{
    return (Range){fmax(a.least, b.least), fmin(a.most, b.most)};
}

static bool is_empty(Range range)
{
    return range.least > range.most;
}

static Range scaled(Range range, double factor)
{
    return (Range){range.least * factor, range.most * factor};
}

static Range negated(Range range)
{
    return (Range){-range.most, -range.least};
}

static bool is_op(const Node *node, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(node->op->name, *names) == 0)
            return true;
    return false;
}

/* ---- where ranges begin: indices and classes -------------------------------------------------------------------- */

static Range index_range(const Node *node, int operand)
{
    const int64_t count = node->op->index_count ? node->op->index_count(node, operand) : -1;
    return count < 0 ? ANYTHING : (Range){0, (double)count - 1};
}

/* ---- where ranges begin: hints ---------------------------------------------------------------------------------- */

static Range other_operand(const Ranges *r, const Node *node, int operand)
{
    const Value *other = input(node, 1 - operand);
    return other ? r->known[other->id] : NOTHING;
}

/* Compared with several constants, the operand takes their values; with a single one, values on both sides of it. */
static Range hint_of_comparison(Range constant)
{
    if (is_empty(constant) || constant.least < 0)
        return ANYTHING;
    if (constant.least < constant.most)
        return constant;
    return (Range){0, constant.most <= 1 ? 1 : 2 * constant.most};
}

static Range hint(const Ranges *r, const Node *node, int operand)
{
    static const char *const comparisons[] = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", NULL};
    static const char *const differences[] = {"Sub", NULL}, *const products[] = {"Mul", NULL};
    const double large = 1e3; /* what masked positions are lowered by is more */
    const Range zero_or_one = {0, 1};
    const Value *output = node->outputs[0];
    if (strcmp(node->op->name, "Cast") == 0)
        return output->type.dtype == DTYPE_BOOL ? zero_or_one : ANYTHING;
    if (node->input_count != 2)
        return ANYTHING;
    const Range constant = other_operand(r, node, operand);
    if (is_op(node, comparisons))
        return hint_of_comparison(constant);
    if (operand == 1 && is_op(node, differences) && constant.least == 1 && constant.most == 1) /* 1 - mask */
        return zero_or_one;
    if (is_op(node, products) && output && is_float(output->type.dtype)) { /* (1 - mask) * -1e9, (mask - 1) * 1e9 */
        if (constant.most <= -large)
            return zero_or_one;
        if (constant.least >= large && isfinite(constant.least))
            return negated(zero_or_one);
    }
    return ANYTHING;
}

/* ---- from outputs to operands ----------------------------------------------------------------------------------- */

/* Does output lie in the range that this operand lies in? */
static bool keeps_range(const Node *node, int operand)
{
    if (node->op->kind == OP_VIEW)
        return !operand_is_static(node->op, operand);
    return operand < MAX_RANK && (node->op->keeps_range >> operand & 1);
}

/* x + y with x, y both unknown: each has half of the room. */
static Range addend(Range sum, Range other)
{
    return is_empty(other) ? scaled(sum, 0.5) : (Range){sum.least - other.least, sum.most - other.most};
}

static Range minuend(Range difference, Range other)
{
    if (!is_empty(other))
        return addend(difference, negated(other));
    return (Range){difference.least + (difference.most - difference.least) / 2, difference.most};
}

static Range subtrahend(Range difference, Range other)
{
    if (!is_empty(other))
        return negated(addend(difference, other));
    return (Range){0, (difference.most - difference.least) / 2};
}

/* For ranges about 0, as indices have; of others the end that is nearer to 0 is not widened. */
static Range factor_of(Range product, Range other)
{
    if (is_empty(other))
        return (Range){product.least > 0 ? sqrt(product.least) : 0, sqrt(fmax(product.most, 0))};
    if (other.least == 0 && other.most == 0)
        return ANYTHING;
    if (other.most <= 0)
        return factor_of(negated(product), negated(other));
    const Range both = other.least < 0 ? intersect(product, negated(product)) : product;
    const double most = fmax(other.most, -other.least);
    return (Range){both.least > 0 && other.least > 0 ? both.least / other.least : both.least / most, both.most / most};
}

static Range dividend(Range quotient, Range divisor)
{
    if (is_empty(divisor) || divisor.least <= 0)
        return quotient;
    return (Range){quotient.least * (quotient.least > 0 ? divisor.most : divisor.least), quotient.most * divisor.least};
}

static Range term(Range sum, const Node *node)
{
    static const char *const running[] = {"RunningSum", NULL};
    const Type *x = &node->inputs[0]->type, *y = &node->outputs[0]->type;
    const double outputs = fmax((double)element_count(y), 1);
    const double terms =
        is_op(node, running) ? (double)x->dims[attr_int(node, "axis")] : (double)element_count(x) / outputs;
    return scaled(sum, 1 / fmax(terms, 1));
}

/* The operand's range that keeps the output in `range`; ANYTHING where it does not bound the output. */
static Range operand_range(const Ranges *r, const Node *node, int operand, Range range)
{
    static const char *const sums[] = {"ReduceSum", "RunningSum", NULL};
    static const char *const known[] = {"Add", "Sub", "Mul", "Div", NULL};
    if (keeps_range(node, operand))
        return range;
    if (operand == 0 && is_op(node, sums))
        return term(range, node);
    if (strcmp(node->op->name, "Neg") == 0)
        return negated(range);
    if (!is_op(node, known))
        return ANYTHING;
    const Range other = other_operand(r, node, operand);
    switch (node->op->name[0]) {
    case 'A':
        return addend(range, other);
    case 'S':
        return operand == 0 ? minuend(range, other) : subtrahend(range, other);
    case 'M':
        return factor_of(range, other);
    default:
        return operand == 0 ? dividend(range, other) : ANYTHING;
    }
}

static bool is_bounded(Range range)
{
    return isfinite(range.least) || isfinite(range.most);
}

static void restrict_operand(const Ranges *r, const Node *node, int operand)
{
    const int id = node->inputs[operand]->id;
    Range must = index_range(node, operand), should = hint(r, node, operand);
    for (int i = 0; i < node->output_count; i++) {
        if (!node->outputs[i] || (i > 0 && node->op->kind != OP_VIEW))
            continue;
        const int output = node->outputs[i]->id;
        if (is_bounded(r->must[output]))
            must = intersect(must, operand_range(r, node, operand, r->must[output]));
        if (is_bounded(r->should[output]))
            should = intersect(should, operand_range(r, node, operand, r->should[output]));
    }
    r->must[id] = intersect(r->must[id], must);
    r->should[id] = intersect(r->should[id], should);
}

/* ---- the walks -------------------------------------------------------------------------------------------------- */

static Range range_of_data(Graph *graph, const Value *value)
{
    const Tensor tensor = tensor_from_data(graph->arena, &value->type, value->data);
    Range range = NOTHING;
    for (int64_t i = 0, count = element_count(&value->type); i < count; i++) {
        const double x = tensor.f ? tensor.f[i] : (double)tensor.i[i];
        range = (Range){fmin(range.least, x), fmax(range.most, x)};
    }
    return range;
}

/* Of a value made of known ones by an operator that keeps their range. */
static Range range_kept(const Ranges *r, const Node *node)
{
    Range range = NOTHING;
    for (int i = 0; i < node->input_count; i++) {
        if (!node->inputs[i] || !keeps_range(node, i))
            continue;
        const Range known = r->known[node->inputs[i]->id];
        if (is_empty(known))
            return NOTHING;
        range = (Range){fmin(range.least, known.least), fmax(range.most, known.most)};
    }
    return range;
}

static Ranges find_ranges(Graph *graph)
{
    Ranges r = {graph, NEW_ARRAY(graph->arena, Range, graph->value_count),
                NEW_ARRAY(graph->arena, Range, graph->value_count), NEW_ARRAY(graph->arena, Range, graph->value_count)};
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        r.must[i] = r.should[i] = ANYTHING;
        r.known[i] = value && value->kind == VALUE_CONST && value->data ? range_of_data(graph, value) : NOTHING;
    }
    for (const Node *node = graph->first; node; node = node->next)
        for (int i = 0; i < node->output_count; i++)
            if (node->outputs[i])
                r.known[node->outputs[i]->id] = range_kept(&r, node);
    for (const Node *node = graph->last; node; node = node->previous)
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i])
                restrict_operand(&r, node, i);
    return r;
}

/* Integers that a double holds exactly, as far as the dtype goes. */
static Range dtype_range(Dtype dtype)
{
    const int bits = dtype == DTYPE_BOOL ? 1 : 8 * dtype_info[dtype].bytes - dtype_info[dtype].is_signed;
    const double most = ldexp(1, bits < 53 && !is_float(dtype) ? bits : 53) - 1;
    return (Range){dtype_info[dtype].is_signed || is_float(dtype) ? -most : 0, most};
}

/* The integers of the range, without negative ones where that leaves some; one number where the bounds are reversed. */
static Range whole(Range range)
{
    Range inside = {ceil(range.least), floor(range.most)};
    if (inside.most > 0)
        inside.least = fmax(inside.least, 0);
    inside.most = fmax(inside.most, inside.least);
    return inside;
}

static bool is_finite(Range range)
{
    return isfinite(range.least) && isfinite(range.most);
}

InputRange input_range(Graph *graph, const Value *input)
{
    const Range bytes = {0, 255};
    const Ranges r = find_ranges(graph);
    const Range must = r.must[input->id], should = r.should[input->id];
    if (is_finite(must))
        return (InputRange){whole(intersect(must, dtype_range(input->type.dtype))), true};
    if (is_float(input->type.dtype))
        return (InputRange){ANYTHING, false};
    const Range hinted = is_finite(should) && !is_empty(should) ? should : bytes;
    return (InputRange){whole(intersect(hinted, dtype_range(input->type.dtype))), false};
}
