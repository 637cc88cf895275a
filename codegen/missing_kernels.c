/* missing_kernels.c: operators that the target cannot run yet, all of them in one message. */
#include <string.h>

#include "codegen/emit.h"

static bool lacks_kernel(const Target *target, const Node *node)
{
    return node->op->kind == OP_KERNEL && !find_kernel(target, node);
}

/* Is an operator of the same name reported already? */
static bool is_repeated(const Text *names, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = strstr(names->data, name); at; at = strstr(at + 1, name))
        if ((at == names->data || at[-1] == ' ') && (at[length] == ',' || at[length] == 0))
            return true;
    return false;
}

static void add_missing(Text *names, const Target *target, const Graph *graph, Origin *first)
{
    for (const Node *node = graph->first; node; node = node->next) {
        if (!lacks_kernel(target, node) || (names->length > 0 && is_repeated(names, node->op->name)))
            continue;
        if (names->length == 0)
            *first = node->origin;
        append(names, "%s%s", names->length ? ", " : "", node->op->name);
    }
}

void refuse_missing_kernels(const Program *program, const Target *target)
{
    Text *names = text_create(program->train->arena);
    Origin first = NO_ORIGIN;
    add_missing(names, target, program->train, &first);
    add_missing(names, target, program->evaluate, &first);
    if (names->length > 0)
        fatal(program->train->diagnostics, EXIT_STATUS_UNSUPPORTED, first,
              "the target %s has no kernels of: %s; compile for --target c", target->name, names->data);
}
