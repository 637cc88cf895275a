/* onnx_quantised.c: weights that the file stores as integers on a grid, for DequantizeLinear to read.
 *
 * One that --trainable names becomes a float of the integers' name, scale · (q - zero), behind it a QuantizeLinear with
 * the same grid: training is quantisation-aware, and the export rounds the weight to the grid once more. It cannot be
 * where something else reads the integers, too. */
#include <math.h>
#include <string.h>

#include "frontend/import/onnx_model.h"
#include "ir/narrow.h"
#include "ir/text/words.h"

/* Integers that DequantizeLinear may read. */
typedef struct QuantisedWeight {
    Value *integers;
    const char *name;
    const Node *reader;  /* the first DequantizeLinear, or NULL */
    Value *on_grid;      /* what QuantizeLinear makes of the parameter; NULL: it stays a constant */
    bool has_other;      /* something reads the integers as such, or on another grid: */
    Origin other_reader; /* no names: the graph's outputs */
} QuantisedWeight;

static bool is_grid_type(const Value *value)
{
    const Dtype dtype = value->type.dtype;
    return !is_float(dtype) && dtype != DTYPE_BOOL && dtype_info[dtype].bytes <= 4 && dtype != DTYPE_U32;
}

/* The entry of a tensor that the file stores; NULL for other values. */
static QuantisedWeight *quantised_weight(Import *import, Value *value)
{
    if (!value || value->kind != VALUE_CONST || !value->name || !is_grid_type(value) ||
        name_table_find(&import->stored_integers, value->name) != value) {
        return NULL;
    }
    QuantisedWeight *weight = name_table_find(&import->quantised_by_name, value->name);
    if (!weight) {
        weight = NEW(import->arena, QuantisedWeight);
        *weight = (QuantisedWeight){.integers = value, .name = value->name};
        name_table_set(&import->quantised_by_name, import->arena, value->name, weight);
        APPEND(import->arena, import->quantised, import->quantised_count, weight);
    }
    return weight;
}

static void note_other_reader(QuantisedWeight *weight, Origin origin)
{
    if (!weight->has_other) {
        weight->has_other = true;
        weight->other_reader = origin;
    }
}

static bool is_dequantize(const Node *node)
{
    return strcmp(node->op->name, "DequantizeLinear") == 0;
}

void note_integer_readers(Import *import, const Node *node)
{
    for (int i = is_dequantize(node) ? 1 : 0; i < node->input_count; i++) {
        QuantisedWeight *weight = quantised_weight(import, node->inputs[i]);
        if (weight) {
            note_other_reader(weight, node->origin);
        }
    }
}

/* ---- the grid ---- */

static bool is_stored(const Value *value)
{
    return value->kind == VALUE_CONST && value->data;
}

static bool same_constant(const Value *a, const Value *b)
{
    return a == b || (a && b && same_type(&a->type, &b->type) && a->narrow == b->narrow &&
                      memcmp(a->data, b->data, (size_t)type_bytes(&a->type)) == 0);
}

static bool same_grid(const Node *a, const Node *b)
{
    return same_constant(a->inputs[1], b->inputs[1]) && same_constant(input(a, 2), input(b, 2)) &&
           same_type(&a->outputs[0]->type, &b->outputs[0]->type) && attr_int(a, "axis") == attr_int(b, "axis") &&
           attr_int(a, "block_size") == attr_int(b, "block_size");
}

/* Which entry of scale and zero point holds where; the node's types have been inferred. */
static OnnxGrid grid_layout(const Node *node)
{
    const Type *x = &node->inputs[0]->type, *scale = &node->inputs[1]->type;
    const Type *zero = input(node, 2) ? &node->inputs[2]->type : scale;
    const int64_t count = element_count(scale) > 1 ? element_count(scale) : element_count(zero);
    OnnxGrid grid = {.extent = 1, .inner = 1, .entry_count = count};
    if (count == 1) {
        return grid;
    }
    const int64_t axis = attr_int(node, "axis"), block = attr_int(node, "block_size");
    const int i = (int)(axis < 0 ? axis + x->rank : axis);
    grid.extent = x->dims[i];
    grid.inner = dims_product(x, i + 1, x->rank);
    grid.block = block < grid.extent ? block : grid.extent;
    return grid;
}

static int64_t grid_entry(const OnnxGrid *grid, int64_t element)
{
    const int64_t outer = element / grid->inner / grid->extent, at = element / grid->inner % grid->extent;
    if (grid->block == 0) {
        return at;
    }
    const int64_t blocks = (grid->extent + grid->block - 1) / grid->block;
    return (outer * blocks + at / grid->block) * grid->inner + element % grid->inner;
}

/* False after error(). */
static bool fill_grid(Import *import, const QuantisedWeight *weight, const Node *node, OnnxGrid *grid)
{
    const Value *zero_point = input(node, 2);
    const Tensor scale = tensor_from_data(import->arena, &node->inputs[1]->type, node->inputs[1]->data);
    const Tensor zero = zero_point ? tensor_from_data(import->arena, &zero_point->type, zero_point->data) : (Tensor){0};
    const bool one_scale = element_count(&scale.type) == 1, one_zero = !zero.i || element_count(&zero.type) == 1;
    grid->entries = NEW_ARRAY(import->arena, OnnxGridEntry, grid->entry_count);
    for (int64_t i = 0; i < grid->entry_count; i++) {
        const double step = scale.f[one_scale ? 0 : i];
        if (!(step > 0) || !isfinite(step)) {
            error(
                import->diagnostics, EXIT_STATUS_INPUT, node->origin,
                "scale %lld of '%s', which --trainable names, is %g: a weight is rounded to a grid of positive, finite "
                "steps; --freeze it to keep the integers",
                (long long)i, weight->name, step);
            return false;
        }
        grid->entries[i] = (OnnxGridEntry){step, zero.i ? (double)zero.i[one_zero ? 0 : i] : 0};
    }
    return true;
}

static const void *dequantised(Import *import, const Value *integers, const OnnxGrid *grid, const Type *type)
{
    const Tensor q = tensor_from_data(import->arena, &integers->type, integers->data);
    Tensor w = tensor_alloc(import->arena, *type);
    for (int64_t i = 0, count = element_count(type); i < count; i++) {
        const OnnxGridEntry *entry = &grid->entries[grid_entry(grid, i)];
        w.f[i] = entry->scale * ((double)q.i[i] - entry->zero);
    }
    return tensor_to_data(import->arena, &w);
}

/* ---- the parameter ---- */

static bool is_named(const Import *import, const QuantisedWeight *weight)
{
    const ImportOptions *options = import->options;
    return matches_any(weight->name, options->trainable, options->trainable_count) &&
           !matches_any(weight->name, options->freeze, options->freeze_count);
}

/* The parameter, and before `reader` the QuantizeLinear that puts it on the reader's grid; false after error(). */
static bool make_parameter(Import *import, QuantisedWeight *weight, Node *reader)
{
    Graph *graph = import->graph;
    const Value *integers = weight->integers;
    OnnxGrid *grid = NEW(import->arena, OnnxGrid);
    *grid = grid_layout(reader);
    if (!fill_grid(import, weight, reader, grid)) {
        return false;
    }
    const Type *type = &reader->outputs[0]->type;
    Value *param = value_create(graph, VALUE_PARAM, *type, weight->name);
    param->data = dequantised(import, integers, grid, type);
    graph->cursor = reader;
    graph->origin = reader->origin;
    Value *operands[] = {param, reader->inputs[1], input(reader, 2)};
    Node *quantize = build_begin(graph, "QuantizeLinear", operands[2] ? 3 : 2, operands, 1);
    set_int(graph, quantize, "axis", attr_int(reader, "axis"));
    set_int(graph, quantize, "block_size", attr_int(reader, "block_size"));
    set_int(graph, quantize, "output_dtype",
            integers->narrow ? integers->narrow : dtype_info[integers->type.dtype].onnx);
    weight->on_grid = build_finish(graph, quantize);
    rebatch_shared(import, weight->on_grid);
    graph->cursor = NULL;
    name_table_set(&import->model->grids, import->model->arena, weight->name, grid);
    return true;
}

/* ONNX wants the zero point in the type of the integers. */
static bool has_stored_grid(const Node *node, const Value *integers)
{
    const Value *zero = input(node, 2);
    return is_stored(node->inputs[1]) &&
           (!zero || (is_stored(zero) && zero->type.dtype == integers->type.dtype && zero->narrow == integers->narrow));
}

bool train_integers(Import *import, Node *node)
{
    QuantisedWeight *weight = is_dequantize(node) ? quantised_weight(import, node->inputs[0]) : NULL;
    if (!weight || element_count(&weight->integers->type) == 0) {
        return true;
    }
    if (!has_stored_grid(node, weight->integers) || (weight->reader && !same_grid(weight->reader, node))) {
        note_other_reader(weight, node->origin);
        return true;
    }
    weight->reader = node;
    if (!is_named(import, weight)) {
        return true;
    }
    if (!weight->on_grid && !make_parameter(import, weight, node)) {
        return false;
    }
    node->inputs[0] = weight->on_grid;
    return true;
}

/* ---- after all nodes ---- */

static bool is_output(const Graph *graph, const Value *value)
{
    for (int i = 0; i < graph->output_count; i++) {
        if (graph->outputs[i] == value) {
            return true;
        }
    }
    return false;
}

static _Noreturn void refuse_other_reader(Import *import, const QuantisedWeight *weight)
{
    fatal(import->diagnostics, EXIT_STATUS_UNSUPPORTED, weight->other_reader,
          "the integers '%s', which --trainable names, are read here, too, as they are or on another grid: quantised "
          "weights train where nodes DequantizeLinear of one constant scale and zero point are all that reads them; "
          "--freeze it",
          weight->name);
}

void finish_integers(Import *import)
{
    Graph *graph = import->graph;
    for (int i = 0; i < import->quantised_count; i++) {
        QuantisedWeight *weight = import->quantised[i];
        if (is_output(graph, weight->integers)) {
            note_other_reader(weight, NO_ORIGIN);
        }
        if (weight->on_grid && weight->has_other) {
            refuse_other_reader(import, weight);
        } else if (weight->on_grid) {
            weight->integers->name = NULL; /* nothing reads them any more: the parameter has their name */
        } else if (weight->reader && !weight->has_other) {
            APPEND(graph->arena, graph->quantised, graph->quantised_count, weight->name);
        }
    }
}
