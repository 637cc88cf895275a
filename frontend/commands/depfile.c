/* depfile.c: the rule "TARGET: MODEL EXTERNAL-DATA... POLICY-FILES...", with an empty rule for each prerequisite as
 * gcc's -MP writes it, so that a model that moves does not stop make. */
#include "frontend/commands/depfile.h"

#include "passes/precision/policy.h"

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

/* What the output was made from, the model first. */
static const char **list_prerequisites(Compilation *c, int *count)
{
    const char *const *external, *const *policies;
    const int externals = onnx_external_files(c->model, &external);
    const int policy_count = policy_files(policy_create(c->imported, &c->options), &policies);
    const char **files = NEW_ARRAY(c->arena, const char *, 1 + externals + policy_count);
    files[0] = c->line.model;
    *count = 1;
    for (int i = 0; i < externals; i++)
        files[(*count)++] = external[i];
    for (int i = 0; i < policy_count; i++)
        files[(*count)++] = policies[i];
    return files;
}

static void print_rule(Compilation *c, FILE *stream)
{
    int count;
    const char **files = list_prerequisites(c, &count);
    print_name(stream, c->line.depfile_target ? c->line.depfile_target : c->line.output_file);
    fputs(":", stream);
    for (int i = 0; i < count; i++) {
        fputs(i ? " \\\n  " : " ", stream);
        print_name(stream, files[i]);
    }
    fputs("\n\n", stream);
    for (int i = 0; i < count; i++) {
        print_name(stream, files[i]);
        fputs(":\n", stream);
    }
}

void write_depfile(Compilation *c)
{
    const char *path = c->line.depfile_path ? c->line.depfile_path : with_suffix(c->arena, c->line.output_file, ".d");
    write_text(c, path, print_rule);
}
