/* main.c: `conformance NODE_TESTS TABLE [GLOB [verbose]]`: runs the cases in children and compares with the table. */
#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance.h"

enum { BATCH_CASES = 210 };

static const char *node_tests, *work_folder;
static char *names[MAX_CASES];
static void one_case(const Runner *runner, Arena *arena, Diagnostics *diagnostics, const int *indices, int count)
{
    Case test;
    Result *results = runner->results;
    set_results(results, indices, count, STAGE_IMPORT, "");
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

static void batch_of_cases(const Runner *runner, Arena *arena, Diagnostics *diagnostics, const int *indices, int count)
{
    Case *cases = NEW_ARRAY(arena, Case, count);
    Result **shared = NEW_ARRAY(arena, Result *, count);
    for (int i = 0; i < count; i++) {
        load_case(arena, diagnostics, node_tests, names[indices[i]], &cases[i]);
        shared[i] = &runner->results[indices[i]];
    }
    set_results(runner->results, indices, count, STAGE_COMPILE, "");
    check_emitted(cases, count, work_folder, shared);
    for (int i = 0; i < count; i++)
        unload_case(&cases[i]);
}

static int by_samples(const void *x, const void *y, void *context)
{
    const Result *results = context;
    int64_t i = *(const int *)x, j = *(const int *)y;
    int64_t difference = results[i].samples != results[j].samples ? results[i].samples - results[j].samples : i - j;
    return (difference > 0) - (difference < 0);
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

static int run_cases(Result *results, int count)
{
    static int indices[MAX_CASES];
    int passing = 0;
    for (int i = 0; i < count; i++)
        indices[i] = i;
    run_children(&(Runner){one_case, results, NULL}, indices, count, 1);
    for (int i = 0; i < count; i++)
        if (results[i].stage == STAGE_PASSED)
            indices[passing++] = i;
    qsort_r(indices, (size_t)passing, sizeof *indices, by_samples, results);
    run_children(&(Runner){batch_of_cases, results, NULL}, indices, passing, BATCH_CASES);
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
    Result *results = share_results(MAX_CASES);
    node_tests = argv[1];
    work_folder = mkdtemp(folder);
    if (!results || !work_folder) {
        perror("conformance");
        return EXIT_FAILURE;
    }
    int count = list_cases(argc > 3 ? argv[3] : "*"), passing = run_cases(results, count);
    for (int i = 0; argc > 4 && i < count; i++)
        printf("%s %s %s\n", names[i], stage_names[results[i].stage], results[i].message);
    int wrong = check_expectations(argv[2], names, results, count, argc > 3);
    printf("%d of %d cases pass; %d disagree with %s\n", passing, count, wrong, argv[2]);
    if (argc > 4)
        printf("emitted programs are in %s\n", work_folder);
    else
        remove_folder(work_folder);
    return wrong > 0 || count == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
