/* resize_axis.h: which input positions an output position of Resize reads, and with what weights, for both targets. */
#ifndef PCC_RESIZE_AXIS_H
#define PCC_RESIZE_AXIS_H

#include <math.h>

#include "../common/typed.h"

typedef enum PccResizeMode { PCC_RESIZE_NEAREST, PCC_RESIZE_LINEAR, PCC_RESIZE_CUBIC } PccResizeMode;

typedef enum PccResizeCoordinates {
    PCC_HALF_PIXEL,
    PCC_PYTORCH_HALF_PIXEL,
    PCC_ALIGN_CORNERS,
    PCC_ASYMMETRIC,
    PCC_HALF_PIXEL_SYMMETRIC,
} PccResizeCoordinates;

typedef enum PccResizeRounding { PCC_ROUND_PREFER_FLOOR, PCC_ROUND_PREFER_CEIL, PCC_FLOOR, PCC_CEIL } PccResizeRounding;

typedef struct PccResizeAxis {
    int64_t in, out;
    int64_t mode, coordinates, rounding, exclude_outside, antialias;
    double scale, cubic;
} PccResizeAxis;

/* Positions first … end - 1 (not clamped to the input) around the sampling point `at`; weights are divided by total. */
typedef struct PccResizeTaps {
    int64_t first, end;
    double at, shrink, total;
} PccResizeTaps;

/* Where output position i samples the input. */
PCC_KERNEL double pcc_resize_point(const PccResizeAxis *a, int64_t i)
{
    double centre = ((double)i + 0.5) / a->scale - 0.5;
    switch (a->coordinates) {
    case PCC_ALIGN_CORNERS:
        return a->out > 1 ? (double)(i * (a->in - 1)) / (double)(a->out - 1) : 0;
    case PCC_ASYMMETRIC:
        return (double)i / a->scale;
    case PCC_PYTORCH_HALF_PIXEL:
        return a->out > 1 ? centre : 0;
    case PCC_HALF_PIXEL_SYMMETRIC:
        return (double)a->in / 2 * (1 - (double)a->out / ((double)a->in * a->scale)) + centre;
    default:
        return centre;
    }
}

PCC_KERNEL int64_t pcc_resize_nearest(int64_t rounding, double at)
{
    switch (rounding) {
    case PCC_FLOOR:
        return (int64_t)floor(at);
    case PCC_CEIL:
        return (int64_t)ceil(at);
    case PCC_ROUND_PREFER_CEIL:
        return (int64_t)floor(at + 0.5);
    default:
        return (int64_t)ceil(at - 0.5);
    }
}

/* Weight of an input position at distance t >= 0: the triangle, or Keys' cubic convolution (1981). */
PCC_KERNEL double pcc_resize_filter(int64_t mode, double a, double t)
{
    if (mode == PCC_RESIZE_LINEAR)
        return t < 1 ? 1 - t : 0;
    if (t <= 1)
        return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

PCC_KERNEL double pcc_resize_weight(const PccResizeAxis *a, const PccResizeTaps *taps, int64_t position)
{
    if (a->mode == PCC_RESIZE_NEAREST)
        return 1;
    if (a->exclude_outside && (position < 0 || position >= a->in))
        return 0;
    double distance = taps->at - (double)position;
    return pcc_resize_filter(a->mode, a->cubic, (distance < 0 ? -distance : distance) * taps->shrink) / taps->total;
}

/* The half-width of the support of a filter that is stretched by 1 / shrink. */
PCC_KERNEL double pcc_resize_reach(int64_t mode, double shrink)
{
    return (mode == PCC_RESIZE_LINEAR ? 1 : 2) / shrink;
}

/* Antialiasing stretches the filter over 1 / scale input positions when the axis shrinks. */
PCC_KERNEL PccResizeTaps pcc_resize_taps(const PccResizeAxis *a, int64_t i)
{
    PccResizeTaps taps = {0, 0, pcc_resize_point(a, i), a->antialias && a->scale < 1 ? a->scale : 1, 1};
    if (a->mode == PCC_RESIZE_NEAREST) {
        taps.first = pcc_resize_nearest(a->rounding, taps.at);
        taps.end = taps.first + 1;
        return taps;
    }
    const double reach = pcc_resize_reach(a->mode, taps.shrink);
    taps.first = (int64_t)ceil(taps.at - reach);
    taps.end = (int64_t)floor(taps.at + reach) + 1;
    if (a->exclude_outside || a->antialias) {
        double total = 0;
        for (int64_t p = taps.first; p < taps.end; p++)
            total += pcc_resize_weight(a, &taps, p);
        taps.total = total;
    }
    return taps;
}

PCC_KERNEL int64_t pcc_resize_clamp(const PccResizeAxis *a, int64_t position)
{
    return pcc_max_i64(0, pcc_min_i64(position, a->in - 1));
}

#endif
