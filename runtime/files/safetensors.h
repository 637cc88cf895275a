/* safetensors.h: reading and writing safetensors files, for programs (weights, checkpoints, data) and the compiler.
 *
 * Format (huggingface/safetensors, README "Format"): u64 little-endian N <= 100,000,000; N bytes of JSON from '{',
 * padded with spaces; then the tensors, dense, row-major, little-endian, contiguous from 0 to the end of the file. */
#ifndef PCC_SAFETENSORS_H
#define PCC_SAFETENSORS_H

#include "../error.h"
#include "../program.h"

typedef struct PccStTensor {
    const char *name;
    PccDtype dtype;
    int rank; /* <= PCC_MAX_RANK */
    int64_t dims[PCC_MAX_RANK];
    const void *data; /* not aligned when read from a file */
    size_t bytes;     /* set by the reader; the writer computes it */
} PccStTensor;

typedef struct PccStMetadata {
    const char *key, *value;
} PccStMetadata;

typedef struct PccSafetensors {
    const char *path;     /* for messages; the caller's string must live as long */
    PccStTensor *tensors; /* sorted by name */
    int64_t count;
    PccStMetadata *metadata; /* in file order */
    int64_t metadata_count;
    const unsigned char *mapped; /* open's mapping, NULL after parse */
    size_t mapped_bytes;
} PccSafetensors;

/* Maps and checks a file; tensors point into the mapping until close. */
int pcc_st_open(PccSafetensors *file, const char *path, PccError *error);

/* The same for bytes in memory, which must live until close; path names them in messages. */
int pcc_st_parse(PccSafetensors *file, const void *bytes, size_t size, const char *path, PccError *error);

void pcc_st_close(PccSafetensors *file);

/* NULL when there is none. */
const PccStTensor *pcc_st_find(const PccSafetensors *file, const char *name);
const char *pcc_st_metadata(const PccSafetensors *file, const char *key);

/* The tensor of that name, with exactly this dtype and these dims, or an error that tells what was found. */
int pcc_st_require(const PccSafetensors *file, const char *name, PccDtype dtype, int rank, const int64_t *dims,
                   const PccStTensor **tensor, PccError *error);

/* Drops a tensor's pages of a mapped file from memory; reading it again brings them back. */
void pcc_st_release(const PccSafetensors *file, const PccStTensor *tensor);

/* Writes a file atomically. Tensors are laid out by descending item size, then name; names must differ. */
int pcc_st_write(const char *path, const PccStTensor *tensors, int64_t count, const PccStMetadata *metadata,
                 int64_t metadata_count, PccError *error);

#endif
