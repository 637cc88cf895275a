/* two.c: two programs in one process (pcc --name), their steps in turns, on different numbers of threads. Each reports
 * the losses that it reports alone. */
#include <stdio.h>
#include <stdlib.h>

#include <pcc/pcc.h>

extern const PccProgram pcc_program_actor, pcc_program_critic;

enum { STEPS = 5, ROOM = 8 * 3 * 36 };

static float x[ROOM], prediction[ROOM];
static int64_t labels[8];

static PccSession *open_or_exit(const PccProgram *program, int threads)
{
    PccError error;
    PccSession *session = pcc_open(program, NULL, threads, &error);
    if (!session) {
        fprintf(stderr, "two: %s\n", error.message);
        exit(1);
    }
    return session;
}

static double train_step(PccSession *session, const PccProgram *program)
{
    PccFeed feed = {.inputs = (const void *[]){x}, .valid = program->batch};
    feed.target = program->loss == PCC_LOSS_MSE ? (const void *)prediction : labels;
    double loss = pcc_backward(session, &feed);
    pcc_update(session, 0.01);
    return loss;
}

int main(void)
{
    const PccProgram *programs[] = {&pcc_program_actor, &pcc_program_critic};
    double alone[2][STEPS];
    for (int i = 0; i < ROOM; i++) {
        x[i] = (float)(i % 7) - 3;
        prediction[i] = (float)(i % 3);
        labels[i % 8] = i % 3;
    }
    for (int p = 0; p < 2; p++) {
        PccSession *session = open_or_exit(programs[p], 1);
        for (int step = 0; step < STEPS; step++)
            alone[p][step] = train_step(session, programs[p]);
        pcc_close(session);
    }
    PccSession *sessions[] = {open_or_exit(programs[0], 1), open_or_exit(programs[1], 2)};
    int wrong = !(alone[0][STEPS - 1] < alone[0][0]) || !(alone[1][STEPS - 1] < alone[1][0]);
    for (int step = 0; step < STEPS; step++)
        for (int p = 0; p < 2; p++)
            wrong += train_step(sessions[p], programs[p]) != alone[p][step];
    for (int p = 0; p < 2; p++)
        pcc_close(sessions[p]);
    printf("losses %g and %g\n", alone[0][STEPS - 1], alone[1][STEPS - 1]);
    return wrong > 0;
}
