/* name_table.h: a hash table from names to pointers, in an arena. */
#ifndef PCC_FRONTEND_NAME_TABLE_H
#define PCC_FRONTEND_NAME_TABLE_H

#include "ir/ir.h"

typedef struct NameTable {
    struct NameEntry *entries;
    int count, capacity; /* capacity is 0 or a power of two */
} NameTable;

/* A zeroed table is empty. Names are kept by pointer. */
void *name_table_find(const NameTable *table, const char *name); /* NULL when absent */
/* Adds or replaces; item is not NULL. */
void name_table_set(NameTable *table, Arena *arena, const char *name, void *item);

#endif
