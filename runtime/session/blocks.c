/* blocks.c: the program's blocks, in the CPU's memory or in a device's. */
#include <stdio.h>
#include <stdlib.h>

#include "../device/device.h"
#include "../files/dtype.h"
#include "available.h"
#include "blocks.h"
#include "memory.h"

/* The host's side of a program on a device. */
struct PccHostView {
    char *weights;   /* as large as the block; untouched pages use no memory */
    char *outputs;   /* as large as the arena; the same applies */
    char *gradients; /* as large as the block of gradients; the same applies */
    bool is_stale;   /* `weights`: a function ran since it was fetched */
    /* On the device: the inputs, then the target; where they are uploaded while the former are read; and the batch that
     * was uploaded. */
    void **slots, **staging;
    const PccFeed *staged;
};

/* ---- on the CPU ------------------------------------------------------------------------------------------------- */

/* Pages are allocated when they are touched: without this check the system could kill the program in the middle of a
 * step. */
static int blocks_check_memory(const PccProgram *program, PccError *error)
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

static int blocks_allocate_here(PccSession *session, PccError *error)
{
    const PccProgram *program = session->program;
    if (blocks_check_memory(program, error))
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

/* ---- on a device ------------------------------------------------------------------------------------------------ */

static const PccTensor *blocks_slot_tensor(const PccProgram *program, int64_t i)
{
    const PccTensor *tensor = i < program->input_count ? &program->inputs[i] : &program->target;
    return tensor->rank < 0 ? NULL : tensor;
}

/* Allocates the inputs, then the target; NULL where there is none, or no memory. */
static void **blocks_allocate_slots(PccSession *session, PccError *error)
{
    const PccProgram *program = session->program;
    void **slots = calloc((size_t)program->input_count + 1, sizeof *slots);
    if (!slots)
        pcc_fail_memory(error);
    for (int64_t i = 0; slots && i <= program->input_count && !error->status; i++) {
        const PccTensor *tensor = blocks_slot_tensor(program, i);
        if (tensor)
            slots[i] = program->device->allocate(&session->step, pcc_tensor_bytes(tensor), error);
    }
    return slots;
}

static int blocks_allocate_inputs(PccSession *session, PccError *error)
{
    struct PccHostView *view = session->view;
    view->slots = blocks_allocate_slots(session, error);
    if (!error->status)
        view->staging = blocks_allocate_slots(session, error);
    if (error->status)
        return error->status;
    session->step.inputs = (const void *const *)view->slots;
    session->step.target = view->slots[session->program->input_count];
    return PCC_OK;
}

static size_t blocks_table_bytes(const PccProgram *program)
{
    return (size_t)program->param_count * sizeof *program->params;
}

/* The table of parameters in the device's memory; its names point to the host's. */
static int blocks_write_params(PccSession *session, PccError *error)
{
    const PccProgram *program = session->program;
    void *params = (void *)session->step.params;
    return params ? program->device->write(&session->step, params, program->params, blocks_table_bytes(program), error)
                  : PCC_OK;
}

/* Bytes of the inputs and the target. */
static double blocks_batch_bytes(const PccProgram *program)
{
    double sum = 0;
    for (int64_t i = 0; i <= program->input_count; i++) {
        const PccTensor *tensor = blocks_slot_tensor(program, i);
        sum += tensor ? (double)pcc_tensor_bytes(tensor) : 0;
    }
    return sum;
}

/* The largest batch, below the program's, for which the arena and the inputs, scaled to it, fit besides the weights.
 * Part of the arena does not grow with the batch: some memory is reserved for that. */
static int64_t blocks_batch_that_fits(const PccProgram *program, double available)
{
    const double left = (available - (double)program->weights_bytes) * 31 / 32;
    const double growing = (double)program->arena_bytes + 2 * blocks_batch_bytes(program);
    const double batch = growing > 0 ? (double)program->batch * left / growing : 0;
    return batch < 0 ? 0 : batch < (double)program->batch - 1 ? (int64_t)batch : program->batch - 1;
}

/* Adds to the error of a failed allocation how much memory is needed in all, and which batch would fit. */
static int blocks_fail_there(const PccProgram *program, size_t available, size_t total, PccError *error)
{
    const PccError cause = *error;
    const double batch = 2 * blocks_batch_bytes(program);
    const int64_t fits = blocks_batch_that_fits(program, (double)available);
    char advice[96] = "compile it";
    if (fits > 0)
        snprintf(advice, sizeof advice, "compile it with --batch %lld, which may fit, instead of %lld, or",
                 (long long)fits, (long long)program->batch);
    return pcc_fail(error, PCC_ERR_INTERNAL,
                    "%s: %s needs %.1f MiB on the GPU, %.1f for weights, %.1f for a step and %.1f for two batches, and "
                    "%.1f of the GPU's %.1f MiB were free; %s with --recompute auto or a 16-bit --precision",
                    cause.message, program->name,
                    ((double)program->weights_bytes + (double)program->arena_bytes + batch) / 0x1p20,
                    (double)program->weights_bytes / 0x1p20, (double)program->arena_bytes / 0x1p20, batch / 0x1p20,
                    (double)available / 0x1p20, (double)total / 0x1p20, advice);
}

static int blocks_allocate_all_there(PccSession *session, PccError *error)
{
    const PccProgram *program = session->program;
    PccStep *step = &session->step;
    size_t available, total;
    program->device->memory(step, &available, &total);
    step->weights = program->device->allocate(step, program->weights_bytes, error);
    if (!error->status)
        step->arena = program->device->allocate(step, program->arena_bytes, error);
    if (!error->status)
        blocks_allocate_inputs(session, error);
    if (!error->status && program->param_count > 0)
        step->params = program->device->allocate(step, blocks_table_bytes(program), error);
    return error->status ? blocks_fail_there(program, available, total, error) : PCC_OK;
}

static int blocks_allocate_there(PccSession *session, PccError *error)
{
    const PccProgram *program = session->program;
    PccStep *step = &session->step;
    session->view = calloc(1, sizeof *session->view);
    if (!session->view)
        return pcc_fail_memory(error);
    session->view->weights = pcc_allocate_block(program->weights_bytes);
    session->view->outputs = pcc_allocate_block(program->arena_bytes);
    session->view->gradients = pcc_allocate_block(program->gradient_bytes);
    if (!session->view->weights || !session->view->outputs || !session->view->gradients)
        return pcc_fail_memory(error);
    int status = program->device->open(step, session->device_number, error);
    if (!status)
        status = blocks_allocate_all_there(session, error);
    return status ? status : blocks_write_params(session, error);
}

/* NULL where the weights block has them, or nothing has kept them. */
static char *blocks_own_gradients(const PccSession *session)
{
    return session->program->gradient_bytes > 0 ? session->step.gradients : NULL;
}

static void blocks_release_there(PccSession *session)
{
    const PccProgram *program = session->program;
    PccStep *step = &session->step;
    struct PccHostView *view = session->view;
    if (!view)
        return;
    program->device->release(step, step->weights);
    program->device->release(step, step->arena);
    program->device->release(step, step->outputs);
    program->device->release(step, blocks_own_gradients(session));
    program->device->release(step, (void *)step->params);
    for (int64_t i = 0; i <= program->input_count; i++) {
        program->device->release(step, view->slots ? view->slots[i] : NULL);
        program->device->release(step, view->staging ? view->staging[i] : NULL);
    }
    program->device->close(step);
    pcc_free_block(view->weights, program->weights_bytes);
    pcc_free_block(view->outputs, program->arena_bytes);
    pcc_free_block(view->gradients, program->gradient_bytes);
    free(view->slots);
    free(view->staging);
    free(view);
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

int pcc_allocate_blocks(PccSession *session, PccError *error)
{
    return session->program->device ? blocks_allocate_there(session, error) : blocks_allocate_here(session, error);
}

void pcc_release_blocks(PccSession *session)
{
    const PccProgram *program = session->program;
    if (program->device) {
        blocks_release_there(session);
        return;
    }
    pcc_free_block(session->step.weights, program->weights_bytes);
    pcc_free_block(session->step.arena, program->arena_bytes);
    pcc_free_block(session->step.outputs, program->outputs_bytes);
    pcc_free_block(blocks_own_gradients(session), program->gradient_bytes);
    pcc_free_block(session->step.thread_scratch, (size_t)session->threads * PCC_THREAD_SCRATCH);
}

char *pcc_host_weights(const PccSession *session, PccError *error)
{
    struct PccHostView *view = session->view;
    PccStep *step = (PccStep *)&session->step; /* fetching changes nothing that the caller can see */
    if (!view)
        return step->weights;
    if (view->is_stale &&
        session->program->device->read(step, view->weights, step->weights, session->program->weights_bytes, error))
        return NULL;
    view->is_stale = false;
    return view->weights;
}

char *pcc_weights_view(const PccSession *session)
{
    return session->view ? session->view->weights : session->step.weights;
}

int pcc_weights_changed(PccSession *session, PccError *error)
{
    const PccProgram *program = session->program;
    if (!session->view)
        return PCC_OK;
    return program->device->write(&session->step, session->step.weights, session->view->weights, program->weights_bytes,
                                  error);
}

void pcc_weights_forget(PccSession *session)
{
    if (session->view)
        session->view->is_stale = true;
}

/* A block that not every run needs. */
static char *blocks_allocate_more(PccSession *session, size_t bytes, const char *what, PccError *error)
{
    const PccProgram *program = session->program;
    PccError cause = {.message = "out of memory"};
    char *block = session->view ? program->device->allocate(&session->step, bytes, &cause) : pcc_allocate_block(bytes);
    if (!block)
        pcc_fail(error, PCC_ERR_INTERNAL, "%s: %s needs %.1f MiB more to keep %s", cause.message, program->name,
                 (double)bytes / 0x1p20, what);
    return block;
}

int pcc_allocate_outputs(PccSession *session, PccError *error)
{
    PccStep *step = &session->step;
    const size_t bytes = session->program->outputs_bytes;
    if (bytes > 0 && !step->outputs)
        step->outputs = blocks_allocate_more(session, bytes, "its outputs", error);
    return bytes == 0 || step->outputs ? PCC_OK : error->status;
}

int pcc_allocate_gradients(PccSession *session, PccError *error)
{
    PccStep *step = &session->step;
    const size_t bytes = session->program->gradient_bytes;
    if (!step->gradients)
        step->gradients = bytes > 0 ? blocks_allocate_more(session, bytes, "all gradients", error) : step->weights;
    return step->gradients ? PCC_OK : error->status;
}

const char *pcc_host_gradients(const PccSession *session, PccError *error)
{
    const PccProgram *program = session->program;
    PccStep *step = (PccStep *)&session->step;
    if (program->gradient_bytes == 0)
        return pcc_host_weights(session, error);
    if (!session->view)
        return step->gradients;
    char *gradients = session->view->gradients;
    return program->device->read(step, gradients, step->gradients, program->gradient_bytes, error) ? NULL : gradients;
}

const void *pcc_host_output(const PccSession *session, size_t offset, size_t bytes, PccError *error)
{
    PccStep *step = (PccStep *)&session->step;
    const char *outputs = session->outputs;
    if (!outputs) {
        pcc_fail(error, PCC_ERR_USAGE,
                 "the outputs of a training step are not kept: call pcc_keep_outputs() before it");
        return NULL;
    }
    if (!session->view)
        return outputs + offset;
    char *output = session->view->outputs + offset;
    return session->program->device->read(step, output, outputs + offset, bytes, error) ? NULL : output;
}

int pcc_prefetch(PccSession *session, const PccFeed *feed, PccError *error)
{
    const PccProgram *program = session->program;
    int status = PCC_OK;
    if (!session->view)
        return PCC_OK;
    for (int64_t i = 0; i <= program->input_count && !status; i++)
        if (session->view->staging[i])
            status = program->device->upload(&session->step, session->view->staging[i],
                                             i < program->input_count ? feed->inputs[i] : feed->target,
                                             pcc_tensor_bytes(blocks_slot_tensor(program, i)), error);
    session->view->staged = status ? NULL : feed;
    return status;
}

int pcc_feed(PccSession *session, const PccFeed *feed, PccError *error)
{
    const PccProgram *program = session->program;
    PccStep *step = &session->step;
    struct PccHostView *view = session->view;
    step->valid = feed->valid;
    step->counted = 0;
    if (!view) {
        step->inputs = feed->inputs;
        step->target = feed->target;
        return PCC_OK;
    }
    int status = view->staged == feed ? PCC_OK : pcc_prefetch(session, feed, error);
    for (int64_t i = 0; i <= program->input_count && !status; i++)
        if (view->slots[i])
            status = program->device->take(step, view->slots[i], view->staging[i],
                                           pcc_tensor_bytes(blocks_slot_tensor(program, i)), error);
    view->staged = NULL; /* the same feed may hold another batch next time */
    return status;
}

int pcc_begin(PccSession *session, void (*function)(PccStep *), PccError *error)
{
    if (!session->view) {
        function(&session->step);
        return PCC_OK;
    }
    session->view->is_stale = true;
    return session->program->device->begin(&session->step, function, error);
}

int pcc_finish(PccSession *session, PccError *error)
{
    return session->view ? session->program->device->finish(&session->step, error) : PCC_OK;
}

void pcc_pin(PccSession *session, void *memory, size_t bytes)
{
    if (session && session->view && bytes > 0)
        session->program->device->pin(&session->step, memory, bytes);
}

void pcc_unpin(PccSession *session, void *memory)
{
    if (session && session->view && memory)
        session->program->device->unpin(&session->step, memory);
}
