/* data_check.c: checks a data set against the program's inputs and target. */
#include <stdio.h>
#include <stdlib.h>

#include "data.h"
#include "../files/dtype.h"

/* Label columns up to this size are checked entirely before training starts. */
#define DATA_CHECKED_BYTES ((size_t)1 << 30)

/* A column and its slot as messages call them. */
typedef struct CheckNames {
    const char *role; /* "input" or "the target" */
    const char *name; /* for --layout */
    char found[512];  /* "x.npy F32 [8,8,3]" */
    char wanted[256]; /* "x F32 [3,8,8]" */
} CheckNames;

static void check_name(const PccData *data, int64_t slot_index, CheckNames *names)
{
    const PccSlot *slot = &data->layout->slots[slot_index];
    const PccDataColumn *column = &data->columns[slot_index];
    const PccAxes axes = pcc_slot_axes(data->layout, slot);
    const bool target = slot_index + 1 == data->layout->count;
    const char *name = slot->tensor->name ? slot->tensor->name : "";
    names->role = target ? "the target" : "input";
    names->name = target ? "target" : name;
    pcc_tensor_describe(names->found, sizeof names->found, column->source, column->dtype, column->rank, column->dims);
    pcc_tensor_describe(names->wanted, sizeof names->wanted, name, slot->tensor->dtype, axes.rank, axes.dims);
}

/* Applies the order given by --layout, or by the format where its dims differ from the program's. */
static int check_spelt_order(PccDataColumn *column, const char *spelling, bool given, PccAxes data, PccAxes program,
                             const CheckNames *names, PccError *error)
{
    const char *problem;
    if (pcc_data_spelt(spelling, data, program, &column->order, &problem)) {
        if (!given)
            fprintf(stderr, "note: a sample of %s is %s; it is permuted to %s %s\n", names->found, spelling,
                    names->role, names->wanted);
        return PCC_OK;
    }
    return pcc_fail(error, given ? PCC_ERR_USAGE : PCC_ERR_INPUT, "--layout %s=%s: %s; a sample of %s, %s %s",
                    names->name, spelling, problem, names->found, names->role, names->wanted);
}

static int check_order(const PccData *data, int64_t slot_index, PccError *error)
{
    const PccSlot *slot = &data->layout->slots[slot_index];
    PccDataColumn *column = &data->columns[slot_index];
    PccAxes axes = {.rank = column->rank}, program = pcc_slot_axes(data->layout, slot);
    CheckNames names;
    char likely[PCC_DATA_SPELLING];
    for (int i = 0; i < axes.rank; i++)
        axes.dims[i] = column->dims[i];
    check_name(data, slot_index, &names);
    if (slot->order)
        return check_spelt_order(column, slot->order, true, axes, program, &names, error);
    switch (pcc_data_fit(axes, program, &column->order)) {
    case PCC_DATA_AS_IT_LIES:
        return PCC_OK;
    case PCC_DATA_PERMUTED:
        fprintf(stderr, "note: a sample of %s is permuted to %s %s, the one order of its axes that fits\n", names.found,
                names.role, names.wanted);
        return PCC_OK;
    case PCC_DATA_SEVERAL:
        if (column->axes)
            return check_spelt_order(column, column->axes, false, axes, program, &names, error);
        return pcc_fail(error, PCC_ERR_INPUT,
                        "a sample of %s fits %s %s in several orders of its axes: give them as they lie in the data, "
                        "as in --layout %s=%s",
                        names.found, names.role, names.wanted, names.name, pcc_data_suggest(likely, axes, program));
    default:
        return pcc_fail(error, PCC_ERR_INPUT,
                        "a sample of %s does not fit %s %s: it has as many elements, but other axes; reshape it, or "
                        "flatten it if it lies in the program's order",
                        names.found, names.role, names.wanted);
    }
}

static int check_column(const PccData *data, int64_t slot_index, PccError *error)
{
    const PccSlot *slot = &data->layout->slots[slot_index];
    const PccDataColumn *column = &data->columns[slot_index];
    const PccTensor *tensor = slot->tensor;
    if (!column->source)
        return pcc_fail(
            error, PCC_ERR_INPUT, "the data has nothing for %s %s of the program; give it with safetensors:FILE",
            slot_index + 1 == data->layout->count ? "the target" : "input", tensor->name ? tensor->name : "");
    CheckNames names;
    check_name(data, slot_index, &names);
    if (pcc_element_count(column->rank, column->dims) != slot->elements)
        return pcc_fail(error, PCC_ERR_INPUT, "a sample of %s does not fit %s %s", names.found, names.role,
                        names.wanted);
    if (!pcc_dtype_is_float(tensor->dtype) && pcc_dtype_is_float(column->dtype))
        return pcc_fail(error, PCC_ERR_INPUT, "%s has floats where %s %s takes integers", names.found, names.role,
                        names.wanted);
    if (!slot->shared && column->count != data->count)
        return pcc_fail(error, PCC_ERR_INPUT, "%s has %lld samples where the other columns have %lld", column->source,
                        (long long)column->count, (long long)data->count);
    return check_order(data, slot_index, error);
}

/* Reads every label once, so that a bad one is found before training starts. */
static int check_labels(const PccData *data, PccError *error)
{
    int64_t slot = data->layout->label_slot;
    if (slot < 0 || data->columns[slot].big || data->columns[slot].stride * (size_t)data->count > DATA_CHECKED_BYTES)
        return PCC_OK;
    const PccSlot *labels = &data->layout->slots[slot];
    void *sample = malloc((size_t)labels->elements * pcc_dtype_size(labels->tensor->dtype) + 1);
    if (!sample)
        return pcc_fail_memory(error);
    int status = PCC_OK;
    for (int64_t i = 0; i < data->count && !status; i++)
        status = pcc_data_read(data, i, slot, sample, error);
    free(sample);
    return status;
}

int pcc_data_check(PccData *data, const char *spec, PccError *error)
{
    if (data->count <= 0)
        return pcc_fail(error, PCC_ERR_INPUT, "%s has no samples", spec);
    if (data->generate)
        return PCC_OK;
    int status = pcc_data_index_one_hot(data, error);
    for (int64_t i = 0; i < data->layout->count && !status; i++)
        if (data->layout->slots[i].tensor)
            status = check_column(data, i, error);
    return status ? status : check_labels(data, error);
}
