/* error.c: a failure's status and message. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

static int error_record(PccError *error, int status, const char *reason, const char *format, va_list arguments)
{
    error->status = status;
    int length = vsnprintf(error->message, sizeof error->message, format, arguments);
    if (reason && length >= 0 && (size_t)length < sizeof error->message)
        snprintf(error->message + length, sizeof error->message - (size_t)length, ": %s", reason);
    return status;
}

int pcc_fail(PccError *error, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_record(error, status, NULL, format, arguments);
    va_end(arguments);
    return status;
}

int pcc_fail_errno(PccError *error, const char *format, ...)
{
    const char *reason = strerror(errno);
    va_list arguments;
    va_start(arguments, format);
    error_record(error, PCC_ERR_IO, reason, format, arguments);
    va_end(arguments);
    return PCC_ERR_IO;
}

int pcc_fail_memory(PccError *error)
{
    return pcc_fail(error, PCC_ERR_INTERNAL, "out of memory");
}
