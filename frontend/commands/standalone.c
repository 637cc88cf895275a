/* standalone.c: puts the runtime's own files in the place of their #includes. */
#include "frontend/commands/standalone.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/text.h"
#include "frontend/commands/toolchain.h"

typedef struct Inliner {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *sources; /* the runtime's folder */
    const char **seen;   /* headers that are in the text already */
    int seen_count;
    const char *template; /* what PCC_TEMPLATE was defined to be last */
    Text *text;
} Inliner;

static void inline_text(Inliner *inliner, const char *folder, const char *text);

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

static bool was_seen(Inliner *inliner, const char *path)
{
    for (int i = 0; i < inliner->seen_count; i++)
        if (strcmp(inliner->seen[i], path) == 0)
            return true;
    APPEND(inliner->arena, inliner->seen, inliner->seen_count, path);
    return false;
}

/* Headers are included once; .inc files are templates, included once for each type. */
static void inline_file(Inliner *inliner, const char *path)
{
    size_t length = strlen(path);
    bool is_template = length > 4 && strcmp(path + length - 4, ".inc") == 0;
    if (!is_template && was_seen(inliner, path))
        return;
    const char *slash = strrchr(path, '/');
    const char *folder = arena_strndup(inliner->arena, path, slash ? (size_t)(slash - path) + 1 : 0);
    const char *source = read_source(inliner, arena_printf(inliner->arena, "%s/%s", inliner->sources, path));
    append(inliner->text, "/* ---- %s ---- */\n", path);
    inline_text(inliner, folder, source);
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

static void inline_text(Inliner *inliner, const char *folder, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        const char *path = own_include(inliner, folder, text);
        note_template(inliner, text);
        if (path)
            inline_file(inliner, path);
        else
            append_bytes(inliner->text, text, length + (text[length] == '\n'));
        text += length + (text[length] == '\n');
    }
}

static bool is_source(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".c") == 0 && strncmp(name, "example_", 8) != 0;
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

Emitted make_standalone(Arena *arena, Diagnostics *diagnostics, Emitted program)
{
    Inliner inliner = {.arena = arena, .diagnostics = diagnostics, .text = text_create(arena)};
    inliner.sources = find_runtime(arena).sources;
    if (!inliner.sources)
        fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN,
              "--standalone needs the runtime's sources, which are neither in the build tree nor in share/pcc/runtime; "
              "install pcc whole");
    const char *header_end = strstr(program.text, "*/\n"); /* the program's own header stays on top */
    const char *body = header_end ? header_end + 3 : program.text;
    append_bytes(inliner.text, program.text, (size_t)(body - program.text));
    append(inliner.text, "#ifndef _GNU_SOURCE\n#define _GNU_SOURCE /* before the first system header */\n#endif\n"
                         "/* A program does not call all of the runtime. */\n"
                         "#pragma GCC diagnostic ignored \"-Wunused-function\"\n");
    inline_runtime(&inliner);
    inline_text(&inliner, "", body);
    program.text = inliner.text->data;
    program.length = inliner.text->length;
    return program;
}
