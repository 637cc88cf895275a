/* batch.c: assembling a batch. */
#include <stdlib.h>

#include "batch.h"
#include "../files/dtype.h"
#include "../session/blocks.h"
#include "../session/memory.h"

/* Below this, waking the threads costs more than they save. */
#define BATCH_PARALLEL_BYTES ((size_t)1 << 16)

static size_t batch_sample_bytes(const PccSlot *slot)
{
    return (size_t)slot->elements * pcc_dtype_size(slot->tensor->dtype);
}

static size_t batch_slot_bytes(const PccLayout *layout, const PccSlot *slot)
{
    return batch_sample_bytes(slot) * (slot->shared ? 1 : (size_t)layout->batch);
}

int pcc_batch_init(PccBatch *batch, PccSession *session, const PccLayout *layout, PccError *error)
{
    *batch =
        (PccBatch){.session = session, .layout = layout, .slots = calloc((size_t)layout->count, sizeof *batch->slots)};
    if (!batch->slots)
        return pcc_fail_memory(error);
    for (int64_t i = 0; i < layout->count; i++) {
        if (!layout->slots[i].tensor)
            continue;
        batch->slots[i] = pcc_allocate_block(batch_slot_bytes(layout, &layout->slots[i]));
        if (!batch->slots[i])
            return pcc_fail_memory(error);
        pcc_pin(session, batch->slots[i], batch_slot_bytes(layout, &layout->slots[i]));
    }
    batch->feed.inputs = (const void *const *)batch->slots;
    batch->feed.target = batch->slots[layout->count - 1];
    return PCC_OK;
}

void pcc_batch_free(PccBatch *batch)
{
    for (int64_t i = 0; batch->slots && i < batch->layout->count; i++)
        if (batch->slots[i]) {
            pcc_unpin(batch->session, batch->slots[i]);
            pcc_free_block(batch->slots[i], batch_slot_bytes(batch->layout, &batch->layout->slots[i]));
        }
    free(batch->slots);
    *batch = (PccBatch){0};
}

/* Of several bad samples the first is reported, whatever the threads' order. */
static int batch_fill_slot(PccBatch *batch, int64_t slot, const PccData *data, const int64_t *samples, int64_t valid,
                           PccError *error)
{
    const PccSlot *place = &batch->layout->slots[slot];
    size_t bytes = batch_sample_bytes(place);
    int64_t failed = -1, count = place->shared ? 1 : batch->layout->batch;
#pragma omp parallel for if (bytes * (size_t)count >= BATCH_PARALLEL_BYTES)
    for (int64_t b = 0; b < count; b++) {
        PccError here = {0};
        char *out = (char *)batch->slots[slot] + (size_t)b * bytes;
        if (pcc_data_read(data, samples[b % valid], slot, out, &here) == PCC_OK)
            continue;
#pragma omp critical
        if (failed < 0 || b < failed) {
            failed = b;
            *error = here;
        }
    }
    return failed < 0 ? PCC_OK : error->status;
}

int pcc_batch_fill(PccBatch *batch, const PccData *data, const int64_t *samples, int64_t valid, PccError *error)
{
    int status = PCC_OK;
    batch->feed.valid = valid;
    for (int64_t slot = 0; slot < batch->layout->count && !status; slot++)
        if (batch->layout->slots[slot].tensor)
            status = batch_fill_slot(batch, slot, data, samples, valid, error);
    return status;
}
