/* accuracy.c: counts the correct predictions of a batch. */
#include "../files/dtype.h"
#include "../kernels/common/storage.h"
#include "session.h"

/* Logits viewed as [outer, classes, inner]: one prediction for each (outer, inner). */
typedef struct Judged {
    const void *logits;
    PccDtype dtype;
    int64_t classes, inner;
} Judged;

/* The class axis of a language model is long and contiguous: worth a loop of its own. */
static int64_t judged_largest(PccIn logits, int64_t base, int64_t classes)
{
    enum { ROW = 1024 };
    float row[ROW], largest = 0;
    int64_t best = 0;
    for (int64_t at = 0; at < classes; at += ROW) {
        int64_t count = classes - at < ROW ? classes - at : ROW;
        const float *part = pcc_read(logits, base + at, count, row);
        for (int64_t c = 0; c < count; c++) {
            if (at + c == 0 || part[c] > largest) {
                largest = part[c];
                best = at + c;
            }
        }
    }
    return best;
}

static int64_t judged_class(const Judged *judged, int64_t outer, int64_t inner)
{
    int64_t base = outer * judged->classes * judged->inner + inner, best = 0;
    if (judged->dtype != PCC_F64 && judged->inner == 1)
        return judged_largest((PccIn){judged->logits, judged->dtype}, base, judged->classes);
    double largest = pcc_dtype_load(judged->logits, judged->dtype, base);
    for (int64_t c = 1; c < judged->classes; c++) {
        double logit = pcc_dtype_load(judged->logits, judged->dtype, base + c * judged->inner);
        if (logit > largest) {
            largest = logit;
            best = c;
        }
    }
    return best;
}

/* Labels [outer, inner]; -100 is not counted. */
static int64_t accuracy_classes(const Judged *judged, int64_t outer, const void *labels, PccDtype dtype,
                                int64_t *correct)
{
    int64_t count = 0, right = 0;
#pragma omp parallel for reduction(+ : count, right)
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < judged->inner; i++) {
            int64_t label = pcc_dtype_load_integer(labels, dtype, o * judged->inner + i);
            if (label == -100)
                continue;
            count++;
            right += judged_class(judged, o, i) == label;
        }
    }
    *correct = right;
    return count;
}

/* Position t predicts the label at t + 1; logits [batch, T, V], labels [batch, T]. */
static int64_t accuracy_next_token(const Judged *judged, int64_t samples, int64_t length, const void *labels,
                                   PccDtype dtype, int64_t *correct)
{
    int64_t count = 0, right = 0;
#pragma omp parallel for reduction(+ : count, right)
    for (int64_t b = 0; b < samples; b++) {
        for (int64_t t = 0; t + 1 < length; t++) {
            int64_t label = pcc_dtype_load_integer(labels, dtype, b * length + t + 1);
            if (label == -100)
                continue;
            count++;
            right += judged_class(judged, b * length + t, 0) == label;
        }
    }
    *correct = right;
    return count;
}

static int64_t accuracy_binary(const Judged *judged, int64_t elements, const void *target, PccDtype dtype,
                               int64_t *correct)
{
    int64_t right = 0;
#pragma omp parallel for reduction(+ : right)
    for (int64_t i = 0; i < elements; i++)
        right += (pcc_dtype_load(judged->logits, judged->dtype, i) > 0) == (pcc_dtype_load(target, dtype, i) > 0.5);
    *correct = right;
    return elements;
}

int64_t pcc_count_correct(const PccProgram *program, const PccFeed *feed, const void *output, int64_t *correct)
{
    *correct = 0;
    if (program->loss == PCC_LOSS_MSE || program->loss == PCC_LOSS_OUTPUT)
        return 0;
    const PccTensor *logits = &program->outputs[program->loss_output];
    int64_t elements = pcc_element_count(logits->rank, logits->dims);
    if (elements == 0)
        return 0;
    Judged judged = {output, logits->dtype, 1, 1};
    PccDtype target = program->target.dtype;
    if (program->loss == PCC_LOSS_BCE_WITH_LOGITS)
        return accuracy_binary(&judged, elements / program->batch * feed->valid, feed->target, target, correct);
    int axis = program->loss == PCC_LOSS_CROSS_ENTROPY ? 1 : logits->rank - 1;
    judged.classes = logits->dims[axis];
    judged.inner = pcc_element_count(logits->rank - axis - 1, logits->dims + axis + 1);
    if (program->loss == PCC_LOSS_CAUSAL_LM) {
        const PccTensor *labels = &program->inputs[program->label_input];
        return accuracy_next_token(&judged, feed->valid, labels->dims[labels->rank - 1],
                                   feed->inputs[program->label_input], labels->dtype, correct);
    }
    int64_t outer = elements / (judged.classes * judged.inner);
    /* The rows of the valid samples, as in the loss. */
    return accuracy_classes(&judged, outer / program->batch * feed->valid, feed->target, target, correct);
}
