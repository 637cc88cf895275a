/* data.c: opening a data set by its SPEC. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/nearest.h"
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
