/* data.h: data sets. A set is a number of samples; for every slot of the program (an input, or the target) it has a
 * column with the address of sample i and its dtype; reading converts to the slot's dtype.
 *
 * One file for each format (PCC_DATA_FORMATS): its opener fills data->columns, directly or by pcc_data_pair, and
 * data->count; resources that it keeps open go to data->held. */
#ifndef PCC_DATA_H
#define PCC_DATA_H

#include "data_order.h"
#include "../error.h"
#include "batch_layout.h"
#include "../program.h"

typedef struct PccDataColumn {
    const char *source; /* the file (and tensor), for messages; NULL: the format has nothing for this slot */
    PccDtype dtype;
    int rank; /* of one sample */
    int64_t dims[PCC_MAX_RANK];
    const char *axes;          /* their order if the format tells it, written as for --layout; else NULL */
    PccDataOrder order;        /* set by the check: the permutation of a sample when it is read */
    const unsigned char *data; /* sample 0, little-endian, not aligned */
    size_t stride;             /* bytes between samples */
    int64_t count;             /* samples */
    int64_t limit;             /* integer values are below this; 0: unchecked */
    bool big;                  /* too large to check before training: checked sample by sample */
} PccDataColumn;

/* A resource that a set keeps open: closing the set calls close on each. */
typedef struct PccHeld {
    void (*close)(void *resource);
    void *resource;
} PccHeld;

typedef struct PccData PccData;
struct PccData {
    const PccLayout *layout;
    int64_t count;          /* samples */
    PccDataColumn *columns; /* [layout->count] */
    bool ordered;           /* neighbouring samples are correlated: hold out the end, not a random part */
    double mean, deviation; /* of --normalize; 0 and 1 leave values unchanged */
    float byte_f32[256];    /* the value of each byte in a float input */
    double byte_f64[256];
    void (*generate)(const PccData *data, int64_t sample, int64_t slot, void *out); /* instead of columns */
    PccHeld *held;                                                                  /* [held_count] */
    int held_count;
};

/* Opens SPEC; validation picks the validation part of a format that has its own split. */
int pcc_data_open(PccData *data, const char *spec, bool validation, const PccLayout *layout, double mean,
                  double deviation, PccError *error);
void pcc_data_close(PccData *data);

/* Whether SPEC has its own validation part. */
bool pcc_data_has_validation(const char *spec);

/* Writes the sample's elements for a slot, converted. Fails on an integer out of range. */
int pcc_data_read(const PccData *data, int64_t sample, int64_t slot, void *out, PccError *error);

/* For data.c: checks every column against the program and decides its order of axes. */
int pcc_data_check(PccData *data, const char *spec, PccError *error);

/* For the check: converts a label column of one-hot rows to indices where indices are expected; leaves others
 * unchanged. */
int pcc_data_index_one_hot(PccData *data, PccError *error);

/* For formats: gives the set ownership of a resource, also on failure, unless it is NULL. */
int pcc_data_hold(PccData *data, void *resource, void (*close)(void *), PccError *error);

/* For formats: memory that lives as long as the set; NULL when there is none. */
void *pcc_data_allocate(PccData *data, size_t bytes, PccError *error);

/* For formats: maps a file for as long as the set lives. */
int pcc_data_map(PccData *data, const char *path, const unsigned char **bytes, size_t *size, PccError *error);

/* For formats of inputs and labels: x becomes the column of the one input that is not labels, y (absent if its source
 * is NULL) that of the target or the label input. */
int pcc_data_pair(PccData *data, const PccDataColumn *x, const PccDataColumn *y, PccError *error);

/* The interface of a format to data.c; argument is the text after the colon. */
typedef struct PccDataFormat {
    /* Fills data->columns, directly or by pcc_data_pair, and data->count. */
    int (*open)(PccData *data, const char *argument, bool validation, PccError *error);
    bool (*has_validation)(const char *argument); /* does the data have its own validation part? NULL: never */
} PccDataFormat;

/* A row for each format: pcc_data_NAME of its file, and the text that follows its name in a SPEC. */
#define PCC_DATA_FORMATS(ROW) \
    ROW(idx, ":DIR")          \
    ROW(cifar10, ":DIR")      \
    ROW(npy, ":X.npy,Y.npy")  \
    ROW(tokens, ":FILE")      \
    ROW(safetensors, ":FILE") \
    ROW(synthetic, "")

#define PCC_DATA_DECLARE(NAME, ARGUMENT) extern const PccDataFormat pcc_data_##NAME;
PCC_DATA_FORMATS(PCC_DATA_DECLARE)
#undef PCC_DATA_DECLARE

/* " idx:DIR cifar10:DIR ...", for help and messages. */
#define PCC_DATA_USAGE_OF(NAME, ARGUMENT) " " #NAME ARGUMENT
#define PCC_DATA_USAGE PCC_DATA_FORMATS(PCC_DATA_USAGE_OF)

#endif
