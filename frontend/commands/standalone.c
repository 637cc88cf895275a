/* standalone.c: puts the runtime's own files in the place of their #includes. */
#include "frontend/commands/standalone.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/text.h"
#include "frontend/commands/driver.h"
#include "frontend/commands/toolchain.h"
#include "runtime/pcc.h"

typedef struct Inliner {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *sources; /* the runtime's folder */
    const char **seen;   /* headers that are in the text already */
    int seen_count;
    const char *template; /* what PCC_TEMPLATE was defined to be last */
    bool conditional;     /* what is read now stands in an #if, but for those around whole headers */
    Text *text;
} Inliner;

static void inline_text(Inliner *inliner, const char *folder, const char *text, int guards);

static const char *read_source(Inliner *inliner, const char *path)
{
    FILE *file = fopen(path, "rb");
    Text *text = text_create(inliner->arena);
    char buffer[1 << 14];
    size_t length;
    while (file && (length = fread(buffer, 1, sizeof buffer, file)) > 0)
        append_bytes(text, buffer, length);
    if (!file || ferror(file))
        fatal(inliner->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "--standalone cannot read '%s': %s", path,
              strerror(errno));
    fclose(file);
    return text->data;
}

/* Paths relative to the runtime's folder, without "./" and "..": "kernels/" and "../dtype.h" give "dtype.h". */
static const char *join(Arena *arena, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    while (strncmp(name, "../", 3) == 0 && length > 0) {
        name += 3;
        for (length--; length > 0 && folder[length - 1] != '/';)
            length--;
    }
    return arena_printf(arena, "%.*s%s", (int)length, folder, name);
}

/* What stands in an #if may be skipped, and then comes again: its own guard keeps it single. */
static bool was_seen(Inliner *inliner, const char *path)
{
    for (int i = 0; i < inliner->seen_count; i++)
        if (strcmp(inliner->seen[i], path) == 0)
            return true;
    if (!inliner->conditional)
        APPEND(inliner->arena, inliner->seen, inliner->seen_count, path);
    return false;
}

/* Headers are included once; .inc files are templates, included once for each type. */
static void inline_file(Inliner *inliner, const char *path)
{
    const bool is_header = path_has_suffix(path, ".h") || path_has_suffix(path, ".cuh");
    if (!path_has_suffix(path, ".inc") && was_seen(inliner, path))
        return;
    const char *slash = strrchr(path, '/');
    const char *folder = arena_strndup(inliner->arena, path, slash ? (size_t)(slash - path) + 1 : 0);
    const char *source = read_source(inliner, arena_printf(inliner->arena, "%s/%s", inliner->sources, path));
    append(inliner->text, "/* ---- %s ---- */\n", path);
    inline_text(inliner, folder, source, is_header);
}

/* What follows the directive NAME in a line; NULL for other lines. */
static const char *after_directive(const char *line, const char *name)
{
    const char *at = line + strspn(line, " \t");
    if (*at++ != '#')
        return NULL;
    at += strspn(at, " \t");
    if (strncmp(at, name, strlen(name)) != 0)
        return NULL;
    at += strlen(name);
    return at + strspn(at, " \t");
}

/* The path of `#include "NAME"`, `#include <pcc/NAME>` or `#include PCC_TEMPLATE`; NULL for other lines. */
static const char *own_include(Inliner *inliner, const char *folder, const char *line)
{
    const char *at = after_directive(line, "include");
    if (!at)
        return NULL;
    if (strncmp(at, "<pcc/", 5) == 0)
        return arena_strndup(inliner->arena, at + 5, strcspn(at + 5, ">\n"));
    if (strncmp(at, "PCC_TEMPLATE\n", 13) == 0 && inliner->template)
        return join(inliner->arena, folder, inliner->template);
    if (*at != '"')
        return NULL;
    return join(inliner->arena, folder, arena_strndup(inliner->arena, at + 1, strcspn(at + 1, "\"\n")));
}

/* Kernels that are written once for several types: `#define PCC_TEMPLATE "NAME"` says what the next files include. */
static void note_template(Inliner *inliner, const char *line)
{
    const char *at = after_directive(line, "define");
    if (at && strncmp(at, "PCC_TEMPLATE \"", 14) == 0)
        inliner->template = arena_strndup(inliner->arena, at + 14, strcspn(at + 14, "\"\n"));
}

/* 1, -1 or 0: what a line does to the number of open #if. */
static int opens_condition(const char *line)
{
    return after_directive(line, "if") ? 1 : after_directive(line, "endif") ? -1 : 0;
}

/* `guards`: how many #if are around the whole text. */
static void inline_text(Inliner *inliner, const char *folder, const char *text, int guards)
{
    const bool conditional = inliner->conditional;
    for (int depth = 0; *text;) {
        size_t length = strcspn(text, "\n");
        const char *path = own_include(inliner, folder, text);
        note_template(inliner, text);
        depth += opens_condition(text);
        inliner->conditional = conditional || depth > guards;
        if (path)
            inline_file(inliner, path);
        else
            append_bytes(inliner->text, text, length + (text[length] == '\n'));
        text += length + (text[length] == '\n');
    }
    inliner->conditional = conditional;
}

static bool is_source(const char *name)
{
    return path_has_suffix(name, ".c") && strncmp(name, "example_", 8) != 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In alphabetical order whatever the locale and the folder's order are. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Names in a folder of the runtime's; NULL where the path is no folder. */
static const char **list_folder(Inliner *inliner, const char *path, int *count)
{
    struct dirent **entries;
    *count = scandir(path, &entries, is_visible, by_name);
    if (*count < 0)
        return NULL;
    const char **names = NEW_ARRAY(inliner->arena, const char *, *count + 1);
    for (int i = 0; i < *count; i++) {
        names[i] = arena_strndup(inliner->arena, entries[i]->d_name, strlen(entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return names;
}

/* Sources of the runtime's folder and of the rooms in it. */
static void inline_runtime(Inliner *inliner)
{
    int count, sources;
    const char **names = list_folder(inliner, inliner->sources, &count);
    if (!names)
        fatal(inliner->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "--standalone cannot read the folder '%s': %s",
              inliner->sources, strerror(errno));
    for (int i = 0; i < count; i++) {
        const char **inner =
            list_folder(inliner, arena_printf(inliner->arena, "%s/%s", inliner->sources, names[i]), &sources);
        for (int j = 0; inner && j < sources; j++)
            if (is_source(inner[j]))
                inline_file(inliner, arena_printf(inliner->arena, "%s/%s", names[i], inner[j]));
        if (!inner && is_source(names[i]))
            inline_file(inliner, names[i]);
    }
}

#define QUIET_C "#pragma GCC diagnostic ignored \"-Wunused-function\"\n"

/* What targets do differently. */
static const struct StandaloneRow {
    const Target *target;
    bool runtime_apart; /* the runtime is a file of its own */
    const char *quiet;  /* no warnings of functions that a program does not call: they are in no header any more */
} rows[] = {{&target_c, false, QUIET_C},
            {&target_cuda, true, "#ifdef __CUDACC__\n#pragma nv_diag_suppress 177\n#endif\n" QUIET_C}};

static const struct StandaloneRow *row_of(const Target *target)
{
    const struct StandaloneRow *row = rows;
    while (row->target != target)
        row++;
    return row;
}

static Inliner start(Arena *arena, Diagnostics *diagnostics)
{
    Inliner inliner = {.arena = arena, .diagnostics = diagnostics, .text = text_create(arena)};
    inliner.sources = find_runtime(arena).sources;
    if (!inliner.sources)
        fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN,
              "--standalone needs the runtime's sources, which are neither in the build tree nor in share/pcc/runtime; "
              "install pcc whole");
    return inliner;
}

static void append_quiet(Inliner *inliner, const char *quiet)
{
    append(inliner->text, "/* A program does not call all of the runtime. */\n%s", quiet);
}

/* The runtime as C. */
static void append_runtime(Inliner *inliner)
{
    append(inliner->text, "#ifndef _GNU_SOURCE\n#define _GNU_SOURCE /* before the first system header */\n#endif\n");
    append_quiet(inliner, row_of(&target_c)->quiet);
    inline_runtime(inliner);
}

static void make_runtime(Arena *arena, Diagnostics *diagnostics, const EmitOptions *emit, ProgramSource *source)
{
    Inliner inliner = start(arena, diagnostics);
    append(inliner.text, "/* %s: the runtime of %s. Written by pcc %s; any program of the same pcc takes it. */\n",
           emit->runtime_name, emit->source_name, PCC_VERSION);
    append_runtime(&inliner);
    source->runtime = inliner.text->data;
    source->runtime_length = inliner.text->length;
}

ProgramSource make_standalone(Arena *arena, Diagnostics *diagnostics, const Target *target, const EmitOptions *emit,
                              Emitted program)
{
    const struct StandaloneRow *row = row_of(target);
    ProgramSource source = {.program = program};
    Inliner inliner = start(arena, diagnostics);
    const char *header_end = strstr(program.text, "*/\n"); /* the program's own header stays on top */
    const char *body = header_end ? header_end + 3 : program.text;
    append_bytes(inliner.text, program.text, (size_t)(body - program.text));
    if (row->runtime_apart) {
        make_runtime(arena, diagnostics, emit, &source);
        append_quiet(&inliner, row->quiet);
    } else {
        append_runtime(&inliner);
    }
    inline_text(&inliner, "", body, 0);
    source.program.text = inliner.text->data;
    source.program.length = inliner.text->length;
    return source;
}
