/* kept_outputs.c: when pcc_output() gives the outputs of an emitted program, and that they are those of its step. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <pcc/pcc.h>

extern const PccProgram pcc_program;

enum { BATCH = 8, FEATURES = 36, CLASSES = 3 };

static float x[BATCH * FEATURES];
static int64_t labels[BATCH];
static const void *const inputs[] = {x};
static const PccFeed feed = {.inputs = inputs, .target = labels, .valid = BATCH};

static void require(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "kept_outputs: not so: %s\n", what);
    exit(EXIT_FAILURE);
}

static const float *logits_of(const PccSession *session)
{
    const PccTensor *description;
    const float *logits = pcc_output(session, pcc_program.outputs[0].name, &description);
    require(description == &pcc_program.outputs[0], "the description is the output's");
    return logits;
}

/* Of the labels, by the definition of cross-entropy. */
static double loss_of(const float *logits)
{
    double loss = 0;
    for (int n = 0; n < BATCH; n++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++)
            sum += exp((double)logits[n * CLASSES + c]);
        loss += log(sum) - (double)logits[n * CLASSES + labels[n]];
    }
    return loss / BATCH;
}

static int belong_to(const float *logits, double loss)
{
    return logits && fabs(loss_of(logits) - loss) < 1e-5;
}

static PccSession *open_session(void)
{
    PccError error;
    PccSession *session = pcc_open(&pcc_program, NULL, 2, &error);
    require(session != NULL, "the program opens");
    return session;
}

static void outputs_are_not_kept_unasked(void)
{
    PccSession *session = open_session();
    PccError error;
    pcc_backward(session, &feed);
    require(!logits_of(session), "a step's outputs are overwritten");
    require(pcc_session_status(session, &error) == PCC_OK, "to ask for them is no failure of the session");
    require(pcc_keep_outputs(session, &error) == PCC_OK, "outputs can be kept from now on");
    require(!logits_of(session), "those of the step before were not");
    const double loss = pcc_backward(session, &feed);
    require(belong_to(logits_of(session), loss), "the next step's are");
    pcc_close(session);
}

static void kept_outputs_follow_the_steps(void)
{
    PccSession *session = open_session();
    PccError error;
    require(pcc_keep_outputs(session, &error) == PCC_OK, "outputs can be kept");
    const double first = pcc_backward(session, &feed);
    require(belong_to(logits_of(session), first), "outputs of the first step");
    pcc_update(session, 0.1);
    const double second = pcc_backward(session, &feed);
    require(second < first, "the program learns");
    require(belong_to(logits_of(session), second), "outputs of the second step");
    pcc_close(session);
}

static void require_outputs_of_evaluation(PccSession *session, const char *what)
{
    const double loss = pcc_evaluate(session, &feed).loss;
    require(belong_to(logits_of(session), loss), what);
}

static void evaluation_always_has_outputs(int keep)
{
    PccSession *session = open_session();
    PccError error;
    require(!keep || pcc_keep_outputs(session, &error) == PCC_OK, "outputs can be kept");
    require_outputs_of_evaluation(session, "outputs of an evaluation");
    pcc_backward(session, &feed);
    pcc_update(session, 0.1);
    require_outputs_of_evaluation(session, "outputs of one after a step");
    pcc_close(session);
}

int main(void)
{
    for (int i = 0; i < BATCH * FEATURES; i++)
        x[i] = (float)(i % 7) - 3;
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % CLASSES;
    require(pcc_program.outputs_bytes > 0, "a step of this program overwrites its outputs");
    outputs_are_not_kept_unasked();
    kept_outputs_follow_the_steps();
    evaluation_always_has_outputs(0);
    evaluation_always_has_outputs(1);
    return EXIT_SUCCESS;
}
