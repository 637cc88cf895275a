/* loss_scale.cuh: loss_scale.h on a GPU. */
#ifndef PCC_LOSS_SCALE_CUH
#define PCC_LOSS_SCALE_CUH

#include "../common/storage.cuh"

template <class T, class Y> __global__ void pcc_loss_scale_kernel(Y *scale, const PccStep *step)
{
    pcc_put(scale, 0, (T)step->loss_scale);
}

template <class T, class Y> static void pcc_loss_scale(Y *scale, PccStep *s)
{
    PCC_LAUNCH((pcc_loss_scale_kernel<T, Y>), 1, 1, 0, s, scale, pcc_on_device(s));
}

#endif
