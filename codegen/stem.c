/* stem.c: the readable part of functions' names: what they compute. */
#include <ctype.h>

#include "codegen/emit.h"

const char *loop_stem(Arena *arena, const Node *node)
{
    Text *stem = text_create(arena);
    int named = 0;
    for (const Node *member = node->body->first; member && named < 3; member = member->next, named++)
        append(stem, "%s%s", named ? "_" : "", member->op->name);
    const Type *loop = &node->outputs[0]->type;
    append(stem, loop->rank ? "_" : "_scalar"); /* never a bare name, which C may know already */
    for (int i = 0; i < loop->rank; i++)
        append(stem, "%s%lld", i ? "x" : "", (long long)loop->dims[i]);
    for (char *c = stem->data; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return identifier(arena, stem->data, 80);
}

const char *epilogue_stem(Arena *arena, const Node *node)
{
    Text *stem = text_create(arena);
    append(stem, node->body ? "" : "plain");
    for (const Node *member = node->body ? node->body->first : NULL; member && stem->length < 32; member = member->next)
        append(stem, "%s%s", stem->length ? "_" : "", member->op->name);
    for (char *c = stem->data; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return identifier(arena, stem->data, 40);
}
