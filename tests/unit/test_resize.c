/* Resize along one axis: worked examples of ONNX's specification, weights of every mode against an independent dense
 * matrix, and the adjoint as that matrix's transpose. */
#define PCC_MIXED
#include "runtime/kernels/pool/resize.h"

#include "mixed_case.h"

/* One axis's attributes. */
static const PccResizeAxis axes[] = {
    {4, 8, PCC_RESIZE_NEAREST, PCC_HALF_PIXEL, PCC_ROUND_PREFER_FLOOR, 0, 0, 2, 0},
    {4, 8, PCC_RESIZE_NEAREST, PCC_ASYMMETRIC, PCC_FLOOR, 0, 0, 2, 0},
    {5, 3, PCC_RESIZE_NEAREST, PCC_ALIGN_CORNERS, PCC_ROUND_PREFER_CEIL, 0, 0, 0.6, 0},
    {6, 4, PCC_RESIZE_NEAREST, PCC_HALF_PIXEL, PCC_CEIL, 0, 0, 0.7, 0},
    {4, 8, PCC_RESIZE_LINEAR, PCC_HALF_PIXEL, 0, 0, 0, 2, 0},
    {4, 8, PCC_RESIZE_LINEAR, PCC_ALIGN_CORNERS, 0, 0, 0, 2, 0},
    {4, 1, PCC_RESIZE_LINEAR, PCC_PYTORCH_HALF_PIXEL, 0, 0, 0, 0.25, 0},
    {4, 7, PCC_RESIZE_LINEAR, PCC_HALF_PIXEL_SYMMETRIC, 0, 0, 0, 1.9, 0},
    {9, 4, PCC_RESIZE_LINEAR, PCC_HALF_PIXEL, 0, 0, 1, 4.0 / 9, 0},
    {4, 8, PCC_RESIZE_CUBIC, PCC_HALF_PIXEL, 0, 0, 0, 2, -0.75},
    {4, 9, PCC_RESIZE_CUBIC, PCC_ASYMMETRIC, 0, 1, 0, 2.25, -0.5},
    {40, 7, PCC_RESIZE_CUBIC, PCC_HALF_PIXEL, 0, 0, 1, 7.0 / 40, -0.75},
    {300, 600, PCC_RESIZE_LINEAR, PCC_HALF_PIXEL, 0, 0, 0, 2, 0},
};

static double filter(const PccResizeAxis *a, double t)
{
    t = fabs(t);
    if (a->mode == PCC_RESIZE_LINEAR)
        return fmax(0, 1 - t);
    double c = a->cubic;
    return t <= 1  ? (c + 2) * t * t * t - (c + 3) * t * t + 1
           : t < 2 ? c * t * t * t - 5 * c * t * t + 8 * c * t - 4 * c
                   : 0;
}

static double sample_point(const PccResizeAxis *a, int64_t i)
{
    double adjusted = (double)a->out / (a->scale * (double)a->in), centre = (double)a->in / 2;
    switch (a->coordinates) {
    case PCC_HALF_PIXEL:
        return ((double)i + 0.5) / a->scale - 0.5;
    case PCC_PYTORCH_HALF_PIXEL:
        return a->out == 1 ? 0 : ((double)i + 0.5) / a->scale - 0.5;
    case PCC_ALIGN_CORNERS:
        return a->out == 1 ? 0 : (double)i * (double)(a->in - 1) / (double)(a->out - 1);
    case PCC_ASYMMETRIC:
        return (double)i / a->scale;
    default:
        return centre * (1 - adjusted) + ((double)i + 0.5) / a->scale - 0.5;
    }
}

/* Row i of the matrix [out, in], scanning more input positions than any filter reaches. */
static void matrix_row(const PccResizeAxis *a, int64_t i, double *row)
{
    double at = sample_point(a, i), total = 0, shrink = a->antialias ? fmin(a->scale, 1) : 1;
    memset(row, 0, (size_t)a->in * sizeof(*row));
    if (a->mode == PCC_RESIZE_NEAREST) {
        const double rounded[] = {ceil(at - 0.5), floor(at + 0.5), floor(at), ceil(at)};
        row[(int64_t)fmin(fmax(rounded[a->rounding], 0), (double)(a->in - 1))] = 1;
        return;
    }
    for (int64_t p = -a->in; p < 2 * a->in; p++) {
        int outside = p < 0 || p >= a->in;
        double w = outside && a->exclude_outside ? 0 : filter(a, (at - (double)p) * shrink);
        row[p < 0 ? 0 : p >= a->in ? a->in - 1 : p] += w;
        total += w;
    }
    for (int64_t p = 0; p < a->in && (a->exclude_outside || a->antialias); p++)
        row[p] /= total;
}

#define PCC_TEMPLATE "tests/unit/resize_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#undef PCC_TEMPLATE

#include "resize_mixed.inc"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrix_f32),          cmocka_unit_test(matrix_f64), cmocka_unit_test(worked_examples_f32),
        cmocka_unit_test(worked_examples_f64), cmocka_unit_test(axes_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
