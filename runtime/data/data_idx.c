/* data_idx.c: idx files of unsigned bytes, the format of the MNIST family: 00 00 08 rank, then each dim as a big-endian
 * u32, then the bytes. Plain or gzip. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data.h"
#include "../files/dtype.h"
#include "../files/files.h"

enum { IDX_MAX_RANK = 4, IDX_CHUNK = 1 << 22 };

static const char *const idx_suffixes[] = {"-ubyte", "-ubyte.gz"};
static const char *const idx_separators[] = {"-", "."};

/* DIR/PART-KIND-idxR-ubyte under one of its usual names, NULL when there is none. */
static char *idx_find(const char *directory, const char *part, const char *kind, int rank)
{
    for (int64_t separator = 0; separator < PCC_COUNT(idx_separators); separator++) {
        for (int64_t suffix = 0; suffix < PCC_COUNT(idx_suffixes); suffix++) {
            char name[64];
            snprintf(name, sizeof name, "%s-%s%sidx%d%s", part, kind, idx_separators[separator], rank,
                     idx_suffixes[suffix]);
            char *path = pcc_join_path(directory, name);
            if (!path || pcc_file_exists(path))
                return path;
            free(path);
        }
    }
    return NULL;
}

static bool idx_has_validation(const char *argument)
{
    char *path = idx_find(argument, "t10k", "images", 3);
    bool found = path != NULL;
    free(path);
    return found;
}

/* Reads up to size bytes; fewer only at the end of the file. -1 after a read error or a broken gzip stream. */
static int64_t idx_read_bytes(gzFile file, unsigned char *out, int64_t size)
{
    int64_t have = 0;
    while (have < size) {
        int64_t left = size - have;
        int got = gzread(file, out + have, (unsigned)(left < IDX_CHUNK ? left : IDX_CHUNK));
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += got;
    }
    int code;
    gzerror(file, &code);
    return code == Z_OK || code == Z_STREAM_END ? have : -1;
}

static int idx_read_header(gzFile file, PccDataColumn *column, PccError *error)
{
    unsigned char head[4 + 4 * IDX_MAX_RANK];
    int64_t got = idx_read_bytes(file, head, 4);
    if (got < 0)
        return pcc_fail(error, PCC_ERR_INPUT, "%s is damaged: its gzip stream cannot be read", column->source);
    if (got != 4 || head[0] || head[1] || head[2] != 8)
        return pcc_fail(error, PCC_ERR_INPUT, "%s is not an idx file of unsigned bytes", column->source);
    int rank = head[3];
    if (rank < 1 || rank > IDX_MAX_RANK)
        return pcc_fail(error, PCC_ERR_INPUT, "%s has %d dims; expected 1 to %d", column->source, rank, IDX_MAX_RANK);
    if (idx_read_bytes(file, head, 4 * rank) != 4 * rank)
        return pcc_fail(error, PCC_ERR_INPUT, "%s is truncated in its header", column->source);
    int64_t dims[IDX_MAX_RANK];
    for (int i = 0; i < rank; i++)
        dims[i] = (int64_t)head[4 * i] << 24 | head[4 * i + 1] << 16 | head[4 * i + 2] << 8 | head[4 * i + 3];
    column->dtype = PCC_U8;
    column->count = dims[0];
    column->rank = rank - 1;
    memcpy(column->dims, dims + 1, (size_t)(rank - 1) * sizeof *dims);
    return PCC_OK;
}

/* Grows the buffer while reading, so that a wrong header cannot allocate more memory than the file has bytes. */
static int idx_read_body(gzFile file, PccDataColumn *column, int64_t bytes, unsigned char **body, PccError *error)
{
    int64_t have = 0, capacity = 0;
    while (have < bytes) {
        int64_t want = capacity ? capacity : IDX_CHUNK;
        want = want < bytes - have ? want : bytes - have;
        unsigned char *grown = realloc(*body, (size_t)(have + want));
        if (!grown)
            return pcc_fail_memory(error);
        *body = grown;
        capacity = have + want;
        int64_t got = idx_read_bytes(file, *body + have, want);
        if (got < want)
            return pcc_fail(error, PCC_ERR_INPUT, "%s is %s: its header announces %lld bytes, %lld could be read",
                            column->source, got < 0 ? "damaged" : "truncated", (long long)bytes,
                            (long long)(have + (got > 0 ? got : 0)));
        have += got;
    }
    unsigned char extra;
    if (idx_read_bytes(file, &extra, 1) != 0)
        return pcc_fail(error, PCC_ERR_INPUT, "%s is longer than the %lld bytes that its header announces",
                        column->source, (long long)bytes);
    return PCC_OK;
}

static int idx_load(PccData *data, PccDataColumn *column, PccError *error)
{
    gzFile file = gzopen(column->source, "rb");
    if (!file)
        return pcc_fail_errno(error, "cannot open %s", column->source);
    unsigned char *body = NULL;
    int status = idx_read_header(file, column, error);
    int64_t elements = status ? 0 : pcc_element_count(column->rank, column->dims), bytes = 0;
    if (!status && (elements < 0 || __builtin_mul_overflow(elements, column->count, &bytes)))
        status = pcc_fail(error, PCC_ERR_INPUT, "%s: its dims overflow", column->source);
    if (!status)
        status = idx_read_body(file, column, bytes, &body, error);
    gzclose(file);
    column->data = body;
    column->stride = (size_t)elements;
    if (body && !status)
        return pcc_data_hold(data, body, free, error);
    free(body);
    return status;
}

static int idx_open_file(PccData *data, const char *directory, const char *part, const char *kind, int rank,
                         PccDataColumn *column, PccError *error)
{
    char *path = idx_find(directory, part, kind, rank);
    if (!path)
        return pcc_fail(error, PCC_ERR_IO, "%s has no %s-%s-idx%d-ubyte, with or without .gz", directory, part, kind,
                        rank);
    column->source = path;
    int status = pcc_data_hold(data, path, free, error);
    return status ? status : idx_load(data, column, error);
}

static int idx_open(PccData *data, const char *argument, bool validation, PccError *error)
{
    const char *part = validation ? "t10k" : "train";
    PccDataColumn images = {0}, labels = {0};
    int status = idx_open_file(data, argument, part, "images", 3, &images, error);
    if (!status)
        status = idx_open_file(data, argument, part, "labels", 1, &labels, error);
    return status ? status : pcc_data_pair(data, &images, &labels, error);
}

const PccDataFormat pcc_data_idx = {.open = idx_open, .has_validation = idx_has_validation};
