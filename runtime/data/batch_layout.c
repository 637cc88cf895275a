/* batch_layout.c: what a sample of a program consists of. */
#include <stdlib.h>
#include <string.h>

#include "../files/dtype.h"
#include "batch_layout.h"

static bool layout_takes_target(const PccProgram *program)
{
    return program->target.rank >= 0;
}

/* The class count that labels must stay below, from the loss's logits. */
static int64_t layout_classes(const PccProgram *program)
{
    const PccTensor *logits = &program->outputs[program->loss_output];
    switch (program->loss) {
    case PCC_LOSS_CROSS_ENTROPY:
        return logits->rank >= 2 ? logits->dims[1] : 0;
    case PCC_LOSS_TOKEN_CROSS_ENTROPY:
    case PCC_LOSS_CAUSAL_LM:
        return logits->rank >= 1 ? logits->dims[logits->rank - 1] : 0;
    default:
        return 0;
    }
}

static int64_t layout_label_slot(const PccProgram *program)
{
    switch (program->loss) {
    case PCC_LOSS_CROSS_ENTROPY:
    case PCC_LOSS_TOKEN_CROSS_ENTROPY:
        return layout_takes_target(program) ? program->input_count : -1;
    case PCC_LOSS_CAUSAL_LM:
    case PCC_LOSS_OUTPUT:
        return program->label_input;
    default:
        return -1;
    }
}

/* A batch of one sample whose inputs have no batch axis, such as a graph's nodes and edges: each input is read whole
 * for each sample. */
static bool layout_is_whole(const PccProgram *program)
{
    bool ranked = false;
    for (int64_t i = 0; i < program->input_count; i++) {
        if (program->inputs[i].rank > 0 && program->inputs[i].dims[0] == 1)
            return false;
        ranked |= program->inputs[i].rank > 0;
    }
    return program->batch == 1 && ranked;
}

/* Targets always belong to samples, perhaps with several rows for each: those of flattened logits [B * T, V]. An input
 * whose first dim is not the batch is the same for all samples. */
static bool layout_is_shared(const PccProgram *program, const PccTensor *tensor)
{
    if (tensor->rank == 0)
        return true;
    if (layout_is_whole(program))
        return false;
    return tensor == &program->target ? tensor->dims[0] % program->batch != 0 : tensor->dims[0] != program->batch;
}

int pcc_layout_init(PccLayout *layout, const PccProgram *program, PccError *error)
{
    *layout = (PccLayout){.count = program->input_count + 1,
                          .label_slot = layout_label_slot(program),
                          .classes = layout_classes(program),
                          .batch = program->batch,
                          .next_token = program->loss != PCC_LOSS_CAUSAL_LM};
    layout->slots = calloc((size_t)layout->count, sizeof *layout->slots);
    if (!layout->slots)
        return pcc_fail_memory(error);
    for (int64_t i = 0; i < layout->count; i++) {
        PccSlot *slot = &layout->slots[i];
        slot->labels = i == layout->label_slot;
        slot->tensor = i < program->input_count ? &program->inputs[i] : &program->target;
        if (i == program->input_count && !layout_takes_target(program)) {
            slot->tensor = NULL;
            continue;
        }
        slot->shared = layout_is_shared(program, slot->tensor);
        slot->probabilities = i == program->input_count && program->loss == PCC_LOSS_BCE_WITH_LOGITS;
        slot->elements = pcc_element_count(slot->tensor->rank, slot->tensor->dims);
        if (slot->elements < 0)
            return pcc_fail(error, PCC_ERR_INTERNAL, "dims of %s overflow", slot->tensor->name);
        if (!slot->shared)
            slot->elements /= program->batch;
        else if (slot->tensor->rank > 0 && !pcc_dtype_is_float(slot->tensor->dtype))
            layout->fixed_order = true;
    }
    return PCC_OK;
}

/* A target with several rows for each sample (flattened logits [B * T, V]) has these rows as its first axis. */
PccAxes pcc_slot_axes(const PccLayout *layout, const PccSlot *slot)
{
    PccAxes axes = {0};
    const PccTensor *tensor = slot->tensor;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t dim = i == 0 && !slot->shared ? tensor->dims[0] / layout->batch : tensor->dims[i];
        if (i > 0 || slot->shared || dim != 1)
            axes.dims[axes.rank++] = dim;
    }
    return axes;
}

/* The slot called name, of `length` characters; NULL: none. */
static PccSlot *layout_find(PccLayout *layout, const char *name, size_t length)
{
    PccSlot *target = &layout->slots[layout->count - 1];
    for (int64_t i = 0; i + 1 < layout->count; i++) {
        const char *input = layout->slots[i].tensor->name;
        if (strlen(input) == length && memcmp(input, name, length) == 0)
            return &layout->slots[i];
    }
    return target->tensor && length == strlen("target") && memcmp(name, "target", length) == 0 ? target : NULL;
}

int pcc_layout_set_order(PccLayout *layout, const char *text, PccError *error)
{
    const char *equals = strrchr(text, '=');
    PccSlot *slot = equals ? layout_find(layout, text, (size_t)(equals - text)) : NULL;
    if (!equals || !equals[1])
        return pcc_fail(error, PCC_ERR_USAGE,
                        "--layout %s: expected INPUT=ORDER, the data's axes by letters, as in %s=NHWC", text,
                        layout->count > 1 ? layout->slots[0].tensor->name : "target");
    if (!slot)
        return pcc_fail(error, PCC_ERR_USAGE, "--layout %s: the program has no input of that name%s%s", text,
                        layout->count > 1 ? "; its first is " : "",
                        layout->count > 1 ? layout->slots[0].tensor->name : "");
    slot->order = equals + 1;
    return PCC_OK;
}

void pcc_layout_free(PccLayout *layout)
{
    free(layout->slots);
    *layout = (PccLayout){0};
}
