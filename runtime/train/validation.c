/* validation.c: the loss and accuracy over a whole split. */
#include "validation.h"
#include "../session/blocks.h"

double pcc_loss_weight(const PccSession *session, int64_t valid)
{
    const double counted = session->step.counted;
    return session->program->loss == PCC_LOSS_OUTPUT && counted == 0 ? (double)valid : counted;
}

int pcc_evaluate_split(PccSession *session, PccBatch *batch, const PccSplit *split, PccEpochReport *report,
                       PccError *error)
{
    int64_t size = session->program->batch, judged = 0, correct = 0;
    double sum = 0, weight = 0;
    for (int64_t at = 0; at < split->count; at += size) {
        int64_t valid = split->count - at < size ? split->count - at : size;
        int status = pcc_batch_fill(batch, split->data, split->samples + at, valid, error);
        if (!status)
            status = pcc_prefetch(session, &batch->feed, error);
        if (status)
            return status;
        PccEvaluation part = pcc_evaluate(session, &batch->feed);
        double counted = pcc_loss_weight(session, valid);
        status = pcc_session_status(session, error);
        if (status)
            return status;
        if (counted > 0) /* a batch with only ignored targets has no loss */
            sum += part.loss * counted;
        weight += counted;
        judged += part.judged;
        correct += part.correct;
    }
    report->has_val = weight > 0;
    report->val_loss = weight > 0 ? sum / weight : 0;
    report->has_accuracy = judged > 0;
    report->val_accuracy = judged > 0 ? (double)correct / (double)judged : 0;
    return PCC_OK;
}
