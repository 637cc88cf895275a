/* data_read.c: reads the samples of a data set, permuted and converted as the program takes them. */
#include <stdlib.h>

#include "../files/dtype.h"
#include "data.h"

static bool data_is_pixels(const PccData *data, int64_t slot)
{
    return data->columns[slot].dtype == PCC_U8 && slot + 1 < data->layout->count;
}

static void data_read_floats(const PccData *data, int64_t slot, const unsigned char *from, void *out)
{
    PccDtype dtype = data->layout->slots[slot].tensor->dtype, source = data->columns[slot].dtype;
    int64_t count = data->layout->slots[slot].elements;
    bool input = slot + 1 < data->layout->count;
    bool as_is = !input || (data->mean == 0 && data->deviation == 1);
    if (data_is_pixels(data, slot) && dtype == PCC_F32) {
        for (int64_t i = 0; i < count; i++)
            ((float *)out)[i] = data->byte_f32[from[i]];
    } else if (data_is_pixels(data, slot)) {
        for (int64_t i = 0; i < count; i++)
            pcc_dtype_store(out, dtype, i, data->byte_f64[from[i]]);
    } else if (as_is) {
        pcc_dtype_convert(out, dtype, from, source, count);
    } else {
        for (int64_t i = 0; i < count; i++)
            pcc_dtype_store(out, dtype, i, (pcc_dtype_load(from, source, i) - data->mean) / data->deviation);
    }
}

static int data_read_integers(const PccData *data, int64_t sample, int64_t slot, const unsigned char *from, void *out,
                              PccError *error)
{
    const PccSlot *place = &data->layout->slots[slot];
    const PccDataColumn *column = &data->columns[slot];
    int64_t limit = place->labels && data->layout->classes ? data->layout->classes : column->limit;
    bool check = place->labels || limit > 0;
    for (int64_t i = 0; check && i < place->elements; i++) {
        int64_t value = pcc_dtype_load_integer(from, column->dtype, i);
        bool ignored = place->labels && value == -100;
        if (ignored || (value >= 0 && (limit == 0 || value < limit)))
            continue;
        if (limit == 0)
            return pcc_fail(error, PCC_ERR_INPUT,
                            "%s: sample %lld: %lld is not a class; negative labels other than "
                            "-100 (ignored) are not allowed",
                            column->source, (long long)sample, (long long)value);
        return pcc_fail(error, PCC_ERR_INPUT,
                        "%s: sample %lld: %lld is out of range; the model has classes 0 to %lld%s", column->source,
                        (long long)sample, (long long)value, (long long)limit - 1,
                        place->labels ? " (-100 is ignored)" : "");
    }
    pcc_dtype_convert(out, place->tensor->dtype, from, column->dtype, place->elements);
    return PCC_OK;
}

static int data_read_at(const PccData *data, int64_t sample, int64_t slot, const unsigned char *from, void *out,
                        PccError *error)
{
    if (!pcc_dtype_is_float(data->layout->slots[slot].tensor->dtype))
        return data_read_integers(data, sample, slot, from, out, error);
    data_read_floats(data, slot, from, out);
    return PCC_OK;
}

int pcc_data_read(const PccData *data, int64_t sample, int64_t slot, void *out, PccError *error)
{
    if (data->generate) {
        data->generate(data, sample, slot, out);
        return PCC_OK;
    }
    const PccDataColumn *column = &data->columns[slot];
    const unsigned char *from = column->data + (size_t)sample * column->stride;
    if (column->order.rank == 0)
        return data_read_at(data, sample, slot, from, out, error);
    size_t item = pcc_dtype_size(column->dtype);
    unsigned char *permuted = malloc((size_t)data->layout->slots[slot].elements * item);
    if (!permuted)
        return pcc_fail_memory(error);
    pcc_data_permute(permuted, from, item, &column->order);
    int status = data_read_at(data, sample, slot, permuted, out, error);
    free(permuted);
    return status;
}
