/* main.c: random graphs, emitted and evaluated.
 *     fuzz [--seed S] [--count N]    compares N graphs
 *     fuzz --print SEED              prints the graph of a seed
 *     fuzz --reduce SEED             prints the smallest graph that fails like it */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

enum { PRECISION_SEEDS = 50, BATCH_CASES = 125, DEFAULT_COUNT = 500 };

typedef struct Run {
    uint64_t first;
    const char *folder;
    const Case *only; /* instead of the seed's */
} Run;

enum { IN_DOUBLE, IN_SINGLE, IN_HALF };
static const char *const precisions[] = {"64-true", "32-true", "bf16-mixed"};

/* Most seeds in double, where a wrong number cannot hide. */
static int precision_index(uint64_t seed)
{
    const uint64_t part = seed / PRECISION_SEEDS;
    return part % 10 == 9 ? IN_HALF : part % 5 == 3 ? IN_SINGLE : IN_DOUBLE;
}

static const char *precision_of(uint64_t seed)
{
    return precisions[precision_index(seed)];
}

static void generate(Arena *arena, Diagnostics *diagnostics, uint64_t seed, Case *test)
{
    generate_case(arena, diagnostics, seed, strcmp(precision_of(seed), "bf16-mixed") == 0, test);
}

static void check_seeds(const Runner *runner, Arena *arena, Diagnostics *diagnostics, const int *indices, int count)
{
    const Run *run = runner->context;
    Case *cases = NEW_ARRAY(arena, Case, count);
    Result **results = NEW_ARRAY(arena, Result *, count);
    set_results(runner->results, indices, count, STAGE_IMPORT, "");
    for (int i = 0; i < count; i++) {
        generate(arena, diagnostics, run->first + (uint64_t)indices[i], &cases[i]);
        results[i] = &runner->results[indices[i]];
    }
    set_results(runner->results, indices, count, STAGE_COMPILE, "");
    check_cases(cases, count, precision_of(run->first + (uint64_t)*indices), run->folder, results);
}

/* ---- one seed, reduced ---- */

static void check_one(const Runner *runner, Arena *arena, Diagnostics *diagnostics, const int *indices, int count)
{
    const Run *run = runner->context;
    Case test = *run->only;
    test.graph->diagnostics = diagnostics;
    (void)arena;
    set_results(runner->results, indices, count, STAGE_COMPILE, "");
    check_cases(&test, 1, precision_of(run->first), run->folder, &(Result *){runner->results});
}

typedef struct Search {
    Run run;
    Result *result;
    Stage stage; /* how the case fails */
} Search;

static bool still_fails(void *context, const Case *test)
{
    Search *search = context;
    search->run.only = test;
    run_children(&(Runner){check_one, search->result, &search->run}, (const int[]){0}, 1, 1);
    return search->result->stage == search->stage;
}

static int reduce_seed(uint64_t seed, const char *folder)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, stderr);
    Arena *arena = arena_create((size_t)4 << 30, &diagnostics);
    Search search = {{seed, folder, NULL}, share_results(1), STAGE_PASSED};
    Case test;
    generate(arena, &diagnostics, seed, &test);
    if (still_fails(&search, &test)) {
        printf("seed %llu passes\n", (unsigned long long)seed);
        arena_destroy(arena);
        return EXIT_SUCCESS;
    }
    search.stage = search.result->stage;
    test = reduce_case(&test, still_fails, &search);
    still_fails(&search, &test);
    printf("# seed %llu in %s: %s: %s\n", (unsigned long long)seed, precision_of(seed), stage_names[search.stage],
           search.result->message);
    graph_print(test.graph, stdout, MAX_ELEMENTS);
    arena_destroy(arena);
    return EXIT_FAILURE;
}

static int print_seed(uint64_t seed)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, stderr);
    Arena *arena = arena_create((size_t)4 << 30, &diagnostics);
    Case test;
    generate(arena, &diagnostics, seed, &test);
    graph_print(test.graph, stdout, MAX_ELEMENTS);
    arena_destroy(arena);
    return EXIT_SUCCESS;
}

/* ---- many seeds ---- */

static int run_seeds(uint64_t first, int count, const char *folder)
{
    Result *results = share_results(count);
    int *indices = calloc((size_t)count + 1, sizeof *indices), failed = 0, vague = 0;
    if (!results || !indices)
        return EXIT_FAILURE;
    for (int precision = IN_DOUBLE, listed = 0; precision <= IN_HALF; precision++)
        for (int i = 0; i < count; i++)
            if (precision_index(first + (uint64_t)i) == precision) {
                indices[listed++] = i;
                results[i].samples = precision; /* cases of one precision go together */
            }
    run_children(&(Runner){check_seeds, results, &(Run){first, folder, NULL}}, indices, count, BATCH_CASES);
    for (int i = 0; i < count; i++) {
        vague += results[i].stage == STAGE_PASSED && *results[i].message;
        if (results[i].stage != STAGE_PASSED) {
            printf("seed %llu in %s: %s: %s\n", (unsigned long long)first + (unsigned long long)i,
                   precision_of(first + (uint64_t)i), stage_names[results[i].stage], results[i].message);
            failed++;
        }
    }
    printf("%d of %d graphs agree, %d of them with a tensor that rounding makes vague\n", count - failed, count, vague);
    free(indices);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static uint64_t number_after(int argc, char **argv, const char *option, uint64_t fallback)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], option) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    return fallback;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/pcc-fuzz-XXXXXX";
    if (!mkdtemp(folder)) {
        perror("fuzz");
        return EXIT_FAILURE;
    }
    const uint64_t none = UINT64_MAX, reduced = number_after(argc, argv, "--reduce", none);
    const uint64_t printed = number_after(argc, argv, "--print", none);
    const int count = (int)number_after(argc, argv, "--count", DEFAULT_COUNT);
    const int status = printed != none   ? print_seed(printed)
                       : reduced != none ? reduce_seed(reduced, folder)
                                         : run_seeds(number_after(argc, argv, "--seed", 0), count, folder);
    if (getenv("FUZZ_KEEP"))
        printf("emitted programs are in %s\n", folder);
    else
        remove_folder(folder);
    return status;
}
