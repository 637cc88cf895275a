/* optimizer.cuh: update() on a GPU: unscale, check, clip and update every parameter, with optimizer.h's arithmetic.
 *
 *   pcc_sgd(params, on_device, count, scaling, scratch, done, loss_scale, s), pcc_adam, pcc_adamw, pcc_lion, and
 *   pcc_adamw8bit where 16-bit storage is compiled
 *       params      the program's table; on_device: the same in the device's memory (names are not read)
 *       scratch     pcc_cuda_update_scratch_bytes(params, count) bytes (optimizer_cuda.h)
 *       done        in the device's memory: what the update did
 *       loss_scale  in the device's memory: the state of `scaling` (optimizer_scale.h)
 *
 * Everything is decided on the device, in launches whose shapes depend on `params` only. In the device's copy of the
 * step, `update` is incremented unless the update is skipped, `micro` is reset to 0 and `loss_scale` is set for the
 * next update.
 *
 * In two parts, for a step that applies gradients at once (PccStep.at_once), whose update needs no norm:
 *
 *   pcc_NAME_begin(params, on_device, count, scaling, scratch, done, loss_scale, s)
 *   pcc_NAME_from(params, on_device, count, first, own, scratch, done, s)
 *       the `own` parameters from index `first`, any number of times behind it; nothing else of the step changes */
#ifndef PCC_OPTIMIZER_CUH
#define PCC_OPTIMIZER_CUH

#include "update_decide.cuh"
#include "update_plain.cuh"
#ifdef PCC_NARROW
#    include "update_staged.cuh"
#endif

/* Which kernels the parameters need. */
struct PccUpdateKinds {
    bool f32, f64, staged;
};

static inline PccUpdateKinds pcc_update_kinds(const PccParam *params, int64_t count)
{
    PccUpdateKinds kinds = {false, false, false};
    for (int64_t p = 0; p < count; p++) {
        const bool plain = pcc_is_plain_param(params + p), wide = params[p].value.dtype == PCC_F64;
        kinds.f32 = kinds.f32 || (plain && !wide);
        kinds.f64 = kinds.f64 || (plain && wide);
        kinds.staged = kinds.staged || !plain;
    }
    return kinds;
}

/* A pass over weights: one launch, except where they are f64 and others. */
template <class Optimizer, class Maps>
static void pcc_update_weights(PccUpdateKinds kinds, const PccParam *on_device, PccUpdatePlan plan, PccUpdate *done,
                               PccStep *s)
{
    const unsigned blocks = pcc_blocks(plan.chunks, 1);
    const PccStep *step = pcc_on_device(s);
    if (kinds.f64)
        PCC_LAUNCH((pcc_update_plain_kernel<Optimizer, double>), blocks, PCC_BLOCK, 0, s, on_device, plan, step);
#ifdef PCC_NARROW
    if (kinds.staged) {
        PCC_LAUNCH((pcc_update_staged_kernel<Optimizer, Maps>), blocks, PCC_BLOCK, 0, s, on_device, plan, done, step);
        return;
    }
#endif
    (void)done;
    if (kinds.f32)
        PCC_LAUNCH((pcc_update_plain_kernel<Optimizer, float>), blocks, PCC_BLOCK, 0, s, on_device, plan, step);
}

template <class Optimizer, class Maps>
static void pcc_begin_update(const Maps &maps, const PccParam *params, const PccParam *on_device, int64_t count,
                             PccScaling scaling, void *scratch, PccUpdate *done, PccLossScale *loss_scale, PccStep *s)
{
    const PccUpdatePlan plan = pcc_update_plan(params, count, scratch);
    PccStep *step = pcc_on_device(s);
    if (plan.chunks > 0)
        PCC_LAUNCH(pcc_update_plan_kernel, (unsigned)count, PCC_BLOCK, 0, s, on_device, plan);
    if (plan.chunks > 0 && !s->at_once)
        PCC_LAUNCH(pcc_update_norm_kernel, pcc_blocks(plan.chunks, 1), PCC_BLOCK, 0, s, on_device, plan, step);
    PCC_LAUNCH((pcc_update_decide_kernel<Optimizer, Maps>), 1, PCC_DECIDE_BLOCK, 0, s, plan, maps, scaling, done,
               loss_scale, step);
}

/* A parameter's kernel is the same in every range, so that its bits are. */
template <class Optimizer, class Maps>
static void pcc_update_from(const PccParam *params, const PccParam *on_device, int64_t count, int64_t first,
                            int64_t own, void *scratch, PccUpdate *done, PccStep *s)
{
    PccUpdateKinds kinds = pcc_update_kinds(params + first, own);
    PccUpdatePlan plan = pcc_update_plan(params, count, scratch);
    plan.chunk += pcc_cuda_update_all_chunks(params, first);
    plan.chunks = pcc_cuda_update_all_chunks(params + first, own);
    kinds.staged = kinds.staged || (kinds.f32 && pcc_update_kinds(params, count).staged);
    if (plan.chunks > 0)
        pcc_update_weights<Optimizer, Maps>(kinds, on_device, plan, done, s);
}

static inline PccNoMaps pcc_no_maps(void)
{
    return PccNoMaps{};
}

#ifdef PCC_NARROW
static inline PccMaps8 pcc_maps8(void)
{
    PccMaps8 maps;
    pcc_map8_make(true, &maps.with_sign);
    pcc_map8_make(false, &maps.without);
    return maps;
}
#endif

#define PCC_DEFINE_OPTIMIZER(name, optimizer, maps)                                                              \
    static inline void pcc_##name##_begin(const PccParam *params, const PccParam *on_device, int64_t count,      \
                                          PccScaling scaling, void *scratch, PccUpdate *done,                    \
                                          PccLossScale *loss_scale, PccStep *s)                                  \
    {                                                                                                            \
        pcc_begin_update<optimizer>(maps(), params, on_device, count, scaling, scratch, done, loss_scale, s);    \
    }                                                                                                            \
    static inline void pcc_##name##_from(const PccParam *params, const PccParam *on_device, int64_t count,       \
                                         int64_t first, int64_t own, void *scratch, PccUpdate *done, PccStep *s) \
    {                                                                                                            \
        pcc_update_from<optimizer, decltype(maps())>(params, on_device, count, first, own, scratch, done, s);    \
    }                                                                                                            \
    static inline void pcc_##name(const PccParam *params, const PccParam *on_device, int64_t count,              \
                                  PccScaling scaling, void *scratch, PccUpdate *done, PccLossScale *loss_scale,  \
                                  PccStep *s)                                                                    \
    {                                                                                                            \
        pcc_##name##_begin(params, on_device, count, scaling, scratch, done, loss_scale, s);                     \
        pcc_##name##_from(params, on_device, count, 0, count, scratch, done, s);                                 \
    }
PCC_DEFINE_OPTIMIZER(sgd, PccSgd, pcc_no_maps)
PCC_DEFINE_OPTIMIZER(adam, PccAdam, pcc_no_maps)
PCC_DEFINE_OPTIMIZER(adamw, PccAdamw, pcc_no_maps)
PCC_DEFINE_OPTIMIZER(lion, PccLion, pcc_no_maps)
#ifdef PCC_NARROW
PCC_DEFINE_OPTIMIZER(adamw8bit, PccAdamw, pcc_maps8) /* moments in 8 bits where the parameter says so */
#endif
#undef PCC_DEFINE_OPTIMIZER

#endif
