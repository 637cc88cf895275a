/* cudnn_planner.c: a convolution as cuDNN's operation graph, and which of its engines may compute it.
 *
 * Every object is a descriptor: created, given attributes, finalized. A status that is not success ends the attempt:
 * then there is no plan, and the own kernel computes the site. */
#ifdef PCC_CUDNN
#    include <string.h>

#    include "codegen/cuda/cudnn_planner.h"

typedef cudnnBackendDescriptor_t Descriptor;
enum { MOST_CONFIGURATIONS = 64, MOST_NOTES = 32 };

/* ---- descriptors ------------------------------------------------------------------------------------------------ */

static void release_made(CudnnPlanner *p)
{
    while (p->made_count > 0)
        p->library.cudnnBackendDestroyDescriptor(p->made[--p->made_count]);
}

/* Until the plan is made; NULL where it fails. */
static Descriptor make(CudnnPlanner *p, cudnnBackendDescriptorType_t type)
{
    Descriptor made = NULL;
    if (p->library.cudnnBackendCreateDescriptor(type, &made))
        return NULL;
    APPEND(p->arena, p->made, p->made_count, made);
    return made;
}

static bool set(CudnnPlanner *p, Descriptor of, int attribute, int type, int64_t count, const void *values)
{
    return of && p->library.cudnnBackendSetAttribute(of, (cudnnBackendAttributeName_t)attribute,
                                                     (cudnnBackendAttributeType_t)type, count,
                                                     values) == CUDNN_STATUS_SUCCESS;
}

static bool set_descriptor(CudnnPlanner *p, Descriptor of, int attribute, Descriptor value)
{
    return value && set(p, of, attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

/* How many there are; -1: it fails. */
static int64_t get(CudnnPlanner *p, Descriptor of, int attribute, int type, int64_t room, void *values)
{
    int64_t count = -1;
    const cudnnStatus_t status = p->library.cudnnBackendGetAttribute(
        of, (cudnnBackendAttributeName_t)attribute, (cudnnBackendAttributeType_t)type, room, &count, values);
    return status == CUDNN_STATUS_SUCCESS ? count : -1;
}

static Descriptor finalized(CudnnPlanner *p, Descriptor d, bool is_set)
{
    return is_set && p->library.cudnnBackendFinalize(d) == CUDNN_STATUS_SUCCESS ? d : NULL;
}

/* ---- the operation graph ---------------------------------------------------------------------------------------- */

static cudnnDataType_t type_of(int64_t dtype)
{
    return dtype == PCC_BF16 ? CUDNN_DATA_BFLOAT16 : dtype == PCC_F16 ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
}

static Descriptor make_tensor(CudnnPlanner *p, const PccCudnnSite *site, const ConvolutionGeometry *g, int64_t name)
{
    const cudnnDataType_t type = type_of(site->dtype);
    const int64_t alignment = PCC_CUDNN_ALIGNMENT;
    const Descriptor d = make(p, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    return finalized(
        p, d,
        set(p, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &name) &&
            set(p, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type) &&
            set(p, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, g->rank, g->dims[name - PCC_CUDNN_X]) &&
            set(p, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, g->rank, g->strides[name - PCC_CUDNN_X]) &&
            set(p, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment));
}

/* Sums are f32. */
static Descriptor make_windows(CudnnPlanner *p, const ConvolutionGeometry *g)
{
    const int64_t space = g->space;
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const Descriptor d = make(p, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    return finalized(p, d,
                     set(p, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &space) &&
                         set(p, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums) &&
                         set(p, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode) &&
                         set(p, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, space, g->before) &&
                         set(p, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, space, g->after) &&
                         set(p, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, space, g->dilation) &&
                         set(p, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, space, g->stride));
}

/* By kind: the operation, and its attributes of x, w, y, windows, alpha and beta. */
static const struct Operation {
    int type, tensors[3], windows, alpha, beta;
} operations[] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY},
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

static Descriptor make_operation(CudnnPlanner *p, const PccCudnnSite *site)
{
    const struct Operation *row = &operations[site->kind];
    const ConvolutionGeometry g = convolution_geometry(&site->shape);
    const float one = 1, zero = 0;
    const Descriptor d = make(p, (cudnnBackendDescriptorType_t)row->type);
    bool is_set = set_descriptor(p, d, row->windows, make_windows(p, &g)) &&
                  set(p, d, row->alpha, CUDNN_TYPE_FLOAT, 1, &one) && set(p, d, row->beta, CUDNN_TYPE_FLOAT, 1, &zero);
    for (int i = 0; i < 3; i++)
        is_set = is_set && set_descriptor(p, d, row->tensors[i], make_tensor(p, site, &g, PCC_CUDNN_X + i));
    return finalized(p, d, is_set);
}

static Descriptor make_graph(CudnnPlanner *p, const PccCudnnSite *site)
{
    const Descriptor d = make(p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    return finalized(p, d, set_descriptor(p, d, CUDNN_ATTR_OPERATIONGRAPH_OPS, make_operation(p, site)));
}

/* ---- engines ---------------------------------------------------------------------------------------------------- */

/* Sums are the convolution's own, of products of the operands as they are: no transforms, no partial sums of 16 bits,
 * and nothing that has to be compiled where the program starts. */
bool are_notes_allowed(PlanRules rules, PccDtype dtype, const cudnnBackendNumericalNote_t *numerical,
                       int64_t numerical_count, const cudnnBackendBehaviorNote_t *behaviour, int64_t behaviour_count)
{
    bool allowed = true;
    for (int64_t i = 0; i < numerical_count; i++)
        switch ((int)numerical[i]) {
        case CUDNN_NUMERICAL_NOTE_TENSOR_CORE: /* with operands of f32 these are TF32's */
            allowed &= dtype != PCC_F32 || rules.tf32;
            break;
        case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
            allowed &= !rules.deterministic;
            break;
        case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP:
            break;
        default:
            allowed = false;
        }
    for (int64_t i = 0; i < behaviour_count; i++)
        allowed &= behaviour[i] == CUDNN_BEHAVIOR_NOTE_SUPPORTS_CUDA_GRAPH_NATIVE_API;
    return allowed;
}

static bool is_allowed(CudnnPlanner *p, const PccCudnnSite *site, Descriptor configuration)
{
    cudnnBackendNumericalNote_t numerical[MOST_NOTES];
    cudnnBackendBehaviorNote_t behaviour[MOST_NOTES];
    Descriptor engine = make(p, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    if (!engine || get(p, configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine) != 1)
        return false;
    const int64_t numerical_count =
        get(p, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, MOST_NOTES, numerical);
    const int64_t behaviour_count =
        get(p, engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, MOST_NOTES, behaviour);
    return numerical_count >= 0 && numerical_count <= MOST_NOTES && behaviour_count >= 0 &&
           behaviour_count <= MOST_NOTES &&
           are_notes_allowed(p->rules, (PccDtype)site->dtype, numerical, numerical_count, behaviour, behaviour_count);
}

/* How many; they are the planner's until the plan is made. */
static int64_t ask_heuristic(CudnnPlanner *p, const PccCudnnSite *site, Descriptor configurations[])
{
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    const Descriptor d = make(p, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    if (!finalized(p, d,
                   set_descriptor(p, d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, make_graph(p, site)) &&
                       set(p, d, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode) &&
                       set_descriptor(p, d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, p->device)))
        return 0;
    for (int i = 0; i < MOST_CONFIGURATIONS; i++)
        if (!(configurations[i] = make(p, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)))
            return 0;
    const int64_t count =
        get(p, d, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, MOST_CONFIGURATIONS, configurations);
    return count < MOST_CONFIGURATIONS ? count : MOST_CONFIGURATIONS;
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */

/* Bytes that a plan takes; -1: it fails. */
static int64_t workspace_of(CudnnPlanner *p, Descriptor plan)
{
    int64_t workspace = -1;
    const int64_t count = get(p, plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &workspace);
    return count == 1 ? workspace : -1;
}

static const char *text_of(CudnnPlanner *p, Descriptor plan)
{
    const int attribute = CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION;
    const int64_t length = get(p, plan, attribute, CUDNN_TYPE_CHAR, 0, NULL);
    if (length <= 0)
        return NULL;
    char *text = arena_alloc(p->arena, (size_t)length + 1);
    memset(text, 0, (size_t)length + 1);
    return get(p, plan, attribute, CUDNN_TYPE_CHAR, length, text) > 0 ? text : NULL;
}

/* Does the text say all of the plan? So a program would read it. */
static bool is_readable(CudnnPlanner *p, const PccCudnnPlan *plan)
{
    const Descriptor d = make(p, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    const bool is_set = set_descriptor(p, d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, p->device) &&
                        set(p, d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                            (int64_t)strlen(plan->text), plan->text);
    return finalized(p, d, is_set) && workspace_of(p, d) == plan->workspace;
}

static bool try_configuration(CudnnPlanner *p, PccCudnnPlan *plan, Descriptor configuration)
{
    if (!is_allowed(p, &plan->site, configuration))
        return false;
    const Descriptor d = make(p, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    if (!finalized(p, d,
                   set_descriptor(p, d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration) &&
                       set_descriptor(p, d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, p->device)))
        return false;
    plan->workspace = workspace_of(p, d);
    if (plan->workspace < 0 || plan->workspace > PCC_CUDNN_MOST_WORKSPACE)
        return false;
    plan->text = text_of(p, d);
    return plan->text && is_readable(p, plan);
}

bool make_plan(CudnnPlanner *p, PccCudnnPlan *plan)
{
    Descriptor configurations[MOST_CONFIGURATIONS];
    bool is_made = false;
    const int64_t count = ask_heuristic(p, &plan->site, configurations);
    for (int64_t i = 0; i < count && !is_made; i++)
        is_made = try_configuration(p, plan, configurations[i]);
    release_made(p);
    return is_made;
}

/* ---- the planner ------------------------------------------------------------------------------------------------ */

CudnnPlanner open_planner(Arena *arena, Diagnostics *diagnostics, const Gpu *gpu, PlanRules rules)
{
    CudnnPlanner p = {.arena = arena, .library = open_cudnn(arena, diagnostics), .rules = rules};
    const char *text = gpu_description(arena, gpu);
    cudnnStatus_t status = p.library.cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &p.device);
    if (status == CUDNN_STATUS_SUCCESS)
        status = p.library.cudnnBackendSetAttribute(p.device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                                    CUDNN_TYPE_CHAR, (int64_t)strlen(text), text);
    if (status == CUDNN_STATUS_SUCCESS)
        status = p.library.cudnnBackendFinalize(p.device);
    if (status == CUDNN_STATUS_SUCCESS)
        return p;
    const char *why = p.library.cudnnGetErrorString(status);
    close_planner(&p);
    fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN,
          "--libraries cudnn: cuDNN %zu cannot plan for %s (%s); it needs libcuda.so.1 of the driver or, from "
          "$CUDA_HOME, "
          "lib64/stubs/libcuda.so of the toolkit, and a version that knows the GPU (9.28 is tested)",
          p.library.cudnnGetVersion(), gpu->name, why);
    return p;
}

void close_planner(CudnnPlanner *planner)
{
    release_made(planner);
    if (planner->device)
        planner->library.cudnnBackendDestroyDescriptor(planner->device);
    planner->device = NULL;
}
#endif
