/* copies.c: masters, compensations and 16-bit copies outside of updates: after loading and resuming. */
#include <string.h>

#include "blocks.h"
#include "copies.h"
#include "../files/dtype.h"
#include "../kernels/common/storage.h"
#include "../kernels/optimizer/optimizer_remainder.h"

enum { COPIES_ROW = 1024 }; /* elements converted at a time */

static int64_t copies_elements(const PccParam *param)
{
    return pcc_element_count(param->value.rank, param->value.dims);
}

static int64_t copies_row(int64_t at, int64_t count)
{
    return count - at < COPIES_ROW ? count - at : COPIES_ROW;
}

int64_t pcc_joined_elements(const PccProgram *program)
{
    int64_t most = 0;
    for (int64_t i = 0; i < program->param_count; i++)
        if (program->params[i].rounding == PCC_REMAINDER && copies_elements(&program->params[i]) > most)
            most = copies_elements(&program->params[i]);
    return most;
}

static PccBf16 *copies_values(const PccSession *session, const PccParam *param)
{
    return (PccBf16 *)(void *)(pcc_weights_view(session) + param->value.offset);
}

static uint16_t *copies_remainders(const PccSession *session, const PccParam *param)
{
    return (uint16_t *)(void *)(pcc_weights_view(session) + param->extra);
}

static const float *copies_join(const PccSession *session, const PccParam *param)
{
    const PccBf16 *value = copies_values(session, param);
    const uint16_t *remainder = copies_remainders(session, param);
    for (int64_t i = 0; i < copies_elements(param); i++)
        session->joined[i] = pcc_join_f32(value[i], remainder[i]);
    return session->joined;
}

static void copies_split(PccSession *session, const PccParam *param, int64_t first, int64_t count, const float *row)
{
    PccBf16 *value = copies_values(session, param) + first;
    uint16_t *remainder = copies_remainders(session, param) + first;
    for (int64_t i = 0; i < count; i++) {
        const PccSplitF32 split = pcc_split_f32(row[i]);
        value[i] = split.value;
        remainder[i] = split.remainder;
    }
}

void pcc_split_param(PccSession *session, const PccParam *param, const float *weight)
{
    copies_split(session, param, 0, copies_elements(param), weight);
}

const void *pcc_param_weight(const PccSession *session, const PccParam *param, PccDtype *dtype)
{
    const bool master = param->rounding == PCC_MASTER, remainder = param->rounding == PCC_REMAINDER;
    *dtype = master || remainder ? PCC_F32 : param->value.dtype;
    if (remainder)
        return copies_join(session, param);
    return pcc_weights_view(session) + (master ? param->extra : param->value.offset);
}

static void copies_write(PccSession *session, const PccParam *param)
{
    PccIn from;
    float buffer[COPIES_ROW];
    int64_t elements = copies_elements(param);
    from.data = pcc_param_weight(session, param, &from.dtype);
    for (int64_t at = 0; at < elements && param->copy_count > 0; at += COPIES_ROW) {
        int64_t count = copies_row(at, elements);
        const float *row = pcc_read(from, at, count, buffer);
        for (int i = 0; i < param->copy_count; i++)
            pcc_commit((PccOut){pcc_weights_view(session) + param->copies[i].offset, param->copies[i].dtype}, at, count,
                       row);
    }
}

void pcc_write_copies(PccSession *session)
{
    for (int64_t i = 0; i < session->program->param_count; i++)
        copies_write(session, &session->program->params[i]);
}

/* Sets a 16-bit value and its master, compensation and copies. */
static void copies_set_narrow(PccSession *session, const PccParam *param, const char *data, PccDtype dtype)
{
    char *weights = pcc_weights_view(session), *value = weights + param->value.offset;
    float aligned[COPIES_ROW], buffer[COPIES_ROW];
    int64_t elements = copies_elements(param);
    size_t size = pcc_dtype_size(dtype), stored = pcc_dtype_size(param->value.dtype);
    for (int64_t at = 0; at < elements; at += COPIES_ROW) {
        int64_t count = copies_row(at, elements);
        memcpy(aligned, data + (size_t)at * size, (size_t)count * size);
        const float *row = pcc_read((PccIn){aligned, dtype}, 0, count, buffer);
        pcc_commit((PccOut){value, param->value.dtype}, at, count, row);
        if (param->rounding == PCC_REMAINDER)
            copies_split(session, param, at, count, row);
        if (param->rounding == PCC_MASTER)
            memcpy(weights + param->extra + (size_t)at * sizeof *row, row, (size_t)count * sizeof *row);
    }
    if (param->rounding == PCC_KAHAN)
        memset(weights + param->extra, 0, (size_t)elements * stored);
}

void pcc_set_param(PccSession *session, const PccParam *param, const void *data, PccDtype dtype)
{
    char *value = pcc_weights_view(session) + param->value.offset;
    size_t size = pcc_dtype_size(param->value.dtype);
    if (size == 2)
        copies_set_narrow(session, param, data, dtype);
    else
        memmove(value, data, (size_t)copies_elements(param) * size);
    copies_write(session, param);
}

void pcc_refresh_copies(PccSession *session)
{
    if (!pcc_host_weights(session, &session->failure))
        return;
    for (int64_t i = 0; i < session->program->param_count; i++) {
        const PccTensor *value = &session->program->params[i].value;
        pcc_set_param(session, &session->program->params[i], pcc_weights_view(session) + value->offset, value->dtype);
    }
    pcc_weights_changed(session, &session->failure);
}
