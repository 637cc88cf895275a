/* data_columns.c: functions with which formats fill a data set: its resources, and the columns of inputs and labels. */
#include <stdlib.h>

#include "../files/files.h"
#include "data.h"

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

/* The one input that takes samples but not labels; the label input itself when the program has no other. */
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
