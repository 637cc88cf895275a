/* initial_weights.c: where the initial weights come from, and --save. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocks.h"
#include "copies.h"
#include "../files/dtype.h"
#include "../files/files.h"
#include "session.h"

/* Copies one tensor, then drops the file's pages, which would otherwise count as the program's memory. */
static int weights_copy(PccSession *session, const PccSafetensors *file, const PccTensor *to, PccError *error)
{
    const PccStTensor *from;
    int status = pcc_st_require(file, to->name, to->dtype, to->rank, to->dims, &from, error);
    if (status)
        return status;
    memcpy(pcc_weights_view(session) + to->offset, from->data, from->bytes);
    pcc_st_release(file, from);
    return PCC_OK;
}

/* A 16-bit parameter may be wider in the file. */
static int weights_copy_param(PccSession *session, const PccSafetensors *file, const PccParam *param, PccError *error)
{
    const PccTensor *to = &param->value;
    const PccStTensor *from = pcc_st_find(file, to->name);
    bool widened = pcc_dtype_size(to->dtype) == 2 && from && from->dtype == PCC_F32;
    int status = pcc_st_require(file, to->name, widened ? PCC_F32 : to->dtype, to->rank, to->dims, &from, error);
    if (status)
        return status;
    pcc_set_param(session, param, from->data, from->dtype);
    pcc_st_release(file, from);
    return PCC_OK;
}

/* Constants that a program of another target has in its source are not in the files that it saves: they are taken from
 * this program's own file. */
static int weights_copy_constant(PccSession *session, const PccSafetensors *file, const PccTensor *to, PccError *error)
{
    PccSafetensors own;
    const bool has_own = session->program->embedded_weights || session->weights_path;
    if (pcc_st_find(file, to->name) || !has_own)
        return weights_copy(session, file, to, error);
    int status = pcc_open_weights(session, &own, error);
    if (status)
        return status;
    status = weights_copy(session, &own, to, error);
    pcc_st_close(&own);
    return status;
}

int pcc_copy_weights(PccSession *session, const PccSafetensors *file, PccError *error)
{
    const PccProgram *program = session->program;
    int status = pcc_host_weights(session, error) ? PCC_OK : error->status;
    for (int64_t i = 0; i < program->param_count && !status; i++)
        status = weights_copy_param(session, file, &program->params[i], error);
    for (int64_t i = 0; i < program->state_count && !status; i++)
        status = weights_copy(session, file, &program->states[i], error);
    for (int64_t i = 0; i < program->constant_count && !status; i++)
        status = weights_copy_constant(session, file, &program->constants[i], error);
    if (status)
        pcc_weights_forget(session);
    return status ? status : pcc_weights_changed(session, error);
}

int pcc_load(PccSession *session, const char *file, PccError *error)
{
    PccSafetensors weights;
    int status = pcc_st_open(&weights, file, error);
    if (status)
        return status;
    status = pcc_copy_weights(session, &weights, error);
    pcc_st_close(&weights);
    return status;
}

/* program->weights_file beside the executable, else as it is: in the current folder. New memory. */
static char *weights_locate(const PccProgram *program)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0) {
        self[length] = '\0';
        char *slash = strrchr(self, '/');
        slash[slash == self] = '\0';
        char *beside = pcc_join_path(self, program->weights_file);
        if (!beside || pcc_file_exists(beside))
            return beside;
        free(beside);
    }
    return strdup(program->weights_file);
}

int pcc_load_initial_weights(PccSession *session, PccError *error)
{
    const PccProgram *program = session->program;
    if (!program->embedded_weights && !program->weights_file)
        return PCC_OK; /* a program as a library may leave loading to its caller */
    if (!program->embedded_weights) {
        session->weights_path = weights_locate(program);
        if (!session->weights_path)
            return pcc_fail_memory(error);
        if (!pcc_file_exists(session->weights_path))
            return pcc_fail(error, PCC_ERR_IO,
                            "cannot find the initial weights %s beside the executable or in the current folder; pcc "
                            "wrote them together with the source",
                            program->weights_file);
    }
    PccSafetensors file;
    int status = pcc_open_weights(session, &file, error);
    if (status)
        return status;
    status = pcc_copy_weights(session, &file, error);
    pcc_st_close(&file);
    return status;
}

int pcc_open_weights(const PccSession *session, PccSafetensors *file, PccError *error)
{
    const PccProgram *program = session->program;
    if (program->embedded_weights)
        return pcc_st_parse(file, program->embedded_weights, program->embedded_bytes, "the embedded weights", error);
    if (session->weights_path)
        return pcc_st_open(file, session->weights_path, error);
    return pcc_fail(error, PCC_ERR_INPUT, "the program %s came without initial weights", program->name);
}

static PccStTensor weights_entry(const PccTensor *tensor, PccDtype dtype, const void *data)
{
    PccStTensor entry = {.name = tensor->name, .dtype = dtype, .rank = tensor->rank, .data = data};
    memcpy(entry.dims, tensor->dims, sizeof entry.dims);
    return entry;
}

/* Is there no copy of the parameter in f32 or f64 that a file could be written from? */
static bool weights_need_room(const PccParam *param)
{
    return pcc_dtype_size(param->value.dtype) == 2 && param->rounding != PCC_MASTER;
}

/* A parameter for --save; one stored in 16 bits is widened in the memory at `room`, which is advanced. */
static PccStTensor weights_param_entry(const PccSession *session, const PccParam *param, float **room)
{
    PccDtype dtype;
    const void *data = pcc_param_weight(session, param, &dtype);
    if (!weights_need_room(param))
        return weights_entry(&param->value, dtype, data);
    int64_t count = pcc_element_count(param->value.rank, param->value.dims);
    float *widened = *room;
    pcc_dtype_convert(widened, PCC_F32, data, dtype, count);
    *room += count;
    return weights_entry(&param->value, PCC_F32, widened);
}

static size_t weights_room_elements(const PccProgram *program)
{
    size_t elements = 0;
    for (int64_t i = 0; i < program->param_count; i++) {
        const PccTensor *value = &program->params[i].value;
        if (weights_need_room(&program->params[i]))
            elements += (size_t)pcc_element_count(value->rank, value->dims);
    }
    return elements;
}

int pcc_save(const PccSession *session, const char *file, PccError *error)
{
    const PccProgram *program = session->program;
    int64_t count = program->param_count + program->state_count + program->constant_count, n = 0;
    const char *weights = pcc_host_weights(session, error);
    if (!weights)
        return error->status;
    PccStTensor *entries = calloc((size_t)count + 1, sizeof *entries);
    float *widened = calloc(weights_room_elements(program) + 1, sizeof *widened), *room = widened;
    int status = entries && widened ? PCC_OK : pcc_fail_memory(error);
    for (int64_t i = 0; i < program->param_count && !status; i++)
        entries[n++] = weights_param_entry(session, &program->params[i], &room);
    for (int64_t i = 0; i < program->state_count && !status; i++)
        entries[n++] =
            weights_entry(&program->states[i], program->states[i].dtype, weights + program->states[i].offset);
    for (int64_t i = 0; i < program->constant_count && !status; i++)
        entries[n++] =
            weights_entry(&program->constants[i], program->constants[i].dtype, weights + program->constants[i].offset);
    PccStMetadata metadata = {"format", "pt"}; /* what readers in Python expect to find */
    if (!status)
        status = pcc_st_write(file, entries, n, &metadata, 1, error);
    free(widened);
    free(entries);
    return status;
}
