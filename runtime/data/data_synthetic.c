/* data_synthetic.c: synthetic samples: normally distributed floats, labels uniform over the classes, probabilities and
 * integers other than labels 0 or 1 (the only values that suit any embedding, mask or edge list). Sample i is the same
 * in every run. */
#include "data.h"
#include "../files/dtype.h"
#include "random.h"

enum { SYNTHETIC_BATCHES = 16 };

static void synthetic_generate(const PccData *data, int64_t sample, int64_t slot, void *out)
{
    const PccSlot *place = &data->layout->slots[slot];
    PccDtype dtype = place->tensor->dtype;
    uint64_t key = (uint64_t)(slot + 1) << 48, first = (uint64_t)(place->shared ? 0 : sample * place->elements);
    int64_t classes = place->labels && data->layout->classes ? data->layout->classes : 2;
    for (int64_t i = 0; i < place->elements; i++) {
        uint64_t counter = first + (uint64_t)i;
        double value = pcc_dtype_is_float(dtype) && !place->probabilities
                           ? pcc_draw_normal(key, counter)
                           : (double)pcc_draw_below(key, counter, (uint64_t)classes);
        pcc_dtype_store(out, dtype, i, value);
    }
}

static int synthetic_open(PccData *data, const char *argument, bool validation, PccError *error)
{
    (void)argument, (void)validation, (void)error; /* nothing to open: cannot fail */
    data->count = SYNTHETIC_BATCHES * data->layout->batch;
    data->generate = synthetic_generate;
    return PCC_OK;
}

const PccDataFormat pcc_data_synthetic = {.open = synthetic_open};
