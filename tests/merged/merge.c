/* merge.c: many small graphs as one. */
#include <string.h>

#include "codegen/codegen.h"
#include "merged.h"

static const char *prefixed(Graph *to, const Case *test, const char *name)
{
    return name ? arena_printf(to->arena, "%s/%s", test->name, name) : NULL;
}

static Value **copy_values(Graph *to, const Case *test)
{
    const Graph *from = test->graph;
    Value **map = NEW_ARRAY(to->arena, Value *, from->value_count);
    for (int i = 0; i < from->value_count; i++) {
        const Value *value = from->values[i];
        if (!value || value->kind == VALUE_TEMP)
            continue;
        map[i] = value_create(to, value->kind, value->type, prefixed(to, test, value->name));
        map[i]->data = value->data;
    }
    return map;
}

static void copy_nodes(Graph *to, const Case *test, Value **map)
{
    for (const Node *node = test->graph->first; node; node = node->next) {
        Value **inputs = NEW_ARRAY(to->arena, Value *, node->input_count + 1);
        for (int i = 0; i < node->input_count; i++)
            inputs[i] = node->inputs[i] ? map[node->inputs[i]->id] : NULL;
        to->origin =
            (Origin){prefixed(to, test, node->origin.node ? node->origin.node : node->op->name), node->op->name};
        Node *twin = node_create(to, node->op, node->input_count, inputs, node->output_count);
        copy_attrs(to, twin, node);
        for (int i = 0; i < node->output_count; i++) {
            if (!node->outputs[i]) {
                twin->outputs[i] = NULL;
                continue;
            }
            twin->outputs[i]->type = node->outputs[i]->type;
            twin->outputs[i]->name = prefixed(to, test, node->outputs[i]->name);
            map[node->outputs[i]->id] = twin->outputs[i];
        }
    }
}

static void add_output(Graph *graph, Value *value, const char *name)
{
    graph_add_output(graph, value);
    graph->output_names[graph->output_count - 1] = name;
}

/* Numbers in [0.5, 1.5), no two alike, so that a permuted gradient is a wrong one. */
static double loss_weight(int64_t index)
{
    uint64_t x = (uint64_t)(index + 1) * 0x9e3779b97f4a7c15u;
    return 0.5 + (double)((x ^ (x >> 29)) >> 11) * 0x1p-53;
}

/* sum(y * weights) in f32 for a float y. */
static Value *weighted_sum(Graph *graph, Value *y)
{
    int64_t axes[MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    Type type = y->type;
    type.dtype = DTYPE_F32;
    Tensor weights = tensor_alloc(graph->arena, type);
    for (int64_t i = 0; i < element_count(&type); i++)
        weights.f[i] = loss_weight(i);
    Value *weighted = build_mul(graph, build_cast(graph, y, DTYPE_F32), const_tensor(graph, &weights));
    return build_reduce_sum(graph, weighted, type.rank, axes, false);
}

static Value *append_case(Graph *to, const Case *test, Value *loss)
{
    const Graph *from = test->graph;
    Value **map = copy_values(to, test);
    copy_nodes(to, test, map);
    for (int i = 0; i < from->input_count; i++)
        graph_add_input(to, map[from->inputs[i]->id]);
    to->origin = NO_ORIGIN;
    for (int i = 0; i < from->output_count; i++) {
        Value *output = map[from->outputs[i]->id];
        add_output(to, output, arena_printf(to->arena, "%s/output %d", test->name, i));
        if (is_float(output->type.dtype))
            loss = build_add(to, loss, weighted_sum(to, output));
    }
    return loss;
}

/* The first input, whose first axis is the program's batch, and a parameter where no case has one. */
static Value *anchor(Graph *graph, int64_t samples)
{
    static const float one = 1;
    Value *parameter = value_create(graph, VALUE_PARAM, scalar_type(DTYPE_F32), "anchor/parameter");
    Value *batch = value_create(graph, VALUE_INPUT, make_type(DTYPE_F32, 1, &samples), "anchor/samples");
    parameter->data = &one;
    graph_add_input(graph, batch);
    return build_reduce_sum(graph, build_mul(graph, batch, parameter), 1, (const int64_t[]){0}, false);
}

Graph *merge_cases(Arena *arena, Diagnostics *diagnostics, const Case *cases, int count)
{
    Graph *graph = graph_create(arena, diagnostics, "merged");
    Value *loss = anchor(graph, cases[0].samples);
    for (int i = 0; i < count; i++)
        loss = append_case(graph, &cases[i], loss);
    add_output(graph, loss, "loss");
    return graph;
}

static Declaration every_initializer_learns(void *context, const char *name)
{
    (void)context, (void)name;
    return (Declaration){DECLARED_PARAMETER, NULL};
}

Options merged_options(const char *precision)
{
    return (Options){.target = &target_c,
                     .precision = precision,
                     .loss = LOSS_OUTPUT,
                     .loss_given = true,
                     .output = "loss",
                     .optimizer = "sgd",
                     .accumulate = 1,
                     .verify = true,
                     .recompute = RECOMPUTE_FUSED,
                     .declared = every_initializer_learns};
}
