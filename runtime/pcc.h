/* pcc.h: the runtime of emitted programs.
 *
 * As a program: an emitted train.c ends in `return pcc_main(&program, argc, argv)`.
 *
 * As a library (pcc --emit lib, which leaves out main and exposes the PccProgram): open a session on the program, feed
 * it batches, read tensors by their ONNX names. runtime/example_embed.c is a whole example.
 *
 *     PccError error;
 *     PccSession *session = pcc_open(&program, NULL, 0, &error);
 *     const float *images; const int64_t *labels;             // program.batch of them
 *     PccFeed feed = {.inputs = (const void *[]){images}, .target = labels, .valid = program.batch};
 *     for (...) {
 *         double loss = pcc_backward(session, &feed);          // forward, backward: gradients
 *         pcc_update(session, 1e-3);                           // clip and apply them
 *     }
 *     pcc_save(session, "trained.safetensors", &error);
 *     pcc_close(session);
 *
 * Functions that can fail return 0 or an exit status (error.h) and describe the failure in *error. A session may be
 * used by any thread, one at a time; a process may have several running, of one program or of many (pcc --name). The
 * steps use OpenMP themselves, on the session's number of threads; the caller's OpenMP settings stay as they are, and
 * results do not depend on the thread count. */
#ifndef PCC_PCC_H
#define PCC_PCC_H

#include "error.h"
#include "program.h"

#define PCC_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* The emitted program's main: parses the command line, trains, and returns the exit status. */
int pcc_main(const PccProgram *program, int argc, char **argv);

typedef struct PccSession PccSession;

/* Allocates the program's memory and loads its initial weights: from `weights`, or when that is NULL from where the
 * program says (embedded, or program->weights_file beside the executable or in the current folder). threads: the
 * session's number of threads; 0: OpenMP's present setting for the caller. NULL on failure. */
PccSession *pcc_open(const PccProgram *program, const char *weights, int threads, PccError *error);
/* The same for a program for GPUs on device `device`, counted from 0; other programs ignore it. */
PccSession *pcc_open_on(const PccProgram *program, int device, const char *weights, int threads, PccError *error);
void pcc_close(PccSession *session);

/* Replaces parameters, states and constants by those of a safetensors file under their ONNX names, all of them, with
 * the program's dtypes and dims; a 16-bit parameter may be F32 in the file, and a master weight takes it unrounded.
 * Moments are unchanged. */
int pcc_load(PccSession *session, const char *file, PccError *error);

/* Call after writing to parameters through pcc_tensor: updates their masters, compensations and 16-bit copies. */
void pcc_refresh_copies(PccSession *session);

/* One batch, dense, in the dtypes and dims of program->inputs and program->target. */
typedef struct PccFeed {
    const void *const *inputs; /* [input_count] */
    const void *target;        /* NULL where the program takes none */
    int64_t valid; /* the first `valid` samples count, 1 … batch; the rest is padding (any valid values) */
} PccFeed;

/* Forward and backward; adds to the gradients until the next pcc_update. Returns the loss, averaged over the targets
 * that count. */
double pcc_backward(PccSession *session, const PccFeed *feed);

/* On a device a step can fail: then its loss and that of all later calls is NaN, and this tells why. PCC_OK
 * otherwise. */
int pcc_session_status(const PccSession *session, PccError *error);

/* Clips the gradients where the program says so and applies one optimizer update. With loss scaling, a gradient that is
 * not finite skips it: nothing changes but the scale. */
PccUpdate pcc_update(PccSession *session, double learning_rate);

/* pcc_backward and pcc_update in one, with the same bits. Where the update does not need all gradients together (no
 * clipping, no loss scaling, no --accumulate), each is applied as soon as it is made, and there is no memory of all of
 * them. *update is that of pcc_update; it may be NULL. Returns the loss. */
double pcc_train_step(PccSession *session, const PccFeed *feed, double learning_rate, PccUpdate *update);

typedef struct PccEvaluation {
    double loss;     /* averaged over `counted` */
    double counted;  /* targets: samples, tokens or elements */
    int64_t judged;  /* predictions; 0 for losses without an accuracy */
    int64_t correct; /* of them */
} PccEvaluation;

/* Forward in inference mode. Predictions of cross-entropy losses are the largest logit, those of bce-with-logits the
 * logit's sign. */
PccEvaluation pcc_evaluate(PccSession *session, const PccFeed *feed);

/* The step's context, to set seed, hyper (all but lr) and deterministic between calls, and to read the loss scale. */
PccStep *pcc_step_context(PccSession *session);

/* Has pcc_backward keep the model's outputs, in memory of their own: in the step's they are overwritten, as by the
 * gradients of the logits. Call it before the first pcc_backward. */
int pcc_keep_outputs(PccSession *session, PccError *error);

/* A graph output after pcc_evaluate, or after pcc_backward where outputs are kept, valid until the next call; a
 * parameter, state or constant. The description may be NULL. NULL when there is none of that name, or when the step
 * that ran last overwrote it. */
const void *pcc_output(const PccSession *session, const char *name, const PccTensor **description);
void *pcc_tensor(PccSession *session, const char *name, const PccTensor **description);

/* Writes parameters, states and constants to a safetensors file, atomically: pcc_load reads it. A 16-bit parameter is
 * written as F32: its master, or its value exactly. */
int pcc_save(const PccSession *session, const char *file, PccError *error);

/* Writes the original ONNX file with the current parameters and states, atomically. */
int pcc_export(const PccSession *session, const char *file, PccError *error);

#ifdef __cplusplus
}
#endif

#endif
