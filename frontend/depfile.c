/* depfile.c: the rule "TARGET: MODEL EXTERNAL-DATA...", with an empty rule for each prerequisite as gcc's -MP writes
 * it, so that a model that moves does not stop make. */
#include "frontend/depfile.h"

/* GNU make (manual, "Rule Syntax"): a space takes a backslash, a backslash before it two, # a backslash, $ another. */
static void print_name(FILE *stream, const char *name)
{
    for (const char *c = name; *c; c++) {
        if (*c == ' ' || *c == '\t') {
            for (const char *back = c; back > name && back[-1] == '\\'; back--)
                fputc('\\', stream);
            fputc('\\', stream);
        } else if (*c == '#') {
            fputc('\\', stream);
        } else if (*c == '$') {
            fputc('$', stream);
        }
        fputc(*c, stream);
    }
}

static void print_rule(Compilation *c, FILE *stream)
{
    const char *const *external;
    int count = onnx_external_files(c->model, &external);
    print_name(stream, c->line.depfile_target ? c->line.depfile_target : c->line.output_file);
    fputs(": ", stream);
    print_name(stream, c->line.model);
    for (int i = 0; i < count; i++) {
        fputs(" \\\n  ", stream);
        print_name(stream, external[i]);
    }
    fputs("\n\n", stream);
    print_name(stream, c->line.model);
    fputs(":\n", stream);
    for (int i = 0; i < count; i++) {
        print_name(stream, external[i]);
        fputs(":\n", stream);
    }
}

void write_depfile(Compilation *c)
{
    const char *path = c->line.depfile_path ? c->line.depfile_path : with_suffix(c->arena, c->line.output_file, ".d");
    write_text(c, path, print_rule);
}
