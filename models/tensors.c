/* tensors.c: inputs, initializers and nodes of a zoo model, by name. */
#include <string.h>

#include "models/fill.h"

static const char *const batch_first[MAX_RANK] = {"batch"};

const char *model_input(Model *model, const char *name, Dtype dtype, int rank, const int64_t *dims)
{
    int64_t all[MAX_RANK] = {0};
    memcpy(all + 1, dims, (size_t)rank * sizeof *dims);
    onnx_writer_input(model->writer, name, dtype, rank + 1, all, batch_first);
    return name;
}

void model_output(Model *model, const char *name, int rank, const int64_t *dims)
{
    int64_t all[MAX_RANK] = {0};
    memcpy(all + 1, dims, (size_t)rank * sizeof *dims);
    onnx_writer_output(model->writer, name, DTYPE_F32, rank + 1, all, batch_first);
}

const char *parameter(Model *model, const char *name, Init init, int rank, const int64_t *dims)
{
    Fill *fill = NEW(model->arena, Fill);
    *fill = (Fill){init, fill_key(model->seed, model->tensors++)};
    int64_t size = 1;
    for (int i = 0; i < rank; i++)
        size *= dims[i];
    model->parameters += size;
    onnx_writer_initializer(model->writer, name, DTYPE_F32, rank, dims, fill_init, fill);
    return name;
}

const char *statistic(Model *model, const char *name, Init init, int64_t size)
{
    parameter(model, name, init, 1, &size);
    model->parameters -= size;
    return name;
}

const char *integers(Model *model, const char *name, int rank, const int64_t *dims, const int64_t *elements)
{
    onnx_writer_constant(model->writer, name, DTYPE_I64, rank, dims, elements);
    return name;
}

const char *integer_vector(Model *model, const char *name, int count, const int64_t *elements)
{
    return integers(model, name, 1, (int64_t[]){count}, elements);
}

const char *path_join(const Model *model, const char *path, const char *leaf)
{
    return arena_printf(model->arena, "%s.%s", path, leaf);
}

/* "a.b.c" -> "/a/b/c", as PyTorch's exporter names nodes. */
static const char *node_name(const Model *model, const char *path)
{
    char *name = arena_printf(model->arena, "/%s", path);
    for (char *c = name; *c; c++)
        if (*c == '.')
            *c = '/';
    return name;
}

void named_node(Model *model, const char *op, const char *path, const char *value, int count, const char *const *inputs)
{
    onnx_writer_node(model->writer, op, node_name(model, path), count, inputs, 1, &value);
}

static const char *add_node(Model *model, const char *op, const char *path, int count, const char *const *inputs)
{
    named_node(model, op, path, path, count, inputs);
    return path;
}

const char *scalar(Model *model, const char *name, double value)
{
    add_node(model, "Constant", name, 0, NULL);
    onnx_writer_attr_float(model->writer, "value_float", (float)value);
    return name;
}

const char *node1(Model *model, const char *op, const char *path, const char *x)
{
    return add_node(model, op, path, 1, &x);
}

const char *node2(Model *model, const char *op, const char *path, const char *x, const char *y)
{
    return add_node(model, op, path, 2, (const char *[]){x, y});
}

const char *node3(Model *model, const char *op, const char *path, const char *x, const char *y, const char *z)
{
    return add_node(model, op, path, 3, (const char *[]){x, y, z});
}

void split_along(Model *model, const char *path, const char *x, int64_t axis, int count, const char **parts)
{
    for (int i = 0; i < count; i++)
        parts[i] = arena_printf(model->arena, "%s.%d", path, i);
    onnx_writer_node(model->writer, "Split", node_name(model, path), 1, &x, count, parts);
    onnx_writer_attr_int(model->writer, "axis", axis);
    onnx_writer_attr_int(model->writer, "num_outputs", count);
}

const char *reshape(Model *model, const char *path, const char *x, int rank, const int64_t *dims)
{
    return node2(model, "Reshape", path, x, integer_vector(model, path_join(model, path, "shape"), rank, dims));
}

const char *transpose(Model *model, const char *path, const char *x, int rank, const int64_t *permutation)
{
    node1(model, "Transpose", path, x);
    onnx_writer_attr_ints(model->writer, "perm", rank, permutation);
    return path;
}
