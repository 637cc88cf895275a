/* apply.c: linked by apply.sh with a program of pcc --emit lib: sessions that apply gradients as they are made, and
 * with an update behind the backward pass, have the same losses and weights to the bit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pcc/pcc.h>

extern const PccProgram pcc_program;

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
        labels[n] = rand() % 10;
        for (int64_t i = 0; i < features; i++)
            x[n * features + i] = (float)(i % 10 == labels[n]) + (float)rand() / (float)RAND_MAX;
    }
}

static int same_weights(PccSession *left, PccSession *right)
{
    return memcmp(pcc_step_context(left)->weights, pcc_step_context(right)->weights,
                  pcc_program.weights_bytes - pcc_program.gradient_bytes) == 0;
}

static int has_gradients(PccSession *session)
{
    const char *gradients = pcc_step_context(session)->weights + pcc_program.weights_bytes - pcc_program.gradient_bytes;
    for (size_t i = 0; i < pcc_program.gradient_bytes; i++)
        if (gradients[i] != 0)
            return 1;
    return 0;
}

int main(void)
{
    int64_t features = 1;
    for (int i = 1; i < pcc_program.inputs[0].rank; i++)
        features *= pcc_program.inputs[0].dims[i];
    float *x = malloc((size_t)(pcc_program.batch * features) * sizeof *x);
    int64_t *labels = malloc((size_t)pcc_program.batch * sizeof *labels);
    PccFeed feed = {.inputs = (const void *[]){x}, .target = labels, .valid = pcc_program.batch};
    PccSession *at_once = open_session(2), *behind = open_session(1);
    for (int step = 0; step < 5; step++) {
        PccUpdate update;
        make_batch(x, features, labels);
        const double loss = pcc_train_step(at_once, &feed, 1e-3, &update), other = pcc_backward(behind, &feed);
        const PccUpdate other_update = pcc_update(behind, 1e-3);
        require(loss == other, "the losses differ");
        require(update.first_overflow == -1 && update.rounded == other_update.rounded &&
                    update.lost == other_update.lost,
                "the updates report different things");
        require(same_weights(at_once, behind), "the weights differ");
    }
    require(!has_gradients(at_once), "gradients are kept that were applied");
    require(has_gradients(behind), "pcc_backward keeps no gradients");
    pcc_train_step(at_once, &feed, 1e-3, NULL);
    pcc_backward(behind, &feed);
    pcc_backward(at_once, &feed); /* either way may follow the other */
    pcc_update(behind, 1e-3);
    pcc_update(at_once, 1e-3);
    pcc_train_step(behind, &feed, 1e-3, NULL);
    require(same_weights(at_once, behind), "the weights differ after both ways in turns");
    pcc_close(at_once);
    pcc_close(behind);
    free(x);
    free(labels);
    return 0;
}
