/* convolutions.c: convolutions and gradients that cuDNN computes: which, how they are called, and the plans as text.
 *
 * Only plain ones, as of products (library.c): a plan ends with a store in the operands' dtype, so that an epilogue
 * would read what was rounded, and read and write all of it once more, which own kernels save. */
#include <string.h>

#include "codegen/calls/calls.h"
#include "codegen/calls/literals.h"
#include "codegen/cuda/convolution_plans.h"
#include "codegen/cuda/print.h"
#include "ir/target/gpu.h"

/* ---- which ------------------------------------------------------------------------------------------------------ */

/* By PCC_CUDNN_FORWARD ...: the operator, its kernels, and where x, w and y are: input i, or -1: the output. */
static const struct Kind {
    const char *op, *kernel;
    int operands[3];
} kinds[] = {
    {"Convolution", "cudnn_conv", {0, 1, -1}},
    {"ConvolutionGradInput", "cudnn_conv_grad_input", {-1, 1, 0}},
    {"ConvolutionGradWeight", "cudnn_conv_grad_weight", {0, -1, 1}},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int kind_of(const Node *node)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(node->op->name, kinds[i].op) == 0)
            return i;
    return -1;
}

/* x, w or y. */
static const Value *tensor_of(const Node *node, int kind, int i)
{
    const int operand = kinds[kind].operands[i];
    return operand < 0 ? node->outputs[0] : node->inputs[operand];
}

static PccDtype runtime_dtype(Dtype dtype)
{
    return dtype == DTYPE_BF16 ? PCC_BF16 : dtype == DTYPE_F16 ? PCC_F16 : PCC_F32;
}

static bool has_one_dtype(const Node *node, int kind)
{
    const Dtype dtype = tensor_of(node, kind, 0)->type.dtype;
    return (is_narrow(dtype) || dtype == DTYPE_F32) && tensor_of(node, kind, 1)->type.dtype == dtype &&
           tensor_of(node, kind, 2)->type.dtype == dtype;
}

/* Do results lie together, rows of all channels one behind the other? */
static bool is_stored_dense(const Node *node)
{
    const LoopNest nest = epilogue_operands(node->graph->arena, node).nest;
    int64_t stride = 1;
    for (int d = nest.rank - 1; d >= 0; d--) {
        if (nest.dims[d] != 1 && nest.strides[0][d] != stride)
            return false;
        stride *= nest.dims[d];
    }
    return true;
}

static bool is_plain(const Node *node, int kind)
{
    if (kind == PCC_CUDNN_GRAD_WEIGHT)
        return true;
    return !node->body && node->output_count == 1 && own_input_count(node) == node->input_count &&
           is_stored_dense(node);
}

/* The plan of a call of a convolution; NULL: it is an own kernel's. */
static const PccCudnnPlan *plan_of(const Node *node, const KernelCall *call)
{
    const int kind = kind_of(node);
    ConvolutionPlans *plans = call->target->gpu_build->convolution_plans;
    if (!plans || kind < 0 || !has_one_dtype(node, kind) || !is_plain(node, kind))
        return NULL;
    const PccConv shape = convolution_literal(call);
    if (!pcc_cudnn_takes(shape, alignment_of(tensor_of(node, kind, 0)), alignment_of(tensor_of(node, kind, 1)),
                         alignment_of(tensor_of(node, kind, 2))))
        return NULL;
    PccCudnnSite site;
    memset(&site, 0, sizeof site); /* compared as bytes */
    site.kind = kind;
    site.dtype = runtime_dtype(tensor_of(node, kind, 0)->type.dtype);
    site.shape = shape;
    return convolution_plan(plans, &site);
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static void call_planned(const Node *node, KernelCall *call)
{
    if (plan_of(node, call))
        call->kernel = kinds[kind_of(node)].kernel;
}

void call_any_convolution(const Node *node, KernelCall *call)
{
    call_convolution(node, call);
    call_planned(node, call);
}

void call_any_convolution_grad_input(const Node *node, KernelCall *call)
{
    call_convolution_grad_input(node, call);
    call_planned(node, call);
}

void call_any_convolution_grad_weight(const Node *node, KernelCall *call)
{
    call_convolution_grad_weight(node, call);
    call_planned(node, call);
}

int64_t convolution_workspace(const Node *node, const KernelCall *call)
{
    const PccCudnnPlan *plan = plan_of(node, call);
    return plan ? plan->workspace : 0;
}

/* ---- text ------------------------------------------------------------------------------------------------------- */

/* The plans of two graphs, each once, in the order of the calls. */
typedef struct PlanList {
    const PccCudnnPlan **items;
    int count;
} PlanList;

static void list_plans(Emitter *e, const Graph *graph, PlanList *list)
{
    for (const Node *node = graph->first; node; node = node->next) {
        if (kind_of(node) < 0)
            continue;
        const KernelCall call = kernel_call(e->options->target, node);
        const PccCudnnPlan *plan = plan_of(node, &call);
        bool is_listed = !plan;
        for (int i = 0; i < list->count && !is_listed; i++)
            is_listed = memcmp(&list->items[i]->site, &plan->site, sizeof plan->site) == 0;
        if (!is_listed)
            APPEND(e->arena, list->items, list->count, plan);
    }
}

static PlanList plans_of(Emitter *e, const Program *program)
{
    PlanList list = {0};
    if (e->options->target->gpu_build->convolution_plans) {
        list_plans(e, program->train, &list);
        list_plans(e, program->evaluate, &list);
    }
    return list;
}

static const char *triple(Arena *arena, const int64_t *of)
{
    return arena_printf(arena, "{%lld, %lld, %lld}", (long long)of[0], (long long)of[1], (long long)of[2]);
}

/* Raw string literals, a line each, that end behind commas: plans hold many quotes. */
static void print_plan_text(Text *text, const char *json)
{
    enum { PIECE = 100 };
    while (*json) {
        size_t length = strlen(json);
        for (size_t i = PIECE; i < length; i++)
            if (json[i - 1] == ',')
                length = i;
        append(text, "     R\"json(%.*s)json\"%s\n", (int)length, json, json[length] ? "" : "},");
        json += length;
    }
}

static void print_plan(Text *text, const PccCudnnPlan *plan)
{
    static const char *const names[] = {"PCC_CUDNN_FORWARD", "PCC_CUDNN_GRAD_INPUT", "PCC_CUDNN_GRAD_WEIGHT"};
    const PccConv *c = &plan->site.shape;
    const char *dtype = plan->site.dtype == PCC_BF16 ? "PCC_BF16" : plan->site.dtype == PCC_F16 ? "PCC_F16" : "PCC_F32";
    Arena *arena = text->arena;
    append(text, "    {{%s, %s,\n", names[plan->site.kind], dtype);
    append(text, "      {%lld, %lld, %lld, %lld, %s, %s, %s, %s, %s, %s}},\n", (long long)c->n, (long long)c->c,
           (long long)c->o, (long long)c->groups, triple(arena, c->in), triple(arena, c->out), triple(arena, c->kernel),
           triple(arena, c->stride), triple(arena, c->dilation), triple(arena, c->pad));
    append(text, "     %lld,\n", (long long)plan->workspace);
    print_plan_text(text, plan->text);
}

void print_cuda_plans(Emitter *e, Text *text, const Program *program)
{
    const PlanList list = plans_of(e, program);
    const ConvolutionPlans *plans = e->options->target->gpu_build->convolution_plans;
    if (list.count == 0)
        return;
    line(text, "#include <pcc/kernels/conv/conv_cudnn.h>");
    line(text, "/* What cuDNN is to do: kind, dtype and shape of a convolution, bytes of workspace, the plan. */");
    append(text, "static const PccCudnnPlan pcc_cudnn_rows[] = {\n");
    for (int i = 0; i < list.count; i++)
        print_plan(text, list.items[i]);
    append(text, "};\n");
    append(text, "static const PccCudnnPlans pcc_cudnn_plans = {%lld, \"%s\", pcc_cudnn_rows, %d};\n",
           (long long)convolution_plans_version(plans), convolution_plans_gpu(plans), list.count);
    line(text, "#include <pcc/kernels/conv/conv_cudnn.cuh>");
}

/* "cuDNN 9.28.1 for 20 of 32 convolutions on h200" */
const char *convolutions_note(Emitter *e, const Program *program)
{
    const Target *target = e->options->target;
    int convolutions = 0, served = 0;
    for (const Node *node = program->train->first; node; node = node->next)
        if (kind_of(node) >= 0) {
            const KernelCall call = kernel_call(target, node);
            convolutions++;
            served += plan_of(node, &call) != NULL;
        }
    if (!target->gpu_build->convolution_plans || convolutions == 0)
        return NULL;
    const int version = (int)convolution_plans_version(target->gpu_build->convolution_plans);
    return arena_printf(e->arena, "cuDNN %d.%d.%d for %d of %d convolutions on %s", version / 10000,
                        version / 100 % 100, version % 100, served, convolutions,
                        convolution_plans_gpu(target->gpu_build->convolution_plans));
}
