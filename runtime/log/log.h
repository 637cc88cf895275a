/* log.h: the JSONL log. Each line is written whole and at once. */
#ifndef PCC_LOG_H
#define PCC_LOG_H

#include <stdint.h>

#include "../error.h"

typedef struct PccLog {
    const char *path; /* NULL: no log */
    int fd;
} PccLog;

/* Starts a new log, or with keep >= 0 continues it after its first `keep` bytes: lines written after the checkpoint
 * from which the run resumes would otherwise appear twice. path NULL: every call does nothing. */
int pcc_log_open(PccLog *log, const char *path, int64_t keep, PccError *error);
int pcc_log_line(PccLog *log, const char *line, PccError *error);

/* Syncs the log to disk and returns its size; -1 without a log. */
int pcc_log_sync(PccLog *log, int64_t *size, PccError *error);
void pcc_log_close(PccLog *log);

#endif
