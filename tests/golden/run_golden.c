/* run_golden.c: run_golden NAME.ir: runs the passes that the file's first line names over its graph, verifying after
 * each, and compares the printed graph with NAME.want beside it. UPDATE=1 in the environment rewrites NAME.want.
 *
 * The first line is a comment: "# passes: expand grad simplify [option=value ...]"; options are precision, policy, rule
 * ("keep:op:Softmax", "lower:node:*"; repeatable), honour-casts, loss, trainable, freeze, accumulate, head, init,
 * seed and recompute. */
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"

enum { MAX_WORDS = 32, MAX_RULES = 8, SHOWN_ELEMENTS = 16 };

typedef struct Golden {
    Diagnostics diagnostics;
    Arena *arena;
    const char *source, *want; /* paths */
    Options options;
    const char *globs[2];
    const char *rules[MAX_RULES];
} Golden;

static char *read_file(const Golden *golden, const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *text = arena_alloc(golden->arena, *length + 1);
    size_t got = fread(text, 1, *length, file);
    fclose(file);
    return got == *length ? text : NULL;
}

/* ---- the first line ------------------------------------------------------------------------------------------------
 */

static const PassInfo *find_pass(const char *name)
{
    const PassInfo *const tables[] = {prepare_passes, pipeline_passes};
    for (int i = 0; i < 2; i++)
        for (const PassInfo *pass = tables[i]; pass->name; pass++)
            if (strcmp(pass->name, name) == 0)
                return pass;
    return NULL;
}

/* "keep:op:Softmax" is --keep-fp32 op:Softmax, as Options have it: "keep op:Softmax". */
static bool add_rule(Golden *golden, const char *text)
{
    Options *options = &golden->options;
    if (options->precision_rule_count == MAX_RULES || !strchr(text, ':'))
        return false;
    char *rule = arena_printf(golden->arena, "%s", text);
    *strchr(rule, ':') = ' ';
    golden->rules[options->precision_rule_count++] = rule;
    options->precision_rules = golden->rules;
    return true;
}

static bool set_option(Golden *golden, const char *word)
{
    Options *options = &golden->options;
    const char *value = strchr(word, '=') + 1;
    if (strncmp(word, "precision=", 10) == 0)
        options->precision = value;
    else if (strncmp(word, "policy=", 7) == 0)
        options->policy = value;
    else if (strncmp(word, "rule=", 5) == 0)
        return add_rule(golden, value);
    else if (strncmp(word, "honour-casts=", 13) == 0)
        options->honour_casts = strcmp(value, "yes") == 0;
    else if (strncmp(word, "trainable=", 10) == 0)
        golden->globs[0] = value, options->trainable = &golden->globs[0], options->trainable_count = 1;
    else if (strncmp(word, "freeze=", 7) == 0)
        golden->globs[1] = value, options->freeze = &golden->globs[1], options->freeze_count = 1;
    else if (strncmp(word, "accumulate=", 11) == 0)
        options->accumulate = atoi(value);
    else if (strncmp(word, "head=", 5) == 0)
        options->head = atoi(value);
    else if (strncmp(word, "init=", 5) == 0)
        options->init_random = strcmp(value, "random") == 0;
    else if (strncmp(word, "seed=", 5) == 0)
        options->seed = strtoull(value, NULL, 10);
    else if (strncmp(word, "recompute=", 10) == 0)
        while (options->recompute < RECOMPUTE_KINDS && strcmp(recompute_names[options->recompute], value) != 0)
            options->recompute++;
    else if (strncmp(word, "loss=", 5) == 0)
        while (options->loss < LOSS_COUNT && strcmp(loss_names[options->loss], value) != 0)
            options->loss++;
    else
        return false;
    return options->loss < LOSS_COUNT && options->recompute < RECOMPUTE_KINDS;
}

/* The passes of the first line, ended by NULL; options go into golden. */
static void read_request(Golden *golden, const char *text, const PassInfo *passes[MAX_WORDS + 1])
{
    const char *prefix = "# passes: ";
    int count = 0;
    if (strncmp(text, prefix, strlen(prefix)) != 0)
        internal_error(&golden->diagnostics, NO_ORIGIN, "the first line is not '%sNAME ...'", prefix);
    text += strlen(prefix);
    char *line = arena_printf(golden->arena, "%.*s", (int)strcspn(text, "\n"), text), *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        const PassInfo *pass = strchr(word, '=') ? NULL : find_pass(word);
        if (pass && count < MAX_WORDS)
            passes[count++] = pass;
        else if (!strchr(word, '=') || !set_option(golden, word))
            internal_error(&golden->diagnostics, NO_ORIGIN, "'%s' is no pass and no option", word);
    }
    passes[count] = NULL;
}

/* ---- running and comparing -----------------------------------------------------------------------------------------
 */

/* Large tensors are "= data" in the text: a golden test's contents do not matter, only that there are some. */
static const void *zero_data(void *context, const char *name, const Type *type)
{
    (void)name;
    return arena_alloc(context, (size_t)type_bytes(type));
}

static char *run_passes(Golden *golden, const char *text, size_t length)
{
    const PassInfo *passes[MAX_WORDS + 1];
    read_request(golden, text, passes);
    Graph *graph =
        graph_parse(golden->arena, &golden->diagnostics, golden->source, text, length, zero_data, golden->arena);
    if (!graph)
        leave(&golden->diagnostics);
    graph_verify(graph);
    for (int i = 0; passes[i]; i++) {
        graph->cursor = NULL;
        graph->origin = NO_ORIGIN;
        passes[i]->run(graph, &golden->options);
        graph->stage = passes[i]->name;
        if (golden->diagnostics.error_count > 0)
            leave(&golden->diagnostics);
        graph_verify(graph);
    }
    char *printed = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&printed, &bytes);
    graph_print(graph, stream, SHOWN_ELEMENTS);
    fclose(stream);
    return printed;
}

static int write_want(const Golden *golden, const char *printed)
{
    FILE *file = fopen(golden->want, "w");
    bool written = file && fputs(printed, file) >= 0;
    if (!file || fclose(file) != 0 || !written) {
        perror(golden->want);
        return 1;
    }
    return 0;
}

static int compare_with_want(const Golden *golden, const char *printed)
{
    size_t length;
    const char *want = read_file(golden, golden->want, &length);
    if (want && strcmp(want, printed) == 0)
        return 0;
    if (!want)
        fprintf(stderr, "%s: missing; UPDATE=1 writes it\n", golden->want);
    for (int line = 1; want && *want && *printed; line++) {
        size_t a = strcspn(want, "\n"), b = strcspn(printed, "\n");
        if (a != b || strncmp(want, printed, a) != 0) {
            fprintf(stderr, "%s:%d:\n  want %.*s\n  got  %.*s\n", golden->want, line, (int)a, want, (int)b, printed);
            break;
        }
        want += a + (want[a] == '\n');
        printed += b + (printed[b] == '\n');
    }
    return 1;
}

static int run(Golden *golden)
{
    size_t length;
    const char *text = read_file(golden, golden->source, &length);
    if (!text)
        fatal(&golden->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot read it");
    char *printed = run_passes(golden, text, length);
    int status = getenv("UPDATE") ? write_want(golden, printed) : compare_with_want(golden, printed);
    free(printed);
    return status;
}

/* A function of its own: no local variable lives across the jump back. */
static int run_recovering(Golden *golden)
{
    if (setjmp(golden->diagnostics.recover))
        return 1;
    golden->diagnostics.can_recover = true;
    return run(golden);
}

int main(int argc, char **argv)
{
    Golden golden = {.options = {.target = &target_c, .precision = "32-true", .accumulate = 1, .optimizer = "adamw"}};
    if (argc != 2 || !strstr(argv[1], ".ir")) {
        fprintf(stderr, "usage: run_golden NAME.ir\n");
        return 2;
    }
    diagnostics_init(&golden.diagnostics, stderr);
    golden.arena = arena_create((size_t)1 << 30, &golden.diagnostics);
    golden.source = golden.diagnostics.file = argv[1];
    golden.want = arena_printf(golden.arena, "%.*s.want", (int)(strlen(argv[1]) - strlen(".ir")), argv[1]);
    int status = run_recovering(&golden);
    arena_destroy(golden.arena);
    return status;
}
