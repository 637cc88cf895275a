/* contents.c: what the numbers of a stored tensor look like. Parameters are irregular; what code computes is not.
 *
 * Element by element, because one look at a weight tells it from a table: converting it whole would cost more than the
 * rest of the compile. */
#include <math.h>

#include "passes/training/trainable.h"

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

bool has_one_value(const Value *value, double *which)
{
    int64_t count = element_count(&value->type);
    *which = element(value, 0);
    for (int64_t i = 1; i < count; i++)
        if (element(value, i) != *which)
            return false;
    return true;
}

/* Very negative numbers may differ (sums of two masks); one number throughout need not be as negative: Swin's -100. */
bool is_attention_mask(const Value *value)
{
    const double very_negative = -1e4, negative = -50;
    int64_t count = element_count(&value->type);
    double blocked = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = element(value, i);
        if (x != 0 && !(x <= very_negative) && !(x <= negative && count > 1 && (blocked == 0 || x == blocked)))
            return false;
        blocked = x != 0 ? x : blocked;
    }
    return blocked != 0;
}

/* Zeros [batch, 1, queries, keys] or [queries, keys]. A position bias has heads, and no batch. */
bool is_empty_mask(const Value *value)
{
    const int64_t *dims = value->type.dims;
    const int rank = value->type.rank;
    double filling;
    return (rank == 2 || (rank == 4 && dims[1] == 1)) && dims[rank - 2] > 1 && dims[rank - 1] > 1 &&
           has_one_value(value, &filling) && filling == 0;
}

/* ---- tables ---- */

/* The elements along one axis, at one place of the others. */
typedef struct Line {
    const Value *table;
    int64_t start, count, stride;
} Line;

static double at(const Line *line, int64_t i)
{
    return element(line->table, line->start + i * line->stride);
}

/* Is every line a table's? `varies` is set by a line that shows it. */
typedef bool LineTest(const Line *line, bool *varies);

static bool has_lines(const Value *value, int least, LineTest *test)
{
    const Type *type = &value->type;
    double filling;
    if (element_count(type) == 0 || has_one_value(value, &filling)) /* no line varies: no need to look at them all */
        return false;
    for (int axis = 0; axis < type->rank; axis++) {
        int64_t rows = type->dims[axis], stride = dims_product(type, axis + 1, type->rank);
        int64_t outer = dims_product(type, 0, axis);
        bool table = rows >= least, varies = false;
        for (int64_t o = 0; table && o < outer; o++)
            for (int64_t column = 0; table && column < stride; column++)
                table = test(&(Line){value, o * rows * stride + column, rows, stride}, &varies);
        if (table && varies)
            return true;
    }
    return false;
}

/* Sines and cosines of position times frequency obey t[p+1] + t[p-1] = 2 cos(w) t[p] down each column. */
static bool is_sinusoid(const Line *line, bool *varies)
{
    double dot = 0, norm = 0, scale = 0;
    for (int64_t p = 0; p < line->count; p++) {
        double here = at(line, p);
        scale = fmax(scale, fabs(here));
        if (p == 0 || p + 1 == line->count)
            continue;
        dot += (at(line, p + 1) + at(line, p - 1)) * here;
        norm += here * here;
    }
    double coefficient = norm > 0 ? dot / norm : 2;
    if (fabs(coefficient) > 2.0001)
        return false;
    *varies |= norm > 0 && fabs(coefficient) < 1.99;
    for (int64_t p = 1; p + 1 < line->count; p++)
        if (fabs(at(line, p + 1) + at(line, p - 1) - coefficient * at(line, p)) > 1e-3 * scale)
            return false;
    return true;
}

/* Rotary and sinusoidal tables: [..., positions, columns] (or transposed) of sinusoids. */
bool is_sinusoid_table(const Value *value)
{
    enum { LEAST_POSITIONS = 5 };
    bool one_line = false;
    for (int axis = 0; axis < value->type.rank; axis++)
        one_line |= value->type.dims[axis] == element_count(&value->type);
    return !one_line && has_lines(value, LEAST_POSITIONS, is_sinusoid);
}

/* What 16 bits round away is no step. */
static double tolerance_of(const Line *line)
{
    const Dtype dtype = line->table->type.dtype;
    return dtype == DTYPE_BF16 ? 1e-2 : dtype == DTYPE_F16 ? 1e-3 : 1e-5;
}

static bool is_arithmetic(const Line *line, bool *varies)
{
    const double first = at(line, 0), step = (at(line, line->count - 1) - first) / (double)(line->count - 1);
    const double tolerance = tolerance_of(line) * fmax(fabs(first), fabs(first + step * (double)line->count));
    for (int64_t i = 1; i < line->count; i++)
        if (!(fabs(at(line, i) - first - step * (double)i) <= tolerance))
            return false;
    *varies |= fabs(step) > tolerance;
    return true;
}

static bool is_geometric(const Line *line, bool *varies)
{
    const double first = at(line, 0), last = at(line, line->count - 1);
    if (first == 0 || last / first <= 0)
        return false;
    const double ratio = pow(last / first, 1 / (double)(line->count - 1));
    double expected = first;
    for (int64_t i = 1; i < line->count; i++) {
        expected *= ratio;
        if (!(fabs(at(line, i) - expected) <= tolerance_of(line) * fabs(expected)))
            return false;
    }
    *varies |= fabs(ratio - 1) > 0.01;
    return true;
}

/* Positions, ALiBi's slopes times positions, frequencies. Fewer than four numbers may be one by chance. */
bool is_progression(const Value *value)
{
    enum { LEAST_MEMBERS = 4 };
    return has_lines(value, LEAST_MEMBERS, is_arithmetic) || has_lines(value, LEAST_MEMBERS, is_geometric);
}
