/* generate.c: a graph from a seed. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

/* ---- random numbers ---- */

static uint64_t random_bits(Generator *g)
{
    uint64_t x = g->state += 0x9e3779b97f4a7c15u; /* SplitMix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

int64_t below(Generator *g, int64_t count)
{
    return (int64_t)(random_bits(g) % (uint64_t)count);
}

int64_t between(Generator *g, int64_t low, int64_t high)
{
    return low + below(g, high - low + 1);
}

double uniform(Generator *g, double low, double high)
{
    return low + (high - low) * (double)(random_bits(g) >> 11) * 0x1p-53;
}

bool chance(Generator *g, int percent)
{
    return below(g, 100) < percent;
}

/* ---- operands ---- */

static bool is_kind(Dtype dtype, char kind)
{
    char actual = is_float(dtype) ? 'f' : dtype == DTYPE_BOOL ? 'b' : 'i';
    return actual == kind;
}

/* The later of two draws, so that graphs grow deep. */
Value *pick(Generator *g, char kind, int low, int high)
{
    for (int attempt = 0; attempt < 24; attempt++) {
        int64_t x = below(g, g->pool_count), y = below(g, g->pool_count);
        Value *value = g->pool[x > y ? x : y];
        if (is_kind(value->type.dtype, kind) && value->type.rank >= low && value->type.rank <= high)
            return value;
    }
    return NULL;
}

static Value *stored(Generator *g, ValueKind kind, Type type, const void *data)
{
    static const char *const letters[] = {[VALUE_INPUT] = "x", [VALUE_PARAM] = "p", [VALUE_CONST] = "c"};
    const char *name = arena_printf(g->graph->arena, "%s%d", letters[kind], g->graph->value_count);
    Value *value = value_create(g->graph, kind, type, name);
    if (kind != VALUE_INPUT) {
        value->data = data;
        return value;
    }
    graph_add_input(g->graph, value);
    g->test->inputs[g->test->input_count++] = (CaseTensor){name, type, data};
    g->tensors[value->id] = tensor_from_data(g->graph->arena, &type, data);
    return value;
}

static bool has_room_for_input(const Generator *g)
{
    return g->test->input_count < MAX_CASE_TENSORS;
}

Value *fresh(Generator *g, int rank, const int64_t *dims, double low, double high)
{
    Tensor tensor = tensor_alloc(g->graph->arena, make_type(DTYPE_F32, rank, dims));
    for (int64_t i = 0; i < element_count(&tensor.type); i++)
        tensor.f[i] = uniform(g, low, high);
    int64_t draw = below(g, 100);
    ValueKind kind = draw < 12 && has_room_for_input(g) ? VALUE_INPUT : draw < 25 ? VALUE_CONST : VALUE_PARAM;
    return stored(g, kind, tensor.type, tensor_to_data(g->graph->arena, &tensor));
}

static Value *fresh_integers(Generator *g, Type type, int64_t low, int64_t high)
{
    Tensor tensor = tensor_alloc(g->graph->arena, type);
    for (int64_t i = 0; i < element_count(&type); i++)
        tensor.i[i] = between(g, low, high);
    ValueKind kind = chance(g, 50) && has_room_for_input(g) ? VALUE_INPUT : VALUE_CONST;
    return stored(g, kind, type, tensor_to_data(g->graph->arena, &tensor));
}

Value *fresh_bools(Generator *g, int rank, const int64_t *dims)
{
    return fresh_integers(g, make_type(DTYPE_BOOL, rank, dims), 0, 1);
}

Value *fresh_indices(Generator *g, int rank, const int64_t *dims, int64_t low, int64_t high)
{
    return fresh_integers(g, make_type(DTYPE_I64, rank, dims), low, high);
}

Value *scalar(Generator *g, double value)
{
    Tensor tensor = tensor_alloc(g->graph->arena, scalar_type(DTYPE_F32));
    tensor.f[0] = value;
    return const_create(g->graph, tensor.type, tensor_to_data(g->graph->arena, &tensor), NULL);
}

Value *whole(Generator *g, int count, const int64_t *values)
{
    return const_ints(g->graph, count, values);
}

Value *scalar_int(Generator *g, int64_t value)
{
    int64_t *data = NEW(g->graph->arena, int64_t);
    *data = value;
    return const_create(g->graph, scalar_type(DTYPE_I64), data, NULL);
}

/* ---- what a value holds ---- */

static Tensor tensor_of(const Generator *g, const Value *value)
{
    return evaluated_tensor(g->graph, g->tensors, value);
}

static const double margin = 2e-3;

bool clear_of(const Generator *g, const Value *value, double point)
{
    const Tensor tensor = tensor_of(g, value);
    for (int64_t i = 0; i < element_count(&tensor.type); i++)
        if (fabs(tensor.f[i] - point) < margin && !(tensor.f[i] == 0 && point == 0))
            return false;
    return true;
}

bool is_distinct(const Generator *g, const Value *value)
{
    const Tensor tensor = tensor_of(g, value);
    for (int64_t i = 0; i < element_count(&tensor.type); i++)
        for (int64_t k = 0; k < i; k++)
            if (fabs(tensor.f[i] - tensor.f[k]) < 1e-4 && !(tensor.f[i] == 0 && tensor.f[k] == 0))
                return false;
    return true;
}

bool lies_in(const Generator *g, const Value *value, double low, double high)
{
    const Tensor tensor = tensor_of(g, value);
    for (int64_t i = 0; i < element_count(&tensor.type); i++)
        if (tensor.f[i] < low || tensor.f[i] > high)
            return false;
    return true;
}

/* ---- nodes ---- */

Node *begin(Generator *g, const char *op, int outputs, int count, Value *const *inputs)
{
    while (count > 0 && !inputs[count - 1])
        count--;
    return node_create(g->graph, find_op(op, strlen(op)), count, inputs, outputs);
}

static bool infer_quietly(Generator *g, Node *node)
{
    Diagnostics *diagnostics = g->graph->diagnostics;
    const int errors = diagnostics->error_count;
    const ExitStatus status = diagnostics->status;
    const bool muted = diagnostics->muted;
    diagnostics->muted = true;
    const bool inferred = infer_node(g->graph, node);
    diagnostics->muted = muted;
    diagnostics->error_count = errors;
    diagnostics->status = status;
    return inferred;
}

static bool has_small_results(const Node *node)
{
    for (int i = 0; i < node->output_count; i++) {
        const Value *output = node->outputs[i];
        int64_t count = output ? element_count(&output->type) : 1;
        if (count < 1 || count > MAX_ELEMENTS || (output && output->type.rank > MAX_FUZZ_RANK))
            return false;
    }
    return true;
}

static bool is_moderate(const Tensor *tensor)
{
    for (int64_t i = 0; tensor->f && i < element_count(&tensor->type); i++)
        if (!(fabs(tensor->f[i]) < 40) || (tensor->f[i] != 0 && fabs(tensor->f[i]) < 1e-6))
            return false;
    return true;
}

static Tensor shaken(Generator *g, const Value *value, double size)
{
    const Tensor from = tensor_of(g, value);
    if (!from.f)
        return from;
    Tensor to = tensor_alloc(g->graph->arena, from.type);
    for (int64_t i = 0; i < element_count(&from.type); i++)
        to.f[i] = from.f[i] * (1 + uniform(g, -size, size));
    return to;
}

static double largest(const Tensor *tensor)
{
    double result = 0;
    for (int64_t i = 0; i < element_count(&tensor->type); i++)
        result = fmax(result, fabs(tensor->f[i]));
    return result;
}

static bool is_close(const Tensor *x, const Tensor *y, double size)
{
    const double scale = x->f ? largest(x) : 0;
    for (int64_t i = 0; i < element_count(&x->type); i++)
        if (x->f ? !(fabs(x->f[i] - y->f[i]) <= 30 * size * scale) : x->i[i] != y->i[i])
            return false;
    return true;
}

/* Small changes of the operands make small changes of the results: no step, no cancellation. */
static bool is_stable(Generator *g, const Node *node)
{
    const double size = 1e-4;
    Tensor *inputs = NEW_ARRAY(g->graph->arena, Tensor, node->input_count + 1);
    Tensor *outputs = NEW_ARRAY(g->graph->arena, Tensor, node->output_count + 1);
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            inputs[i] = shaken(g, node->inputs[i], operand_is_static(node->op, i) ? 0 : size);
    evaluate_node(g->graph, node, inputs, outputs);
    for (int i = 0; i < node->output_count; i++) {
        const Tensor *output = node->outputs[i] ? &g->tensors[node->outputs[i]->id] : NULL;
        if (output && (!is_moderate(output) || !is_close(output, &outputs[i], size)))
            return false;
    }
    return true;
}

static bool is_evaluated(const Generator *g, const Node *node)
{
    const Value *output = node->outputs[0];
    return !output || g->tensors[output->id].f || g->tensors[output->id].i;
}

/* Inference may have put nodes of its own in front. */
static void evaluate_up_to(Generator *g, Node *node)
{
    Node *first = node;
    while (first->previous && !is_evaluated(g, first->previous))
        first = first->previous;
    for (; first; first = first->next)
        evaluate_next(g->graph, first, g->tensors);
}

bool finish(Generator *g, Node *node)
{
    bool accepted = infer_quietly(g, node) && has_small_results(node);
    if (accepted) {
        evaluate_up_to(g, node);
        accepted = is_stable(g, node);
    }
    if (!accepted) {
        node_remove(g->graph, node);
        return false;
    }
    g->node_count++;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] && g->pool_count < MAX_POOL)
            g->pool[g->pool_count++] = node->outputs[i];
    return true;
}

/* ---- graphs ---- */

static void first_values(Generator *g)
{
    static const int64_t sizes[] = {1, 2, 2, 3, 3, 4, 4, 5, 6, 8};
    for (int64_t i = between(g, 3, 6); i > 0; i--) {
        int64_t dims[MAX_RANK];
        const int rank = (int)between(g, 1, 4);
        Type type;
        do {
            for (int axis = 0; axis < rank; axis++)
                dims[axis] = ANY_OF(g, sizes);
            type = make_type(DTYPE_F32, rank, dims);
        } while (element_count(&type) > 200);
        g->pool[g->pool_count++] = fresh(g, rank, dims, -1.5, 1.5);
    }
}

static void add_node(Generator *g)
{
    static Family *const *const groups[] = {elementwise_families, elementwise_families, view_families,   index_families,
                                            reduction_families,   product_families,     pattern_families};
    Family *const *group = ANY_OF(g, groups);
    int count = 0;
    while (group[count])
        count++;
    group[below(g, count)](g);
}

/* What nothing reads, and a few that something does. */
static void choose_outputs(Generator *g)
{
    Graph *graph = g->graph;
    const int *uses = count_uses(graph);
    for (int i = g->pool_count - 1; i >= 0 && graph->output_count < MAX_CASE_TENSORS; i--) {
        Value *value = g->pool[i];
        if (value->kind != VALUE_TEMP || (uses[value->id] > 0 && !chance(g, 8)))
            continue;
        graph_add_output(graph, value);
        graph->output_names[graph->output_count - 1] = arena_printf(graph->arena, "y%d", graph->output_count);
    }
    g->test->output_count = graph->output_count;
}

void generate_case(Arena *arena, Diagnostics *diagnostics, uint64_t seed, bool smooth, Case *test)
{
    Generator *g = NEW(arena, Generator);
    const char *name = arena_printf(arena, "seed%llu", (unsigned long long)seed);
    *test = (Case){.name = name, .graph = graph_create(arena, diagnostics, name), .samples = 1};
    *g = (Generator){.graph = test->graph, .test = test, .state = seed * 0x2545f4914f6cdd1du, .smooth = smooth};
    g->tensors = NEW_ARRAY(arena, Tensor, MAX_VALUES);
    first_values(g);
    const int64_t x = between(g, 10, 60), y = between(g, 10, 60), wanted = x < y ? x : y;
    for (int64_t attempts = 0; g->node_count < wanted && attempts < 40 * wanted; attempts++)
        if (g->graph->value_count < MAX_VALUES - 64)
            add_node(g);
    choose_outputs(g);
    remove_dead_nodes(g->graph);
}
