/* main.c: `conformance NODE_TESTS TABLE [GLOB [verbose]]`: runs the cases in children and compares with the table. */
#include <dirent.h>
#include <fnmatch.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

enum { BATCH_CASES = 48, WORKERS = 2, CHILD_SECONDS = 120 };

static const char *node_tests, *work_folder;
static char *names[MAX_CASES];
static Result *results; /* [MAX_CASES], shared with children */

/* What a child does with cases of these indices. */
typedef void Job(Arena *arena, Diagnostics *diagnostics, const int *indices, int count);

static void set_all(const int *indices, int count, Stage stage, const char *message)
{
    for (int i = 0; i < count; i++) {
        results[indices[i]].stage = stage;
        snprintf(results[indices[i]].message, MESSAGE_BYTES, "%s", message);
    }
}

static void one_case(Arena *arena, Diagnostics *diagnostics, const int *indices, int count)
{
    Case test;
    set_all(indices, count, STAGE_IMPORT, "");
    load_case(arena, diagnostics, node_tests, names[*indices], &test);
    results[*indices].samples = test.samples;
    check_reference(&test, &results[*indices]);
    if (results[*indices].stage == STAGE_PASSED) {
        results[*indices].stage = STAGE_COMPILE;
        check_compiles(&test);
        results[*indices].stage = STAGE_PASSED;
    }
    unload_case(&test);
}

static void batch_of_cases(Arena *arena, Diagnostics *diagnostics, const int *indices, int count)
{
    Case *cases = NEW_ARRAY(arena, Case, count);
    Result **shared = NEW_ARRAY(arena, Result *, count);
    for (int i = 0; i < count; i++) {
        load_case(arena, diagnostics, node_tests, names[indices[i]], &cases[i]);
        shared[i] = &results[indices[i]];
    }
    set_all(indices, count, STAGE_COMPILE, "");
    check_emitted(cases, count, work_folder, shared);
    for (int i = 0; i < count; i++)
        unload_case(&cases[i]);
}

/* In the child. The messages of a failure become the cases' own; the stages say how far they came. */
static void run_job(Job *job, const int *indices, int count)
{
    char *messages = NULL;
    size_t bytes = 0;
    Diagnostics diagnostics;
    FILE *stream = open_memstream(&messages, &bytes);
    diagnostics_init(&diagnostics, stream);
    Arena *arena = arena_create((size_t)4 << 30, &diagnostics);
    diagnostics.can_recover = true;
    if (setjmp(diagnostics.recover) == 0) {
        job(arena, &diagnostics, indices, count);
        arena_destroy(arena);
        _exit(EXIT_SUCCESS);
    }
    fclose(stream);
    for (int i = 0; i < count; i++)
        snprintf(results[indices[i]].message, MESSAGE_BYTES, "%.*s", (int)strcspn(messages, "\n"), messages);
    _exit(EXIT_FAILURE);
}

static pid_t start_job(Job *job, const int *indices, int count)
{
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(EXIT_FAILURE);
    }
    if (child == 0) {
        alarm(CHILD_SECONDS);
        run_job(job, indices, count);
    }
    return child;
}

typedef struct Span {
    const int *indices;
    int count;
    pid_t child;
} Span;

static void run_spans(Job *job, Span *spans, int count);

/* A failure of several cases at once: each half again, down to the case whose failure it is. */
static void finish_span(Job *job, const Span *span, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
        return;
    if (WIFSIGNALED(status) && span->count == 1) {
        set_all(span->indices, 1, STAGE_CRASH, strsignal(WTERMSIG(status)));
        return;
    }
    if (span->count > 1) {
        int half = span->count / 2;
        Span halves[] = {{span->indices, half, 0}, {span->indices + half, span->count - half, 0}};
        run_spans(job, halves, 2);
    }
}

static void run_spans(Job *job, Span *spans, int count)
{
    int *statuses = calloc((size_t)count + 1, sizeof *statuses);
    for (int started = 0, ended = 0; ended < count; ended++) {
        for (; started < count && started - ended < WORKERS; started++)
            spans[started].child = start_job(job, spans[started].indices, spans[started].count);
        int status;
        pid_t child = wait(&status);
        for (int i = 0; i < started; i++)
            if (spans[i].child == child)
                statuses[i] = status;
    }
    for (int i = 0; i < count; i++)
        finish_span(job, &spans[i], statuses[i]);
    free(statuses);
}

static bool same_samples(int x, int y)
{
    return results[x].samples == results[y].samples;
}

static int by_samples(const void *x, const void *y)
{
    int64_t i = *(const int *)x, j = *(const int *)y;
    int64_t difference = results[i].samples != results[j].samples ? results[i].samples - results[j].samples : i - j;
    return (difference > 0) - (difference < 0);
}

static void run_all(Job *job, const int *indices, int count, int each)
{
    static Span spans[MAX_CASES];
    int span_count = 0;
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && end - i < each && same_samples(indices[i], indices[end]);)
            end++;
        spans[span_count++] = (Span){indices + i, end - i, 0};
    }
    run_spans(job, spans, span_count);
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

static int list_cases(const char *glob)
{
    int count = 0;
    DIR *folder = opendir(node_tests);
    if (!folder) {
        perror(node_tests);
        exit(EXIT_FAILURE);
    }
    for (struct dirent *entry; (entry = readdir(folder)) && count < MAX_CASES;)
        if (strncmp(entry->d_name, "test_", 5) == 0 && fnmatch(glob, entry->d_name, 0) == 0)
            names[count++] = strdup(entry->d_name);
    closedir(folder);
    qsort(names, (size_t)count, sizeof *names, by_name);
    return count;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status, (void)type, (void)position;
    return remove(path);
}

static int run_cases(int count)
{
    static int indices[MAX_CASES];
    int passing = 0;
    for (int i = 0; i < count; i++)
        indices[i] = i;
    run_all(one_case, indices, count, 1);
    for (int i = 0; i < count; i++)
        if (results[i].stage == STAGE_PASSED)
            indices[passing++] = i;
    qsort(indices, (size_t)passing, sizeof *indices, by_samples);
    run_all(batch_of_cases, indices, passing, BATCH_CASES);
    passing = 0;
    for (int i = 0; i < count; i++)
        passing += results[i].stage == STAGE_PASSED;
    return passing;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/pcc-conformance-XXXXXX";
    if (argc < 3) {
        fprintf(stderr, "usage: %s NODE_TESTS TABLE [GLOB [keep]]\n", *argv);
        return 2;
    }
    results = mmap(NULL, MAX_CASES * sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    node_tests = argv[1];
    work_folder = mkdtemp(folder);
    if (results == MAP_FAILED || !work_folder) {
        perror("conformance");
        return EXIT_FAILURE;
    }
    int count = list_cases(argc > 3 ? argv[3] : "*"), passing = run_cases(count);
    for (int i = 0; argc > 4 && i < count; i++)
        printf("%s %s %s\n", names[i], stage_names[results[i].stage], results[i].message);
    int wrong = check_expectations(argv[2], names, results, count, argc > 3);
    printf("%d of %d cases pass; %d disagree with %s\n", passing, count, wrong, argv[2]);
    if (argc > 4)
        printf("emitted programs are in %s\n", work_folder);
    else
        nftw(work_folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return wrong > 0 || count == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
