/* session.h: a program with its memory. */
#ifndef PCC_SESSION_H
#define PCC_SESSION_H

#include "../train/loss_scale.h"
#include "../pcc.h"
#include "../files/safetensors.h"

struct PccSession {
    const PccProgram *program;
    PccStep step;
    char *weights_path; /* the file of the initial weights; NULL when they are embedded or there are none */
    int threads;
    /* Where the function that began last leaves the outputs, as they lie in the arena; NULL: it overwrites them. */
    const char *outputs;
    float *joined; /* memory for the largest weight that is stored as value and remainder (PCC_REMAINDER); or NULL */
    int device_number;        /* the device's number */
    struct PccHostView *view; /* blocks.c: the host's state for the device; NULL on the CPU */
    PccError failure; /* the error of the first step that could not run: its loss is NaN, and so is every later one */
};

/* Opens the file, or the embedded bytes, that the initial weights came from. */
int pcc_open_weights(const PccSession *session, PccSafetensors *file, PccError *error);

/* Finds and loads the program's own initial weights. */
int pcc_load_initial_weights(PccSession *session, PccError *error);

/* Sets the loss scale of a new session or of a resumed run. */
void pcc_set_loss_scale(PccSession *session, PccLossScale loss_scale);

/* Copies params, states and constants of an open file into the weights block. */
int pcc_copy_weights(PccSession *session, const PccSafetensors *file, PccError *error);

/* Checks whether pcc_export can succeed, so that a long run does not fail at its end. */
int pcc_can_export(const PccSession *session, PccError *error);

/* Learning rates of an update that begins: `lr`, and where one is still under way, `if_skipped` for the case that that
 * one is skipped. */
typedef struct PccRates {
    double lr, if_skipped;
} PccRates;

/* The two halves of pcc_backward() and pcc_update(): on a device, a function that has begun runs while the caller does
 * other work, and others may begin before it ends: pcc_begins_early() micro-batches, each with an update or without.
 * They end in the order in which they began, and session->step has what is known from those that have ended. */
int pcc_begins_early(const PccSession *session);
void pcc_begin_backward(PccSession *session, const PccFeed *feed);
double pcc_end_backward(PccSession *session);
void pcc_begin_update(PccSession *session, PccRates rates);
void pcc_begin_step(PccSession *session, const PccFeed *feed, PccRates rates); /* of both: pcc_train_step() */
PccUpdate pcc_end_update(PccSession *session);

/* Counts the correct predictions of an evaluated batch; returns the number of all counted ones. logits: the output that
 * the loss reads. */
int64_t pcc_count_correct(const PccProgram *program, const PccFeed *feed, const void *logits, int64_t *correct);

#endif
