/* data.c: opening a data set by its SPEC, and reading samples. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/nearest.h"
#include "../files/dtype.h"
#include "data.h"

static const struct DataRow {
    const char *prefix, *argument;
    const PccDataFormat *format;
} data_rows[] = {
#define DATA_ROW(NAME, ARGUMENT) {#NAME, ARGUMENT, &pcc_data_##NAME},
    PCC_DATA_FORMATS(DATA_ROW)
#undef DATA_ROW
};

/* The format of SPEC; NULL when there is none of that name, or its argument is missing. */
static const PccDataFormat *data_format_of(const char *spec, const char **argument)
{
    size_t length = strcspn(spec, ":");
    *argument = spec[length] ? spec + length + 1 : spec + length;
    for (int64_t i = 0; i < PCC_COUNT(data_rows); i++)
        if (strlen(data_rows[i].prefix) == length && memcmp(data_rows[i].prefix, spec, length) == 0)
            return **argument || !*data_rows[i].argument ? data_rows[i].format : NULL;
    return NULL;
}

bool pcc_data_has_validation(const char *spec)
{
    const char *argument;
    const PccDataFormat *format = data_format_of(spec, &argument);
    return format && format->has_validation && format->has_validation(argument);
}

static const char *data_prefix_at(int64_t i)
{
    return data_rows[i].prefix;
}

static int data_fail_spec(const char *spec, PccError *error)
{
    char prefix[40];
    snprintf(prefix, sizeof prefix, "%.*s", (int)strcspn(spec, ":"), spec);
    const char *nearest = pcc_nearest_name(prefix, data_prefix_at, PCC_COUNT(data_rows));
    bool misspelt = nearest && strcmp(nearest, prefix) != 0;
    return pcc_fail(error, PCC_ERR_USAGE, "data %s: expected one of" PCC_DATA_USAGE "%s%s%s", spec,
                    misspelt ? "; did you mean " : "", misspelt ? nearest : "", misspelt ? "?" : "");
}

int pcc_data_open(PccData *data, const char *spec, bool validation, const PccLayout *layout, double mean,
                  double deviation, PccError *error)
{
    *data = (PccData){.layout = layout, .mean = mean, .deviation = deviation};
    const char *argument;
    if (!data_format_of(spec, &argument))
        return data_fail_spec(spec, error);
    for (int i = 0; i < 256; i++) {
        data->byte_f64[i] = (i / 255.0 - mean) / deviation;
        data->byte_f32[i] = (float)data->byte_f64[i];
    }
    /* Columns name their file for as long as the set lives. */
    char *kept = strdup(spec);
    data->columns = calloc((size_t)layout->count, sizeof *data->columns);
    int status = pcc_data_hold(data, kept, free, error);
    if (!status && !data->columns)
        status = pcc_fail_memory(error);
    if (!status)
        status = data_format_of(kept, &argument)->open(data, argument, validation, error);
    data->ordered |= layout->fixed_order;
    if (!status)
        status = pcc_data_check(data, spec, error);
    if (status)
        pcc_data_close(data);
    return status;
}

void pcc_data_close(PccData *data)
{
    while (data->held_count > 0) {
        PccHeld *held = &data->held[--data->held_count];
        held->close(held->resource);
    }
    free(data->held);
    free(data->columns);
    *data = (PccData){0};
}

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
