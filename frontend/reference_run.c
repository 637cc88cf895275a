/* reference_run.c: three training steps in double over the graph as imported, written as a reference file. */
#include "frontend/reference_run.h"

#include "frontend/reference_inputs.h"
#include "runtime/safetensors.h"

#include <math.h>
#include <string.h>

const ReferenceHyper reference_hyper = {
    .lr = 1e-3, .weight_decay = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .momentum = 0.9};

typedef struct ReferenceRun {
    Graph *graph; /* differentiated */
    const Options *options;
    Tensor *fixed;    /* by value id: inputs, target, parameters and states as they stand now */
    double **moment1; /* by index of the gradient */
    double **moment2;
    double loss[REFERENCE_STEPS];
    PccStTensor *results;
    int result_count;
} ReferenceRun;

/* No pass that could hide its own mistake from the comparison: only what gives the training graph its meaning. */
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

/* splitmix64 (Steele, Lea, Flood 2014), a sign a value. */
static void perturb(const Tensor *tensor, Perturbation perturbation, uint64_t id)
{
    if (perturbation.roundoff == 0 || !is_float(tensor->type.dtype))
        return;
    uint64_t state = perturbation.draw * 0x9e3779b97f4a7c15u + id;
    for (int64_t i = 0, count = element_count(&tensor->type); i < count; i++) {
        uint64_t z = state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        tensor->f[i] *= z >> 63 ? 1 + perturbation.roundoff : 1 - perturbation.roundoff;
    }
}

static void perturb_all(ReferenceRun *run, Perturbation perturbation)
{
    const Graph *graph = run->graph;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (value && (value->kind == VALUE_PARAM || value->kind == VALUE_INPUT))
            perturb(&run->fixed[i], perturbation, (uint64_t)i << 32);
    }
}

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

static void add_first_step(ReferenceRun *run, Graph *scratch, Tensor *tensors)
{
    const Graph *graph = run->graph;
    for (int i = 0; i < graph->output_count; i++) {
        Tensor output = evaluated_tensor(scratch, tensors, graph->outputs[i]);
        add_result(run, "output/", graph->output_names[i], &output);
    }
    for (int i = 0; i < graph->gradient_count; i++) {
        Tensor gradient = evaluated_tensor(scratch, tensors, graph->gradients[i].value);
        add_result(run, "grad/", graph->gradients[i].target->name, &gradient);
    }
}

static double clip_factor(const ReferenceRun *run, Graph *scratch, Tensor *tensors)
{
    double sum = 0;
    for (int i = 0; i < run->graph->gradient_count; i++) {
        Tensor gradient = evaluated_tensor(scratch, tensors, run->graph->gradients[i].value);
        for (int64_t k = 0, count = element_count(&gradient.type); k < count; k++)
            sum += gradient.f[k] * gradient.f[k];
    }
    return reference_clip_factor(run->options->clip_norm, sqrt(sum));
}

static void update_weights(ReferenceRun *run, Graph *scratch, Tensor *tensors, int64_t update)
{
    const Graph *graph = run->graph;
    double factor = clip_factor(run, scratch, tensors);
    for (int i = 0; i < graph->gradient_count; i++) {
        const Binding *binding = &graph->gradients[i];
        Tensor gradient = evaluated_tensor(scratch, tensors, binding->value);
        int64_t count = element_count(&gradient.type);
        double *clipped = NEW_ARRAY(scratch->arena, double, count);
        for (int64_t k = 0; k < count; k++)
            clipped[k] = factor * gradient.f[k];
        reference_step(run->options->optimizer, &reference_hyper, update, count, run->fixed[binding->target->id].f,
                       clipped, run->moment1[i], run->moment2[i]);
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
    evaluate_graph(&scratch, tensors);
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
    ReferenceRun run = {.graph = imported, .options = &wide};
    run.fixed = NEW_ARRAY(imported->arena, Tensor, imported->value_count);
    fix_inputs(&run, seed);
    fix_weights(&run);
    perturb_all(&run, perturbation);
    for (int step = 0; step < REFERENCE_STEPS; step++)
        run_step(&run, step);
    add_last_step(&run);
    PccError error = {0};
    if (pcc_st_write(path, run.results, run.result_count, NULL, 0, &error) != PCC_OK)
        fatal(imported->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "%s", error.message);
}
