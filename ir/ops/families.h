/* families.h: the families of operator rows. Each file ops/FAMILY.c defines FAMILY_ops, ended by a row without a name.
 */
#ifndef PCC_OPS_FAMILIES_H
#define PCC_OPS_FAMILIES_H

#include "ir/ir.h"

#define PCC_OP_FAMILIES \
    FAMILY(activation)  \
    FAMILY(conv)        \
    FAMILY(elementwise) \
    FAMILY(functions)   \
    FAMILY(fused)       \
    FAMILY(logic)       \
    FAMILY(loss)        \
    FAMILY(matmul)      \
    FAMILY(pool)        \
    FAMILY(reduce)      \
    FAMILY(shape)       \
    FAMILY(slice)       \
    FAMILY(softmax)     \
    FAMILY(static)

#define FAMILY(name) extern const Op name##_ops[];
PCC_OP_FAMILIES
#undef FAMILY

#endif
