/* cudnn_planner.h: how a plan is made of a site. Only where pcc is built with cuDNN's headers. */
#ifndef PCC_CODEGEN_CUDNN_PLANNER_H
#define PCC_CODEGEN_CUDNN_PLANNER_H

#include "codegen/cuda/convolution_plans.h"
#include "codegen/cuda/cudnn_library.h"

typedef struct CudnnPlanner {
    Arena *arena;
    CudnnLibrary library;
    PlanRules rules;
    cudnnBackendDescriptor_t device;
    cudnnBackendDescriptor_t *made; /* of the plan that is being made */
    int made_count;
} CudnnPlanner;

CudnnPlanner open_planner(Arena *arena, Diagnostics *diagnostics, const Gpu *gpu, PlanRules rules);
void close_planner(CudnnPlanner *planner);
/* Sets the workspace and the text of a plan whose site is set: of the first configuration in the heuristic's order that
 * the rules allow. False: there is none. */
bool make_plan(CudnnPlanner *planner, PccCudnnPlan *plan);

/* By an engine's notes: may a plan use it for operands of this dtype? */
bool are_notes_allowed(PlanRules rules, PccDtype dtype, const cudnnBackendNumericalNote_t *numerical,
                       int64_t numerical_count, const cudnnBackendBehaviorNote_t *behaviour, int64_t behaviour_count);

#endif
