/* learning_rate.c: learning-rate schedules. */
#include <math.h>

#include "learning_rate.h"

double pcc_learning_rate(const PccSchedule *schedule, int64_t t)
{
    if (t < schedule->warmup)
        return schedule->lr * (double)(t + 1) / (double)schedule->warmup;
    int64_t length = schedule->total - schedule->warmup;
    double done = length > 0 ? fmin((double)(t - schedule->warmup) / (double)length, 1) : 0;
    switch (schedule->kind) {
    case PCC_COSINE:
        return schedule->lr * 0.5 * (1 + cos(3.141592653589793 * done));
    case PCC_LINEAR:
        return schedule->lr * (1 - done);
    case PCC_STEP:
        return schedule->lr * pow(0.1, floor(3 * done));
    default:
        return schedule->lr;
    }
}
