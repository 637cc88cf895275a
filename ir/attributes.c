/* attributes.c: a node's attributes, and the defaults of its row. */
#include "ir/schema.h"

#include <stdlib.h>
#include <string.h>

const Attr *find_attr(const Node *node, const char *name)
{
    for (int i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}

bool has_attr(const Node *node, const char *name)
{
    return find_attr(node, name) != NULL;
}

/* A row asked for an attribute that it does not declare so. */
static _Noreturn void bad_request(const Node *node, const char *name, AttrKind kind)
{
    internal_error(node->graph->diagnostics, node->origin, "the row of %s has no default for attribute '%s' of kind %s",
                   node->op->name, name, attr_kind_name(kind));
}

/* The attribute when the node has it; else NULL, and the default is in *spec. */
static const Attr *attr_or_default(const Node *node, const char *name, AttrKind kind, AttrSpec *spec)
{
    const Attr *attr = find_attr(node, name);
    if (attr ? attr->kind != kind : !find_attr_spec(node->op, name, spec) || spec->kind != kind || !spec->fallback)
        bad_request(node, name, kind);
    return attr;
}

int64_t attr_int(const Node *node, const char *name)
{
    AttrSpec spec;
    const Attr *attr = attr_or_default(node, name, ATTR_INT, &spec);
    return attr ? attr->i : strtoll(spec.fallback, NULL, 10);
}

double attr_float(const Node *node, const char *name)
{
    AttrSpec spec;
    const Attr *attr = attr_or_default(node, name, ATTR_FLOAT, &spec);
    return attr ? attr->f : strtod(spec.fallback, NULL);
}

const char *attr_string(const Node *node, const char *name)
{
    AttrSpec spec;
    const Attr *attr = attr_or_default(node, name, ATTR_STRING, &spec);
    return attr ? attr->s : arena_strndup(node->graph->arena, spec.fallback, (size_t)spec.fallback_length);
}

int attr_ints(const Node *node, const char *name, const int64_t **values)
{
    const Attr *attr = find_attr(node, name);
    if (!attr)
        return 0;
    if (attr->kind != ATTR_INTS)
        bad_request(node, name, ATTR_INTS);
    *values = attr->ints;
    return attr->count;
}

static void set_attr(Graph *graph, Node *node, Attr attr)
{
    Attr *known = (Attr *)find_attr(node, attr.name);
    if (known)
        *known = attr;
    else
        APPEND(graph->arena, node->attrs, node->attr_count, attr);
}

static const char *copied_text(Graph *graph, const char *text)
{
    return arena_strndup(graph->arena, text, strlen(text));
}

void set_int(Graph *graph, Node *node, const char *name, int64_t value)
{
    set_attr(graph, node, (Attr){.name = copied_text(graph, name), .kind = ATTR_INT, .i = value});
}

void set_float(Graph *graph, Node *node, const char *name, double value)
{
    set_attr(graph, node, (Attr){.name = copied_text(graph, name), .kind = ATTR_FLOAT, .f = value});
}

void set_string(Graph *graph, Node *node, const char *name, const char *value)
{
    Attr attr = {.name = copied_text(graph, name), .kind = ATTR_STRING, .s = copied_text(graph, value)};
    set_attr(graph, node, attr);
}

void set_ints(Graph *graph, Node *node, const char *name, int count, const int64_t *values)
{
    int64_t *ints = NEW_ARRAY(graph->arena, int64_t, count);
    if (count)
        memcpy(ints, values, (size_t)count * sizeof *ints);
    set_attr(graph, node, (Attr){.name = copied_text(graph, name), .kind = ATTR_INTS, .count = count, .ints = ints});
}

void set_floats(Graph *graph, Node *node, const char *name, int count, const double *values)
{
    double *floats = NEW_ARRAY(graph->arena, double, count);
    if (count)
        memcpy(floats, values, (size_t)count * sizeof *floats);
    set_attr(graph, node,
             (Attr){.name = copied_text(graph, name), .kind = ATTR_FLOATS, .count = count, .floats = floats});
}

void remove_attr(Node *node, const char *name)
{
    Attr *attr = (Attr *)find_attr(node, name);
    if (!attr)
        return;
    node->attr_count--;
    memmove(attr, attr + 1, (size_t)(node->attrs + node->attr_count - attr) * sizeof *attr);
}

void copy_attrs(Graph *graph, Node *to, const Node *from)
{
    for (int i = 0; i < from->attr_count; i++)
        set_attr(graph, to, from->attrs[i]);
}
