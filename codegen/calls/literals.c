/* literals.c: what literals.h promises; the fields are in the order in which the calls give them. */
#include "codegen/calls/literals.h"

#include <string.h>

int64_t literal(const KernelCall *call, int i)
{
    return call->arguments[i].i;
}

size_t element_bytes(const KernelCall *call)
{
    return (size_t)dtype_info[call->suffix].bytes;
}

PccConv convolution_literal(const KernelCall *call)
{
    const Argument *field = call->arguments[0].fields;
    PccConv shape = {.n = field[0].i, .c = field[1].i, .o = field[2].i, .groups = field[3].i};
    int64_t *const extents[] = {shape.in, shape.out, shape.kernel, shape.stride, shape.dilation, shape.pad};
    for (int i = 0; i < 6; i++)
        memcpy(extents[i], field[4 + i].dims, 3 * sizeof(int64_t));
    return shape;
}

PccAttention attention_literal(const KernelCall *call)
{
    const Argument *field = call->arguments[0].fields;
    return (PccAttention){.batch = field[0].i,
                          .heads = field[1].i,
                          .queries = field[2].i,
                          .keys = field[3].i,
                          .width = field[4].i,
                          .value_width = field[5].i,
                          .causal = field[7].i,
                          .kv_group = field[8].i};
}

PccRecurrent recurrent_literal(const KernelCall *call)
{
    const Argument *field = call->arguments[0].fields;
    return (PccRecurrent){.cell = field[0].i,
                          .steps = field[1].i,
                          .batch = field[2].i,
                          .directions = field[3].i,
                          .width = field[4].i,
                          .reset_after = field[6].i};
}
