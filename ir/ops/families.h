/* families.h: the families of operator rows. Each file ops/FAMILY.c defines FAMILY_ops, ended by a row without a name.
 */
#ifndef PCC_OPS_FAMILIES_H
#define PCC_OPS_FAMILIES_H

#include "ir/ir.h"

#define PCC_OP_FAMILIES       \
    FAMILY(activation)        \
    FAMILY(attention)         \
    FAMILY(attention_onnx)    \
    FAMILY(batchnorm)         \
    FAMILY(block_product)     \
    FAMILY(contrib)           \
    FAMILY(contrib_attention) \
    FAMILY(conv)              \
    FAMILY(detection)         \
    FAMILY(determinant)       \
    FAMILY(einsum)            \
    FAMILY(elementwise)       \
    FAMILY(functions)         \
    FAMILY(fused)             \
    FAMILY(index)             \
    FAMILY(linear_attention)  \
    FAMILY(logic)             \
    FAMILY(loss)              \
    FAMILY(matmul)            \
    FAMILY(norm)              \
    FAMILY(pool)              \
    FAMILY(quantize)          \
    FAMILY(quantized_product) \
    FAMILY(random)            \
    FAMILY(recurrence)        \
    FAMILY(recurrent)         \
    FAMILY(reduce)            \
    FAMILY(region)            \
    FAMILY(resize)            \
    FAMILY(rotary)            \
    FAMILY(sampling)          \
    FAMILY(scan)              \
    FAMILY(scatter)           \
    FAMILY(select)            \
    FAMILY(shape)             \
    FAMILY(signal)            \
    FAMILY(slice)             \
    FAMILY(softmax)           \
    FAMILY(static)            \
    FAMILY(unfold)            \
    FAMILY(unique)

#define FAMILY(name) extern const Op name##_ops[];
PCC_OP_FAMILIES
#undef FAMILY

#endif
