/* ops.c: the operator table, made of the families in ops/. */
#include "ir/ir.h"
#include "ir/ops/families.h"

#include <string.h>

static const Op *const families[] = {
#define FAMILY(name) name##_ops,
    PCC_OP_FAMILIES
#undef FAMILY
};

enum { FAMILY_COUNT = sizeof families / sizeof *families };

int op_count(void)
{
    int count = 0;
    for (int family = 0; family < FAMILY_COUNT; family++)
        for (const Op *op = families[family]; op->name; op++)
            count++;
    return count;
}

/* Comparing the first character first skips most rows for the price of a load. */
const Op *find_op(const char *name, size_t length)
{
    if (length == 0)
        return NULL;
    for (int family = 0; family < FAMILY_COUNT; family++)
        for (const Op *op = families[family]; op->name; op++)
            if (op->name[0] == name[0] && strncmp(op->name, name, length) == 0 && op->name[length] == '\0')
                return op;
    return NULL;
}

static int rows_before(const char *name)
{
    int count = 0;
    for (int family = 0; family < FAMILY_COUNT; family++)
        for (const Op *op = families[family]; op->name; op++)
            count += strcmp(op->name, name) < 0;
    return count;
}

/* Names are unique, so that the row with `index` rows before it is the index-th. The table stays constant data, and
 * only listings ask in this order. */
const Op *op_at(int index)
{
    for (int family = 0; family < FAMILY_COUNT; family++)
        for (const Op *op = families[family]; op->name; op++)
            if (rows_before(op->name) == index)
                return op;
    return NULL;
}
