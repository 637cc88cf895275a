/* recurrent.c: a classifier of sequences: stacked LSTM or GRU layers in one direction or both, the mean over the steps,
 * and a linear layer. Parameters are torch.nn's, in its order of gates; ONNX has another one. */
#include "models/model.h"

enum { MAX_GATES = 4 };

/* ONNX's gate i is PyTorch's order[i]. */
typedef struct Cell {
    const char *op;
    int gates, order[MAX_GATES];
} Cell;

static const Cell lstm = {"LSTM", 4, {0, 3, 1, 2}}; /* i, o, f, c of i, f, g, o */
static const Cell gru = {"GRU", 3, {1, 0, 2}};      /* z, r, h of r, z, n */

typedef struct Layer {
    const Cell *cell;
    int64_t index, in, hidden, directions;
} Layer;

static const char *join(Model *model, const char *path, int count, const char *const *parts, int64_t axis)
{
    named_node(model, "Concat", path, path, count, parts);
    onnx_writer_attr_int(model->writer, "axis", axis);
    return path;
}

/* A parameter of one direction, such as rnn.weight_ih_l0_reverse, with its gates in ONNX's order: [1, gates·hidden,
 * ...]. */
static const char *direction_part(Model *model, const Layer *layer, const char *what, int64_t direction,
                                  int64_t columns)
{
    const Cell *cell = layer->cell;
    const int64_t rows = cell->gates * layer->hidden, dims[] = {rows, columns}, axis = 0;
    const char *name =
        arena_printf(model->arena, "rnn.%s_l%d%s", what, (int)layer->index, direction == 1 ? "_reverse" : "");
    const char *whole = parameter(model, name, init_fan_in(layer->hidden), columns ? 2 : 1, dims);
    const char *parts[MAX_GATES], *ordered[MAX_GATES];
    split_along(model, path_join(model, name, "gates"), whole, 0, cell->gates, parts);
    for (int i = 0; i < cell->gates; i++)
        ordered[i] = parts[cell->order[i]];
    const char *together = join(model, path_join(model, name, "ordered"), cell->gates, ordered, 0);
    const char *first = integer_vector(model, path_join(model, name, "direction"), 1, &axis);
    return node2(model, "Unsqueeze", path_join(model, name, "onnx"), together, first);
}

static const char *weights(Model *model, const Layer *layer, const char *what, int64_t columns)
{
    const char *parts[2];
    for (int64_t d = 0; d < layer->directions; d++)
        parts[d] = direction_part(model, layer, what, d, columns);
    return join(model, arena_printf(model->arena, "rnn.%s_l%d.directions", what, (int)layer->index),
                (int)layer->directions, parts, 0);
}

/* x [steps, batch, in] -> [steps, batch, directions·hidden] */
static const char *recurrent_layer(Model *model, const Layer *layer, const char *x)
{
    const char *path = arena_printf(model->arena, "rnn.l%d", (int)layer->index);
    const char *biases[] = {weights(model, layer, "bias_ih", 0), weights(model, layer, "bias_hh", 0)};
    const char *inputs[] = {x, weights(model, layer, "weight_ih", layer->in),
                            weights(model, layer, "weight_hh", layer->hidden),
                            join(model, path_join(model, path, "bias"), 2, biases, 1)};
    named_node(model, layer->cell->op, path, path, 4, inputs);
    onnx_writer_attr_int(model->writer, "hidden_size", layer->hidden);
    onnx_writer_attr_string(model->writer, "direction", layer->directions == 2 ? "bidirectional" : "forward");
    if (layer->cell == &gru)
        onnx_writer_attr_int(model->writer, "linear_before_reset", 1);
    const char *y = transpose(model, path_join(model, path, "by_sample"), path, 4, (int64_t[]){0, 2, 1, 3});
    return reshape(model, path_join(model, path, "y"), y, 3, (int64_t[]){0, 0, -1});
}

static void build_recurrent(Model *model, const Cell *cell)
{
    const int64_t steps = model_size(model, "steps"), features = model_size(model, "features"), first = 0;
    Layer layer = {cell, 0, features, model_size(model, "hidden"), model_size(model, "directions")};
    if (layer.directions > 2)
        fatal(model->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "%s: directions must be 1 or 2", model->name);
    const char *x = model_input(model, "x", DTYPE_F32, 2, (int64_t[]){steps, features});
    x = transpose(model, "steps_first", x, 3, (int64_t[]){1, 0, 2});
    for (; layer.index < model_size(model, "depth"); layer.index++) {
        x = recurrent_layer(model, &layer, x);
        layer.in = layer.directions * layer.hidden;
    }
    x = node2(model, "ReduceMean", "mean", x, integer_vector(model, "mean.axis", 1, &first));
    onnx_writer_attr_int(model->writer, "keepdims", 0);
    classifier(model, "fc", x, layer.in, model_size(model, "classes"), linear_default(layer.in));
}

void build_lstm(Model *model)
{
    build_recurrent(model, &lstm);
}

void build_gru(Model *model)
{
    build_recurrent(model, &gru);
}
