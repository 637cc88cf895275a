/* families.h: the families of operator rows. Each file ops/FAMILY.c defines FAMILY_ops, ended by a row without a name.
 */
#ifndef PCC_OPS_FAMILIES_H
#define PCC_OPS_FAMILIES_H

#include "ir/ir.h"

#define PCC_OP_FAMILIES    \
    FAMILY(activation)     \
    FAMILY(attention)      \
    FAMILY(attention_onnx) \
    FAMILY(batchnorm)      \
    FAMILY(conv)           \
    FAMILY(einsum)         \
    FAMILY(elementwise)    \
    FAMILY(functions)      \
    FAMILY(fused)          \
    FAMILY(index)          \
    FAMILY(logic)          \
    FAMILY(loss)           \
    FAMILY(matmul)         \
    FAMILY(norm)           \
    FAMILY(pool)           \
    FAMILY(quantize)       \
    FAMILY(random)         \
    FAMILY(recurrence)     \
    FAMILY(recurrent)      \
    FAMILY(reduce)         \
    FAMILY(resize)         \
    FAMILY(rotary)         \
    FAMILY(scan)           \
    FAMILY(scatter)        \
    FAMILY(select)         \
    FAMILY(shape)          \
    FAMILY(slice)          \
    FAMILY(softmax)        \
    FAMILY(static)

#define FAMILY(name) extern const Op name##_ops[];
PCC_OP_FAMILIES
#undef FAMILY

#endif
