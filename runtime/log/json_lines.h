/* json_lines.h: reports of a step and of an epoch, as JSON lines. */
#ifndef PCC_REPORT_H
#define PCC_REPORT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct PccStepReport {
    int64_t step;  /* updates done, the reported one included */
    int64_t epoch; /* from 1 */
    double loss;   /* averaged over the update's micro-batches, weighted by their counted targets */
    double lr;
    double samples_per_s;
    double scale;         /* the factor of the loss in this update */
    int64_t skipped;      /* updates skipped for overflow, so far */
    const char *overflow; /* if this update was skipped: the first parameter whose gradient was not finite; else NULL */
} PccStepReport;

typedef struct PccEpochReport {
    int64_t epoch; /* epochs begun; 0 before training */
    bool has_val;  /* there is validation data */
    double val_loss;
    bool has_accuracy;   /* the loss has an accuracy */
    double val_accuracy; /* 0 … 1 */
    bool has_lost;       /* there are 16-bit weights, and some were updated */
    double lost_updates; /* 0 … 1: the share of their elements' updates that rounded to nothing */
} PccEpochReport;

/* The line without its newline, in new memory; NULL when there is none. */
char *pcc_step_line(const PccStepReport *report);
char *pcc_epoch_line(const PccEpochReport *report);

#endif
