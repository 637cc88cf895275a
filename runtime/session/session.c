/* session.c: opens a program, and implements the library's calls. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "../files/dtype.h"
#include "blocks.h"
#include "copies.h"
#include "session.h"

void pcc_set_loss_scale(PccSession *session, PccLossScale loss_scale)
{
    session->step.loss_scale = loss_scale.scale;
    session->step.loss_scaling = loss_scale;
}

PccSession *pcc_open(const PccProgram *program, const char *weights, int threads, PccError *error)
{
    return pcc_open_on(program, 0, weights, threads, error);
}

PccSession *pcc_open_on(const PccProgram *program, int device, const char *weights, int threads, PccError *error)
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
    session->device_number = device;
    session->threads = threads > 0 ? threads : omp_get_max_threads();
    session->step.hyper = program->hyper;
    session->step.clip_norm = program->clip_norm;
    session->step.check_gradients = program->scaling.initial != 0;
    pcc_set_loss_scale(session, pcc_loss_scale_start(&program->scaling));
    session->step.valid = program->batch;
    const size_t joined = (size_t)pcc_joined_elements(program);
    session->joined = joined ? malloc(joined * sizeof *session->joined) : NULL;
    int status = joined && !session->joined ? pcc_fail_memory(error) : pcc_allocate_blocks(session, error);
    session->outputs = session->step.arena;
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
    pcc_release_blocks(session);
    free(session->weights_path);
    free(session->joined);
    free(session);
}

/* Kernels use the number of threads of the calling thread's OpenMP setting, and thread scratch is sized for the
 * session's own number: every call sets it to the session's, and restores the caller's, which this returns. */
static int session_enter(const PccSession *session)
{
    const int callers = omp_get_max_threads();
    omp_set_num_threads(session->threads);
    return callers;
}

/* A device that has failed fails again: only the first message is kept. */
static void session_begin(PccSession *session, const PccFeed *feed, void (*function)(PccStep *))
{
    if (session->failure.status)
        return;
    const int callers = session_enter(session);
    int status = feed ? pcc_feed(session, feed, &session->failure) : PCC_OK;
    if (!status)
        pcc_begin(session, function, &session->failure);
    omp_set_num_threads(callers);
}

static bool session_finish(PccSession *session)
{
    return !session->failure.status && !pcc_finish(session, &session->failure);
}

int pcc_session_status(const PccSession *session, PccError *error)
{
    if (session->failure.status)
        *error = session->failure;
    return session->failure.status;
}

/* All gradients are kept, or were. */
static void session_keep_gradients(PccSession *session)
{
    session->step.at_once = false;
    if (!session->failure.status)
        pcc_allocate_gradients(session, &session->failure);
}

static void session_backward(PccSession *session, const PccFeed *feed)
{
    session->outputs = session->program->outputs_bytes > 0 ? session->step.outputs : session->step.arena;
    session_begin(session, feed, session->program->step);
    session->step.micro++;
}

int pcc_begins_early(const PccSession *session)
{
    return session->program->device ? 1 : 0;
}

void pcc_begin_backward(PccSession *session, const PccFeed *feed)
{
    session_keep_gradients(session);
    session_backward(session, feed);
}

double pcc_end_backward(PccSession *session)
{
    return session_finish(session) ? session->step.loss : (double)NAN;
}

double pcc_backward(PccSession *session, const PccFeed *feed)
{
    pcc_begin_backward(session, feed);
    return pcc_end_backward(session);
}

static void session_set_rates(PccSession *session, PccRates rates)
{
    session->step.hyper.lr = rates.lr;
    session->step.lr_if_skipped = rates.if_skipped;
}

/* An update has begun: what begins next is the first micro-batch of another. */
static void session_has_begun_update(PccSession *session)
{
    session->step.micro = 0;
    session->step.ahead++;
}

void pcc_begin_update(PccSession *session, PccRates rates)
{
    session_set_rates(session, rates);
    session_keep_gradients(session);
    session_begin(session, NULL, session->program->update);
    session_has_begun_update(session);
}

void pcc_begin_step(PccSession *session, const PccFeed *feed, PccRates rates)
{
    PccStep *step = &session->step;
    if (session->program->gradient_bytes > 0 && step->micro == 0) {
        session_set_rates(session, rates);
        step->done = (PccUpdate){.first_overflow = -1};
        step->at_once = true;
        session_backward(session, feed);
        session_has_begun_update(session);
    } else {
        pcc_begin_backward(session, feed);
        pcc_begin_update(session, rates);
    }
}

PccUpdate pcc_end_update(PccSession *session)
{
    PccStep *step = &session->step;
    /* An update at once has ended with its backward pass. */
    const bool is_done = step->at_once ? !session->failure.status : session_finish(session);
    step->ahead--;
    if (!is_done)
        return (PccUpdate){.first_overflow = -1};
    bool skipped = step->done.first_overflow >= 0;
    step->update += !skipped;
    PccLossScale next = step->loss_scaling;
    pcc_loss_scale_next(&next, &session->program->scaling, skipped);
    pcc_set_loss_scale(session, next);
    return step->done;
}

PccUpdate pcc_update(PccSession *session, double learning_rate)
{
    pcc_begin_update(session, (PccRates){learning_rate, learning_rate});
    return pcc_end_update(session);
}

double pcc_train_step(PccSession *session, const PccFeed *feed, double learning_rate, PccUpdate *update)
{
    pcc_begin_step(session, feed, (PccRates){learning_rate, learning_rate});
    const double loss = pcc_end_backward(session);
    const PccUpdate done = pcc_end_update(session);
    if (update)
        *update = done;
    return loss;
}

/* Compares predictions of the batch with its labels. */
static void session_judge(PccSession *session, const PccFeed *feed, PccEvaluation *result)
{
    const PccProgram *program = session->program;
    const PccTensor *logits = &program->outputs[program->loss_output];
    if (program->loss == PCC_LOSS_MSE || program->loss == PCC_LOSS_OUTPUT)
        return;
    const void *output = pcc_host_output(session, logits->offset, pcc_tensor_bytes(logits), &session->failure);
    const int callers = session_enter(session);
    if (output)
        result->judged = pcc_count_correct(program, feed, output, &result->correct);
    omp_set_num_threads(callers);
}

PccEvaluation pcc_evaluate(PccSession *session, const PccFeed *feed)
{
    session->outputs = session->step.arena;
    session->step.at_once = false;
    session_begin(session, feed, session->program->evaluate);
    if (!session_finish(session))
        return (PccEvaluation){.loss = (double)NAN};
    PccEvaluation result = {.loss = session->step.loss, .counted = session->step.counted};
    session_judge(session, feed, &result);
    return result;
}

int pcc_keep_outputs(PccSession *session, PccError *error)
{
    *error = (PccError){0};
    return pcc_allocate_outputs(session, error);
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
    PccError error;
    if (description)
        *description = found;
    return found ? pcc_host_output(session, found->offset, pcc_tensor_bytes(found), &error) : NULL;
}

void *pcc_tensor(PccSession *session, const char *name, const PccTensor **description)
{
    const PccProgram *program = session->program;
    const PccTensor *found = session_find(program->states, program->state_count, name);
    PccError error;
    if (!found)
        found = session_find(program->constants, program->constant_count, name);
    for (int64_t i = 0; i < program->param_count && !found; i++)
        if (strcmp(program->params[i].value.name, name) == 0)
            found = &program->params[i].value;
    if (description)
        *description = found;
    char *weights = found ? pcc_host_weights(session, &error) : NULL;
    return weights ? weights + found->offset : NULL;
}
