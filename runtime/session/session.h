/* session.h: a program with its memory. */
#ifndef PCC_SESSION_H
#define PCC_SESSION_H

#include "../train/loss_scale.h"
#include "../pcc.h"
#include "../files/safetensors.h"

struct PccSession {
    const PccProgram *program;
    PccStep step;
    char *weights_path; /* of the initial weights; NULL when they are embedded or there are none */
    int threads;
    float *joined;            /* room for the largest weight that is kept in two halves (PCC_REMAINDER); or NULL */
    int device_number;        /* of a program that runs on a device */
    struct PccHostView *view; /* blocks.c: the host's side of one; NULL on the CPU */
    PccError failure;         /* the first of a step that could not run: its loss is NaN, and so is every later one */
};

/* Opens the file, or the embedded bytes, that the initial weights came from. */
int pcc_open_weights(const PccSession *session, PccSafetensors *file, PccError *error);

/* Finds and loads the program's own initial weights. */
int pcc_load_initial_weights(PccSession *session, PccError *error);

/* Sets the loss scale: of a new session, or a resumed run's. */
void pcc_set_loss_scale(PccSession *session, PccLossScale loss_scale);

/* Copies params, states and constants of an open file into the weights block. */
int pcc_copy_weights(PccSession *session, const PccSafetensors *file, PccError *error);

/* Whether pcc_export would find what it needs: asked before a long run, not after it. */
int pcc_can_export(const PccSession *session, PccError *error);

/* pcc_backward() and pcc_update() in halves: on a device, what is begun runs while the caller does other things. An
 * update may begin before the backward pass in front of it has ended; they end in the order in which they began. */
void pcc_begin_backward(PccSession *session, const PccFeed *feed);
double pcc_end_backward(PccSession *session);
void pcc_begin_update(PccSession *session, double learning_rate);
PccUpdate pcc_end_update(PccSession *session);

/* Counts right predictions of the evaluation of that batch; returns how many were judged. logits: the output that the
 * loss reads. */
int64_t pcc_count_correct(const PccProgram *program, const PccFeed *feed, const void *logits, int64_t *correct);

#endif
