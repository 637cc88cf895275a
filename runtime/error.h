/* error.h: how the runtime reports a failure: an exit status and one message for the user.
 *
 * Functions that can fail return a status, PCC_OK or the status they put into the error. The first failure is kept: a
 * caller that only passes it on adds nothing. */
#ifndef PCC_ERROR_H
#define PCC_ERROR_H

enum {
    PCC_OK = 0,
    PCC_ERR_INPUT = 1,     /* the contents of a file, or a value, are wrong */
    PCC_ERR_USAGE = 2,     /* the command line is wrong */
    PCC_ERR_IO = 4,        /* the system refused to open, read or write */
    PCC_ERR_INTERNAL = 70, /* internal: out of memory, or an inconsistent program */
};

typedef struct PccError {
    int status;         /* of the enum above; PCC_OK while nothing failed */
    char message[1024]; /* names the file or option, what was found, and what to do; no newline */
} PccError;

#ifdef __cplusplus
extern "C" {
#endif

/* Records the failure and returns status. */
int pcc_fail(PccError *error, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: appends strerror(errno). */
int pcc_fail_errno(PccError *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

int pcc_fail_memory(PccError *error);

#ifdef __cplusplus
}
#endif

#endif
