/* verify_compare.c: the errors of what a program dumped.
 *
 * Errors are ‖a - b‖ / ‖b‖ in the 2-norm, b the reference. The loss, all gradients as one vector and the states must
 * agree to the precision's tolerance, single tensors to ten times that, as their errors do not average out, but no
 * zeros pass for a gradient. Where a gradient is zero in exact arithmetic, its error is measured against the norm of
 * all gradients; where all are, against what rounding the terms that cancel makes of it (allow_noise).
 *
 * In 16 bits rounding moves maxima and the signs of activations. How many move is proportional to the unit roundoff u,
 * and each sends its share of the gradient elsewhere: the error of the whole is a multiple of sqrt(u), and varies from
 * batch to batch (PyTorch's autocast to bf16 errs by 0.19 to 0.35 on a ResNet with BatchNormalization over 12 batches).
 * It is allowed 6 sqrt(u); a wrong gradient is off by its own size. Parameters after some steps say nothing there that
 * the gradient does not say.
 *
 * Where the reference is not finite nothing can be said of the program, which may overflow there in another way: these
 * elements are left out, and the row says so. Where the reference is finite, the program has to be. */
#include "frontend/verify/verify_rows.h"

#include "frontend/verify/reference_run.h"
#include "runtime/files/dtype.h"
#include "runtime/files/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_UNIT 1e-300 /* of an error, where the reference is zeros */

typedef struct Comparer {
    Arena *arena;
    const PccSafetensors *dump, *reference;
    const Tolerance *tolerance;
    double gradient_norm; /* of all gradients of the reference */
    double gradient_peak; /* the largest |element| */
    double noise;         /* what PyTorch's float32 run erred in parameters, in units of lr */
    Comparison result;
} Comparer;

static int64_t count_of(const PccStTensor *tensor)
{
    return pcc_element_count(tensor->rank, tensor->dims);
}

static double element(const PccStTensor *tensor, int64_t i)
{
    return pcc_dtype_load(tensor->data, tensor->dtype, i);
}

static bool same_shape(const PccStTensor *a, const PccStTensor *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, sizeof *a->dims * (size_t)a->rank) == 0;
}

static bool is_finite(const PccStTensor *reference)
{
    for (int64_t i = 0, count = count_of(reference); i < count; i++)
        if (!isfinite(element(reference, i)))
            return false;
    return true;
}

/* Of the elements that are finite, as peak(). */
static double norm_squared(const PccStTensor *reference)
{
    double sum = 0;
    for (int64_t i = 0, count = count_of(reference); i < count; i++)
        if (isfinite(element(reference, i)))
            sum += element(reference, i) * element(reference, i);
    return sum;
}

static double peak(const PccStTensor *reference)
{
    double most = 0;
    for (int64_t i = 0, count = count_of(reference); i < count; i++)
        if (isfinite(element(reference, i)))
            most = fmax(most, fabs(element(reference, i)));
    return most;
}

/* Over the elements where b, the reference, is finite. */
static double distance_squared(const PccStTensor *a, const PccStTensor *b)
{
    double sum = 0;
    for (int64_t i = 0, count = count_of(b); i < count; i++) {
        if (!isfinite(element(b, i)))
            continue;
        double difference = element(a, i) - element(b, i);
        sum += difference * difference;
    }
    return sum;
}

static double relative_unit(const PccStTensor *b)
{
    const double zero = 1e-12; /* below it errors are absolute */
    return fmax(sqrt(norm_squared(b)), zero);
}

static const PccStTensor *sibling(const Comparer *c, const PccSafetensors *file, const char *kind, const char *name)
{
    return pcc_st_find(file, arena_printf(c->arena, "%s%s", kind, name));
}

static void add_row(Comparer *c, ComparedTensor row)
{
    row.name = arena_printf(c->arena, "%s", row.name);
    row.error = isnan(row.error) ? INFINITY : row.error; /* a NaN is worse than any number */
    c->result.failed += !is_accepted(&row);
    c->result.not_finite += is_accepted(&row) && row.not_finite;
    APPEND(c->arena, c->result.rows, c->result.count, row);
}

static void add_problem(Comparer *c, const char *name, const char *problem)
{
    add_row(c, (ComparedTensor){name, INFINITY, c->tolerance->relative, problem, 1, 1, false, false, false});
}

static void add_distance(Comparer *c, const char *name, double distance, double norm, double unit, double tolerance,
                         bool finite)
{
    add_row(c, (ComparedTensor){name, distance / unit, tolerance, NULL, unit, norm, false, false, !finite});
}

static void add_difference(Comparer *c, const PccStTensor *a, const PccStTensor *b, double unit, double tolerance)
{
    add_distance(c, b->name, sqrt(distance_squared(a, b)), sqrt(norm_squared(b)), unit, tolerance, is_finite(b));
}

/* ---- gradients ----------------------------------------------------------------------------------------------- */

/* Zero in exact arithmetic: nothing but rounding is left of it even in float64. */
static bool is_zero_gradient(const Comparer *c, const PccStTensor *gradient)
{
    return peak(gradient) < 1e-12 * c->gradient_peak;
}

static double gradient_unit(const Comparer *c, const PccStTensor *b)
{
    const double negligible = 1e-6; /* share of the whole: below it errors are relative to the whole */
    double norm = sqrt(norm_squared(b));
    return fmax(norm > negligible * c->gradient_norm ? norm : c->gradient_norm, LEAST_UNIT);
}

static void measure_gradients(Comparer *c)
{
    double sum = 0;
    for (int64_t i = 0; i < c->reference->count; i++) {
        const PccStTensor *tensor = &c->reference->tensors[i];
        if (!starts_with(tensor->name, "grad/"))
            continue;
        sum += norm_squared(tensor);
        c->gradient_peak = fmax(c->gradient_peak, peak(tensor));
    }
    c->gradient_norm = sqrt(sum);
}

/* The whole gradient as one vector, over the parameters that both files have: the others are rows of their own. */
static void compare_whole_gradient(Comparer *c)
{
    double distance = 0, norm = 0;
    bool finite = true;
    for (int64_t i = 0; i < c->reference->count; i++) {
        const PccStTensor *b = &c->reference->tensors[i], *a = pcc_st_find(c->dump, b->name);
        if (!starts_with(b->name, "grad/") || !a || count_of(a) != count_of(b))
            continue;
        distance += distance_squared(a, b);
        norm += norm_squared(b);
        finite &= is_finite(b);
    }
    norm = sqrt(norm);
    add_distance(c, "grad", sqrt(distance), norm, fmax(norm, LEAST_UNIT), gradient_tolerance(c->tolerance), finite);
}

/* ---- parameters ---------------------------------------------------------------------------------------------- */

/* The largest error of a gradient's elements. */
static double peak_error(const PccStTensor *a, const PccStTensor *b)
{
    double most = 0;
    for (int64_t i = 0, count = a ? count_of(b) : 0; i < count; i++)
        if (isfinite(element(b, i)))
            most = fmax(most, fabs(element(a, i) - element(b, i)));
    return most;
}

/* The largest error in units of lr, over the elements whose first gradient is known to a hundredth: an error of that
 * size moves Adam's steps by a hundredth of lr. The other elements' gradients have been compared. */
static double step_error(const PccStTensor *a, const PccStTensor *b, const PccStTensor *gradient, double gradient_error)
{
    double worst = 0, floor = fmax(1e-4 * peak(gradient), 100 * gradient_error);
    for (int64_t i = 0, count = count_of(b); i < count; i++) {
        if (!isfinite(element(b, i)))
            continue;
        double error = fabs(element(a, i) - element(b, i)) / reference_hyper.lr;
        if (isnan(error))
            return INFINITY;
        if (fabs(element(gradient, i)) > floor)
            worst = fmax(worst, error);
    }
    return worst;
}

static void compare_param(Comparer *c, const PccStTensor *a, const PccStTensor *b)
{
    const char *name = b->name + strlen("param/");
    const PccStTensor *gradient = sibling(c, c->reference, "grad/", name), *found = sibling(c, c->dump, "grad/", name);
    if (found && gradient && !same_shape(found, gradient))
        found = NULL; /* a row of its own says so */
    if (c->tolerance->steps == STEPS_IGNORED)
        return;
    if (c->tolerance->steps == STEPS_EXACT)
        add_difference(c, a, b, relative_unit(b), 10 * c->tolerance->relative);
    else if (gradient && count_of(gradient) == count_of(b) && !is_zero_gradient(c, gradient))
        add_distance(c, b->name, step_error(a, b, gradient, peak_error(found, gradient)), INFINITY, 1, 10 * c->noise,
                     is_finite(b));
}

/* The reference's "float32" metadata, {"param": x, ...}: the error of PyTorch's own float32 run. */
static double float32_noise(const PccSafetensors *reference)
{
    const double least = 1e-4, usual = 1e-3;
    const char *text = pcc_st_metadata(reference, "float32");
    double noise = usual;
    if (!text)
        return noise;
    PccJson json = pcc_json(text, strlen(text));
    for (bool more = pcc_json_begin(&json, '{'); more; more = pcc_json_more(&json, '}')) {
        char *key = pcc_json_key(&json);
        double value = pcc_json_number(&json);
        if (key && strcmp(key, "param") == 0)
            noise = fmax(value, least);
        free(key);
    }
    return pcc_json_finish(&json) ? noise : usual;
}

/* ---- files --------------------------------------------------------------------------------------------------- */

/* Losses do, and with wide storage running statistics. */
static bool averages_out(const Comparer *c, const char *name)
{
    return !starts_with(name, "output/") && !(c->tolerance->steps == STEPS_IGNORED && starts_with(name, "state/"));
}

static void compare_tensor(Comparer *c, const PccStTensor *a, const PccStTensor *b)
{
    double relative = c->tolerance->relative;
    if (!a || !same_shape(a, b))
        add_problem(c, b->name, a ? "of other dims" : "missing");
    else if (starts_with(b->name, "grad/"))
        add_difference(c, a, b, gradient_unit(c, b), fmin(10 * gradient_tolerance(c->tolerance), ABSENT));
    else if (starts_with(b->name, "param/"))
        compare_param(c, a, b);
    else
        add_difference(c, a, b, relative_unit(b), averages_out(c, b->name) ? relative : 10 * relative);
}

static bool is_probe_input(const char *name)
{
    return starts_with(name, "input/") || strcmp(name, "target") == 0;
}

Comparison compare_dump(Arena *arena, const PccSafetensors *dump, const PccSafetensors *reference,
                        const char *precision)
{
    Comparer c = {.arena = arena, .dump = dump, .reference = reference, .tolerance = find_tolerance(precision)};
    c.noise = float32_noise(reference);
    measure_gradients(&c);
    for (int64_t i = 0; i < reference->count; i++) {
        const PccStTensor *tensor = &reference->tensors[i];
        if (!is_probe_input(tensor->name))
            compare_tensor(&c, pcc_st_find(dump, tensor->name), tensor);
    }
    for (int64_t i = 0; i < dump->count; i++)
        if (!pcc_st_find(reference, dump->tensors[i].name))
            add_problem(&c, dump->tensors[i].name, "unexpected");
    compare_whole_gradient(&c);
    sort_rows(&c.result);
    return c.result;
}

double gradient_error_of(const Comparison *comparison)
{
    const ComparedTensor *row = find_row(comparison, "grad");
    return row ? row->error : 0;
}
