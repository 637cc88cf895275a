/* policy_rules.c: parses the rules of policy files and of the command line. */
#include "passes/precision/policy_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_INCLUDE_DEPTH = 16 };

typedef struct PolicyFile {
    Graph *graph;
    RuleList *list;
    const char *path;
    int line, depth;
} PolicyFile;

static const char *const subjects[RULE_SUBJECTS] = {"op", "node", "tensor"};
static const char *const verbs[] = {"keep", "lower", "include"};

#define fail_at(file, ...)                                                                                   \
    fatal((file)->graph->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "%s:%d: %s", (file)->path, (file)->line, \
          arena_printf((file)->graph->arena, __VA_ARGS__))

/* "; did you mean 'X'?", or nothing. */
static const char *suggestion(Graph *graph, const char *word, const char *const *candidates, int count)
{
    const char *near = did_you_mean(word, candidates, count);
    return near ? arena_printf(graph->arena, "; did you mean '%s'?", near) : "";
}

/* SUBJECT:GLOB into `rule`; false when it is not of this form. */
static bool parse_pattern(const char *pattern, Rule *rule)
{
    for (int i = 0; i < RULE_SUBJECTS; i++) {
        const size_t length = strlen(subjects[i]);
        if (strncmp(pattern, subjects[i], length) == 0 && pattern[length] == ':' && pattern[length + 1]) {
            rule->subject = (RuleSubject)i;
            rule->glob = pattern + length + 1;
            return true;
        }
    }
    return false;
}

void add_command_line_rule(Graph *graph, const char *text, RuleList *list)
{
    const bool keep = strncmp(text, "keep ", 5) == 0;
    const char *pattern = text + (keep ? 5 : 6);
    const char *option = keep ? "--keep-fp32" : "--lower";
    Rule rule = {.precision = keep ? CLASS_KEEP : CLASS_LOWER,
                 .text = arena_printf(graph->arena, "%s %s", option, pattern)};
    if (!parse_pattern(pattern, &rule))
        fatal(graph->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
              "%s: '%s' is not op:GLOB, node:GLOB or tensor:GLOB, as in op:Softmax", option, pattern);
    APPEND(graph->arena, list->rules, list->count, rule);
}

/* ---- files ---- */

static const char *relative_to(Graph *graph, const char *from, const char *path)
{
    const char *slash = strrchr(from, '/');
    if (!slash || path[0] == '/')
        return path;
    return arena_printf(graph->arena, "%.*s%s", (int)(slash - from + 1), from, path);
}

static void read_file(Graph *graph, const char *path, RuleList *list, int depth);

static void fail_unknown(PolicyFile *file, const char *policy)
{
    Arena *arena = file->graph->arena;
    const char **names = NULL, *list = "";
    int count = 0;
    for (const PolicyTable *table = policy_tables; table->name; table++) {
        APPEND(arena, names, count, table->name);
        list = arena_printf(arena, "%s %s", list, table->name);
    }
    const char *hint = suggestion(file->graph, policy, names, count);
    fail_at(file, "no policy '%s'%s%s one of%s", policy, hint, *hint ? " It is" : "; it is", list);
}

static void include(PolicyFile *file, const char *what)
{
    const PolicyTable *table = find_policy_table(what);
    const char *path = relative_to(file->graph, file->path, what);
    if (!table && !strpbrk(what, "./") && access(path, R_OK) != 0)
        fail_unknown(file, what);
    if (!table && file->depth == MAX_INCLUDE_DEPTH)
        fail_at(file, "include '%s': policy files include each other more than %d deep", what, MAX_INCLUDE_DEPTH);
    if (!table) {
        read_file(file->graph, path, file->list, file->depth + 1);
        return;
    }
    if (file->list->table || file->list->count > 0)
        fail_at(file, "include %s would overrule what stands before it; put it first", what);
    file->list->table = table;
}

/* Cuts blanks off both ends, and a comment: '#' at the start or after a blank, because names may hold one. */
static char *trimmed(char *line)
{
    static const char blanks[] = " \t\r";
    line += strspn(line, blanks);
    for (char *at = line; (at = strchr(at, '#')); at++)
        if (at == line || strchr(blanks, at[-1])) {
            *at = '\0';
            break;
        }
    size_t length = strlen(line);
    while (length > 0 && strchr(blanks, line[length - 1]))
        line[--length] = '\0';
    return line;
}

/* The operand is the rest of the line: names of nodes and tensors may hold blanks. */
static void read_line(PolicyFile *file, char *line)
{
    const char *verb = strsep(&line, " \t"), *operand = line ? line + strspn(line, " \t") : NULL;
    if (!*verb)
        return;
    int kind = 0;
    while (kind < 3 && strcmp(verbs[kind], verb) != 0)
        kind++;
    if (kind == 3) {
        const char *hint = suggestion(file->graph, verb, verbs, 3);
        fail_at(file, "'%s' is no rule%s%s one of keep lower include", verb, hint, *hint ? " It is" : "; it is");
    }
    if (!operand)
        fail_at(file, "'%s' needs an operand: %s", verb, kind == 2 ? "a policy" : "op:GLOB, node:GLOB or tensor:GLOB");
    if (kind == 2) {
        include(file, operand);
        return;
    }
    Rule rule = {.precision = kind == 0 ? CLASS_KEEP : CLASS_LOWER};
    if (!parse_pattern(operand, &rule))
        fail_at(file, "'%s' is not op:GLOB, node:GLOB or tensor:GLOB, as in op:Softmax", operand);
    rule.text = arena_printf(file->graph->arena, "%s:%d: %s %s", file->path, file->line, verb, operand);
    APPEND(file->graph->arena, file->list->rules, file->list->count, rule);
}

/* The file's contents as a string in the arena. */
static char *contents_of(Graph *graph, const char *path)
{
    FILE *stream = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    ssize_t length = stream ? getdelim(&text, &capacity, '\0', stream) : -1;
    const bool failed = !stream || ferror(stream);
    const int reason = errno;
    if (stream)
        fclose(stream);
    char *copy = arena_printf(graph->arena, "%s", length > 0 ? text : "");
    free(text);
    if (failed)
        fatal(graph->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot read the policy file '%s': %s", path,
              strerror(reason));
    return copy;
}

static void read_file(Graph *graph, const char *path, RuleList *list, int depth)
{
    PolicyFile file = {graph, list, path, 0, depth};
    char *text = contents_of(graph, path);
    APPEND(graph->arena, list->files, list->file_count, path);
    while (text) {
        file.line++;
        read_line(&file, trimmed(strsep(&text, "\n")));
    }
}

void read_policy_file(Graph *graph, const char *path, RuleList *list)
{
    read_file(graph, path, list, 0);
}
