/* region.h: where the maxima of regions of images are (ONNX's MaxRoiPool).
 *
 *   pcc_region_argmax_T(shape, x[n, c, h, w], region[count, 5], y[count, c, rows, columns])
 *       region: image, first row, first column, height and width, which need not lie in the image. y: which element of
 * x is the greatest of the bin, the first of equals; NaN is the maximum; -1 for a bin without a pixel */
#ifndef PCC_REGION_H
#define PCC_REGION_H

#include "../common/storage.h"
#include "region_bins.h"

#define PCC_TEMPLATE "../pool/region.inc"
#include "../common/for_floats.inc"
#include "../common/for_narrow.inc"
#undef PCC_TEMPLATE

#endif
