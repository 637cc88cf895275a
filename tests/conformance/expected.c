/* expected.c: the table of cases that do not pass, checked both ways. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

enum { MAX_LINES = 512, LINE_BYTES = 512 };

typedef struct Expectation {
    char glob[LINE_BYTES], stage[32];
    int line, matches;
} Expectation;

static int read_table(const char *path, Expectation *table)
{
    char text[LINE_BYTES];
    int count = 0;
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    for (int line = 1; fgets(text, sizeof text, file); line++) {
        char reason[2];
        if (*text == '#' || *text == '\n')
            continue;
        Expectation *entry = &table[count];
        if (count == MAX_LINES || sscanf(text, "%511s %31s %1s", entry->glob, entry->stage, reason) != 3) {
            fprintf(stderr, "%s:%d: not `GLOB STAGE reason`\n", path, line);
            exit(EXIT_FAILURE);
        }
        entry->line = line;
        count++;
    }
    fclose(file);
    return count;
}

/* The first line that covers the case, as in a table of rules. */
static Expectation *find_expectation(Expectation *table, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (fnmatch(table[i].glob, name, 0) == 0)
            return &table[i];
    return NULL;
}

int check_expectations(const char *path, char *const *names, const Result *results, int count, bool filtered)
{
    static Expectation table[MAX_LINES];
    int lines = read_table(path, table), wrong = 0;
    for (int i = 0; i < count; i++) {
        Expectation *entry = find_expectation(table, lines, names[i]);
        const char *wanted = entry ? entry->stage : stage_names[STAGE_PASSED];
        const char *found = stage_names[results[i].stage];
        if (entry)
            entry->matches++;
        if (strcmp(wanted, found) == 0)
            continue;
        wrong++;
        printf("%s: expected to end at '%s', ended at '%s': %s\n", names[i], wanted, found, results[i].message);
    }
    for (int i = 0; !filtered && i < lines; i++)
        if (table[i].matches == 0) {
            wrong++;
            printf("%s:%d: '%s' covers no case\n", path, table[i].line, table[i].glob);
        }
    return wrong;
}
