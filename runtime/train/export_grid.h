/* export_grid.h: quantised weights: floats in the program, in the ONNX file integers on a grid. */
#ifndef PCC_EXPORT_GRID_H
#define PCC_EXPORT_GRID_H

#include "../files/safetensors.h"

/* A row of pcc.export.grids (I64 [n, 5]: parameter, first entry, extent, inner, block) and the entries of all rows,
 * pcc.export.steps (F64 [n, 2]: scale, zero point). An axis of `extent` positions, each of `inner` elements, has an
 * entry for each position (block 0), or each row along it has one for each `block` positions. */
typedef struct ExportGrid {
    int64_t param;
    int64_t first, extent, inner, block;
    const void *steps; /* not aligned */
} ExportGrid;

/* False when there is no such row, or a number of it cannot be. The parameter's number is not checked. */
bool pcc_export_grid(const PccSafetensors *weights, int64_t row, ExportGrid *grid);

/* Does the grid divide so many elements, and has it an entry of a positive step for each part? */
bool pcc_export_grid_fits(const PccSafetensors *weights, const ExportGrid *grid, int64_t elements);

/* An integer type of ONNX's: bits of an element, the first of a byte in its lowest; false: the type is no such one. */
typedef struct ExportInteger {
    int bits;
    double low, high;
} ExportInteger;
bool pcc_export_integer(int64_t onnx, ExportInteger *integer);

/* Elements first, first + 1, ... of `data` as integers: clamp(rint(weight / scale) + zero point), packed. `first`
 * begins a byte. The quotient is rounded as the program and ONNX's QuantizeLinear have it: to f64 of f64 weights, else
 * to f32. */
void pcc_export_quantise(const ExportGrid *grid, const ExportInteger *integer, const void *data, PccDtype dtype,
                         int64_t first, int64_t count, unsigned char *packed);

#endif
