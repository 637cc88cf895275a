/* precision_warnings.c: what 16 bits would do to this model's constants, sums, statistics and weights.
 *
 * Each check warns once for the graph, with the first place and how many more there are, because a deep model has the
 * same flaw in every layer; checks of constants once for each. */
#include "passes/precision/precision_warnings.h"

#include "ir/optimizer.h"
#include "ir/schema.h"

#include <math.h>
#include <string.h>

#include "passes/match.h"
#include "passes/precision/policy.h"

/* Bits of the significand, the hidden one included: an ulp of x in [2^(e-1), 2^e) is 2^(e-p). */
static int significand_bits(Dtype dtype)
{
    return dtype == DTYPE_F16 ? 11 : 8;
}

static const char *name_of(const Value *value)
{
    return value->name ? value->name : "?";
}

/* ---- constants that 16 bits do not hold ------------------------------------------------------------------------- */

/* To nearest even: infinity from half an ulp above the largest on, zero up to half the least subnormal. */
typedef struct Range {
    double infinite, zero;
    const char *overflow; /* the warnings' codes */
    const char *vanishing;
} Range;

static const Range *range_of(Dtype dtype)
{
    static const Range f16 = {65520, 0x1p-25, "f16-constant-overflow", "f16-constant-vanishes"};
    static const Range bf16 = {0x1.ffp127, 0, "bf16-constant-overflow", NULL}; /* with every exponent of f32 */
    return dtype == DTYPE_F16 ? &f16 : dtype == DTYPE_BF16 ? &bf16 : NULL;
}

static bool overflows(const Range *range, double x)
{
    return isfinite(x) && fabs(x) >= range->infinite;
}

static bool vanishes(const Range *range, double x)
{
    return x != 0 && fabs(x) <= range->zero;
}

/* What is stored in f32, as all floats were before autocast, behind views and copies of it; or NULL. */
static const Value *stored_behind(const Value *value)
{
    while (value->producer && value->producer->op->rearranges)
        value = value->producer->inputs[0];
    const bool stored = (value->kind == VALUE_CONST || value->kind == VALUE_PARAM) && value->data;
    return stored && value->type.dtype == DTYPE_F32 ? value : NULL;
}

/* Weights may be as small as they like: they learn. */
static void warn_of_elements(Graph *graph, const Node *node, const Value *stored)
{
    const Dtype dtype = node->outputs[0]->type.dtype;
    const Range *range = range_of(dtype);
    const float *x = stored->data;
    const int64_t count = element_count(&stored->type);
    const char *what = stored->kind == VALUE_PARAM ? "parameter" : "constant";
    int64_t infinite = 0, zeros = 0;
    double large = 0, small = 0;
    for (int64_t i = 0; i < count; i++) {
        if (overflows(range, (double)x[i]) && infinite++ == 0)
            large = (double)x[i];
        if (stored->kind == VALUE_CONST && vanishes(range, (double)x[i]) && zeros++ == 0)
            small = (double)x[i];
    }
    if (infinite > 0)
        warning(graph->diagnostics, node->origin, range->overflow,
                "%lld of the %lld elements of %s '%s', such as %g, become infinite in %s", (long long)infinite,
                (long long)count, what, name_of(stored), large, dtype_info[dtype].name);
    if (zeros > 0)
        warning(graph->diagnostics, node->origin, range->vanishing,
                "%lld of the %lld elements of %s '%s', such as %g, become 0 in %s", (long long)zeros, (long long)count,
                what, name_of(stored), small, dtype_info[dtype].name);
}

/* A scalar beside 16-bit operands is read in f32, but what it is added to, or chosen instead of, is rounded. */
static void warn_of_literals(Graph *graph, const Node *node)
{
    const Dtype dtype = node->outputs[0]->type.dtype;
    const Range *range = range_of(dtype);
    for (int i = 0; i < node->input_count; i++) {
        const OperandRole role = operand_role(node->op, i);
        double x;
        if ((role != ROLE_TERM && role != ROLE_CHOICE && role != ROLE_BOUND) ||
            !constant_value(graph, node->inputs[i], &x) || node->inputs[i]->type.dtype != DTYPE_F32)
            continue;
        if (overflows(range, x))
            warning(graph->diagnostics, node->origin, range->overflow,
                    "the result is stored in %s, where %g becomes infinite", dtype_info[dtype].name, x);
        if (vanishes(range, x))
            warning(graph->diagnostics, node->origin, range->vanishing,
                    "the result is stored in %s, where %g becomes 0", dtype_info[dtype].name, x);
    }
}

static void check_constants(Graph *graph)
{
    bool *told = NEW_ARRAY(graph->arena, bool, graph->value_count);
    for (const Node *node = graph->first; node; node = node->next) {
        if (!node->outputs[0] || !range_of(node->outputs[0]->type.dtype))
            continue;
        const Value *stored = is_op(node, "Cast") ? stored_behind(node->inputs[0]) : NULL;
        if (stored && !told[stored->id]) {
            warn_of_elements(graph, node, stored);
            told[stored->id] = true;
        }
        warn_of_literals(graph, node);
    }
}

/* Weights of 16-true, which autocast has rounded: finite ones have become infinite. */
static void check_parameters(Graph *graph)
{
    const uint16_t magnitude = 0x7fff;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_PARAM || !is_narrow(value->type.dtype) || !value->data)
            continue;
        const uint16_t *bits = value->data, infinity = value->type.dtype == DTYPE_F16 ? 0x7c00 : 0x7f80;
        int64_t infinite = 0;
        for (int64_t j = 0, count = element_count(&value->type); j < count; j++)
            infinite += (bits[j] & magnitude) == infinity;
        if (infinite > 0)
            warning(graph->diagnostics, NO_ORIGIN, range_of(value->type.dtype)->overflow,
                    "%lld elements of parameter '%s' become infinite in %s", (long long)infinite, name_of(value),
                    dtype_info[value->type.dtype].name);
    }
}

/* ---- sums that are stored in 16 bits ---------------------------------------------------------------------------- */

/* The sum whose result this node stores: it is its own, or rounded to 16 bits by a Cast that is a part of it. */
static const Node *sum_stored_by(const Node *node)
{
    const Node *producer = is_op(node, "Cast") ? node->inputs[0]->producer : NULL;
    const bool part =
        producer && producer->origin.node && node->origin.node && strcmp(producer->origin.node, node->origin.node) == 0;
    return part ? producer : node;
}

/* Of n equal summands one is 1/n of the sum, and less than half its ulp when n > 2^p. */
static void check_sums(Graph *graph)
{
    const Node *first = NULL;
    int64_t most = 0;
    int others = -1;
    for (const Node *node = graph->first; node; node = node->next) {
        if (!node->outputs[0] || !is_narrow(node->outputs[0]->type.dtype))
            continue;
        const Node *sum = sum_stored_by(node);
        const int64_t count = sum->op->summands ? sum->op->summands(sum) : 0;
        if (count <= (int64_t)1 << significand_bits(node->outputs[0]->type.dtype))
            continue;
        if (count > most) {
            first = node;
            most = count;
        }
        others++;
    }
    if (first)
        warning(graph->diagnostics, first->origin, "sum-of-many-16-bit",
                "the sum of %lld elements is stored in %s, where one of them is less than half an ulp of it%s",
                (long long)most, dtype_info[first->outputs[0]->type.dtype].name,
                others > 0 ? arena_printf(graph->arena, "; so are %d other sums", others) : "");
}

/* ---- running statistics ----------------------------------------------------------------------------------------- */

static void check_statistics(Graph *graph, const Options *options)
{
    Policy *policy = policy_create(graph, options);
    Ruling ruling, first = {0};
    const char *name = NULL;
    int others = -1;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_STATE || !policy_rule_tensor(policy, value, &ruling) ||
            ruling.precision != CLASS_LOWER)
            continue;
        if (others++ < 0) {
            first = ruling;
            name = name_of(value);
        }
    }
    if (name)
        warning(graph->diagnostics, NO_ORIGIN, "batchnorm-statistics-16-bit",
                "%s: running statistics stay in f32, because in 16 bits they would stop moving: '%s'%s", first.rule,
                name, others > 0 ? arena_printf(graph->arena, " and %d more", others) : "");
}

/* ---- updates that rounding to nearest loses --------------------------------------------------------------------- */

static int64_t count_stuck(const Value *param, double step)
{
    const Dtype dtype = param->type.dtype;
    const uint16_t *bits = param->data;
    int64_t stuck = 0;
    for (int64_t i = 0, count = element_count(&param->type); i < count; i++) {
        int exponent;
        const double x = dtype == DTYPE_F16 ? f64_from_f16(bits[i]) : f64_from_bf16(bits[i]);
        frexp(x, &exponent);
        stuck += x != 0 && step < ldexp(0.5, exponent - significand_bits(dtype));
    }
    return stuck;
}

static void check_updates(Graph *graph, const Options *options)
{
    const Optimizer *optimizer = find_optimizer(options->optimizer);
    const double step = optimizer->normalised ? optimizer->defaults.lr : 0, worrying_share = 0.01;
    const char *update = policy_update(options), *fixed = NULL;
    int64_t stuck = 0, total = 0;
    if (step == 0 || !update || strcmp(update, "nearest") != 0)
        return;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_PARAM || !is_narrow(value->type.dtype) || !value->data)
            continue;
        const int64_t here = count_stuck(value, step), count = element_count(&value->type);
        stuck += here;
        total += count;
        if (!fixed && count > 0 && here == count)
            fixed = name_of(value);
    }
    if (fixed || (total > 0 && (double)stuck / (double)total >= worrying_share))
        warning(graph->diagnostics, NO_ORIGIN, "update-nearest-too-small",
                "a step of %g rounds to nothing in %.1f %% of the weights%s%s%s; choose --update stochastic, kahan or "
                "master",
                step, 100 * (double)stuck / (double)total, fixed ? ", in every one of '" : "", fixed ? fixed : "",
                fixed ? "'" : "");
}

/* ---- moments that f16 rounds to zero ---------------------------------------------------------------------------- */

/* A second moment of f16 is zero for gradients below 2^-12 or so ((1 - beta2) g^2 < 2^-25), so is f16(eps). */
static void check_moments(Graph *graph, const Options *options)
{
    const Optimizer *optimizer = find_optimizer(options->optimizer);
    if (optimizer->moments < 2 || optimizer->blocks8 || !policy_update(options) || policy_moments(options) != DTYPE_F16)
        return;
    if (options->moments)
        warning(graph->diagnostics, NO_ORIGIN, "moments-vanish-in-f16",
                "--moments %s stores moments in f16, where second moments of small gradients become 0 and are divided "
                "by; choose --moments f32",
                options->moments);
    else
        warning(graph->diagnostics, NO_ORIGIN, "moments-vanish-in-f16",
                "without loss scaling %s has PyTorch's f16 moments, where second moments of small gradients become 0 "
                "and are divided by; scale the loss, or choose --moments f32",
                options->precision);
}

/* ---- what the options or the model ask for in vain -------------------------------------------------------------- */

static void check_options(Graph *graph, const Options *options, const PrecisionMode *mode)
{
    if (mode->low == mode->wide && (options->precision_rule_count > 0 || options->policy)) {
        policy_create(graph, options); /* what is wrong with them is wrong in every mode */
        warning(graph->diagnostics, NO_ORIGIN, "policy-without-effect",
                "%s has one dtype for everything: no policy and no rule changes it", mode->name);
    }
    if (options->moments && (!policy_update(options) || find_optimizer(options->optimizer)->blocks8))
        warning(graph->diagnostics, NO_ORIGIN, "moments-without-effect",
                policy_update(options) ? "--moments %s: those of %s have 8 bits, or are f32"
                                       : "--moments %s is for 16-bit weights, which %s has not",
                options->moments, policy_update(options) ? options->optimizer : mode->name);
    if (options->update && !policy_update(options))
        warning(graph->diagnostics, NO_ORIGIN, "update-without-effect",
                "--update %s is for 16-bit weights; those of %s have %s", options->update, mode->name,
                dtype_info[mode->wide].name);
}

/* Autocast's own Casts have the origin of the node that they are for. */
static bool is_model_cast(const Node *node)
{
    return is_op(node, "Cast") && node->origin.op && strncmp(node->origin.op, "Cast", 4) == 0 &&
           is_float(node->inputs[0]->type.dtype) && is_float(node->outputs[0]->type.dtype);
}

static void check_casts(Graph *graph, const Options *options)
{
    const Node *first = NULL;
    int count = 0;
    for (const Node *node = graph->first; node && !options->honour_casts; node = node->next)
        if (is_model_cast(node) && count++ == 0)
            first = node;
    if (first)
        note(graph->diagnostics, first->origin,
             "%d of the model's Casts between floats: the policy decides dtypes; --honour-casts leaves it to them "
             "[model-casts-ignored]",
             count);
}

void precision_warnings(Graph *graph, const Options *options)
{
    const PrecisionMode *mode = find_precision_mode(options->precision);
    check_options(graph, options, mode);
    if (mode->low == mode->wide)
        return;
    check_constants(graph);
    check_parameters(graph);
    check_sums(graph);
    check_statistics(graph, options);
    check_updates(graph, options);
    check_moments(graph, options);
    check_casts(graph, options);
}
