/* gcn.c: a graph convolutional network (Kipf and Welling 2017), by default the paper's two layers for Cora:
 *
 *     X' = D^-1/2 (A + I) D^-1/2 X W + b,   ReLU between layers
 *
 * A is the edge list `edges` [2, E] (row 0 sources, row 1 targets), D the degrees with the self-loop. */
#include "models/model.h"

typedef struct Edges {
    const char *sources, *targets; /* [E], [E, 1] */
    const char *scale;             /* D^-1/2 as [N, 1] */
    int64_t nodes, count;
} Edges;

/* In-degree plus 1, counted in integers. */
static const char *inverse_root_degree(Model *model, const Edges *edges)
{
    const char *shape = integer_vector(model, "degree.edges", 2, (int64_t[]){edges->count, 1});
    const char *base_shape = integer_vector(model, "degree.nodes", 2, (int64_t[]){edges->nodes, 1});
    const char *one = integer_vector(model, "degree.one", 1, (int64_t[]){1});
    const char *loops = node2(model, "Expand", "degree.loops", one, base_shape);
    const char *ones = node2(model, "Expand", "degree.ones", one, shape);
    const char *degree = node3(model, "ScatterND", "degree", loops, edges->targets, ones);
    onnx_writer_attr_string(model->writer, "reduction", "add");
    const char *real = node1(model, "Cast", "degree.float", degree);
    onnx_writer_attr_int(model->writer, "to", dtype_info[DTYPE_F32].onnx);
    return node1(model, "Reciprocal", "scale", node1(model, "Sqrt", "degree.root", real));
}

static Edges read_edges(Model *model)
{
    Edges edges = {.nodes = model_size(model, "nodes"), .count = model_size(model, "edges")};
    onnx_writer_input(model->writer, "edges", DTYPE_I64, 2, (int64_t[]){2, edges.count}, NULL);
    const char *zero = integers(model, "source.row", 0, NULL, (int64_t[]){0});
    const char *one = integers(model, "target.row", 0, NULL, (int64_t[]){1});
    const char *axis = integer_vector(model, "target.axis", 1, (int64_t[]){1});
    edges.sources = node2(model, "Gather", "sources", "edges", zero);
    edges.targets = node2(model, "Unsqueeze", "targets", node2(model, "Gather", "targets.row", "edges", one), axis);
    edges.scale = inverse_root_degree(model, &edges);
    return edges;
}

/* The value is called `result`. */
static const char *convolution(Model *model, const char *path, const char *result, const char *x, int64_t in,
                               int64_t out, const Edges *edges)
{
    const char *weight =
        parameter(model, path_join(model, path, "lin.weight"), init_xavier_uniform(in, out), 2, (int64_t[]){out, in});
    const char *bias = parameter(model, path_join(model, path, "bias"), init_constant(0), 1, &out);
    const char *transposed = transpose(model, path_join(model, path, "transposed"), weight, 2, (int64_t[]){1, 0});
    x = node2(model, "MatMul", path_join(model, path, "product"), x, transposed);
    x = node2(model, "Mul", path_join(model, path, "sent"), x, edges->scale);
    const char *messages = node2(model, "Gather", path_join(model, path, "messages"), x, edges->sources);
    x = node3(model, "ScatterND", path_join(model, path, "received"), x, edges->targets, messages);
    onnx_writer_attr_string(model->writer, "reduction", "add");
    x = node2(model, "Mul", path_join(model, path, "normalised"), x, edges->scale);
    named_node(model, "Add", path, result, 2, (const char *[]){x, bias});
    return result;
}

void build_gcn(Model *model)
{
    int64_t features = model_size(model, "features"), classes = model_size(model, "classes");
    int64_t nodes = model_size(model, "nodes");
    const Setting *hidden = model_setting(model, "hidden");
    onnx_writer_input(model->writer, "x", DTYPE_F32, 2, (int64_t[]){nodes, features}, NULL);
    Edges edges = read_edges(model);
    const char *x = "x";
    int i = 0;
    for (; i < hidden->count; i++) {
        const char *path = arena_printf(model->arena, "convs.%d", i);
        x = convolution(model, path, path, x, features, hidden->values[i], &edges);
        x = node1(model, "Relu", arena_printf(model->arena, "relu.%d", i), x);
        features = hidden->values[i];
    }
    convolution(model, arena_printf(model->arena, "convs.%d", i), "logits", x, features, classes, &edges);
    onnx_writer_output(model->writer, "logits", DTYPE_F32, 2, (int64_t[]){nodes, classes}, NULL);
}
