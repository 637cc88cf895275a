/* log.h: the JSONL log. Each line is written whole, as it happens. */
#ifndef PCC_LOG_H
#define PCC_LOG_H

#include <stdint.h>

#include "../error.h"

typedef struct PccLog {
    const char *path; /* NULL: no log */
    int fd;
} PccLog;

/* Starts a log afresh, or with keep >= 0 continues it after its first `keep` bytes: what a run wrote after the
 * checkpoint that it resumes from would otherwise be there twice. path NULL: every call does nothing. */
int pcc_log_open(PccLog *log, const char *path, int64_t keep, PccError *error);
int pcc_log_line(PccLog *log, const char *line, PccError *error);

/* Makes the lines so far durable and gives their size; -1 without a log. */
int pcc_log_sync(PccLog *log, int64_t *size, PccError *error);
void pcc_log_close(PccLog *log);

#endif
