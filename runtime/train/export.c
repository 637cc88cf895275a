/* export.c: --export: the original ONNX file with the trained values.
 *
 * The weights file carries the original protobuf with the payload bytes of the trained initializers cut out
 * (pcc.export.template, U8) and where each belongs (pcc.export.splices, I64 [n, 4]: byte offset in the template, kind
 * 0 param or 1 state, its index in the program, ONNX data_type). Exporting copies the template and inserts the
 * values. Kind 2 is a param that the file holds as integers on a grid; its index is a row of pcc.export.grids. */
#include <stdlib.h>
#include <string.h>

#include "../session/blocks.h"
#include "../session/copies.h"
#include "../files/dtype.h"
#include "../files/files.h"
#include "../session/session.h"
#include "export_grid.h"

#define EXPORT_TEMPLATE "pcc.export.template"
#define EXPORT_SPLICES "pcc.export.splices"

enum { EXPORT_CHUNK = 1 << 16 }; /* elements converted at a time: whole bytes of any type */
enum { EXPORT_PARAM, EXPORT_STATE, EXPORT_ON_GRID };

typedef struct ExportSplice {
    int64_t offset; /* in the template */
    PccDtype dtype; /* in the ONNX file, unless: */
    bool on_grid;   /* integers */
    ExportInteger integer;
    ExportGrid grid;
    int64_t elements;
    const char *data; /* in the weights block */
    PccDtype data_dtype;
} ExportSplice;

static bool export_dtype(int64_t onnx, PccDtype *dtype)
{
    /* TensorProto.DataType */
    switch (onnx) {
    case 1:
        *dtype = PCC_F32;
        return true;
    case 10:
        *dtype = PCC_F16;
        return true;
    case 11:
        *dtype = PCC_F64;
        return true;
    case 16:
        *dtype = PCC_BF16;
        return true;
    default:
        return false;
    }
}

/* The type in the file, and of a grid its row, which names the parameter: in *index instead. */
static bool export_type(const PccSafetensors *weights, int64_t kind, int64_t onnx, ExportSplice *splice, int64_t *index)
{
    splice->on_grid = kind == EXPORT_ON_GRID;
    if (!splice->on_grid)
        return export_dtype(onnx, &splice->dtype);
    if (!pcc_export_integer(onnx, &splice->integer) || !pcc_export_grid(weights, *index, &splice->grid))
        return false;
    *index = splice->grid.param;
    return true;
}

static int export_read_splice(const PccSession *session, const PccSafetensors *weights, int64_t row,
                              ExportSplice *splice)
{
    const PccProgram *program = session->program;
    const PccStTensor *splices = pcc_st_find(weights, EXPORT_SPLICES);
    int64_t field[4];
    for (int i = 0; i < 4; i++)
        field[i] = pcc_dtype_load_integer(splices->data, PCC_I64, 4 * row + i);
    const int64_t kind = field[1];
    const int64_t count = kind == EXPORT_STATE                             ? program->state_count
                          : kind == EXPORT_PARAM || kind == EXPORT_ON_GRID ? program->param_count
                                                                           : 0;
    int64_t index = field[2];
    if (!export_type(weights, kind, field[3], splice, &index) || index < 0 || index >= count)
        return PCC_ERR_INPUT;
    splice->offset = field[0];
    const PccTensor *tensor = kind == EXPORT_STATE ? &program->states[index] : &program->params[index].value;
    splice->elements = pcc_element_count(tensor->rank, tensor->dims);
    splice->data_dtype = tensor->dtype;
    splice->data = pcc_weights_view(session) + tensor->offset;
    if (kind != EXPORT_STATE)
        splice->data = pcc_param_weight(session, &program->params[index], &splice->data_dtype);
    return PCC_OK;
}

/* Elements at, at + 1, ... as the file has them; returns their bytes. */
static size_t export_chunk(const ExportSplice *splice, int64_t at, int64_t length, char *chunk)
{
    if (splice->on_grid) {
        pcc_export_quantise(&splice->grid, &splice->integer, splice->data, splice->data_dtype, at, length,
                            (unsigned char *)chunk);
        return (size_t)((length * splice->integer.bits + 7) / 8);
    }
    pcc_dtype_convert(chunk, splice->dtype, splice->data + (size_t)at * pcc_dtype_size(splice->data_dtype),
                      splice->data_dtype, length);
    return (size_t)length * pcc_dtype_size(splice->dtype);
}

static int export_tensor(const ExportSplice *splice, PccOutput *output, PccError *error)
{
    int64_t count = splice->elements;
    char *chunk = malloc(EXPORT_CHUNK * sizeof(double));
    int status = PCC_OK;
    if (!chunk) {
        pcc_output_abandon(output);
        return pcc_fail_memory(error);
    }
    for (int64_t at = 0; at < count && !status; at += EXPORT_CHUNK) {
        int64_t length = count - at < EXPORT_CHUNK ? count - at : EXPORT_CHUNK;
        status = pcc_output_write(output, chunk, export_chunk(splice, at, length, chunk), error);
    }
    free(chunk);
    return status;
}

/* The rows are checked before the file is opened, so that nothing is written for a bad table. */
static int export_check(const PccSession *session, const PccSafetensors *weights, PccError *error)
{
    const PccStTensor *template = pcc_st_find(weights, EXPORT_TEMPLATE);
    const PccStTensor *splices = pcc_st_find(weights, EXPORT_SPLICES);
    if (!template || !splices)
        return pcc_fail(error, PCC_ERR_INPUT,
                        "%s has no " EXPORT_TEMPLATE ": the original model is not in it; compile the model again "
                        "with this version of pcc",
                        weights->path);
    bool good = template->dtype == PCC_U8 && splices->dtype == PCC_I64 && splices->rank == 2 && splices->dims[1] == 4;
    int64_t at = 0;
    for (int64_t row = 0; good && row < splices->dims[0]; row++) {
        ExportSplice splice;
        good = export_read_splice(session, weights, row, &splice) == PCC_OK && splice.offset >= at &&
               splice.offset <= (int64_t) template->bytes &&
               (!splice.on_grid || pcc_export_grid_fits(weights, &splice.grid, splice.elements));
        at = good ? splice.offset : at;
    }
    return good ? PCC_OK : pcc_fail(error, PCC_ERR_INPUT, "%s: pcc.export.splices is damaged", weights->path);
}

static int export_write(const PccSession *session, const PccSafetensors *weights, const char *path, PccError *error)
{
    const PccStTensor *template = pcc_st_find(weights, EXPORT_TEMPLATE);
    const PccStTensor *splices = pcc_st_find(weights, EXPORT_SPLICES);
    PccOutput output;
    int status = pcc_output_open(&output, path, error);
    const char *bytes = template->data;
    int64_t at = 0;
    for (int64_t row = 0; row < splices->dims[0] && !status; row++) {
        ExportSplice splice;
        export_read_splice(session, weights, row, &splice);
        status = pcc_output_write(&output, bytes + at, (size_t)(splice.offset - at), error);
        if (!status)
            status = export_tensor(&splice, &output, error);
        at = splice.offset;
    }
    if (!status)
        status = pcc_output_write(&output, bytes + at, template->bytes - (size_t)at, error);
    return status ? status : pcc_output_commit(&output, error);
}

/* Opens the weights and checks what exporting needs; closes them on failure. */
static int export_open(const PccSession *session, PccSafetensors *weights, PccError *error)
{
    int status = pcc_open_weights(session, weights, error);
    if (status)
        return status;
    status = export_check(session, weights, error);
    if (status)
        pcc_st_close(weights);
    return status;
}

int pcc_can_export(const PccSession *session, PccError *error)
{
    PccSafetensors weights;
    int status = export_open(session, &weights, error);
    if (!status)
        pcc_st_close(&weights);
    return status;
}

int pcc_export(const PccSession *session, const char *file, PccError *error)
{
    PccSafetensors weights;
    int status = pcc_host_weights(session, error) ? export_open(session, &weights, error) : error->status;
    if (status)
        return status;
    status = export_write(session, &weights, file, error);
    pcc_st_close(&weights);
    return status;
}
