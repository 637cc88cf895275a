/* example_embed.c: a program of pcc as part of another program. It fine-tunes on batches that the caller makes and
 * never sees a command line:
 *
 *     pcc model.onnx --emit lib -o train.c                     # exposes `const PccProgram pcc_program`
 *     cc -O3 -march=native -fopenmp example_embed.c train.c $(pkg-config --cflags --libs pcc-runtime)
 *
 * The data here is synthetic: class c of C is a bump in the c-th part of the input. It works with any model that has
 * one float32 input and cross-entropy loss. */
#include <stdio.h>
#include <stdlib.h>

#include <pcc/pcc.h>

extern const PccProgram pcc_program;

static int64_t elements(const PccTensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->rank; i++)
        count *= tensor->dims[i];
    return count;
}

/* A whole batch: x [batch, ...], labels [batch]. */
static void make_batch(float *x, int64_t *labels, int64_t batch, int64_t features, int64_t classes)
{
    for (int64_t n = 0; n < batch; n++) {
        labels[n] = rand() % classes;
        for (int64_t i = 0; i < features; i++)
            x[n * features + i] = (float)(i * classes / features == labels[n]) + (float)rand() / (float)RAND_MAX;
    }
}

static int train(PccSession *session, float *x, int64_t *labels, PccError *error)
{
    int64_t batch = pcc_program.batch, features = elements(&pcc_program.inputs[0]) / batch;
    int64_t classes = pcc_program.outputs[pcc_program.loss_output].dims[1];
    PccFeed feed = {.inputs = (const void *[]){x}, .target = labels, .valid = batch};
    for (int step = 0; step < 200; step++) {
        double loss = 0;
        for (int64_t micro = 0; micro < pcc_program.accumulate; micro++) {
            make_batch(x, labels, batch, features, classes);
            loss = pcc_backward(session, &feed);
        }
        pcc_update(session, 1e-2);
        if (step % 50 == 0)
            printf("step %3d  loss %.4f\n", step, loss);
    }
    make_batch(x, labels, batch, features, classes);
    PccEvaluation result = pcc_evaluate(session, &feed);
    printf("loss %.4f, %lld of %lld right\n", result.loss, (long long)result.correct, (long long)result.judged);
    return pcc_save(session, "embedded.safetensors", error);
}

int main(void)
{
    PccError error;
    PccSession *session = pcc_open(&pcc_program, NULL, 0, &error);
    if (!session) {
        fprintf(stderr, "%s\n", error.message);
        return error.status;
    }
    float *x = calloc((size_t)elements(&pcc_program.inputs[0]), sizeof *x);
    int64_t *labels = calloc((size_t)pcc_program.batch, sizeof *labels);
    int status = x && labels ? train(session, x, labels, &error) : PCC_ERR_INTERNAL;
    if (status)
        fprintf(stderr, "%s\n", error.message);
    free(x);
    free(labels);
    pcc_close(session);
    return status;
}
