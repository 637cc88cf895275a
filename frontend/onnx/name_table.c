/* name_table.c: open addressing with linear probing over FNV-1a hashes. */
#include "frontend/onnx/name_table.h"

#include <string.h>

struct NameEntry {
    const char *name; /* NULL: free */
    void *item;
};

/* FNV-1a, 64 bits (draft-eastlake-fnv). */
static uint64_t hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++) {
        h = (h ^ (uint8_t)*name) * 0x100000001b3u;
    }
    return h ^ h >> 32;
}

/* The entry of `name`, or the free one where it would go. */
static struct NameEntry *probe(const NameTable *table, const char *name)
{
    uint64_t mask = (uint64_t)table->capacity - 1;
    for (uint64_t i = hash(name) & mask;; i = (i + 1) & mask) {
        struct NameEntry *entry = &table->entries[i];
        if (!entry->name || strcmp(entry->name, name) == 0) {
            return entry;
        }
    }
}

void *name_table_find(const NameTable *table, const char *name)
{
    return table->count ? probe(table, name)->item : NULL;
}

static void grow(NameTable *table, Arena *arena)
{
    NameTable larger = {.capacity = table->capacity ? table->capacity * 2 : 16};
    larger.entries = NEW_ARRAY(arena, struct NameEntry, larger.capacity);
    for (int i = 0; i < table->capacity; i++) {
        if (table->entries[i].name) {
            *probe(&larger, table->entries[i].name) = table->entries[i];
            larger.count++;
        }
    }
    *table = larger;
}

void name_table_set(NameTable *table, Arena *arena, const char *name, void *item)
{
    if (2 * table->count >= table->capacity) {
        grow(table, arena);
    }
    struct NameEntry *entry = probe(table, name);
    table->count += !entry->name;
    *entry = (struct NameEntry){name, item};
}
