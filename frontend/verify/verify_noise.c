/* verify_noise.c: where the tolerances do not hold, a tensor may err by what rounding alone does to it. */
#include "frontend/verify/verify_rows.h"

#include <math.h>

#include "frontend/verify/reference_run.h"

static bool in_units_of_lr(const char *name, const char *precision)
{
    return starts_with(name, "param/") && find_tolerance(precision)->steps == STEPS_NOISY;
}

/* Errors in units of lr are all allowed the largest of them. */
static double noise_of(const Comparison *noise, const ComparedTensor *same, const char *precision)
{
    double largest = same->error;
    for (int i = 0; in_units_of_lr(same->name, precision) && i < noise->count; i++)
        if (in_units_of_lr(noise->rows[i].name, precision) && !noise->rows[i].problem)
            largest = fmax(largest, noise->rows[i].error);
    return largest;
}

static bool follows_steps(const char *name)
{
    return starts_with(name, "param/") || starts_with(name, "state/") || strcmp(name, "loss") == 0;
}

/* Adam takes about one lr a step, in either direction; everything else is relative. */
static double most_allowed(const char *name, const char *precision)
{
    if (in_units_of_lr(name, precision))
        return 2 * REFERENCE_STEPS;
    const double gradient = discrete_error(unit_roundoff(precision));
    if (starts_with(name, "grad/"))
        return fmin(10 * gradient, ABSENT);
    return strcmp(name, "grad") == 0 ? gradient : 0.5;
}

/* The program's error may be this many times the error of random rounding. Where all terms cancel, a kernel that adds n
 * equal numbers may err n times as much, as these all round the same way; wrong terms leave 1 / roundoff times that. */
static const double noise_times = 32, most_equal_terms = 1024;

static double cancelled_times(double roundoff)
{
    return fmax(noise_times, fmin(most_equal_terms, 0.1 / roundoff));
}

/* Rounding errors are proportional to the unit roundoff: is the reference as small as its own error in float64? */
static bool is_rounding(const ComparedTensor *noise, double roundoff)
{
    const double in_float64 = noise->error * noise->unit * (0x1p-53 / roundoff);
    return isfinite(in_float64) && noise->norm <= most_equal_terms * in_float64;
}

/* Was the parameter of this row updated by a gradient that is nothing but rounding error? */
static bool steps_are_rounding(Arena *arena, const Comparison *noise, const char *name, double roundoff)
{
    if (!starts_with(name, "param/"))
        return false;
    const ComparedTensor *gradient = find_row(noise, arena_printf(arena, "grad/%s", name + strlen("param/")));
    return gradient && is_rounding(gradient, roundoff);
}

/* Rounding alone changes the tensor about as much as the program differs, and by more than this precision explains, so
 * that the comparison decides nothing. In 16 bits the tolerances cover most of that already. */
static bool is_undecided(const ComparedTensor *row, double error, const char *precision)
{
    const bool in_16_bits = find_tolerance(precision)->steps == STEPS_IGNORED;
    const double about = 4, usual = in_16_bits ? fmin(0.4, most_allowed(row->name, precision)) : 0;
    return row->error > row->tolerance && row->error <= about * error && error >= usual && isfinite(error);
}

static void allow_rounding(ComparedTensor *row, double error, double roundoff)
{
    row->cancels = true;
    row->error *= row->unit;
    row->tolerance = row->unit * fmax(row->tolerance, cancelled_times(roundoff) * error);
    row->unit = 1;
}

static void allow(ComparedTensor *row, const ComparedTensor *same, const Comparison *noise, double roundoff,
                  const char *precision, Arena *arena)
{
    if (is_rounding(same, roundoff)) {
        allow_rounding(row, same->error, roundoff);
        return;
    }
    const bool cancelled = steps_are_rounding(arena, noise, row->name, roundoff);
    const double times = cancelled ? cancelled_times(roundoff) : noise_times, error = noise_of(noise, same, precision);
    row->tolerance = fmax(row->tolerance, fmin(times * error, most_allowed(row->name, precision)));
    row->undecided = is_undecided(row, error, precision);
}

void allow_noise(Arena *arena, Comparison *comparison, const Comparison *noise, double roundoff, bool of_steps,
                 const char *precision)
{
    comparison->failed = comparison->undecided = comparison->not_finite = 0;
    for (int i = 0; i < comparison->count; i++) {
        ComparedTensor *row = &comparison->rows[i];
        const ComparedTensor *same = find_row(noise, row->name);
        if (!row->problem && same && !is_accepted(row) && (!of_steps || follows_steps(row->name)))
            allow(row, same, noise, roundoff, precision, arena);
        comparison->failed += !is_accepted(row);
        comparison->undecided += row->undecided;
        comparison->not_finite += !row->undecided && is_open(row);
    }
    sort_rows(comparison);
}
