/* session.c: opening a program, and the library's calls on it. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "available.h"
#include "memory.h"
#include "session.h"

/* Pages are taken as they are touched: without this, the system would end the program in the middle of a step. */
static int session_check_memory(const PccProgram *program, PccError *error)
{
    const double needed = (double)program->weights_bytes + (double)program->arena_bytes;
    const double available = (double)pcc_available_memory("");
    if (needed <= available)
        return PCC_OK;
    return pcc_fail(error, PCC_ERR_INTERNAL,
                    "not enough memory: %s needs %.1f MiB for weights and %.1f MiB for a step, but %.1f MiB are "
                    "available; compile it with a smaller --batch",
                    program->name, (double)program->weights_bytes / 0x1p20, (double)program->arena_bytes / 0x1p20,
                    available / 0x1p20);
}

static int session_allocate(PccSession *session, PccError *error)
{
    const PccProgram *program = session->program;
    if (session_check_memory(program, error))
        return error->status;
    PccStep *step = &session->step;
    step->weights = pcc_allocate_block(program->weights_bytes);
    step->arena = pcc_allocate_block(program->arena_bytes);
    step->thread_scratch = pcc_allocate_block((size_t)session->threads * PCC_THREAD_SCRATCH);
    if (step->weights && step->arena && step->thread_scratch)
        return PCC_OK;
    return pcc_fail(error, PCC_ERR_INTERNAL, "out of memory: %s needs %.1f MiB for weights and %.1f MiB for a step",
                    program->name, (double)program->weights_bytes / 0x1p20, (double)program->arena_bytes / 0x1p20);
}

void pcc_set_loss_scale(PccSession *session, PccLossScale loss_scale)
{
    session->loss_scale = loss_scale;
    session->step.loss_scale = loss_scale.scale;
}

PccSession *pcc_open(const PccProgram *program, const char *weights, int threads, PccError *error)
{
    *error = (PccError){0};
    if (program->abi != PCC_PROGRAM_ABI) {
        pcc_fail(error, PCC_ERR_INTERNAL, "the program has ABI %d, this runtime %d: compile the model again",
                 program->abi, PCC_PROGRAM_ABI);
        return NULL;
    }
    PccSession *session = calloc(1, sizeof *session);
    if (!session) {
        pcc_fail_memory(error);
        return NULL;
    }
    session->program = program;
    session->threads = threads > 0 ? threads : omp_get_max_threads();
    session->step.hyper = program->hyper;
    session->step.clip_norm = program->clip_norm;
    session->step.check_gradients = program->scaling.initial != 0;
    pcc_set_loss_scale(session, pcc_loss_scale_start(&program->scaling));
    session->step.valid = program->batch;
    int status = session_allocate(session, error);
    if (!status)
        status = weights ? pcc_load(session, weights, error) : pcc_load_initial_weights(session, error);
    if (!status)
        return session;
    pcc_close(session);
    return NULL;
}

void pcc_close(PccSession *session)
{
    if (!session)
        return;
    pcc_free_block(session->step.weights, session->program->weights_bytes);
    pcc_free_block(session->step.arena, session->program->arena_bytes);
    pcc_free_block(session->step.thread_scratch, (size_t)session->threads * PCC_THREAD_SCRATCH);
    free(session->weights_path);
    free(session);
}

/* Kernels run on as many threads as OpenMP's setting of the calling thread says, and thread scratch has room for the
 * session's own number: around every call that setting is the session's, whoever calls. Returns the caller's. */
static int session_enter(const PccSession *session)
{
    const int callers = omp_get_max_threads();
    omp_set_num_threads(session->threads);
    return callers;
}

static void session_feed(PccSession *session, const PccFeed *feed)
{
    session->step.inputs = feed->inputs;
    session->step.target = feed->target;
    session->step.valid = feed->valid;
    session->step.counted = 0;
}

double pcc_backward(PccSession *session, const PccFeed *feed)
{
    const int callers = session_enter(session);
    session_feed(session, feed);
    double loss = session->program->step(&session->step);
    session->step.micro++;
    omp_set_num_threads(callers);
    return loss;
}

PccUpdate pcc_update(PccSession *session, double learning_rate)
{
    PccStep *step = &session->step;
    step->hyper.lr = learning_rate;
    const int callers = session_enter(session);
    PccUpdate done = session->program->update(step);
    omp_set_num_threads(callers);
    bool skipped = done.first_overflow >= 0;
    step->micro = 0;
    step->update += !skipped;
    pcc_loss_scale_next(&session->loss_scale, &session->program->scaling, skipped);
    step->loss_scale = session->loss_scale.scale;
    return done;
}

PccEvaluation pcc_evaluate(PccSession *session, const PccFeed *feed)
{
    PccEvaluation result = {0};
    const int callers = session_enter(session);
    session_feed(session, feed);
    result.loss = session->program->evaluate(&session->step);
    result.counted = session->step.counted;
    result.judged = pcc_count_correct(session->program, &session->step, &result.correct);
    omp_set_num_threads(callers);
    return result;
}

PccStep *pcc_step_context(PccSession *session)
{
    return &session->step;
}

static const PccTensor *session_find(const PccTensor *tensors, int64_t count, const char *name)
{
    for (int64_t i = 0; i < count; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return &tensors[i];
    return NULL;
}

const void *pcc_output(const PccSession *session, const char *name, const PccTensor **description)
{
    const PccTensor *found = session_find(session->program->outputs, session->program->output_count, name);
    if (description)
        *description = found;
    return found ? session->step.arena + found->offset : NULL;
}

void *pcc_tensor(PccSession *session, const char *name, const PccTensor **description)
{
    const PccProgram *program = session->program;
    const PccTensor *found = session_find(program->states, program->state_count, name);
    if (!found)
        found = session_find(program->constants, program->constant_count, name);
    for (int64_t i = 0; i < program->param_count && !found; i++)
        if (strcmp(program->params[i].value.name, name) == 0)
            found = &program->params[i].value;
    if (description)
        *description = found;
    return found ? session->step.weights + found->offset : NULL;
}
