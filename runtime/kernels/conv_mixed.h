/* conv_mixed.h: rows and weights of operands that are stored in f32, bf16 or f16: moved as they are, then widened. */
#ifndef PCC_CONV_MIXED_H
#define PCC_CONV_MIXED_H

#define PCC_T uint16_t
#define PCC_SUFFIX u16
#include "conv_gather.inc"
#include "conv_weights.inc"
#undef PCC_T
#undef PCC_SUFFIX

PCC_SHARED const float *pcc_conv_row_mixed(const PccGather *g, const PccCursor *c, int64_t group, PccColumn column,
                                           int64_t count, float *buffer)
{
    uint16_t bits[PCC_GEMM_MAX_COLUMNS]; /* or depths, which are less */
    if (g->dtype == PCC_F32)
        return pcc_conv_row_f32(g, c, group, column, count, buffer);
    return pcc_read((PccIn){pcc_conv_row_u16(g, c, group, column, count, bits), g->dtype}, 0, count, buffer);
}

PCC_KERNEL PccIn pcc_conv_filters_last_mixed(int64_t o, int64_t c, int64_t taps, PccIn w, void *rearranged)
{
    if (w.dtype == PCC_F32)
        return (PccIn){pcc_conv_filters_last_f32(o, c, taps, w.data, rearranged), w.dtype};
    return (PccIn){pcc_conv_filters_last_u16(o, c, taps, w.data, rearranged), w.dtype};
}

PCC_KERNEL PccIn pcc_conv_phase_weights_mixed(const PccConv *c, const PccPhase *p, PccIn w, void *rearranged)
{
    if (w.dtype == PCC_F32)
        return (PccIn){pcc_conv_phase_weights_f32(c, p, w.data, rearranged), w.dtype};
    return (PccIn){pcc_conv_phase_weights_u16(c, p, w.data, rearranged), w.dtype};
}

/* Rows to be multiplied where they lie would have to be widened each time: they are packed. */
PCC_KERNEL PccListF32 pcc_conv_lister_mixed(int pointwise, int64_t columns)
{
    (void)pointwise;
    (void)columns;
    return NULL;
}

#endif
