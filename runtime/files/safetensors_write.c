/* safetensors_write.c: the writer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtype.h"
#include "files.h"
#include "json.h"
#include "safetensors.h"

static int st_by_item_size(const void *left, const void *right)
{
    const PccStTensor *a = *(const PccStTensor *const *)left, *b = *(const PccStTensor *const *)right;
    size_t size_a = pcc_dtype_size(a->dtype), size_b = pcc_dtype_size(b->dtype);
    if (size_a != size_b)
        return size_a > size_b ? -1 : 1;
    return strcmp(a->name, b->name);
}

static size_t st_bytes(const PccStTensor *tensor)
{
    return (size_t)pcc_element_count(tensor->rank, tensor->dims) * pcc_dtype_size(tensor->dtype);
}

static void st_write_metadata(FILE *text, const PccStMetadata *metadata, int64_t count)
{
    fputs("\"__metadata__\":{", text);
    for (int64_t i = 0; i < count; i++) {
        if (i > 0)
            fputc(',', text);
        pcc_json_write_string(text, metadata[i].key);
        fputc(':', text);
        pcc_json_write_string(text, metadata[i].value);
    }
    fputc('}', text);
}

/* The length word, the JSON and its padding to 8, in new memory; NULL when out of memory. */
static char *st_build_header(const PccStTensor *const *order, int64_t count, const PccStMetadata *metadata,
                             int64_t metadata_count, size_t *size)
{
    char *buffer = NULL;
    FILE *text = open_memstream(&buffer, size);
    if (!text)
        return NULL;
    fputs("LENGTH..{", text);
    if (metadata_count > 0)
        st_write_metadata(text, metadata, metadata_count);
    size_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        if (i > 0 || metadata_count > 0)
            fputc(',', text);
        pcc_json_write_string(text, order[i]->name);
        fprintf(text, ":{\"dtype\":\"%s\",\"shape\":[", pcc_dtype_name(order[i]->dtype));
        for (int d = 0; d < order[i]->rank; d++)
            fprintf(text, "%s%lld", d ? "," : "", (long long)order[i]->dims[d]);
        size_t end = at + st_bytes(order[i]);
        fprintf(text, "],\"data_offsets\":[%zu,%zu]}", at, end);
        at = end;
    }
    fputc('}', text);
    while (ftell(text) % 8)
        fputc(' ', text);
    if (fclose(text)) {
        free(buffer);
        return NULL;
    }
    for (int i = 0; i < 8; i++)
        buffer[i] = (char)(unsigned char)((uint64_t)(*size - 8) >> 8 * i);
    return buffer;
}

static int st_write_ordered(const char *path, const PccStTensor *const *order, int64_t count,
                            const PccStMetadata *metadata, int64_t metadata_count, PccError *error)
{
    for (int64_t i = 0; i < count; i++)
        if (pcc_element_count(order[i]->rank, order[i]->dims) < 0)
            return pcc_fail(error, PCC_ERR_INTERNAL, "%s: tensor %s: dims overflow", path, order[i]->name);
    size_t size = 0;
    char *header = st_build_header(order, count, metadata, metadata_count, &size);
    if (!header)
        return pcc_fail_memory(error);
    PccOutput output;
    int status = pcc_output_open(&output, path, error);
    if (!status)
        status = pcc_output_write(&output, header, size, error);
    for (int64_t i = 0; i < count && !status; i++)
        status = pcc_output_write(&output, order[i]->data, st_bytes(order[i]), error);
    free(header);
    return status ? status : pcc_output_commit(&output, error);
}

int pcc_st_write(const char *path, const PccStTensor *tensors, int64_t count, const PccStMetadata *metadata,
                 int64_t metadata_count, PccError *error)
{
    const PccStTensor **order = malloc((size_t)(count + 1) * sizeof *order);
    if (!order)
        return pcc_fail_memory(error);
    for (int64_t i = 0; i < count; i++)
        order[i] = &tensors[i];
    if (count > 1)
        qsort(order, (size_t)count, sizeof *order, st_by_item_size);
    int status = st_write_ordered(path, order, count, metadata, metadata_count, error);
    free(order);
    return status;
}
