/* verify_rows.c: what each precision allows, and the verdicts on the rows of a comparison. */
#include "frontend/verify/verify_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- tolerances ---------------------------------------------------------------------------------------------- */

static const Tolerance tolerances[] = {
    {"64-true", 0x1p-53, 1e-9, STEPS_EXACT},    {"32-true", 0x1p-24, 1e-5, STEPS_NOISY},
    {"16-mixed", 0x1p-11, 0.02, STEPS_IGNORED}, {"bf16-mixed", 0x1p-8, 0.02, STEPS_IGNORED},
    {"16-true", 0x1p-11, 0.02, STEPS_IGNORED},  {"bf16-true", 0x1p-8, 0.02, STEPS_IGNORED},
};

const Tolerance *find_tolerance(const char *precision)
{
    const Tolerance *tolerance = tolerances;
    while (strcmp(tolerance->precision, precision) != 0)
        tolerance++;
    return tolerance;
}

double unit_roundoff(const char *precision)
{
    return find_tolerance(precision)->roundoff;
}

double discrete_error(double roundoff)
{
    return 6 * sqrt(roundoff);
}

double gradient_tolerance(const Tolerance *tolerance)
{
    return tolerance->steps == STEPS_IGNORED ? discrete_error(tolerance->roundoff) : tolerance->relative;
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

bool is_accepted(const ComparedTensor *row)
{
    return !row->problem && (row->undecided || row->error <= row->tolerance);
}

bool is_open(const ComparedTensor *row)
{
    return is_accepted(row) && (row->undecided || row->not_finite);
}

/* Failures, then what is open, then what agrees. */
static int by_excess(const void *left, const void *right)
{
    const ComparedTensor *a = left, *b = right;
    const int i = is_accepted(a) + is_accepted(a) * !is_open(a), j = is_accepted(b) + is_accepted(b) * !is_open(b);
    if (i != j)
        return i < j ? -1 : 1;
    double x = a->problem ? INFINITY : a->error / a->tolerance, y = b->problem ? INFINITY : b->error / b->tolerance;
    return x < y ? 1 : x > y ? -1 : strcmp(a->name, b->name);
}

void sort_rows(Comparison *comparison)
{
    qsort(comparison->rows, (size_t)comparison->count, sizeof *comparison->rows, by_excess);
}

const ComparedTensor *find_row(const Comparison *comparison, const char *name)
{
    for (int i = 0; i < comparison->count; i++)
        if (strcmp(comparison->rows[i].name, name) == 0 && !comparison->rows[i].problem)
            return &comparison->rows[i];
    return NULL;
}

static const char *verdict_of(const ComparedTensor *row)
{
    return is_open(row) ? "open" : is_accepted(row) ? "ok" : "FAIL";
}

static const char *reason_of(const ComparedTensor *row)
{
    return row->not_finite  ? ": the reference is not finite"
           : row->cancels   ? ": 0 in exact arithmetic, errors are absolute"
           : row->undecided ? ": rounding alone changes it as much"
                            : "";
}

void print_comparison(FILE *stream, const Comparison *comparison, int most)
{
    int told = comparison->failed + comparison->undecided + comparison->not_finite, rows = told > most ? told : most;
    fprintf(stream, "  %-9s %-9s %-4s %s\n", "error", "tolerance", "", "tensor");
    for (int i = 0; i < rows && i < comparison->count; i++) {
        const ComparedTensor *row = &comparison->rows[i];
        if (row->problem)
            fprintf(stream, "  %-9s %-9s %-4s %s: %s\n", "-", "-", "FAIL", row->name, row->problem);
        else
            fprintf(stream, "  %-9.1e %-9.1e %-4s %s%s\n", row->error, row->tolerance, verdict_of(row), row->name,
                    reason_of(row));
    }
    if (comparison->count > rows)
        fprintf(stream, "  and %d more, all within their tolerances\n", comparison->count - rows);
}
