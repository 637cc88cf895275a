/* param_state.c: how the optimizer keeps each parameter: the dtypes of gradient and moments, rounding, and where they
 * lie in the weights block. */
#include <string.h>

#include "codegen/emit.h"
#include "ir/optimizer.h"
#include "passes/precision/policy.h"
#include "passes/view.h"
#include "runtime/program.h"

static Dtype moment_dtype(const Graph *train, const Value *param, const Options *options)
{
    if (!find_optimizer(options->optimizer)->blocks8)
        return dtype_info[param->type.dtype].bytes == 2 ? policy_moments(options) : param->type.dtype;
    if (param->type.dtype == DTYPE_F64)
        fatal(train->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
              "--optimizer %s computes in f32, parameter '%s' is f64; use --optimizer adamw", options->optimizer,
              param->name);
    return keeps_blocks8(train, param, options) ? DTYPE_U8 : DTYPE_F32;
}

static PccRounding rounding_of(const Value *param, const Options *options)
{
    static const char *const names[] = {
        [PCC_NEAREST] = "nearest", [PCC_STOCHASTIC] = "stochastic", [PCC_KAHAN] = "kahan", [PCC_MASTER] = "master"};
    const char *update = dtype_info[param->type.dtype].bytes == 2 ? policy_update(options) : NULL;
    PccRounding rounding = PCC_NEAREST;
    for (size_t i = 0; update && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], update) == 0)
            rounding = (PccRounding)i;
    const bool splits = options->target->splits_masters && param->type.dtype == DTYPE_BF16;
    return rounding == PCC_MASTER && splits ? PCC_REMAINDER : rounding;
}

const char *rounding_constant(PccRounding rounding)
{
    static const char *const constants[] = {[PCC_NEAREST] = "PCC_NEAREST",
                                            [PCC_STOCHASTIC] = "PCC_STOCHASTIC",
                                            [PCC_KAHAN] = "PCC_KAHAN",
                                            [PCC_MASTER] = "PCC_MASTER",
                                            [PCC_REMAINDER] = "PCC_REMAINDER"};
    return constants[rounding];
}

static int64_t place_moment(Weights *weights, const ParamState *state, int64_t elements, int64_t *absmax)
{
    if (state->moment_dtype == DTYPE_U8)
        *absmax = place_weights(weights, (elements + PCC_MOMENT_BLOCK - 1) / PCC_MOMENT_BLOCK * (int64_t)sizeof(float));
    return place_weights(weights, elements * dtype_info[state->moment_dtype].bytes);
}

/* Behind everything else: where a step applies them, they are a block of their own. */
static void place_gradients(Weights *weights, const Graph *train)
{
    for (int i = 0; i < train->gradient_count; i++) {
        const Binding *gradient = &train->gradients[i];
        ParamState *state = &weights->param_states[param_index(weights, gradient->target)];
        state->gradient_dtype = gradient->value->type.dtype;
        state->gradient = place_weights(weights, type_bytes(&gradient->value->type));
    }
}

static void place_extras(Weights *weights)
{
    for (int i = 0; i < weights->param_count; i++) {
        const Type *type = &weights->params[i].value->type;
        ParamState *state = &weights->param_states[i];
        const Dtype dtype = state->rounding == PCC_MASTER ? DTYPE_F32 : type->dtype;
        if (state->rounding == PCC_MASTER || state->rounding == PCC_KAHAN || state->rounding == PCC_REMAINDER)
            state->extra = place_weights(weights, element_count(type) * dtype_info[dtype].bytes);
    }
}

static void place_moments(Weights *weights, const Options *options)
{
    const int moments = find_optimizer(options->optimizer)->moments;
    for (int i = 0; i < weights->param_count; i++) {
        ParamState *state = &weights->param_states[i];
        const int64_t elements = element_count(&weights->params[i].value->type);
        state->moment1 = place_moment(weights, state, elements, &state->absmax1);
        if (moments > 1)
            state->moment2 = place_moment(weights, state, elements, &state->absmax2);
    }
}

void place_param_states(Weights *weights, const Graph *train, const Options *options)
{
    for (int i = 0; i < weights->param_count; i++) {
        const Value *param = weights->params[i].value;
        weights->param_states[i] = (ParamState){.gradient = -1,
                                                .made = -1,
                                                .extra = -1,
                                                .moment1 = -1,
                                                .moment2 = -1,
                                                .absmax1 = -1,
                                                .absmax2 = -1,
                                                .gradient_dtype = param->type.dtype,
                                                .moment_dtype = moment_dtype(train, param, options),
                                                .rounding = rounding_of(param, options)};
    }
    int64_t start = weights->bytes;
    place_extras(weights);
    weights->extra_bytes = weights->bytes - start;
    start = weights->bytes;
    place_moments(weights, options);
    weights->moment_bytes = weights->bytes - start;
    start = weights->bytes;
    place_gradients(weights, train);
    weights->gradient_bytes = weights->bytes - start;
}

bool applies_gradients(const Weights *weights)
{
    return weights->param_count > 0 && weights->param_states[0].made >= 0;
}

/* They are a block of their own. */
static void part_gradients(Weights *weights)
{
    weights->bytes -= weights->gradient_bytes;
    for (int i = 0; i < weights->param_count; i++)
        if (weights->param_states[i].gradient >= 0)
            weights->param_states[i].gradient -= weights->bytes;
}

void place_made_gradients(Weights *weights, const Graph *train, const MemoryPlan *plan)
{
    for (const Node *node = train->first; node; node = node->next)
        for (int i = 0; node->op->kind == OP_UPDATE && i < node->input_count / 2; i++)
            weights->param_states[param_index(weights, node->inputs[i])].made =
                plan->offset[window_of(node->inputs[node->input_count / 2 + i]).base->id];
    if (applies_gradients(weights))
        part_gradients(weights);
}

bool updates_narrow(const Weights *weights, const Options *options)
{
    bool narrow = weights->copy_count > 0 || find_optimizer(options->optimizer)->blocks8;
    for (int i = 0; i < weights->param_count; i++)
        narrow = narrow || dtype_info[weights->params[i].value->type.dtype].bytes == 2 ||
                 dtype_info[weights->param_states[i].gradient_dtype].bytes == 2;
    return narrow;
}
