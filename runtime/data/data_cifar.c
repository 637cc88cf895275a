/* data_cifar.c: CIFAR-10's binary version: records of a label byte and 3 x 32 x 32 pixels, in five training files and a
 * test file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "../files/files.h"

enum { CIFAR_PIXELS = 3 * 32 * 32, CIFAR_RECORD = 1 + CIFAR_PIXELS, CIFAR_FILES = 5 };

/* Appends the records of one file to body. */
static int cifar_append(const char *path, unsigned char **body, size_t *size, PccError *error)
{
    PccMapping file;
    int status = pcc_map_file(&file, path, error);
    if (status)
        return status;
    unsigned char *grown = NULL;
    if (file.size == 0 || file.size % CIFAR_RECORD)
        status = pcc_fail(error, PCC_ERR_INPUT, "%s has %zu bytes, not a multiple of a record's %d: truncated?", path,
                          file.size, (int)CIFAR_RECORD);
    else if (!(grown = realloc(*body, *size + file.size)))
        status = pcc_fail_memory(error);
    if (!status) {
        *body = grown;
        memcpy(grown + *size, file.data, file.size);
        *size += file.size;
    }
    pcc_unmap_file(&file);
    return status;
}

static int cifar_load(const char *directory, bool validation, unsigned char **body, size_t *size, PccError *error)
{
    int status = PCC_OK;
    for (int i = 1; i <= (validation ? 1 : CIFAR_FILES) && !status; i++) {
        char name[32];
        snprintf(name, sizeof name, validation ? "test_batch.bin" : "data_batch_%d.bin", i);
        char *path = pcc_join_path(directory, name);
        status = path ? cifar_append(path, body, size, error) : pcc_fail_memory(error);
        free(path);
    }
    return status;
}

static int cifar_open(PccData *data, const char *argument, bool validation, PccError *error)
{
    /* The archive unpacks to a folder of its own; the parent folder is accepted too. */
    char *inner = pcc_join_path(argument, "cifar-10-batches-bin");
    if (!inner)
        return pcc_fail_memory(error);
    unsigned char *body = NULL;
    size_t size = 0;
    int status = cifar_load(pcc_file_exists(inner) ? inner : argument, validation, &body, &size, error);
    free(inner);
    if (status) {
        free(body);
        return status;
    }
    status = pcc_data_hold(data, body, free, error);
    int64_t count = (int64_t)(size / CIFAR_RECORD);
    const char *source = validation ? "CIFAR-10's test_batch.bin" : "CIFAR-10's data_batch files";
    PccDataColumn images = {.source = source,
                            .dtype = PCC_U8,
                            .rank = 3,
                            .dims = {3, 32, 32},
                            .axes = "NCHW",
                            .data = body + 1,
                            .stride = CIFAR_RECORD,
                            .count = count};
    PccDataColumn labels = {.source = source, .dtype = PCC_U8, .data = body, .stride = CIFAR_RECORD, .count = count};
    return status ? status : pcc_data_pair(data, &images, &labels, error);
}

/* The archive contains both parts. */
static bool cifar_has_validation(const char *argument)
{
    (void)argument;
    return true;
}

const PccDataFormat pcc_data_cifar10 = {.open = cifar_open, .has_validation = cifar_has_validation};
