/* attention_in_pairs.h: what attention_registers.inc defines for the other forms, where bf16 is multiplied in pairs: by
 * the pcc_attention_paired_product() of attention_amx.h or attention_pairs.h. */
#ifndef PCC_ATTENTION_IN_PAIRS_H
#define PCC_ATTENTION_IN_PAIRS_H

#if PCC_TILES
#    include "attention_amx.h"
#else
#    include "attention_pairs.h"
#endif

PCC_KERNEL int pcc_attention_in_pairs_narrow(PccIn a, PccIn b, PccIn c, PccIn d)
{
    const int all = a.dtype == PCC_BF16 && b.dtype == PCC_BF16 && c.dtype == PCC_BF16 && d.dtype == PCC_BF16;
    return all && pcc_gemm_pairs_granted();
}

PCC_KERNEL int64_t pcc_attention_panel_elements_narrow(int in_pairs)
{
    return in_pairs ? PCC_ATTENTION_PANELS : 0;
}

PCC_KERNEL void pcc_attention_begin_narrow(int in_pairs)
{
    (void)in_pairs;
#if PCC_TILES
    if (in_pairs)
        pcc_amx_begin();
#endif
}

PCC_KERNEL void pcc_attention_end_narrow(int in_pairs)
{
    (void)in_pairs;
#if PCC_TILES
    if (in_pairs)
        pcc_amx_end();
#endif
}

PCC_KERNEL void pcc_attention_multiply_narrow(PccAttentionProduct_f32 product, float *panels)
{
    if (panels)
        pcc_attention_paired_product(product, panels);
    else
        pcc_attention_product_f32(product);
}

#endif
