/* checkpoint.c: the folder of checkpoints: names, order, pruning. The files themselves: checkpoint_file.c. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "checkpoint_file.h"
#include "../files/files.h"

enum { CHECKPOINT_KEPT = 2, CHECKPOINT_NAME = 48 };

static void checkpoint_name(char name[CHECKPOINT_NAME], int64_t step)
{
    snprintf(name, CHECKPOINT_NAME, "step-%08lld.safetensors", (long long)step);
}

/* The step in a checkpoint's file name, -1 for other names. */
static int64_t checkpoint_step_of(const char *name)
{
    long long step;
    char again[CHECKPOINT_NAME];
    if (sscanf(name, "step-%lld", &step) != 1 || step < 0)
        return -1;
    checkpoint_name(again, step);
    return strcmp(again, name) == 0 ? step : -1;
}

static int checkpoint_descending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a > b ? -1 : a < b;
}

/* The steps of all checkpoints in a folder, newest first, in new memory. Removes the temporary files of writers that
 * were killed. */
static int checkpoint_list(const char *directory, int64_t **steps, int64_t *count, PccError *error)
{
    *steps = NULL;
    *count = 0;
    DIR *folder = opendir(directory);
    if (!folder)
        return pcc_fail_errno(error, "cannot open the folder %s", directory);
    int status = PCC_OK;
    for (struct dirent *entry; !status && (entry = readdir(folder));) {
        if (strncmp(entry->d_name, ".step-", 6) == 0 && strstr(entry->d_name, ".safetensors."))
            unlinkat(dirfd(folder), entry->d_name, 0);
        int64_t step = checkpoint_step_of(entry->d_name);
        if (step < 0)
            continue;
        int64_t *grown = realloc(*steps, (size_t)(*count + 1) * sizeof **steps);
        if (!grown)
            status = pcc_fail_memory(error);
        else
            (*steps = grown)[(*count)++] = step;
    }
    closedir(folder);
    if (*count > 1)
        qsort(*steps, (size_t)*count, sizeof **steps, checkpoint_descending);
    return status;
}

static void checkpoint_remove(const char *directory, int64_t step)
{
    char name[CHECKPOINT_NAME];
    checkpoint_name(name, step);
    char *path = pcc_join_path(directory, name);
    if (path)
        unlink(path);
    free(path);
}

static int checkpoint_keep(const char *directory, int64_t step, PccError *error)
{
    int64_t *steps, count, kept = 0;
    int status = checkpoint_list(directory, &steps, &count, error);
    for (int64_t i = 0; i < count && !status; i++)
        if (steps[i] > step || kept++ >= CHECKPOINT_KEPT)
            checkpoint_remove(directory, steps[i]);
    free(steps);
    return status;
}

int pcc_checkpoints_prune(const PccCheckpoints *checkpoints, int64_t step, PccError *error)
{
    return checkpoints->directory && !checkpoints->fresh ? checkpoint_keep(checkpoints->directory, step, error)
                                                         : PCC_OK;
}

int pcc_checkpoints_open(PccCheckpoints *checkpoints, const char *directory, bool *others, PccError *error)
{
    *checkpoints = (PccCheckpoints){.directory = directory, .fresh = true};
    *others = false;
    if (!directory)
        return PCC_OK;
    int status = pcc_make_directory(directory, error);
    int64_t *steps = NULL, count = 0;
    if (!status)
        status = checkpoint_list(directory, &steps, &count, error);
    *others = count > 0;
    free(steps);
    return status;
}

static int checkpoint_write_latest(const char *directory, const char *name, PccError *error)
{
    char line[CHECKPOINT_NAME + 1];
    char *path = pcc_join_path(directory, "latest");
    if (!path)
        return pcc_fail_memory(error);
    int length = snprintf(line, sizeof line, "%s\n", name);
    int status = pcc_write_file(path, line, (size_t)length, error);
    free(path);
    return status;
}

int pcc_checkpoint_write(PccCheckpoints *checkpoints, const PccSession *session, const PccProgressState *state,
                         PccError *error)
{
    const char *directory = checkpoints->directory;
    if (!directory)
        return PCC_OK;
    int status = PCC_OK;
    if (checkpoints->fresh)
        status = checkpoint_keep(directory, -1, error);
    char name[CHECKPOINT_NAME];
    checkpoint_name(name, state->step);
    char *path = pcc_join_path(directory, name);
    if (!path)
        return pcc_fail_memory(error);
    if (!status)
        status = pcc_checkpoint_file_write(path, session, state, error);
    free(path);
    if (!status)
        status = checkpoint_write_latest(directory, name, error);
    if (status)
        return status;
    checkpoints->fresh = false;
    return pcc_checkpoints_prune(checkpoints, state->step, error);
}

/* PCC_OK: loaded. Otherwise *damaged tells whether to try an older one. */
static int checkpoint_try(const char *directory, int64_t step, PccSession *session, PccProgressState *state,
                          bool *damaged, PccError *error)
{
    char name[CHECKPOINT_NAME];
    checkpoint_name(name, step);
    char *path = pcc_join_path(directory, name);
    if (!path)
        return pcc_fail_memory(error);
    int status = pcc_checkpoint_file_read(path, session, state, damaged, error);
    free(path);
    return status;
}

int pcc_checkpoint_resume(PccCheckpoints *checkpoints, PccSession *session, PccProgressState *state, bool *found,
                          PccError *error)
{
    *found = false;
    int64_t *steps, count;
    int status = checkpoint_list(checkpoints->directory, &steps, &count, error);
    bool damaged = true;
    for (int64_t i = 0; i < count && !*found && damaged; i++) {
        damaged = false;
        status = checkpoint_try(checkpoints->directory, steps[i], session, state, &damaged, error);
        *found = status == PCC_OK;
        if (status && damaged && i + 1 < count)
            fprintf(stderr, "warning: %s; trying the checkpoint before it\n", error->message);
    }
    free(steps);
    checkpoints->fresh = !*found;
    return status;
}
