/* safetensors.c: the reader. It trusts nothing: every size is checked against the file before use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dtype.h"
#include "files.h"
#include "json.h"
#include "safetensors.h"

#define ST_MAX_HEADER ((uint64_t)100000000)

/* A tensor of the header while it is checked. */
typedef struct StEntry {
    PccStTensor tensor;
    uint64_t begin, end; /* bytes from the end of the header */
    unsigned seen;       /* ST_DTYPE | ST_SHAPE | ST_OFFSETS */
} StEntry;

enum { ST_DTYPE = 1, ST_SHAPE = 2, ST_OFFSETS = 4, ST_ALL = 7 };

typedef struct StHeader {
    StEntry *entries;
    int64_t count, capacity;
    PccStMetadata *metadata;
    int64_t metadata_count, metadata_capacity;
} StHeader;

/* The array with room for one more element; NULL when out of memory, and then the old one is unchanged. */
static void *st_grow(void *array, int64_t count, int64_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    int64_t larger = *capacity ? *capacity * 2 : 64;
    void *grown = realloc(array, (size_t)larger * size);
    if (grown)
        *capacity = larger;
    return grown;
}

static void st_read_dtype(PccJson *json, PccStTensor *tensor)
{
    char *name = pcc_json_string(json);
    if (name && !pcc_dtype_parse(name, &tensor->dtype))
        pcc_json_fail(json, "unknown dtype");
    free(name);
}

static void st_read_shape(PccJson *json, PccStTensor *tensor)
{
    tensor->rank = 0;
    for (bool more = pcc_json_begin(json, '['); more; more = pcc_json_more(json, ']')) {
        uint64_t dim = pcc_json_integer(json);
        if (tensor->rank == PCC_MAX_RANK)
            pcc_json_fail(json, "more than 8 dims");
        else if (dim > INT64_MAX)
            pcc_json_fail(json, "dim too large");
        else
            tensor->dims[tensor->rank++] = (int64_t)dim;
    }
}

static void st_read_offsets(PccJson *json, StEntry *entry)
{
    int count = 0;
    for (bool more = pcc_json_begin(json, '['); more; more = pcc_json_more(json, ']')) {
        uint64_t offset = pcc_json_integer(json);
        *(count++ == 0 ? &entry->begin : &entry->end) = offset;
    }
    if (count != 2)
        pcc_json_fail(json, "data_offsets must be [begin, end]");
}

static void st_read_entry(PccJson *json, StEntry *entry)
{
    for (bool more = pcc_json_begin(json, '{'); more; more = pcc_json_more(json, '}')) {
        char *key = pcc_json_key(json);
        if (!key)
            return;
        unsigned field = 0;
        if (strcmp(key, "dtype") == 0) {
            field = ST_DTYPE;
            st_read_dtype(json, &entry->tensor);
        } else if (strcmp(key, "shape") == 0) {
            field = ST_SHAPE;
            st_read_shape(json, &entry->tensor);
        } else if (strcmp(key, "data_offsets") == 0) {
            field = ST_OFFSETS;
            st_read_offsets(json, entry);
        } else {
            pcc_json_fail(json, "unknown tensor field");
        }
        free(key);
        if (entry->seen & field)
            pcc_json_fail(json, "duplicate tensor field");
        entry->seen |= field;
    }
    if (entry->seen != ST_ALL)
        pcc_json_fail(json, "a tensor needs dtype, shape and data_offsets");
}

/* Both do nothing more after "out of memory" or wrong text, like the cursor. */
static void st_read_metadata(PccJson *json, StHeader *header)
{
    for (bool more = pcc_json_begin(json, '{'); more; more = pcc_json_more(json, '}')) {
        char *key = pcc_json_key(json), *value = pcc_json_string(json);
        PccStMetadata *grown =
            st_grow(header->metadata, header->metadata_count, &header->metadata_capacity, sizeof *header->metadata);
        header->metadata = grown ? grown : header->metadata;
        if (!value || !grown) {
            pcc_json_fail(json, "out of memory");
            free(key);
            free(value);
            return;
        }
        header->metadata[header->metadata_count++] = (PccStMetadata){key, value};
    }
}

static void st_read_tensor(PccJson *json, StHeader *header, char *name)
{
    StEntry *grown = st_grow(header->entries, header->count, &header->capacity, sizeof *header->entries);
    if (!grown) {
        pcc_json_fail(json, "out of memory");
        free(name);
        return;
    }
    header->entries = grown;
    StEntry *entry = &header->entries[header->count++];
    *entry = (StEntry){.tensor.name = name};
    st_read_entry(json, entry);
}

static void st_read_header(PccJson *json, StHeader *header)
{
    bool seen_metadata = false;
    for (bool more = pcc_json_begin(json, '{'); more; more = pcc_json_more(json, '}')) {
        char *name = pcc_json_key(json);
        if (!name)
            return;
        if (strcmp(name, "__metadata__") != 0) {
            st_read_tensor(json, header, name);
            continue;
        }
        free(name);
        if (seen_metadata)
            pcc_json_fail(json, "duplicate __metadata__");
        seen_metadata = true;
        st_read_metadata(json, header);
    }
}

static void st_free_header(StHeader *header)
{
    for (int64_t i = 0; i < header->count; i++)
        free((char *)header->entries[i].tensor.name);
    for (int64_t i = 0; i < header->metadata_count; i++) {
        free((char *)header->metadata[i].key);
        free((char *)header->metadata[i].value);
    }
    free(header->entries);
    free(header->metadata);
}

static int st_by_offset(const void *left, const void *right)
{
    const StEntry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end;
}

static int st_by_name(const void *left, const void *right)
{
    return strcmp(((const StEntry *)left)->tensor.name, ((const StEntry *)right)->tensor.name);
}

/* Checks that sizes match the dims, and that the tensors cover the data area without gap or overlap. */
static int st_check_layout(StHeader *header, const unsigned char *data, uint64_t size, const char *path,
                           PccError *error)
{
    if (header->count > 1)
        qsort(header->entries, (size_t)header->count, sizeof *header->entries, st_by_offset);
    uint64_t at = 0;
    for (int64_t i = 0; i < header->count; i++) {
        StEntry *entry = &header->entries[i];
        PccStTensor *tensor = &entry->tensor;
        int64_t elements = pcc_element_count(tensor->rank, tensor->dims);
        uint64_t bytes;
        if (elements < 0 || __builtin_mul_overflow((uint64_t)elements, pcc_dtype_size(tensor->dtype), &bytes))
            return pcc_fail(error, PCC_ERR_INPUT, "%s: tensor %s: dims overflow", path, tensor->name);
        if (entry->begin != at)
            return pcc_fail(error, PCC_ERR_INPUT, "%s: tensor %s starts at byte %llu where %llu is expected", path,
                            tensor->name, (unsigned long long)entry->begin, (unsigned long long)at);
        if (entry->end < entry->begin || entry->end - entry->begin != bytes)
            return pcc_fail(error, PCC_ERR_INPUT, "%s: tensor %s needs %llu bytes, data_offsets are [%llu, %llu]", path,
                            tensor->name, (unsigned long long)bytes, (unsigned long long)entry->begin,
                            (unsigned long long)entry->end);
        if (entry->end > size)
            return pcc_fail(error, PCC_ERR_INPUT, "%s: tensor %s ends at byte %llu but the data has %llu: truncated?",
                            path, tensor->name, (unsigned long long)entry->end, (unsigned long long)size);
        tensor->data = data + entry->begin;
        tensor->bytes = (size_t)bytes;
        at = entry->end;
    }
    if (at != size)
        return pcc_fail(error, PCC_ERR_INPUT, "%s: the tensors end at byte %llu of %llu", path, (unsigned long long)at,
                        (unsigned long long)size);
    return PCC_OK;
}

static int st_by_key(const void *left, const void *right)
{
    return strcmp(((const PccStMetadata *)left)->key, ((const PccStMetadata *)right)->key);
}

static int st_check_metadata(const StHeader *header, const char *path, PccError *error)
{
    size_t bytes = (size_t)header->metadata_count * sizeof *header->metadata;
    if (bytes == 0)
        return PCC_OK;
    PccStMetadata *sorted = malloc(bytes);
    if (!sorted)
        return pcc_fail_memory(error);
    memcpy(sorted, header->metadata, bytes);
    qsort(sorted, (size_t)header->metadata_count, sizeof *sorted, st_by_key);
    int status = PCC_OK;
    for (int64_t i = 1; i < header->metadata_count && !status; i++)
        if (st_by_key(&sorted[i - 1], &sorted[i]) == 0)
            status = pcc_fail(error, PCC_ERR_INPUT, "%s: metadata key %s appears twice", path, sorted[i].key);
    free(sorted);
    return status;
}

/* Sorts by name for pcc_st_find and moves the header's contents into file. */
static int st_take(PccSafetensors *file, StHeader *header, PccError *error)
{
    if (header->count > 1)
        qsort(header->entries, (size_t)header->count, sizeof *header->entries, st_by_name);
    for (int64_t i = 1; i < header->count; i++)
        if (st_by_name(&header->entries[i - 1], &header->entries[i]) == 0)
            return pcc_fail(error, PCC_ERR_INPUT, "%s: tensor %s appears twice", file->path,
                            header->entries[i].tensor.name);
    file->tensors = malloc((size_t)(header->count + 1) * sizeof *file->tensors);
    if (!file->tensors)
        return pcc_fail_memory(error);
    for (int64_t i = 0; i < header->count; i++)
        file->tensors[i] = header->entries[i].tensor;
    file->count = header->count;
    file->metadata = header->metadata;
    file->metadata_count = header->metadata_count;
    free(header->entries);
    *header = (StHeader){0};
    return PCC_OK;
}

static int st_parse_header(StHeader *header, const char *text, size_t size, const char *path, PccError *error)
{
    if (size == 0 || *text != '{')
        return pcc_fail(error, PCC_ERR_INPUT, "%s: the header does not start with '{': not a safetensors file", path);
    PccJson json = pcc_json(text, size);
    st_read_header(&json, header);
    if (!pcc_json_finish(&json))
        return pcc_fail(error, PCC_ERR_INPUT, "%s: header byte %zu: %s", path, (size_t)(json.at - json.begin),
                        json.problem);
    return PCC_OK;
}

int pcc_st_parse(PccSafetensors *file, const void *bytes, size_t size, const char *path, PccError *error)
{
    *file = (PccSafetensors){.path = path};
    const unsigned char *base = bytes;
    uint64_t length = 0;
    if (size < 8)
        return pcc_fail(error, PCC_ERR_INPUT, "%s has %zu bytes: not a safetensors file", path, size);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | base[i];
    if (length > ST_MAX_HEADER || length > size - 8)
        return pcc_fail(error, PCC_ERR_INPUT,
                        "%s: a header of %llu bytes in a file of %zu: truncated, or not safetensors", path,
                        (unsigned long long)length, size);
    StHeader header = {0};
    int status = st_parse_header(&header, (const char *)base + 8, (size_t)length, path, error);
    if (!status)
        status = st_check_layout(&header, base + 8 + length, size - 8 - length, path, error);
    if (!status)
        status = st_check_metadata(&header, path, error);
    if (!status)
        status = st_take(file, &header, error);
    st_free_header(&header);
    return status;
}

int pcc_st_open(PccSafetensors *file, const char *path, PccError *error)
{
    PccMapping mapping;
    *file = (PccSafetensors){.path = path};
    int status = pcc_map_file(&mapping, path, error);
    if (status)
        return status;
    status = pcc_st_parse(file, mapping.data, mapping.size, path, error);
    if (status) {
        pcc_unmap_file(&mapping);
        return status;
    }
    file->mapped = mapping.data;
    file->mapped_bytes = mapping.size;
    return PCC_OK;
}

void pcc_st_close(PccSafetensors *file)
{
    for (int64_t i = 0; i < file->count; i++)
        free((char *)file->tensors[i].name);
    for (int64_t i = 0; i < file->metadata_count; i++) {
        free((char *)file->metadata[i].key);
        free((char *)file->metadata[i].value);
    }
    free(file->tensors);
    free(file->metadata);
    PccMapping mapping = {file->mapped, file->mapped_bytes};
    pcc_unmap_file(&mapping);
    *file = (PccSafetensors){0};
}

const PccStTensor *pcc_st_find(const PccSafetensors *file, const char *name)
{
    int64_t low = 0, high = file->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(name, file->tensors[middle].name);
        if (order == 0)
            return &file->tensors[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *pcc_st_metadata(const PccSafetensors *file, const char *key)
{
    for (int64_t i = 0; i < file->metadata_count; i++)
        if (strcmp(file->metadata[i].key, key) == 0)
            return file->metadata[i].value;
    return NULL;
}

void pcc_st_release(const PccSafetensors *file, const PccStTensor *tensor)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)tensor->data / page * page, end = (uintptr_t)tensor->data + tensor->bytes;
    if (file->mapped && tensor->bytes > 0)
        madvise((char *)tensor->data - ((uintptr_t)tensor->data - begin), end - begin, MADV_DONTNEED);
}

int pcc_st_require(const PccSafetensors *file, const char *name, PccDtype dtype, int rank, const int64_t *dims,
                   const PccStTensor **tensor, PccError *error)
{
    *tensor = pcc_st_find(file, name);
    if (!*tensor)
        return pcc_fail(error, PCC_ERR_INPUT, "%s has no tensor %s", file->path, name);
    bool same = (*tensor)->dtype == dtype && (*tensor)->rank == rank;
    for (int i = 0; same && i < rank; i++)
        same = (*tensor)->dims[i] == dims[i];
    if (same)
        return PCC_OK;
    char found[256], wanted[256];
    pcc_tensor_describe(found, sizeof found, NULL, (*tensor)->dtype, (*tensor)->rank, (*tensor)->dims);
    pcc_tensor_describe(wanted, sizeof wanted, NULL, dtype, rank, dims);
    return pcc_fail(error, PCC_ERR_INPUT, "%s: tensor %s is %s; the program needs %s", file->path, name, found, wanted);
}
