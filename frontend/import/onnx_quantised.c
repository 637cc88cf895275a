/* onnx_quantised.c: weights that the file stores as integers on a grid, for DequantizeLinear to read.
 *
 * One that --trainable names becomes a float of the integers' name, scale · (q - zero), behind it a QuantizeLinear with
 * the same grid: training is quantisation-aware, and the export rounds the weight to the grid once more. It cannot be
 * where something else reads the integers, too; what only moves them is seen through (onnx_moved.c). */
#include <math.h>
#include <string.h>

#include "frontend/import/onnx_quantised.h"
#include "ir/narrow.h"
#include "ir/text/words.h"

static bool is_dequantize(const Node *node)
{
    return strcmp(node->op->name, "DequantizeLinear") == 0;
}

/* Of integers as stored, or moved. */
static QuantisedWeight *quantised_weight(Import *import, Value *value)
{
    QuantisedWeight *weight = stored_weight(import, value);
    return weight ? weight : weight_of(moved_integers(import, value));
}

/* The operand that may be integers of a weight; -1: none. */
static int integers_operand(Import *import, const Node *node)
{
    if (is_block_product(node)) {
        return moved_integers(import, node->inputs[1]) ? -1 : 1;
    }
    return is_dequantize(node) || is_mover(node) ? 0 : -1;
}

void note_integer_readers(Import *import, const Node *node)
{
    const int reads = integers_operand(import, node);
    for (int i = 0; i < node->input_count; i++) {
        QuantisedWeight *weight = i == reads ? NULL : quantised_weight(import, node->inputs[i]);
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

/* Which entry of scale and zero point holds where; the node's types have been inferred. */
static OnnxGrid grid_layout(const Reading *reading)
{
    const Type *x = &reading->type, *scale = &reading->scale->type;
    const Type *zero = reading->zero ? &reading->zero->type : scale;
    const int64_t count = element_count(scale) > 1 ? element_count(scale) : element_count(zero);
    OnnxGrid grid = {.extent = 1, .inner = 1, .entry_count = count};
    if (count == 1) {
        return grid;
    }
    const int i = (int)(reading->axis < 0 ? reading->axis + x->rank : reading->axis);
    grid.extent = x->dims[i];
    grid.inner = dims_product(x, i + 1, x->rank);
    grid.block = reading->block < grid.extent ? reading->block : grid.extent;
    return grid;
}

static bool same_grid(const Reading *a, const Reading *b)
{
    const OnnxGrid x = grid_layout(a), y = grid_layout(b);
    return same_constant(a->scale, b->scale) && same_constant(a->zero, b->zero) && same_type(&a->type, &b->type) &&
           a->packed_type == b->packed_type && x.extent == y.extent && x.inner == y.inner && x.block == y.block;
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

/* Of a scale of 0, which makes 0 of every integer, as in a block of zeros: any other step gives the integers back. */
static double step_of(double scale)
{
    return scale == 0 ? 1 : scale;
}

/* False after error(). */
static bool fill_grid(Import *import, const QuantisedWeight *weight, const Reading *reading, OnnxGrid *grid)
{
    const Value *zero_point = reading->zero;
    const Tensor scale = tensor_from_data(import->arena, &reading->scale->type, reading->scale->data);
    const Tensor zero = zero_point ? tensor_from_data(import->arena, &zero_point->type, zero_point->data) : (Tensor){0};
    const bool one_scale = element_count(&scale.type) == 1, one_zero = !zero.i || element_count(&zero.type) == 1;
    grid->entries = NEW_ARRAY(import->arena, OnnxGridEntry, grid->entry_count);
    for (int64_t i = 0; i < grid->entry_count; i++) {
        const double step = step_of(scale.f[one_scale ? 0 : i]);
        if (!isfinite(step)) {
            error(import->diagnostics, EXIT_STATUS_INPUT, reading->node->origin,
                  "scale %lld of '%s', which --trainable names, is %g: a weight is rounded to a grid of finite steps; "
                  "--freeze it to keep the integers",
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

/* False after error(). */
static bool make_parameter(Import *import, QuantisedWeight *weight, const Reading *reading)
{
    OnnxGrid *grid = NEW(import->arena, OnnxGrid);
    *grid = grid_layout(reading);
    grid->packed_type = reading->packed_type;
    if (!fill_grid(import, weight, reading, grid)) {
        return false;
    }
    const Value *integers = reading->packed_type ? unpacked_integers(import, reading) : weight->integers;
    weight->param = value_create(import->graph, VALUE_PARAM, reading->type, weight->name);
    weight->param->data = dequantised(import, integers, grid, &reading->type);
    name_table_set(&import->model->grids, import->model->arena, weight->name, grid);
    return true;
}

static Value *build_steps(Graph *graph, Value *scale)
{
    Tensor steps = tensor_from_data(graph->arena, &scale->type, scale->data);
    bool same = true;
    for (int64_t i = 0, count = element_count(&steps.type); i < count; i++) {
        same &= steps.f[i] != 0;
        steps.f[i] = step_of(steps.f[i]);
    }
    return same ? scale : const_tensor(graph, &steps);
}

static Value *build_on_grid(Import *import, const QuantisedWeight *weight, const Reading *reading)
{
    Graph *graph = import->graph;
    const Value *integers = weight->integers;
    Value *operands[] = {weight->param, build_steps(graph, reading->scale), reading->zero};
    graph->origin = reading->node->origin;
    Node *quantize = build_begin(graph, "QuantizeLinear", reading->zero ? 3 : 2, operands, 1);
    set_int(graph, quantize, "axis", reading->axis);
    set_int(graph, quantize, "block_size", reading->block);
    set_int(graph, quantize, "output_dtype",
            reading->packed_type ? reading->packed_type
            : integers->narrow   ? integers->narrow
                                 : dtype_info[integers->type.dtype].onnx);
    return build_finish(graph, quantize);
}

/* Makes the node read the parameter, on its grid, in place of the integers. */
static void read_parameter(Import *import, QuantisedWeight *weight, const Reading *reading)
{
    if (!weight->on_grid) {
        import->graph->cursor = reading->node;
        weight->on_grid = build_on_grid(import, weight, reading);
        rebatch_shared(import, weight->on_grid);
        import->graph->cursor = NULL;
    }
    reading->node->inputs[0] = weight->on_grid;
}

/* ONNX wants the zero point in the type of the integers. */
static bool has_stored_grid(const Node *node, const Value *integers)
{
    const Value *zero = input(node, 2);
    return is_stored(node->inputs[1]) &&
           (!zero || (is_stored(zero) && zero->type.dtype == integers->type.dtype && zero->narrow == integers->narrow));
}

/* How a DequantizeLinear reads the weight; false where its grid is not stored, or is none of the weight's axes. */
static bool find_unpacked_reading(const Import *import, const QuantisedWeight *weight, Node *node, Reading *reading)
{
    const MovedIntegers *moved = moved_integers(import, node->inputs[0]);
    *reading = (Reading){.node = node,
                         .scale = node->inputs[1],
                         .zero = input(node, 2),
                         .axis = attr_int(node, "axis"),
                         .block = attr_int(node, "block_size"),
                         .type = node->outputs[0]->type};
    return has_stored_grid(node, weight->integers) && (!moved || trace_reading(moved, reading));
}

/* How the node, whose types have been inferred, reads the weight; false where it is on another grid than the weight's
 * first reader, or on none. */
static bool find_reading(Import *import, const QuantisedWeight *weight, Node *node, Reading *reading)
{
    const bool is_found = is_block_product(node) ? find_packed_reading(import, node, reading)
                                                 : find_unpacked_reading(import, weight, node, reading);
    return is_found && (!weight->first.node || same_grid(&weight->first, reading));
}

/* The weight of which the node makes floats, or NULL. */
static QuantisedWeight *weight_read_by(Import *import, const Node *node)
{
    if (is_block_product(node)) {
        return stored_weight(import, node->inputs[1]);
    }
    return is_dequantize(node) ? quantised_weight(import, node->inputs[0]) : NULL;
}

bool train_integers(Import *import, Node *node)
{
    QuantisedWeight *weight = weight_read_by(import, node);
    Reading reading;
    if (!weight || element_count(&weight->integers->type) == 0) {
        return true;
    }
    if (!find_reading(import, weight, node, &reading)) {
        note_other_reader(weight, node->origin);
        return true;
    }
    weight->first = weight->first.node ? weight->first : reading;
    if (!is_named(import, weight)) {
        return true;
    }
    if (!weight->param && !make_parameter(import, weight, &reading)) {
        return false;
    }
    if (reading.moved || reading.packed_type) {
        APPEND(import->arena, weight->later, weight->later_count, reading);
    } else {
        read_parameter(import, weight, &reading);
    }
    return true;
}

bool reads_trained_integers(Import *import, const Node *node)
{
    const QuantisedWeight *weight = weight_read_by(import, node);
    return weight && weight->param;
}

/* ---- after all nodes ---- */

static _Noreturn void refuse_other_reader(Import *import, const QuantisedWeight *weight)
{
    fatal(import->diagnostics, EXIT_STATUS_UNSUPPORTED, weight->other_reader,
          "the integers '%s', which --trainable names, are read here, too, as they are or on another grid: quantised "
          "weights train where nodes DequantizeLinear of one constant scale and zero point are all that reads them; "
          "--freeze it",
          weight->name);
}

/* Gives the weight's floats to the readings that take them only now. */
static void give_floats(Import *import, const QuantisedWeight *weight, Forwarding *forwarding)
{
    Graph *graph = import->graph;
    for (int i = 0; i < weight->later_count; i++) {
        const Reading *reading = &weight->later[i];
        Value *before = reading->node->outputs[0];
        graph->cursor = reading->node;
        Value *operands[] = {build_on_grid(import, weight, reading), reading->scale, reading->zero};
        Node *dequantize = build_begin(graph, "DequantizeLinear", reading->zero ? 3 : 2, operands, 1);
        set_int(graph, dequantize, "axis", reading->axis);
        set_int(graph, dequantize, "block_size", reading->block);
        set_int(graph, dequantize, "output_dtype", dtype_info[reading->type.dtype].onnx);
        Value *floats = build_finish(graph, dequantize);
        floats = reading->moved ? move_floats(graph, reading, floats) : multiply_floats(graph, reading, floats);
        floats->name = before->name;
        before->name = NULL;
        forward_value(forwarding, before, floats);
    }
    graph->cursor = NULL;
}

void finish_integers(Import *import)
{
    Graph *graph = import->graph;
    Forwarding forwarding = {.graph = graph};
    bool *is_result = NEW_ARRAY(import->arena, bool, graph->value_count + 1), has_later = false;
    mark_graph_results(graph, is_result);
    note_moved_results(import, is_result);
    for (int i = 0; i < import->quantised_count; i++) {
        QuantisedWeight *weight = import->quantised[i];
        if (is_result[weight->integers->id]) {
            note_other_reader(weight, NO_ORIGIN);
        }
        if (weight->param && weight->has_other) {
            refuse_other_reader(import, weight);
        } else if (weight->param) {
            weight->integers->name = NULL; /* nothing reads them any more: the parameter has their name */
            give_floats(import, weight, &forwarding);
            has_later |= weight->later_count > 0;
        } else if (weight->first.node && !weight->has_other) {
            APPEND(graph->arena, graph->quantised, graph->quantised_count, weight->name);
        }
    }
    if (has_later) {
        forward_all(&forwarding);
        remove_dead_nodes(graph);
    }
}
