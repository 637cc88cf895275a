/* holdout.c: which samples train and which validate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shuffle.h"
#include "holdout.h"

/* The held-out part does not follow --seed: runs with different seeds stay comparable. */
#define SPLIT_SEED 0x5eed

static int split_whole(PccSplit *split, const PccData *data, PccError *error)
{
    *split = (PccSplit){.data = data, .count = data->count};
    split->samples = malloc((size_t)data->count * sizeof *split->samples);
    if (!split->samples)
        return pcc_fail_memory(error);
    for (int64_t i = 0; i < data->count; i++)
        split->samples[i] = i;
    return PCC_OK;
}

static int split_by_index(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* Moves a fraction of train into val. */
static int split_hold_out(PccDataSets *sets, double fraction, PccError *error)
{
    PccSplit *train = &sets->train, *val = &sets->val;
    int64_t held = (int64_t)llround(fraction * (double)train->count);
    held = held == 0 && fraction > 0 ? 1 : held;
    if (held >= train->count)
        return pcc_fail(error, PCC_ERR_INPUT,
                        "%lld samples are too few to hold out %g of them; give --val SPEC or --val-fraction 0",
                        (long long)train->count, fraction);
    *val = (PccSplit){.data = train->data, .count = held};
    val->samples = malloc((size_t)(held + 1) * sizeof *val->samples);
    if (!val->samples)
        return pcc_fail_memory(error);
    if (!train->data->ordered)
        pcc_shuffle(train->samples, train->count, SPLIT_SEED, 0);
    train->count -= held;
    memcpy(val->samples, train->samples + train->count, (size_t)held * sizeof *val->samples);
    qsort(train->samples, (size_t)train->count, sizeof *train->samples, split_by_index);
    qsort(val->samples, (size_t)held, sizeof *val->samples, split_by_index);
    return PCC_OK;
}

static int split_open(PccDataSets *sets, const PccRunOptions *options, const PccLayout *layout, PccError *error)
{
    const char *val = options->val;
    int status = PCC_OK;
    if (options->data) {
        status =
            pcc_data_open(&sets->opened[0], options->data, false, layout, options->mean, options->deviation, error);
        if (!status)
            status = split_whole(&sets->train, &sets->opened[0], error);
        if (!val && pcc_data_has_validation(options->data))
            val = options->data;
    }
    if (status)
        return status;
    if (!val && !options->data)
        return PCC_OK;
    if (!val)
        return split_hold_out(sets, options->val_fraction, error);
    status = pcc_data_open(&sets->opened[1], val, true, layout, options->mean, options->deviation, error);
    return status ? status : split_whole(&sets->val, &sets->opened[1], error);
}

int pcc_data_sets_open(PccDataSets *sets, const PccRunOptions *options, const PccLayout *layout, PccError *error)
{
    *sets = (PccDataSets){0};
    int status = split_open(sets, options, layout, error);
    if (status)
        pcc_data_sets_close(sets);
    return status;
}

void pcc_data_sets_close(PccDataSets *sets)
{
    free(sets->train.samples);
    free(sets->val.samples);
    pcc_data_close(&sets->opened[0]);
    pcc_data_close(&sets->opened[1]);
    *sets = (PccDataSets){0};
}
