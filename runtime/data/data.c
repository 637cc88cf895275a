/* data.c: opening a data set by its SPEC, and reading samples. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "../files/dtype.h"
#include "../files/files.h"
#include "../cli/nearest.h"

static const struct DataRow {
    const char *prefix, *argument;
    const PccDataFormat *format;
} data_rows[] = {
#define DATA_ROW(NAME, ARGUMENT) {#NAME, ARGUMENT, &pcc_data_##NAME},
    PCC_DATA_FORMATS(DATA_ROW)
#undef DATA_ROW
};

/* The format of SPEC; NULL when there is none of that name, or it lacks its argument. */
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

int pcc_data_hold(PccData *data, void *resource, void (*close)(void *), PccError *error)
{
    if (!resource)
        return pcc_fail_memory(error);
    PccHeld *grown = realloc(data->held, ((size_t)data->held_count + 1) * sizeof *grown);
    if (!grown) {
        close(resource);
        return pcc_fail_memory(error);
    }
    data->held = grown;
    data->held[data->held_count++] = (PccHeld){close, resource};
    return PCC_OK;
}

void *pcc_data_allocate(PccData *data, size_t bytes, PccError *error)
{
    void *memory = malloc(bytes ? bytes : 1);
    return pcc_data_hold(data, memory, free, error) ? NULL : memory;
}

static void data_unmap(void *resource)
{
    pcc_unmap_file(resource);
    free(resource);
}

int pcc_data_map(PccData *data, const char *path, const unsigned char **bytes, size_t *size, PccError *error)
{
    PccMapping *mapping = calloc(1, sizeof *mapping);
    int status = pcc_data_hold(data, mapping, data_unmap, error);
    if (!status)
        status = pcc_map_file(mapping, path, error);
    if (status)
        return status;
    *bytes = mapping->data;
    *size = mapping->size;
    return PCC_OK;
}

/* The one input that takes samples and no labels; the label input itself when the program has no other. */
static int64_t data_feature_slot(const PccLayout *layout)
{
    int64_t found = -1;
    for (int64_t i = 0; i + 1 < layout->count; i++) {
        if (i == layout->label_slot)
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found < 0 && layout->count == 2 ? 0 : found;
}

int pcc_data_pair(PccData *data, const PccDataColumn *x, const PccDataColumn *y, PccError *error)
{
    const PccLayout *layout = data->layout;
    int64_t feature = data_feature_slot(layout);
    if (feature < 0)
        return pcc_fail(error, PCC_ERR_INPUT, "%s feeds one input, the program has %lld; use safetensors:FILE",
                        x->source, (long long)(layout->count - 1));
    data->columns[feature] = *x;
    data->count = x->count;
    bool target = layout->slots[layout->count - 1].tensor != NULL;
    int64_t answer = target ? layout->count - 1 : layout->label_slot == feature ? -1 : layout->label_slot;
    if (answer >= 0)
        data->columns[answer] = *y;
    return PCC_OK;
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
