/* evaluate.c: the reference evaluator, in double and int64. It defines what emitted code is compared with. */
#include "ir/expansion.h"
#include "ir/schema.h"

#include <math.h>
#include <string.h>

int expression_attributes(const Node *node, double *values, int capacity)
{
    const char *cursor = node->op->attributes;
    AttrSpec spec;
    int count = 0;
    while (next_attr(&cursor, &spec)) {
        if (spec.kind != ATTR_INT && spec.kind != ATTR_FLOAT)
            continue;
        if (count == capacity)
            internal_error(node->graph->diagnostics, node->origin, "the row of %s has too many attributes",
                           node->op->name);
        const char *name = arena_strndup(node->graph->arena, spec.name, (size_t)spec.length);
        bool known = spec.fallback || has_attr(node, name);
        values[count++] = !known ? 0 : spec.kind == ATTR_INT ? (double)attr_int(node, name) : attr_float(node, name);
    }
    return count;
}

/* ---- conversions ----------------------------------------------------------------------------------------------- */

static double f64_from_int(Dtype dtype, int64_t value)
{
    return dtype == DTYPE_U64 ? (double)(uint64_t)value : (double)value;
}

/* Saturates; NaN becomes 0. C leaves both undefined. */
static int64_t int_from_f64(Dtype dtype, double value)
{
    if (isnan(value))
        return 0;
    if (dtype == DTYPE_U64 && value >= 0x1p63)
        return value < 0x1p64 ? (int64_t)(uint64_t)value : -1;
    return value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

/* As narrow as the dtype: wraps. */
static int64_t wrap_int(Dtype dtype, int64_t value)
{
    switch (dtype) {
    case DTYPE_I32:
        return (int32_t)value;
    case DTYPE_I16:
        return (int16_t)value;
    case DTYPE_I8:
        return (int8_t)value;
    case DTYPE_U32:
        return (uint32_t)value;
    case DTYPE_U16:
        return (uint16_t)value;
    case DTYPE_U8:
        return (uint8_t)value;
    case DTYPE_BOOL:
        return value != 0;
    default:
        return value;
    }
}

static WideInt widen_int(Dtype dtype, int64_t value)
{
    return dtype == DTYPE_U64 ? (WideInt)(uint64_t)value : value;
}

static const double *as_doubles(Arena *arena, const Tensor *tensor)
{
    if (tensor->f || !tensor->i)
        return tensor->f;
    int64_t count = element_count(&tensor->type);
    double *values = NEW_ARRAY(arena, double, count);
    for (int64_t k = 0; k < count; k++)
        values[k] = f64_from_int(tensor->type.dtype, tensor->i[k]);
    return values;
}

/* ---- elementwise rows ------------------------------------------------------------------------------------------ */

/* A loop nest over the output; stride[operand][axis] is 0 where the operand is broadcast. */
typedef struct Loops {
    int rank, operand_count;
    int64_t dims[MAX_RANK];
    int64_t (*stride)[MAX_RANK];
    int64_t *offset; /* of each operand, at the start of the current row */
} Loops;

static void broadcast_strides(const Type *operand, const Type *output, int64_t strides[MAX_RANK])
{
    int64_t dense[MAX_RANK] = {0};
    int added = output->rank - operand->rank;
    dense_strides(operand, dense);
    for (int axis = 0; axis < output->rank; axis++)
        strides[axis] = axis < added || operand->dims[axis - added] == 1 ? 0 : dense[axis - added];
}

/* Merges the axes that every operand walks as one, so that rows are long. */
static void merge_axes(Loops *loops)
{
    int last = 0;
    for (int axis = 1; axis < loops->rank; axis++) {
        bool mergeable = true;
        for (int k = 0; k < loops->operand_count; k++)
            mergeable &= loops->stride[k][last] == loops->stride[k][axis] * loops->dims[axis];
        if (!mergeable)
            last++;
        loops->dims[last] = (mergeable ? loops->dims[last] : 1) * loops->dims[axis];
        for (int k = 0; k < loops->operand_count; k++)
            loops->stride[k][last] = loops->stride[k][axis];
    }
    loops->rank = last + 1;
}

static Loops make_loops(Arena *arena, const Node *node, const Tensor *inputs, const Type *output)
{
    Loops loops = {.rank = output->rank, .operand_count = node->input_count};
    memcpy(loops.dims, output->dims, sizeof loops.dims);
    loops.stride = arena_alloc_array(arena, (size_t)node->input_count, sizeof *loops.stride);
    loops.offset = NEW_ARRAY(arena, int64_t, node->input_count);
    for (int k = 0; k < node->input_count; k++)
        if (inputs[k].f || inputs[k].i)
            broadcast_strides(&inputs[k].type, output, loops.stride[k]);
    if (loops.rank == 0)
        loops.dims[loops.rank++] = 1;
    merge_axes(&loops);
    return loops;
}

/* Moves every operand's offset to the next row; `index` counts the outer axes. */
static void next_row(Loops *loops, int64_t index[MAX_RANK])
{
    for (int axis = loops->rank - 2; axis >= 0; axis--) {
        index[axis]++;
        for (int k = 0; k < loops->operand_count; k++)
            loops->offset[k] += loops->stride[k][axis];
        if (index[axis] < loops->dims[axis])
            return;
        for (int k = 0; k < loops->operand_count; k++)
            loops->offset[k] -= loops->stride[k][axis] * loops->dims[axis];
        index[axis] = 0;
    }
}

enum { MAX_ATTRIBUTES = 8 };

static void map_doubles(Arena *arena, const Node *node, const Tensor *inputs, Tensor *output)
{
    Loops loops = make_loops(arena, node, inputs, &output->type);
    int last = loops.rank - 1, count = node->input_count;
    double attributes[MAX_ATTRIBUTES];
    expression_attributes(node, attributes, MAX_ATTRIBUTES);
    const double **operands = NEW_ARRAY(arena, const double *, count);
    double *values = NEW_ARRAY(arena, double, count); /* stays 0 for absent operands */
    for (int k = 0; k < count; k++)
        operands[k] = as_doubles(arena, &inputs[k]);
    int64_t index[MAX_RANK] = {0}, total = element_count(&output->type), row = loops.dims[last];
    for (int64_t done = 0; done < total; done += row, next_row(&loops, index))
        for (int64_t j = 0; j < row; j++) {
            for (int k = 0; k < count; k++)
                if (operands[k])
                    values[k] = operands[k][loops.offset[k] + j * loops.stride[k][last]];
            double result = node->op->scalar(values, count, attributes);
            if (output->f)
                output->f[done + j] = result;
            else if (output->type.dtype == DTYPE_BOOL)
                output->i[done + j] = result != 0;
            else
                output->i[done + j] = wrap_int(output->type.dtype, int_from_f64(output->type.dtype, result));
        }
}

static void map_ints(Arena *arena, const Node *node, const Tensor *inputs, Tensor *output)
{
    Loops loops = make_loops(arena, node, inputs, &output->type);
    int last = loops.rank - 1, count = node->input_count;
    double attributes[MAX_ATTRIBUTES];
    expression_attributes(node, attributes, MAX_ATTRIBUTES);
    WideInt *values = NEW_ARRAY(arena, WideInt, count);
    int64_t index[MAX_RANK] = {0}, total = element_count(&output->type), row = loops.dims[last];
    for (int64_t done = 0; done < total; done += row, next_row(&loops, index))
        for (int64_t j = 0; j < row; j++) {
            for (int k = 0; k < count; k++)
                if (inputs[k].i)
                    values[k] =
                        widen_int(inputs[k].type.dtype, inputs[k].i[loops.offset[k] + j * loops.stride[k][last]]);
            output->i[done + j] =
                wrap_int(output->type.dtype, (int64_t)node->op->scalar_int(values, count, attributes));
        }
}

static void evaluate_elementwise(Graph *graph, const Node *node, const Tensor *inputs, Tensor *output)
{
    bool floats = output->f != NULL;
    for (int i = 0; i < node->input_count; i++)
        floats |= inputs[i].f != NULL;
    if (floats ? !node->op->scalar : !node->op->scalar_int && !node->op->scalar)
        internal_error(graph->diagnostics, node->origin, "%s has no meaning over these operands", node->op->name);
    if (floats || !node->op->scalar_int)
        map_doubles(graph->arena, node, inputs, output);
    else
        map_ints(graph->arena, node, inputs, output);
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

static void evaluate_expansion(Graph *graph, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    Expansion expansion = expand_apart(graph, node, inputs);
    Tensor *tensors = NEW_ARRAY(graph->arena, Tensor, expansion.graph->value_count);
    for (int i = 0; i < node->input_count; i++)
        if (expansion.inputs[i])
            tensors[expansion.inputs[i]->id] = inputs[i];
    evaluate_graph(expansion.graph, tensors);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            outputs[i] = evaluated_tensor(expansion.graph, tensors, expansion.results[i]);
}

/* A Fused node's body reads the node's inputs; an epilogue reads the product, then the inputs behind the signature. */
static void evaluate_body(Graph *graph, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    Graph body = *node->body;
    body.arena = graph->arena;
    Tensor *tensors = NEW_ARRAY(graph->arena, Tensor, body.value_count);
    int first = 0, own = 0;
    if (has_epilogue(node)) {
        Tensor product = tensor_alloc(graph->arena, body.inputs[0]->type);
        node->op->evaluate(graph->arena, node, inputs, &product);
        tensors[body.inputs[0]->id] = product;
        first = 1;
        own = operand_spec_count(node->op->inputs);
    }
    for (int i = first; i < body.input_count; i++)
        tensors[body.inputs[i]->id] = inputs[own + i - first];
    evaluate_graph(&body, tensors);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            outputs[i] = evaluated_tensor(&body, tensors, body.outputs[i]);
}

void evaluate_node(Graph *graph, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    if (node->body) {
        evaluate_body(graph, node, inputs, outputs);
        return;
    }
    if (!node->op->evaluate && node->op->kind != OP_ELEMENTWISE) {
        if (!node->op->expand)
            internal_error(graph->diagnostics, node->origin, "%s cannot be evaluated", node->op->name);
        evaluate_expansion(graph, node, inputs, outputs);
        return;
    }
    for (int i = 0; i < node->output_count; i++)
        outputs[i] = node->outputs[i] ? tensor_alloc(graph->arena, node->outputs[i]->type) : (Tensor){0};
    if (node->op->evaluate)
        node->op->evaluate(graph->arena, node, inputs, outputs);
    else
        evaluate_elementwise(graph, node, inputs, &outputs[0]);
}

/* ---- graphs ---------------------------------------------------------------------------------------------------- */

Tensor evaluated_tensor(Graph *graph, Tensor *tensors, const Value *value)
{
    Tensor *tensor = &tensors[value->id];
    if (!tensor->f && !tensor->i) {
        if (!value->data)
            internal_error(graph->diagnostics, graph->origin, "value %%%d, '%s', has no contents", value->id,
                           value->name ? value->name : "");
        *tensor = tensor_from_data(graph->arena, &value->type, value->data);
    }
    return *tensor;
}

void evaluate_next(Graph *graph, const Node *node, Tensor *tensors)
{
    Tensor *inputs = NEW_ARRAY(graph->arena, Tensor, node->input_count);
    Tensor *outputs = NEW_ARRAY(graph->arena, Tensor, node->output_count);
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            inputs[i] = evaluated_tensor(graph, tensors, node->inputs[i]);
    evaluate_node(graph, node, inputs, outputs);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            tensors[node->outputs[i]->id] = outputs[i];
}

void evaluate_graph(Graph *graph, Tensor *tensors)
{
    for (const Node *node = graph->first; node; node = node->next)
        evaluate_next(graph, node, tensors);
}
