/* children.c: cases in child processes, whose crash or failure is a result like any other. */
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "merged.h"

enum { WORKERS = 2, CHILD_SECONDS = 120 };

const char *const stage_names[] = {"passed", "import", "reference", "compile", "emitted", "gradient", "crash"};

Result *share_results(int count)
{
    void *memory =
        mmap(NULL, (size_t)count * sizeof(Result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void set_results(Result *results, const int *indices, int count, Stage stage, const char *message)
{
    for (int i = 0; i < count; i++) {
        results[indices[i]].stage = stage;
        snprintf(results[indices[i]].message, MESSAGE_BYTES, "%s", message);
    }
}

/* In the child. The messages of a failure become the cases' own; the stages say how far they came. */
static void run_job(const Runner *runner, const int *indices, int count)
{
    char *messages = NULL;
    size_t bytes = 0;
    Diagnostics diagnostics;
    FILE *stream = open_memstream(&messages, &bytes);
    diagnostics_init(&diagnostics, stream);
    Arena *arena = arena_create((size_t)4 << 30, &diagnostics);
    diagnostics.can_recover = true;
    if (setjmp(diagnostics.recover) == 0) {
        runner->job(runner, arena, &diagnostics, indices, count);
        arena_destroy(arena);
        _exit(EXIT_SUCCESS);
    }
    fclose(stream);
    for (int i = 0; i < count; i++)
        snprintf(runner->results[indices[i]].message, MESSAGE_BYTES, "%.*s", (int)strcspn(messages, "\n"), messages);
    _exit(EXIT_FAILURE);
}

static pid_t start_job(const Runner *runner, const int *indices, int count)
{
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(EXIT_FAILURE);
    }
    if (child == 0) {
        alarm(CHILD_SECONDS);
        run_job(runner, indices, count);
    }
    return child;
}

typedef struct Span {
    const int *indices;
    int count;
    pid_t child;
} Span;

static void run_spans(const Runner *runner, Span *spans, int count);

/* A failure of several cases at once: each half again, down to the case whose failure it is. */
static void finish_span(const Runner *runner, const Span *span, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
        return;
    if (WIFSIGNALED(status) && span->count == 1) {
        set_results(runner->results, span->indices, 1, STAGE_CRASH, strsignal(WTERMSIG(status)));
        return;
    }
    if (span->count > 1) {
        int half = span->count / 2;
        Span halves[] = {{span->indices, half, 0}, {span->indices + half, span->count - half, 0}};
        run_spans(runner, halves, 2);
    }
}

static void run_spans(const Runner *runner, Span *spans, int count)
{
    int *statuses = calloc((size_t)count + 1, sizeof *statuses);
    for (int started = 0, ended = 0; ended < count; ended++) {
        for (; started < count && started - ended < WORKERS; started++)
            spans[started].child = start_job(runner, spans[started].indices, spans[started].count);
        int status;
        pid_t child = wait(&status);
        for (int i = 0; i < started; i++)
            if (spans[i].child == child)
                statuses[i] = status;
    }
    for (int i = 0; i < count; i++)
        finish_span(runner, &spans[i], statuses[i]);
    free(statuses);
}

void run_children(const Runner *runner, const int *indices, int count, int each)
{
    Span *spans = calloc((size_t)count + 1, sizeof *spans);
    int span_count = 0;
    for (int i = 0, end; i < count; i = end) {
        int64_t samples = runner->results[indices[i]].samples;
        for (end = i + 1; end < count && end - i < each && runner->results[indices[end]].samples == samples;)
            end++;
        spans[span_count++] = (Span){indices + i, end - i, 0};
    }
    run_spans(runner, spans, span_count);
    free(spans);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status, (void)type, (void)position;
    return remove(path);
}

void remove_folder(const char *folder)
{
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
