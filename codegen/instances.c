/* instances.c: functions with equal text are one, so that code size does not grow with the depth of a model. */
#include <string.h>

#include "codegen/emit.h"

static bool name_is_taken(const Instances *instances, const char *name)
{
    for (int i = 0; i < instances->count; i++)
        if (strcmp(instances->items[i].name, name) == 0)
            return true;
    return false;
}

static const char *substitute_name(Arena *arena, const char *text, const char *name)
{
    Text *named = text_create(arena);
    for (const char *mark; (mark = strstr(text, "@@")); text = mark + 2) {
        append_bytes(named, text, (size_t)(mark - text));
        append_bytes(named, name, strlen(name));
    }
    append_bytes(named, text, strlen(text));
    return named->data;
}

Text *function_text(Emitter *e)
{
    e->function->length = 0;
    e->function->data[0] = '\0';
    e->function->depth = 0;
    return e->function;
}

const char *intern_function(Emitter *e, const char *stem, const char *text)
{
    Instances *instances = e->instances;
    uint64_t hash = hash_text(text);
    for (int i = 0; i < instances->count; i++)
        if (instances->items[i].hash == hash && strcmp(instances->items[i].unnamed, text) == 0)
            return instances->items[i].name;
    if (instances->count == instances->capacity) {
        int capacity = 2 * instances->capacity + 64;
        Instance *items = NEW_ARRAY(e->arena, Instance, capacity);
        if (instances->count > 0)
            memcpy(items, instances->items, (size_t)instances->count * sizeof(*items));
        instances->items = items;
        instances->capacity = capacity;
    }
    const char *name = stem;
    for (int i = 2; name_is_taken(instances, name); i++)
        name = arena_printf(e->arena, "%s_v%d", stem, i);
    instances->items[instances->count++] = (Instance){.name = name,
                                                      .text = substitute_name(e->arena, text, name),
                                                      .hash = hash,
                                                      .unnamed = arena_strndup(e->arena, text, strlen(text))};
    return name;
}
