/* data_fixture.h: what the tests of data sets share: a layout, opening a set by its SPEC, .npy files. */
#ifndef DATA_FIXTURE_H
#define DATA_FIXTURE_H

#include "runtime_support.h"

#include <pcc/data/data.h>

#include "program_linear.h"

static PccLayout linear_layout;
static PccError error;

static inline int open_layout(const PccProgram *program)
{
    pcc_layout_free(&linear_layout);
    return pcc_layout_init(&linear_layout, program, &error);
}

static inline int open_data(PccData *data, const char *format, bool validation, double mean, double deviation)
{
    char spec[2048];
    snprintf(spec, sizeof spec, format, support_directory, support_directory);
    error = (PccError){0};
    return pcc_data_open(data, spec, validation, &linear_layout, mean, deviation, &error);
}

/* Opening must fail with this status and a message that contains `part`. */
static inline void refused(const char *format, int status, const char *part)
{
    PccData data;
    int found = open_data(&data, format, false, 0, 1);
    if (found != status || !strstr(error.message, part))
        fail_msg("%s: status %d, %s", format, found, error.message);
}

static inline void write_npy(const char *name, const char *descr, const char *order, const char *shape,
                             const void *data, size_t size)
{
    char bytes[4096] = "\x93NUMPY\x01";
    int length = snprintf(bytes + 10, 200, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, order, shape);
    while ((10 + length + 1) % 64)
        bytes[10 + length++] = ' ';
    bytes[10 + length++] = '\n';
    bytes[8] = (char)length;
    memcpy(bytes + 10 + length, data, size);
    support_write(support_path(name), bytes, 10 + (size_t)length + size);
}

/* Group teardown. */
static inline int free_layout(void **state)
{
    pcc_layout_free(&linear_layout);
    return support_teardown(state);
}

#endif
