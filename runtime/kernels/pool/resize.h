/* resize.h: ONNX Resize, one axis at a time: y[outer, out, inner] from x[outer, in, inner].
 *
 *   pcc_resize_axis_T(outer, in, inner, out, mode, coordinates, rounding, exclude_outside, antialias, scale, cubic,
 *       x, y)   mode PccResizeMode, coordinates PccResizeCoordinates, rounding PccResizeRounding (nearest only), scale
 *       = the operator's out / in ratio of the axis, cubic = cubic_coeff_a
 *   pcc_resize_axis_grad_T(same literals, dy, dx, scratch)   its adjoint; scratch is that of 16-bit dx: a float for
 * each of its elements
 *
 * Each output position is a weighted sum of neighbouring input positions. Those weights depend on literals only; they
 * are computed in double once for each line of `inner` elements, because positions in float could select the wrong
 * neighbour (ONNX Resize-19; positions outside the input are clamped to the border). */
#ifndef PCC_RESIZE_H
#define PCC_RESIZE_H

#include "resize_axis.h"
#include "../common/storage.h"
#include "../common/typed.h"

#include <string.h>

#define PCC_RESIZE_TILE 64     /* elements of `inner` that one task of the adjoint owns */
#define PCC_RESIZE_SEGMENT 512 /* elements of `inner` that are processed at a time */

#define PCC_TEMPLATE "../pool/resize.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
