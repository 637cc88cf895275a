/* apply.c: linked by apply.sh and apply_cuda.sh with a program of pcc --emit lib: sessions that apply gradients as they
 * are made, and with an update behind the backward pass, have the same losses and weights to the bit.
 *
 * With an argument: a session that applies them, and for which there is no memory to keep them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pcc/device/device.h>
#include <pcc/pcc.h>

extern const PccProgram pcc_program;

enum { CLASSES = 10 };

static void require(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static PccSession *open_session(int threads)
{
    PccError error;
    PccSession *session = pcc_open(&pcc_program, NULL, threads, &error);
    require(session != NULL, error.message);
    return session;
}

static void make_batch(float *x, int64_t features, int64_t *labels)
{
    for (int64_t n = 0; n < pcc_program.batch; n++) {
        labels[n] = rand() % CLASSES;
        for (int64_t i = 0; i < features; i++)
            x[n * features + i] = (float)(i % CLASSES == labels[n]) + (float)rand() / (float)RAND_MAX;
    }
}

/* A copy of a block, which the caller frees. */
static char *contents(PccSession *session, const char *block, size_t bytes)
{
    PccError error;
    char *copy = malloc(bytes);
    require(copy != NULL, "no memory");
    if (!pcc_program.device)
        memcpy(copy, block, bytes);
    else
        require(pcc_program.device->read(pcc_step_context(session), copy, block, bytes, &error) == PCC_OK, "no copy");
    return copy;
}

static int same_weights(PccSession *left, PccSession *right)
{
    char *a = contents(left, pcc_step_context(left)->weights, pcc_program.weights_bytes);
    char *b = contents(right, pcc_step_context(right)->weights, pcc_program.weights_bytes);
    const int same = memcmp(a, b, pcc_program.weights_bytes) == 0;
    free(a);
    free(b);
    return same;
}

static int has_gradients(PccSession *session)
{
    const char *kept = pcc_step_context(session)->gradients;
    if (!kept)
        return 0;
    char *gradients = contents(session, kept, pcc_program.gradient_bytes);
    int any = 0;
    for (size_t i = 0; i < pcc_program.gradient_bytes; i++)
        any |= gradients[i] != 0;
    free(gradients);
    return any;
}

/* Of elements of 16 bits at least. */
static int same_outputs(PccSession *left, PccSession *right)
{
    const PccTensor *description;
    const char *name = pcc_program.outputs[0].name;
    const size_t bytes = (size_t)pcc_program.batch * CLASSES * 2;
    char *copy = malloc(bytes);
    const void *a = pcc_output(left, name, &description);
    require(a && copy, "no outputs of the step that applies gradients");
    memcpy(copy, a, bytes);
    const void *b = pcc_output(right, name, &description);
    const int same = b && memcmp(copy, b, bytes) == 0;
    free(copy);
    return same;
}

/* Steps of both ways have run without. */
static void keep_outputs_from_now_on(PccSession *at_once, PccSession *behind, const PccFeed *feed)
{
    PccError error;
    require(pcc_keep_outputs(at_once, &error) == PCC_OK && pcc_keep_outputs(behind, &error) == PCC_OK, error.message);
    for (int i = 0; i < 2; i++) {
        pcc_train_step(at_once, feed, 1e-3, NULL);
        pcc_backward(behind, feed);
        require(same_outputs(at_once, behind), "the outputs differ");
        pcc_update(behind, 1e-3);
    }
}

static void run_short_of_memory(const PccFeed *feed)
{
    PccSession *session = open_session(1);
    PccUpdate update;
    PccError error;
    for (int step = 0; step < 2; step++)
        require(pcc_train_step(session, feed, 1e-3, &update) > 0 && update.first_overflow == -1, "no step");
    require(pcc_evaluate(session, feed).loss > 0, "no evaluation");
    const double loss = pcc_backward(session, feed);
    require(loss != loss && pcc_session_status(session, &error), "pcc_backward has memory");
    fprintf(stderr, "%s\n", error.message);
    pcc_close(session);
}

static void compare_ways(const PccFeed *feed, float *x, int64_t features, int64_t *labels)
{
    PccSession *at_once = open_session(2), *behind = open_session(1);
    for (int step = 0; step < 3; step++) {
        PccUpdate update;
        make_batch(x, features, labels);
        const double loss = pcc_train_step(at_once, feed, 1e-3, &update), other = pcc_backward(behind, feed);
        const PccUpdate other_update = pcc_update(behind, 1e-3);
        require(loss == other, "the losses differ");
        require(update.first_overflow == -1 && update.rounded == other_update.rounded &&
                    update.lost == other_update.lost,
                "the updates report different things");
        require(same_weights(at_once, behind), "the weights differ");
    }
    require(!pcc_step_context(at_once)->gradients, "there is memory of gradients that were applied");
    require(has_gradients(behind), "pcc_backward keeps no gradients");
    require(pcc_evaluate(at_once, feed).loss == pcc_evaluate(behind, feed).loss, "the evaluations differ");
    pcc_train_step(at_once, feed, 1e-3, NULL);
    pcc_backward(behind, feed);
    pcc_backward(at_once, feed); /* either way may follow the other */
    pcc_update(behind, 1e-3);
    pcc_update(at_once, 1e-3);
    pcc_train_step(behind, feed, 1e-3, NULL);
    require(same_weights(at_once, behind), "the weights differ after both ways in turns");
    keep_outputs_from_now_on(at_once, behind, feed);
    pcc_close(at_once);
    pcc_close(behind);
}

int main(int argc, char **argv)
{
    (void)argv;
    int64_t features = 1;
    for (int i = 1; i < pcc_program.inputs[0].rank; i++)
        features *= pcc_program.inputs[0].dims[i];
    float *x = malloc((size_t)(pcc_program.batch * features) * sizeof *x);
    int64_t *labels = malloc((size_t)pcc_program.batch * sizeof *labels);
    PccFeed feed = {.inputs = (const void *[]){x}, .target = labels, .valid = pcc_program.batch};
    make_batch(x, features, labels);
    if (argc > 1)
        run_short_of_memory(&feed);
    else
        compare_ways(&feed, x, features, labels);
    free(x);
    free(labels);
    return 0;
}
