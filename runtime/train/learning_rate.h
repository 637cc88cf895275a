/* learning_rate.h: the learning rate of each update. */
#ifndef PCC_SCHEDULE_H
#define PCC_SCHEDULE_H

#include <stdint.h>

/* After the warm-up, with p the completed fraction of the remaining updates, lr is multiplied by
 *   constant 1    cosine (1 + cos(pi p)) / 2    linear 1 - p    step 0.1 ^ floor(3 p): a tenth at 1/3 and at 2/3 */
typedef enum PccScheduleKind { PCC_CONSTANT, PCC_COSINE, PCC_LINEAR, PCC_STEP } PccScheduleKind;

typedef struct PccSchedule {
    PccScheduleKind kind;
    double lr;
    int64_t warmup; /* update t < warmup has lr (t + 1) / warmup */
    int64_t total;  /* updates of the whole run */
} PccSchedule;

/* The learning rate of update t, counted from 0. */
double pcc_learning_rate(const PccSchedule *schedule, int64_t t);

#endif
