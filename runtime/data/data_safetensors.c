/* data_safetensors.c: a safetensors file with input/NAME for each input and target, the first axis being the sample. An
 * input without a batch axis has its tensor whole, used with every batch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "../files/dtype.h"
#include "../files/safetensors.h"

static void st_data_close(void *resource)
{
    pcc_st_close(resource);
    free(resource);
}

/* The tensor of a slot. Labels that are an input may come as the target. */
static const PccStTensor *st_data_find(const PccData *data, const PccSafetensors *file, int64_t slot)
{
    const PccTensor *tensor = data->layout->slots[slot].tensor;
    if (slot + 1 == data->layout->count)
        return pcc_st_find(file, "target");
    char name[1024];
    snprintf(name, sizeof name, "input/%s", tensor->name);
    const PccStTensor *found = pcc_st_find(file, name);
    return found || slot != data->layout->label_slot ? found : pcc_st_find(file, "target");
}

static int st_data_fill(PccData *data, const PccSafetensors *file, int64_t slot, PccError *error)
{
    const PccStTensor *tensor = st_data_find(data, file, slot);
    bool target = slot + 1 == data->layout->count;
    const PccSlot *place = &data->layout->slots[slot];
    if (!tensor)
        return pcc_fail(error, PCC_ERR_INPUT, "%s has no tensor %s%s", file->path, target ? "target" : "input/",
                        target ? "" : place->tensor->name);
    if (!place->shared && tensor->rank == 0)
        return pcc_fail(error, PCC_ERR_INPUT, "%s: tensor %s is a scalar; its first axis must be the sample",
                        file->path, tensor->name);
    size_t length = strlen(file->path) + strlen(tensor->name) + 2;
    char *source = pcc_data_allocate(data, length, error);
    if (!source)
        return error->status;
    snprintf(source, length, "%s:%s", file->path, tensor->name);
    PccDataColumn *column = &data->columns[slot];
    int skipped = !place->shared;
    *column =
        (PccDataColumn){.source = source, .dtype = tensor->dtype, .rank = tensor->rank - skipped, .data = tensor->data};
    memcpy(column->dims, tensor->dims + skipped, (size_t)column->rank * sizeof *column->dims);
    if (!place->shared) {
        column->count = tensor->dims[0];
        column->stride = column->count ? tensor->bytes / (size_t)column->count : 0;
        data->count = column->count;
    }
    return PCC_OK;
}

static int st_data_open(PccData *data, const char *argument, bool validation, PccError *error)
{
    (void)validation; /* one file is one part */
    PccSafetensors *file = calloc(1, sizeof *file);
    int status = pcc_data_hold(data, file, st_data_close, error);
    if (!status)
        status = pcc_st_open(file, argument, error);
    data->count = 1; /* when every input is shared */
    for (int64_t slot = 0; slot < data->layout->count && !status; slot++)
        if (data->layout->slots[slot].tensor)
            status = st_data_fill(data, file, slot, error);
    return status;
}

const PccDataFormat pcc_data_safetensors = {.open = st_data_open};
