/* log.c: the JSONL log. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../files/files.h"
#include "log.h"

int pcc_log_open(PccLog *log, const char *path, int64_t keep, PccError *error)
{
    *log = (PccLog){.path = path, .fd = -1};
    if (!path)
        return PCC_OK;
    log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    struct stat file;
    if (log->fd < 0 || fstat(log->fd, &file)) {
        int status = pcc_fail_errno(error, "cannot write the log %s", path);
        pcc_log_close(log);
        return status;
    }
    int64_t length = keep < 0 ? 0 : keep;
    if (S_ISREG(file.st_mode) && length < file.st_size && ftruncate(log->fd, length)) {
        int status = pcc_fail_errno(error, "cannot truncate the log %s", path);
        pcc_log_close(log);
        return status;
    }
    return PCC_OK;
}

int pcc_log_line(PccLog *log, const char *line, PccError *error)
{
    if (log->fd < 0)
        return PCC_OK;
    size_t length = strlen(line);
    char *whole = malloc(length + 1);
    if (!whole)
        return pcc_fail_memory(error);
    memcpy(whole, line, length);
    whole[length] = '\n';
    int status = pcc_append(log->fd, whole, length + 1, log->path, error);
    free(whole);
    return status;
}

int pcc_log_sync(PccLog *log, int64_t *size, PccError *error)
{
    *size = -1;
    struct stat file;
    if (log->fd < 0 || fstat(log->fd, &file) || !S_ISREG(file.st_mode))
        return PCC_OK;
    if (fsync(log->fd))
        return pcc_fail_errno(error, "cannot write the log %s", log->path);
    *size = file.st_size;
    return PCC_OK;
}

void pcc_log_close(PccLog *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}
