/* probe.c: --probe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../session/blocks.h"
#include "../session/copies.h"
#include "../files/dtype.h"
#include "../data/batch_layout.h"
#include "../session/memory.h"
#include "probe.h"
#include "../files/safetensors.h"
#include "../session/session.h"

/* The tensors of the dump, each with its own memory. */
typedef struct Probe {
    PccSession *session;
    PccDtype dtype; /* dtype of the floats in the dump */
    void **slots;   /* the inputs, then the target */
    double *loss;
    char *states; /* copies of all states before a step */
    PccStTensor *tensors;
    int64_t count;
} Probe;

/* Floats come as F32 or F64, integers as any integer type: converted to the program's dtypes. */
static int probe_read(const PccSafetensors *file, const char *name, const PccTensor *tensor, void *out, PccError *error)
{
    const PccStTensor *found = pcc_st_find(file, name);
    if (!found)
        return pcc_fail(error, PCC_ERR_INPUT, "%s has no tensor %s", file->path, name);
    bool kind = pcc_dtype_is_float(found->dtype) == pcc_dtype_is_float(tensor->dtype);
    const PccStTensor *checked;
    int status =
        pcc_st_require(file, name, kind ? found->dtype : tensor->dtype, tensor->rank, tensor->dims, &checked, error);
    if (!status)
        pcc_dtype_convert(out, tensor->dtype, found->data, found->dtype, pcc_element_count(tensor->rank, tensor->dims));
    return status;
}

/* Labels index into the logits: out of range they would read out of bounds. */
static int probe_check_labels(const char *path, const char *name, const PccTensor *tensor, const void *labels,
                              int64_t classes, PccError *error)
{
    int64_t count = pcc_element_count(tensor->rank, tensor->dims);
    for (int64_t i = 0; i < count; i++) {
        int64_t label = pcc_dtype_load_integer(labels, tensor->dtype, i);
        if (label != -100 && (label < 0 || (classes > 0 && label >= classes)))
            return pcc_fail(error, PCC_ERR_INPUT, "%s: %s[%lld] is %lld; labels are 0 to %lld, or -100 (ignored)", path,
                            name, (long long)i, (long long)label, (long long)classes - 1);
    }
    return PCC_OK;
}

static int probe_fill(Probe *probe, const PccLayout *layout, const PccSafetensors *file, PccError *error)
{
    int status = PCC_OK;
    for (int64_t i = 0; i < layout->count && !status; i++) {
        const PccTensor *tensor = layout->slots[i].tensor;
        char name[1024] = "target";
        if (!tensor)
            continue;
        if (i + 1 < layout->count)
            snprintf(name, sizeof name, "input/%s", tensor->name);
        probe->slots[i] = pcc_allocate_block(pcc_tensor_bytes(tensor));
        if (!probe->slots[i])
            return pcc_fail_memory(error);
        status = probe_read(file, name, tensor, probe->slots[i], error);
        if (!status && layout->slots[i].labels)
            status = probe_check_labels(file->path, name, tensor, probe->slots[i], layout->classes, error);
    }
    return status;
}

/* Adds a copy of the data under kind and name, floats in the dump's dtype and divided by divisor. */
static int probe_add(Probe *probe, const char *kind, const PccTensor *tensor, PccDtype dtype, const void *data,
                     double divisor, PccError *error)
{
    int64_t count = pcc_element_count(tensor->rank, tensor->dims);
    PccDtype to = pcc_dtype_is_float(dtype) ? probe->dtype : dtype;
    size_t length = strlen(kind) + strlen(tensor->name) + 2;
    char *name = malloc(length);
    void *copy = malloc((size_t)count * pcc_dtype_size(to) + 1);
    PccStTensor *entry = &probe->tensors[probe->count++];
    *entry = (PccStTensor){.name = name, .dtype = to, .rank = tensor->rank, .data = copy};
    memcpy(entry->dims, tensor->dims, sizeof entry->dims);
    if (!name || !copy)
        return pcc_fail_memory(error);
    snprintf(name, length, "%s%s", kind, tensor->name);
    pcc_dtype_convert(copy, to, data, dtype, count);
    for (int64_t i = 0; divisor != 1 && i < count; i++)
        pcc_dtype_store(copy, to, i, pcc_dtype_load(copy, to, i) / divisor);
    return PCC_OK;
}

/* scale: the loss scale of the gradients. */
static int probe_add_first_step(Probe *probe, double scale, PccError *error)
{
    const PccProgram *program = probe->session->program;
    const char *gradients = pcc_host_gradients(probe->session, error);
    int status = gradients ? PCC_OK : error->status;
    for (int64_t i = 0; i < program->output_count && !status; i++) {
        const PccTensor *output = &program->outputs[i];
        const void *data = pcc_host_output(probe->session, output->offset, pcc_tensor_bytes(output), error);
        status = data ? probe_add(probe, "output/", output, output->dtype, data, 1, error) : error->status;
    }
    for (int64_t i = 0; i < program->param_count && !status; i++) {
        const PccParam *param = &program->params[i];
        status =
            probe_add(probe, "grad/", &param->value, param->gradient_dtype, gradients + param->gradient, scale, error);
    }
    return status;
}

static int probe_add_last_step(Probe *probe, PccError *error)
{
    const PccProgram *program = probe->session->program;
    const char *weights = pcc_host_weights(probe->session, error);
    int status = weights ? PCC_OK : error->status;
    for (int64_t i = 0; i < program->param_count && !status; i++) {
        PccDtype dtype;
        const void *weight = pcc_param_weight(probe->session, &program->params[i], &dtype);
        status = probe_add(probe, "param/", &program->params[i].value, dtype, weight, 1, error);
    }
    for (int64_t i = 0; i < program->state_count && !status; i++)
        status = probe_add(probe, "state/", &program->states[i], program->states[i].dtype,
                           weights + program->states[i].offset, 1, error);
    return status;
}

/* Copies the states to `kept`, or back. */
static int probe_keep_states(const Probe *probe, char *kept, bool back, PccError *error)
{
    const PccProgram *program = probe->session->program;
    char *weights = program->state_count ? pcc_host_weights(probe->session, error) : NULL;
    if (program->state_count && !weights)
        return error->status;
    for (int64_t i = 0; i < program->state_count; i++) {
        char *state = weights + program->states[i].offset;
        size_t bytes = pcc_tensor_bytes(&program->states[i]);
        memcpy(back ? state : kept, back ? kept : state, bytes);
        kept += bytes;
    }
    return program->state_count && back ? pcc_weights_changed(probe->session, error) : PCC_OK;
}

/* One update. Where the dynamic loss scale is too large for the batch, the step is repeated from the same state with
 * the smaller one: a dump is to show the arithmetic, not the search for a scale. */
static int probe_step(Probe *probe, int64_t i, PccError *error)
{
    PccSession *session = probe->session;
    const PccProgram *program = session->program;
    PccFeed feed = {(const void *const *)probe->slots, probe->slots[program->input_count], program->batch};
    double scale;
    bool again;
    int status = probe_keep_states(probe, probe->states, false, error);
    do {
        for (int64_t m = 0; m < program->accumulate; m++)
            probe->loss[i] = pcc_backward(session, &feed);
        scale = session->step.loss_scaling.scale;
        again =
            pcc_update(session, session->step.hyper.lr).first_overflow >= 0 && program->scaling.dynamic && scale > 1;
        if (again && !status)
            status = probe_keep_states(probe, probe->states, true, error);
        if (!status)
            status = pcc_session_status(session, error);
    } while (again && !status);
    return i == 0 && !status ? probe_add_first_step(probe, scale, error) : status;
}

static int probe_run(Probe *probe, int64_t steps, PccError *error)
{
    int status = pcc_keep_outputs(probe->session, error);
    probe->session->step.deterministic = true;
    for (int64_t i = 0; i < steps && !status; i++)
        status = probe_step(probe, i, error);
    if (!status)
        status = probe_add_last_step(probe, error);
    const PccTensor loss = {.name = "loss", .rank = 1, .dims = {steps}};
    if (!status)
        status = probe_add(probe, "", &loss, PCC_F64, probe->loss, 1, error);
    return status;
}

static int probe_allocate(Probe *probe, int64_t steps, PccError *error)
{
    const PccProgram *program = probe->session->program;
    int64_t most = program->output_count + 2 * program->param_count + program->state_count + 1;
    size_t states = 1;
    probe->slots = calloc((size_t)program->input_count + 1, sizeof *probe->slots);
    probe->loss = calloc((size_t)steps, sizeof *probe->loss);
    probe->tensors = calloc((size_t)most, sizeof *probe->tensors);
    for (int64_t i = 0; i < program->state_count; i++)
        states += pcc_tensor_bytes(&program->states[i]);
    probe->states = malloc(states);
    return probe->slots && probe->loss && probe->tensors && probe->states ? PCC_OK : pcc_fail_memory(error);
}

static void probe_free(Probe *probe, const PccLayout *layout)
{
    for (int64_t i = 0; probe->slots && i < layout->count; i++)
        if (probe->slots[i])
            pcc_free_block(probe->slots[i], pcc_tensor_bytes(layout->slots[i].tensor));
    for (int64_t i = 0; i < probe->count; i++) {
        free((char *)probe->tensors[i].name);
        free((void *)probe->tensors[i].data);
    }
    free(probe->slots);
    free(probe->loss);
    free(probe->states);
    free(probe->tensors);
}

static int probe_run_file(Probe *probe, const PccLayout *layout, const char *path, int64_t steps, PccError *error)
{
    PccSafetensors file;
    int status = pcc_st_open(&file, path, error);
    if (status)
        return status;
    status = probe_fill(probe, layout, &file, error);
    pcc_st_close(&file);
    return status ? status : probe_run(probe, steps, error);
}

int pcc_probe(PccSession *session, const char *path, const char *dump, int64_t steps, PccError *error)
{
    PccLayout layout;
    Probe probe = {.session = session,
                   .dtype = strcmp(session->program->precision, "64-true") == 0 ? PCC_F64 : PCC_F32};
    int status = pcc_layout_init(&layout, session->program, error);
    if (!status)
        status = probe_allocate(&probe, steps, error);
    if (!status)
        status = probe_run_file(&probe, &layout, path, steps, error);
    if (!status)
        status = pcc_st_write(dump, probe.tensors, probe.count, NULL, 0, error);
    probe_free(&probe, &layout);
    pcc_layout_free(&layout);
    return status;
}
