/* export_grid.c: see export_grid.h. */
#include "export_grid.h"

#include <math.h>
#include <string.h>

#include "../files/dtype.h"

enum { GRID_FIELDS = 5 };

bool pcc_export_grid(const PccSafetensors *weights, int64_t row, ExportGrid *grid)
{
    const PccStTensor *grids = pcc_st_find(weights, "pcc.export.grids"),
                      *steps = pcc_st_find(weights, "pcc.export.steps");
    if (!grids || !steps || grids->dtype != PCC_I64 || grids->rank != 2 || grids->dims[1] != GRID_FIELDS ||
        steps->dtype != PCC_F64 || steps->rank != 2 || steps->dims[1] != 2 || row < 0 || row >= grids->dims[0])
        return false;
    int64_t field[GRID_FIELDS];
    for (int i = 0; i < GRID_FIELDS; i++)
        field[i] = pcc_dtype_load_integer(grids->data, PCC_I64, GRID_FIELDS * row + i);
    *grid = (ExportGrid){field[0], field[1], field[2], field[3], field[4], steps->data};
    return grid->first >= 0 && grid->extent > 0 && grid->inner > 0 && grid->block >= 0 && grid->block <= grid->extent;
}

static int64_t blocks_of(const ExportGrid *grid)
{
    return grid->extent / grid->block + (grid->extent % grid->block != 0);
}

bool pcc_export_grid_fits(const PccSafetensors *weights, const ExportGrid *grid, int64_t elements)
{
    const int64_t entries = pcc_st_find(weights, "pcc.export.steps")->dims[0];
    if (elements % grid->inner || elements / grid->inner % grid->extent)
        return false;
    const int64_t outer = elements / grid->inner / grid->extent;
    const int64_t count = grid->block ? outer * blocks_of(grid) * grid->inner : grid->extent; /* at most `elements` */
    if (count > entries || grid->first > entries - count)
        return false;
    for (int64_t i = grid->first; i < grid->first + count; i++) {
        const double scale = pcc_dtype_load(grid->steps, PCC_F64, 2 * i);
        if (scale == 0 || !isfinite(scale) || !isfinite(pcc_dtype_load(grid->steps, PCC_F64, 2 * i + 1)))
            return false;
    }
    return true;
}

bool pcc_export_integer(int64_t onnx, ExportInteger *integer)
{
    static const struct {
        int onnx, bits; /* TensorProto.DataType */
        bool has_sign;
    } types[] = {{2, 8, false},  {3, 8, true},  {4, 16, false}, {5, 16, true}, {6, 32, true},
                 {21, 4, false}, {22, 4, true}, {25, 2, false}, {26, 2, true}};
    for (int64_t i = 0; i < PCC_COUNT(types); i++) {
        if (types[i].onnx != onnx)
            continue;
        const double low = types[i].has_sign ? -ldexp(1, types[i].bits - 1) : 0;
        *integer = (ExportInteger){types[i].bits, low, low + ldexp(1, types[i].bits) - 1};
        return true;
    }
    return false;
}

static int64_t entry_of(const ExportGrid *grid, int64_t element)
{
    const int64_t position = element / grid->inner % grid->extent;
    if (grid->block == 0)
        return grid->first + position;
    const int64_t outer = element / grid->inner / grid->extent;
    return grid->first + (outer * blocks_of(grid) + position / grid->block) * grid->inner + element % grid->inner;
}

/* What is not a number, as of a run that has diverged, becomes the integer of 0. */
static int64_t quantised(double weight, double scale, double zero, bool single, const ExportInteger *integer)
{
    const double quotient = single ? (double)((float)weight / (float)scale) : weight / scale;
    const double nearest = (isnan(quotient) ? 0 : rint(quotient)) + zero;
    return (int64_t)fmin(fmax(nearest, integer->low), integer->high);
}

void pcc_export_quantise(const ExportGrid *grid, const ExportInteger *integer, const void *data, PccDtype dtype,
                         int64_t first, int64_t count, unsigned char *packed)
{
    const int bits = integer->bits;
    memset(packed, 0, (size_t)((count * bits + 7) / 8));
    for (int64_t i = 0; i < count; i++) {
        const int64_t entry = entry_of(grid, first + i);
        const int64_t value =
            quantised(pcc_dtype_load(data, dtype, first + i), pcc_dtype_load(grid->steps, PCC_F64, 2 * entry),
                      pcc_dtype_load(grid->steps, PCC_F64, 2 * entry + 1), dtype != PCC_F64, integer);
        for (int at = 0; at < bits; at += 8) {
            const unsigned byte = (unsigned)((uint64_t)value >> at) & 0xff & ((1u << (bits < 8 ? bits : 8)) - 1);
            packed[(i * bits + at) / 8] |= (unsigned char)(byte << (i * bits % 8));
        }
    }
}
