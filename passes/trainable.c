/* trainable.c: which initializers learn.
 *
 * What the command line says decides, then what the exporter declares, then what the tensor looks like: exporters fold
 * parameters into initializers with generated names, which must learn, and lift constants under names of the same
 * kind, which must not. What no gradient reaches is found out later, by differentiation. */
#include <ctype.h>
#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "passes/passes.h"

static bool matches_any(const char *name, const char *const *globs, int count)
{
    for (int i = 0; i < count; i++)
        if (fnmatch(globs[i], name, 0) == 0)
            return true;
    return false;
}

static bool has_suffix(const char *name, const char *suffix)
{
    const size_t length = strlen(name), end = strlen(suffix);
    return length >= end && strcmp(name + length - end, suffix) == 0;
}

/* onnx::Mul_123, val_17, unsqueeze_14, scalar_tensor_default, 42: a name that an exporter made. */
static bool has_generated_name(const char *name)
{
    size_t length = strlen(name), digits = 0;
    while (digits < length && isdigit((unsigned char)name[length - 1 - digits]))
        digits++;
    if (strstr(name, "::") || strstr(name, "Constant") || strstr(name, "_default") || digits == length)
        return true;
    return digits > 0 && name[length - 1 - digits] == '_' && !strchr(name, '.');
}

/* What some operator does with a value: a set of these. */
enum {
    READ_AS_STATISTIC = 1,
    READ_AS_SLOPE = 2,
    READ_BY_SCATTER = 4,
    READ_AS_BOUND = 8,
    READ_AS_GAIN = 16,
    READ_AS_SHIFT = 32
};

/* Operands by position. Masks are drawn region by region, each with one number: the base of a scatter and what it
 * writes. GroupNorm is spelt as an InstanceNormalization whose scale is ones and whose bias is zeros. */
static const struct {
    const char *op;
    int input;
    unsigned char reading;
} telling_operands[] = {
    {"BatchNormalization", 3, READ_AS_STATISTIC},
    {"BatchNormalization", 4, READ_AS_STATISTIC},
    {"PRelu", 1, READ_AS_SLOPE},
    {"Clip", 1, READ_AS_BOUND},
    {"Clip", 2, READ_AS_BOUND},
    {"InstanceNormalization", 1, READ_AS_GAIN},
    {"InstanceNormalization", 2, READ_AS_SHIFT},
    {"ScatterElements", 0, READ_BY_SCATTER},
    {"ScatterElements", 2, READ_BY_SCATTER},
    {"ScatterND", 0, READ_BY_SCATTER},
    {"ScatterND", 2, READ_BY_SCATTER},
};

const unsigned char *initializer_readings(const Graph *graph)
{
    unsigned char *readings = NEW_ARRAY(graph->arena, unsigned char, graph->value_count + 1);
    for (const Node *node = graph->first; node; node = node->next)
        for (size_t i = 0; i < sizeof telling_operands / sizeof *telling_operands; i++) {
            const Value *operand = input(node, telling_operands[i].input);
            if (operand && strcmp(node->op->name, telling_operands[i].op) == 0)
                readings[operand->id] |= telling_operands[i].reading;
        }
    return readings;
}

/* Element by element, because one look at a weight tells it from a table: converting it whole would cost more than the
 * rest of the compile. */
static double element(const Value *value, int64_t i)
{
    switch (value->type.dtype) {
    case DTYPE_F32:
        return (double)((const float *)value->data)[i];
    case DTYPE_F16:
        return f64_from_f16(((const uint16_t *)value->data)[i]);
    case DTYPE_BF16:
        return f64_from_bf16(((const uint16_t *)value->data)[i]);
    default: /* parameters are floats */
        return ((const double *)value->data)[i];
    }
}

static bool has_one_value(const Value *value)
{
    int64_t count = element_count(&value->type);
    for (int64_t i = 1; i < count; i++)
        if (element(value, i) != element(value, 0))
            return false;
    return true;
}

/* Additive attention masks: nothing but 0 and -inf, or very negative numbers. */
static bool is_mask(const Value *value)
{
    int64_t count = element_count(&value->type), blocked = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = element(value, i);
        if (x != 0 && !(x <= -1e4))
            return false;
        blocked += x != 0;
    }
    return blocked > 0;
}

/* Sines and cosines of position times frequency obey t[p+1] + t[p-1] = 2 cos(w) t[p] down each column. */
static bool is_sinusoid_column(const Value *table, int64_t start, int64_t rows, int64_t stride, bool *varies)
{
    double dot = 0, norm = 0, scale = 0;
    for (int64_t p = 0; p < rows; p++) {
        double here = element(table, start + p * stride);
        scale = fmax(scale, fabs(here));
        if (p == 0 || p + 1 == rows)
            continue;
        dot += (element(table, start + (p + 1) * stride) + element(table, start + (p - 1) * stride)) * here;
        norm += here * here;
    }
    double coefficient = norm > 0 ? dot / norm : 2;
    if (fabs(coefficient) > 2.0001)
        return false;
    *varies |= norm > 0 && fabs(coefficient) < 1.99;
    for (int64_t p = 1; p + 1 < rows; p++) {
        double neighbours = element(table, start + (p + 1) * stride) + element(table, start + (p - 1) * stride);
        if (fabs(neighbours - coefficient * element(table, start + p * stride)) > 1e-3 * scale)
            return false;
    }
    return true;
}

/* Rotary and sinusoidal tables: [..., positions, columns] (or transposed) of sinusoids. */
static bool is_sinusoid_table(const Value *value)
{
    enum { LEAST_POSITIONS = 5 };
    const Type *type = &value->type;
    for (int axis = 0; axis < type->rank; axis++) {
        int64_t rows = type->dims[axis], stride = dims_product(type, axis + 1, type->rank);
        int64_t outer = dims_product(type, 0, axis);
        bool table = rows >= LEAST_POSITIONS && element_count(type) > rows, varies = false;
        for (int64_t o = 0; table && o < outer; o++)
            for (int64_t column = 0; table && column < stride; column++)
                table = is_sinusoid_column(value, o * rows * stride + column, rows, stride, &varies);
        if (table && varies)
            return true;
    }
    return false;
}

/* What exporters fold a mask to that blocks nothing: zeros [batch, 1, queries, keys]. A position bias has heads, and no
 * batch. */
static bool is_empty_mask(const Value *value)
{
    const int64_t *dims = value->type.dims;
    return value->type.rank == 4 && dims[1] == 1 && dims[2] > 1 && dims[3] > 1 && element(value, 0) == 0 &&
           has_one_value(value);
}

static Verdict verdict_by_contents(const Value *value, unsigned char readings)
{
    int64_t count = element_count(&value->type);
    if (count == 1 && has_generated_name(value->name) && !(readings & READ_AS_SLOPE))
        return (Verdict){false, "a lone scalar under a generated name"};
    if (count == 1 && (readings & READ_AS_BOUND) && has_suffix(value->name, "_cast"))
        return (Verdict){false, "a bound of Clip that the exporter converted"};
    if (!value->data || count == 0)
        return (Verdict){count > 0, count > 0 ? "a float initializer" : "empty"};
    if (is_mask(value))
        return (Verdict){false, "an attention mask: only zeros and very negative values"};
    if (has_generated_name(value->name) && is_empty_mask(value))
        return (Verdict){false, "an attention mask that blocks nothing: zeros for all heads"};
    if ((readings & READ_BY_SCATTER) && has_one_value(value))
        return (Verdict){false, "one value, scattered or scattered into"};
    const bool neutral =
        ((readings & READ_AS_GAIN) && element(value, 0) == 1) || ((readings & READ_AS_SHIFT) && element(value, 0) == 0);
    if (neutral && has_generated_name(value->name) && has_one_value(value))
        return (Verdict){false, "a neutral scale or bias of InstanceNormalization under a generated name"};
    if (is_sinusoid_table(value))
        return (Verdict){false, "a table of sines or cosines"};
    return (Verdict){true, has_generated_name(value->name) ? "a float initializer under a generated name"
                                                           : "a named float initializer"};
}

/* The names that PyTorch and Keras give to running statistics, which a graph may read in any way. */
static bool is_named_statistic(const char *name)
{
    static const char *const suffixes[] = {"running_mean", "running_var", "moving_mean", "moving_variance"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
        if (has_suffix(name, suffixes[i]))
            return true;
    return false;
}

Verdict trainable_verdict(const unsigned char *readings, const Value *value, const Options *options)
{
    if ((readings[value->id] & READ_AS_STATISTIC) || is_named_statistic(value->name))
        return (Verdict){false, "a running statistic of BatchNormalization"};
    if (matches_any(value->name, options->freeze, options->freeze_count))
        return (Verdict){false, "--freeze"};
    if (options->trainable_count > 0)
        return matches_any(value->name, options->trainable, options->trainable_count)
                   ? (Verdict){true, "--trainable"}
                   : (Verdict){false, "not named by --trainable"};
    DeclaredRole role = options->role ? options->role(options->role_context, value->name) : ROLE_UNKNOWN;
    if (role == ROLE_PARAMETER)
        return (Verdict){true, "the exporter declares it a parameter"};
    if (role == ROLE_BUFFER)
        return (Verdict){false, "the exporter declares it a buffer"};
    return verdict_by_contents(value, readings[value->id]);
}

/* A glob that matches nothing is a mistake. */
static void check_globs(Graph *graph, const char *option, const char *const *globs, int count)
{
    const char **names = NEW_ARRAY(graph->arena, const char *, graph->value_count + 1);
    int name_count = 0;
    for (int i = 0; i < graph->value_count; i++)
        if (graph->values[i] && graph->values[i]->kind == VALUE_PARAM && graph->values[i]->name)
            names[name_count++] = graph->values[i]->name;
    for (int i = 0; i < count; i++) {
        bool found = false;
        for (int j = 0; j < name_count && !found; j++)
            found = fnmatch(globs[i], names[j], 0) == 0;
        if (found)
            continue;
        const char *near = did_you_mean(globs[i], names, name_count);
        error(graph->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "%s '%s' matches no initializer%s%s%s", option,
              globs[i], near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
}

void trainable(Graph *graph, const Options *options)
{
    check_globs(graph, "--trainable", options->trainable, options->trainable_count);
    check_globs(graph, "--freeze", options->freeze, options->freeze_count);
    const unsigned char *readings = initializer_readings(graph);
    int learning = 0;
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (!value || value->kind != VALUE_PARAM)
            continue;
        if (trainable_verdict(readings, value, options).learns)
            learning++;
        else
            value->kind = VALUE_CONST;
    }
    if (learning == 0 && graph->diagnostics->error_count == 0)
        fatal(graph->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "no initializer of the model is trainable; `--print trainable` says why, --trainable GLOB overrules it");
}
