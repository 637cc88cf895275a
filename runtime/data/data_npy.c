/* data_npy.c: NumPy's .npy (numpy.lib.format): "\x93NUMPY", version, header length, a Python dict literal of descr,
 * fortran_order and shape, then the array. Read: booleans, integers and floats, little-endian, C order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "../files/dtype.h"

static const struct {
    const char *descr;
    PccDtype dtype;
} npy_dtypes[] = {
    {"<f4", PCC_F32}, {"<f8", PCC_F64}, {"<f2", PCC_F16}, {"|u1", PCC_U8},  {"|i1", PCC_I8},  {"|b1", PCC_BOOL},
    {"<u2", PCC_U16}, {"<i2", PCC_I16}, {"<u4", PCC_U32}, {"<i4", PCC_I32}, {"<u8", PCC_U64}, {"<i8", PCC_I64},
};

/* The text after 'key': in the dict, NULL when it is not there. */
static const char *npy_field(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *at = strstr(header, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    at += strspn(at, " ");
    return *at == ':' ? at + 1 + strspn(at + 1, " ") : NULL;
}

static int npy_parse_dtype(const char *header, PccDataColumn *column, PccError *error)
{
    const char *descr = npy_field(header, "descr");
    size_t length = descr && *descr == '\'' ? strcspn(descr + 1, "'") : 0;
    for (int64_t i = 0; i < PCC_COUNT(npy_dtypes); i++) {
        if (length == strlen(npy_dtypes[i].descr) && memcmp(descr + 1, npy_dtypes[i].descr, length) == 0) {
            column->dtype = npy_dtypes[i].dtype;
            return PCC_OK;
        }
    }
    return pcc_fail(error, PCC_ERR_INPUT,
                    "%s: dtype %.*s is not supported; save it as a little-endian integer or float array",
                    column->source, (int)(length < 32 ? length : 32), length ? descr + 1 : "");
}

/* shape: the first dim counts samples. */
static int npy_parse_shape(const char *header, PccDataColumn *column, PccError *error)
{
    const char *at = npy_field(header, "shape");
    int64_t dims[PCC_MAX_RANK + 1];
    int rank = 0;
    bool good = at && *at++ == '(';
    while (good && *(at += strspn(at, " ,")) != ')') {
        char *end;
        good = *at >= '0' && *at <= '9' && rank <= PCC_MAX_RANK;
        if (good) {
            dims[rank++] = strtoll(at, &end, 10);
            at = end;
        }
    }
    if (!good || rank == 0)
        return pcc_fail(error, PCC_ERR_INPUT, "%s: expected a shape of 1 to %d dims, the first the sample",
                        column->source, PCC_MAX_RANK + 1);
    column->count = dims[0];
    column->rank = rank - 1;
    memcpy(column->dims, dims + 1, (size_t)(rank - 1) * sizeof *dims);
    return PCC_OK;
}

static int npy_parse_header(const char *header, PccDataColumn *column, PccError *error)
{
    int status = npy_parse_dtype(header, column, error);
    if (!status)
        status = npy_parse_shape(header, column, error);
    if (status)
        return status;
    const char *order = npy_field(header, "fortran_order");
    if (order && strncmp(order, "False", 5) == 0)
        return PCC_OK;
    return pcc_fail(error, PCC_ERR_INPUT, "%s is in Fortran order; save numpy.ascontiguousarray of it", column->source);
}

/* Splits the file into header text and array; returns the array's offset, 0 when the file is no .npy. */
static size_t npy_split(const unsigned char *bytes, size_t size, char **header)
{
    if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3)
        return 0;
    size_t start = bytes[6] == 1 ? 10 : 12;
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > size - start)
        return 0;
    *header = strndup((const char *)bytes + start, length);
    return start + length;
}

static int npy_column(PccData *data, const char *path, PccDataColumn *column, PccError *error)
{
    const unsigned char *bytes;
    size_t size;
    column->source = path;
    int status = pcc_data_map(data, path, &bytes, &size, error);
    if (status)
        return status;
    char *header = NULL;
    size_t offset = npy_split(bytes, size, &header);
    if (!header)
        return pcc_fail(error, PCC_ERR_INPUT, "%s is not a .npy file", path);
    status = npy_parse_header(header, column, error);
    free(header);
    if (status)
        return status;
    int64_t elements = pcc_element_count(column->rank, column->dims), total;
    size_t item = pcc_dtype_size(column->dtype);
    if (elements < 0 || __builtin_mul_overflow(elements, column->count, &total) ||
        __builtin_mul_overflow(total, (int64_t)item, &total) || (size_t)total != size - offset)
        return pcc_fail(error, PCC_ERR_INPUT, "%s: its shape does not match the %zu bytes that follow: truncated?",
                        path, size - offset);
    column->data = bytes + offset;
    column->stride = (size_t)elements * item;
    return PCC_OK;
}

static int npy_open(PccData *data, const char *argument, bool validation, PccError *error)
{
    (void)validation; /* one pair of files is one part */
    const char *comma = strchr(argument, ',');
    char *x_path = comma ? strndup(argument, (size_t)(comma - argument)) : strdup(argument);
    int status = pcc_data_hold(data, x_path, free, error);
    PccDataColumn x = {0}, y = {0};
    if (!status)
        status = npy_column(data, x_path, &x, error);
    if (!status && comma)
        status = npy_column(data, comma + 1, &y, error);
    return status ? status : pcc_data_pair(data, &x, &y, error);
}

const PccDataFormat pcc_data_npy = {.open = npy_open};
