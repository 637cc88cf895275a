/* reference_run.c: three training steps in double over the graph as imported, written as a reference file. */
#include "frontend/verify/reference_run.h"

#include "frontend/verify/reference_inputs.h"
#include "passes/precision/policy.h"
#include "runtime/files/safetensors.h"

#include <math.h>
#include <string.h>

const OptimizerHyper reference_hyper = {
    .lr = 1e-3, .weight_decay = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .momentum = 0.9};

typedef struct ReferenceRun {
    Graph *graph; /* differentiated */
    const Options *options;
    Tensor *fixed;    /* by value id: inputs, target, parameters and states as they stand now */
    double **moment1; /* by index of the gradient */
    double **moment2;
    Perturbation perturbation;
    bool *learned; /* by value id: depends on parameters */
    double loss[REFERENCE_STEPS];
    PccStTensor *results;
    int result_count;
} ReferenceRun;

/* Only the passes that define the training graph: one that optimises could hide its own mistake from the comparison. */
static void differentiate(Graph *graph, const Options *options)
{
    Pass *const needed[] = {replace_head, trainable, initialise, attach_loss, precision, expand, bind_states, grad};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        graph->cursor = NULL;
        graph->origin = NO_ORIGIN;
        needed[i](graph, options);
        if (graph->diagnostics->error_count > 0)
            leave(graph->diagnostics);
    }
}

static void add_result(ReferenceRun *run, const char *kind, const char *name, const Tensor *tensor)
{
    Graph *graph = run->graph;
    PccStTensor result = {.name = arena_printf(graph->arena, "%s%s", kind, name),
                          .dtype = (PccDtype)tensor->type.dtype,
                          .rank = tensor->type.rank,
                          .data = tensor_to_data(graph->arena, tensor)};
    memcpy(result.dims, tensor->type.dims, sizeof result.dims);
    APPEND(graph->arena, run->results, run->result_count, result);
}

/* ---- rounding --------------------------------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood 2014): the i-th sign of a stream. */
static double random_sign(uint64_t stream, uint64_t i)
{
    uint64_t z = stream + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z >> 63 ? 1 : -1;
}

static uint64_t float_bits(double value)
{
    const float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return bits;
}

/* Integers that do not depend on parameters are exact in every precision: counts, positions, indices. */
static bool is_exact(const ReferenceRun *run, const Value *value, double x)
{
    return !run->learned[value->id] && x == floor(x);
}

static void perturb_operand(const ReferenceRun *run, const Value *value)
{
    const Tensor *tensor = &run->fixed[value->id];
    const uint64_t stream = run->perturbation.draw * 0x9e3779b97f4a7c15u + ((uint64_t)value->id << 32);
    for (int64_t i = 0, count = tensor->f ? element_count(&tensor->type) : 0; i < count; i++)
        if (!is_exact(run, value, tensor->f[i]))
            tensor->f[i] *= 1 + run->perturbation.roundoff * random_sign(stream, (uint64_t)i);
}

static void perturb_operands(ReferenceRun *run)
{
    const Graph *graph = run->graph;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (value && (value->kind == VALUE_PARAM || value->kind == VALUE_INPUT))
            perturb_operand(run, value);
    }
}

/* An output that is an input itself is not computed. */
static bool is_computed(const Node *node, const Tensor *tensors, const Tensor *result)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && tensors[node->inputs[i]->id].f == result->f)
            return false;
    return result->f != NULL;
}

static void perturb_result(const ReferenceRun *run, const Value *value, const Tensor *tensor, int step)
{
    const double roundoff = run->perturbation.roundoff;
    const uint64_t stream =
        (run->perturbation.draw * REFERENCE_STEPS + (uint64_t)step) * 0x9e3779b97f4a7c15u + ((uint64_t)value->id << 32);
    for (int64_t i = 0, count = element_count(&tensor->type); i < count; i++) {
        double *x = &tensor->f[i];
        if (!is_exact(run, value, *x))
            *x *= 1 + roundoff * (random_sign(stream, (uint64_t)i) + random_sign(~stream, float_bits(*x)));
    }
}

static void perturb_results(const ReferenceRun *run, const Node *node, const Tensor *tensors, int step)
{
    for (int i = 0; i < node->output_count && node->op->kind != OP_VIEW; i++) {
        const Value *value = node->outputs[i];
        if (value && is_computed(node, tensors, &tensors[value->id]))
            perturb_result(run, value, &tensors[value->id], step);
    }
}

/* Which values depend on parameters? */
static void mark_learned(ReferenceRun *run)
{
    Graph *graph = run->graph;
    run->learned = NEW_ARRAY(graph->arena, bool, graph->value_count);
    for (int i = 0; i < graph->value_count; i++)
        run->learned[i] = graph->values[i] && graph->values[i]->kind == VALUE_PARAM;
    for (const Node *node = graph->first; node; node = node->next)
        for (int i = 0; i < node->input_count; i++)
            for (int k = 0; k < node->output_count && node->inputs[i] && run->learned[node->inputs[i]->id]; k++)
                if (node->outputs[k])
                    run->learned[node->outputs[k]->id] = true;
}

/* ---- before the first step -------------------------------------------------------------------------------------- */

static void fix_inputs(ReferenceRun *run, uint64_t seed)
{
    Graph *graph = run->graph;
    for (int i = 0; i < graph->input_count; i++) {
        Tensor tensor = random_input(graph, run->options, i, seed + (uint64_t)i + 1);
        run->fixed[graph->inputs[i]->id] = tensor;
        add_result(run, "input/", graph->inputs[i]->name, &tensor);
    }
    if (graph->target) {
        run->fixed[graph->target->id] = random_target(graph, run->options, seed);
        add_result(run, "target", "", &run->fixed[graph->target->id]);
    }
}

static void fix_weights(ReferenceRun *run)
{
    Graph *graph = run->graph;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (value && (value->kind == VALUE_PARAM || value->kind == VALUE_STATE))
            run->fixed[value->id] = tensor_from_data(graph->arena, &value->type, value->data);
    }
    run->moment1 = NEW_ARRAY(graph->arena, double *, graph->gradient_count);
    run->moment2 = NEW_ARRAY(graph->arena, double *, graph->gradient_count);
    for (int i = 0; i < graph->gradient_count; i++) {
        int64_t count = element_count(&graph->gradients[i].target->type);
        run->moment1[i] = NEW_ARRAY(graph->arena, double, count);
        run->moment2[i] = NEW_ARRAY(graph->arena, double, count);
    }
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

static void add_first_step(ReferenceRun *run, Graph *scratch, Tensor *tensors)
{
    const Graph *graph = run->graph;
    for (int i = 0; i < graph->output_count; i++) {
        if (!graph->output_names[i])
            continue; /* the loss's own */
        Tensor output = evaluated_tensor(scratch, tensors, graph->outputs[i]);
        add_result(run, "output/", graph->output_names[i], &output);
    }
    for (int i = 0; i < graph->gradient_count; i++) {
        Tensor gradient = evaluated_tensor(scratch, tensors, graph->gradients[i].value);
        add_result(run, "grad/", graph->gradients[i].target->name, &gradient);
    }
}

static double gradient_factor(const ReferenceRun *run, Graph *scratch, Tensor *tensors)
{
    double sum = 0;
    for (int i = 0; i < run->graph->gradient_count; i++) {
        Tensor gradient = evaluated_tensor(scratch, tensors, run->graph->gradients[i].value);
        for (int64_t k = 0, count = element_count(&gradient.type); k < count; k++)
            sum += gradient.f[k] * gradient.f[k];
    }
    return clip_factor(run->options->clip_norm, sqrt(sum));
}

static void update_weights(ReferenceRun *run, Graph *scratch, Tensor *tensors, int64_t update)
{
    const Graph *graph = run->graph;
    const Optimizer *optimizer = find_optimizer(run->options->optimizer);
    double factor = gradient_factor(run, scratch, tensors);
    for (int i = 0; i < graph->gradient_count; i++) {
        const Binding *binding = &graph->gradients[i];
        Tensor gradient = evaluated_tensor(scratch, tensors, binding->value);
        int64_t count = element_count(&gradient.type);
        double *value = run->fixed[binding->target->id].f;
        for (int64_t k = 0; k < count; k++)
            value[k] = optimizer->step(&reference_hyper, update, value[k], factor * gradient.f[k], &run->moment1[i][k],
                                       &run->moment2[i][k]);
        if (keeps_blocks8(graph, binding->target, run->options)) {
            round_to_blocks8(count, true, run->moment1[i]);
            round_to_blocks8(count, false, run->moment2[i]);
        }
    }
    for (int i = 0; i < graph->update_count; i++) {
        Tensor state = evaluated_tensor(scratch, tensors, graph->updates[i].value);
        memcpy(run->fixed[graph->updates[i].target->id].f, state.f,
               (size_t)element_count(&state.type) * sizeof *state.f);
    }
}

/* Activations live in an arena of the step's own. */
static void run_step(ReferenceRun *run, int step)
{
    Diagnostics *diagnostics = run->graph->diagnostics;
    Graph scratch = *run->graph;
    scratch.arena = arena_create(SIZE_MAX, diagnostics);
    Tensor *tensors = NEW_ARRAY(scratch.arena, Tensor, scratch.value_count);
    memcpy(tensors, run->fixed, (size_t)scratch.value_count * sizeof *tensors);
    for (const Node *node = scratch.first; node; node = node->next) {
        evaluate_next(&scratch, node, tensors);
        if (run->perturbation.roundoff > 0)
            perturb_results(run, node, tensors, step);
    }
    run->loss[step] = evaluated_tensor(&scratch, tensors, scratch.loss).f[0];
    if (step == 0)
        add_first_step(run, &scratch, tensors);
    update_weights(run, &scratch, tensors, step + 1);
    arena_destroy(scratch.arena);
}

static void add_last_step(ReferenceRun *run)
{
    const Graph *graph = run->graph;
    for (int i = 0; i < graph->gradient_count; i++)
        add_result(run, "param/", graph->gradients[i].target->name, &run->fixed[graph->gradients[i].target->id]);
    for (int i = 0; i < graph->update_count; i++)
        add_result(run, "state/", graph->updates[i].target->name, &run->fixed[graph->updates[i].target->id]);
    Tensor loss = {.type = make_type(DTYPE_F64, 1, (const int64_t[]){REFERENCE_STEPS}), .f = run->loss};
    add_result(run, "loss", "", &loss);
}

void write_reference(Graph *imported, const Options *options, uint64_t seed, Perturbation perturbation,
                     const char *path)
{
    Options wide = *options;
    wide.precision = "64-true";
    wide.accumulate = 1; /* a probe's micro-batches are all the same batch */
    differentiate(imported, &wide);
    ReferenceRun run = {.graph = imported, .options = &wide, .perturbation = perturbation};
    run.fixed = NEW_ARRAY(imported->arena, Tensor, imported->value_count);
    fix_inputs(&run, seed);
    fix_weights(&run);
    mark_learned(&run);
    if (perturbation.roundoff > 0)
        perturb_operands(&run);
    for (int step = 0; step < REFERENCE_STEPS; step++)
        run_step(&run, step);
    add_last_step(&run);
    PccError error = {0};
    if (pcc_st_write(path, run.results, run.result_count, NULL, 0, &error) != PCC_OK)
        fatal(imported->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "%s", error.message);
}
