/* step.cuh: the device's copy of the step. */
#ifndef PCC_STEP_CUH
#define PCC_STEP_CUH

#include "storage.cuh"

template <class X> __global__ void pcc_keep_loss_kernel(const X *loss, PccStep *step)
{
    step->loss = (double)pcc_wide(*loss);
}

/* The end of step() and evaluate(): writes the loss to where the runtime reads it. */
template <class X> static void pcc_keep_loss(const X *loss, PccStep *s)
{
    PCC_LAUNCH((pcc_keep_loss_kernel<X>), 1, 1, 0, s, loss, pcc_on_device(s));
}

/* At the end of the forward pass of step(). */
static inline void pcc_copy_outputs(const PccStep *s, size_t bytes)
{
    if (s->outputs)
        pcc_check_cuda(s, cudaMemcpyAsync(s->outputs, s->arena, bytes, cudaMemcpyDeviceToDevice, pcc_stream(s)),
                       "copying the outputs");
}

#endif
