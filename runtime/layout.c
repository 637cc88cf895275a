/* layout.c: what a sample of a program consists of. */
#include <stdlib.h>

#include "dtype.h"
#include "layout.h"

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

/* Targets always come by the sample, perhaps with more rows than one: those of flattened logits [B * T, V]. An input
 * with another first dim than the batch is the same for all samples. */
static bool layout_is_shared(const PccProgram *program, const PccTensor *tensor)
{
    if (tensor->rank == 0)
        return true;
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

void pcc_layout_free(PccLayout *layout)
{
    free(layout->slots);
    *layout = (PccLayout){0};
}
