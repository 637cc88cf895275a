/* layers.c: torch.nn's layers as ONNX nodes. */
#include "models/model.h"

LinearInit linear_default(int64_t in)
{
    return (LinearInit){init_fan_in(in), init_fan_in(in)};
}

static const char *weight_of(Model *model, const char *path, int64_t in, int64_t out, LinearInit init)
{
    return parameter(model, path_join(model, path, "weight"), init.weight, 2, (int64_t[]){out, in});
}

static const char *bias_of(Model *model, const char *path, int64_t out, LinearInit init)
{
    return parameter(model, path_join(model, path, "bias"), init.bias, 1, &out);
}

const char *linear(Model *model, const char *path, const char *x, int64_t in, int64_t out, LinearInit init)
{
    const char *weight = weight_of(model, path, in, out, init), *bias = bias_of(model, path, out, init);
    node3(model, "Gemm", path, x, weight, bias);
    onnx_writer_attr_int(model->writer, "transB", 1);
    return path;
}

void classifier(Model *model, const char *path, const char *x, int64_t in, int64_t classes, LinearInit init)
{
    const char *weight = weight_of(model, path, in, classes, init), *bias = bias_of(model, path, classes, init);
    named_node(model, "Gemm", path, "logits", 3, (const char *[]){x, weight, bias});
    onnx_writer_attr_int(model->writer, "transB", 1);
    model_output(model, "logits", 1, &classes);
}

const char *linear_tokens(Model *model, const char *path, const char *x, int64_t in, int64_t out, LinearInit init)
{
    const char *weight = weight_of(model, path, in, out, init), *bias = bias_of(model, path, out, init);
    return project_tokens(model, path, weight, bias, x);
}

const char *project_tokens(Model *model, const char *path, const char *weight, const char *bias, const char *x)
{
    const char *transposed = transpose(model, path_join(model, path, "transposed"), weight, 2, (int64_t[]){1, 0});
    return node2(model, "Add", path, node2(model, "MatMul", path_join(model, path, "product"), x, transposed), bias);
}

const char *layer_norm(Model *model, const char *path, const char *x, int64_t dim, double epsilon)
{
    const char *weight = parameter(model, path_join(model, path, "weight"), init_constant(1), 1, &dim);
    const char *bias = parameter(model, path_join(model, path, "bias"), init_constant(0), 1, &dim);
    node3(model, "LayerNormalization", path, x, weight, bias);
    onnx_writer_attr_int(model->writer, "axis", -1);
    onnx_writer_attr_float(model->writer, "epsilon", (float)epsilon);
    return path;
}

/* kernel_shape, strides and pads of a square window. */
static void window_attributes(Model *model, int64_t kernel, int64_t stride, int64_t padding)
{
    onnx_writer_attr_ints(model->writer, "kernel_shape", 2, (int64_t[]){kernel, kernel});
    onnx_writer_attr_ints(model->writer, "strides", 2, (int64_t[]){stride, stride});
    onnx_writer_attr_ints(model->writer, "pads", 4, (int64_t[]){padding, padding, padding, padding});
}

LinearInit conv_default(ConvShape shape)
{
    return linear_default(shape.in * shape.kernel * shape.kernel);
}

const char *conv2d(Model *model, const char *path, const char *x, ConvShape shape, LinearInit init)
{
    const int64_t dims[] = {shape.out, shape.in, shape.kernel, shape.kernel};
    const char *weight = parameter(model, path_join(model, path, "weight"), init.weight, 4, dims);
    if (shape.bias)
        node3(model, "Conv", path, x, weight, bias_of(model, path, shape.out, init));
    else
        node2(model, "Conv", path, x, weight);
    window_attributes(model, shape.kernel, shape.stride, shape.padding);
    return path;
}

const char *batch_norm(Model *model, const char *path, const char *x, int64_t channels)
{
    const char *inputs[] = {
        x,
        parameter(model, path_join(model, path, "weight"), init_constant(1), 1, &channels),
        parameter(model, path_join(model, path, "bias"), init_constant(0), 1, &channels),
        statistic(model, path_join(model, path, "running_mean"), init_constant(0), channels),
        statistic(model, path_join(model, path, "running_var"), init_constant(1), channels),
    };
    const char *outputs[] = {path, path_join(model, path, "new_mean"), path_join(model, path, "new_var")};
    onnx_writer_node(model->writer, "BatchNormalization", path, 5, inputs, 3, outputs);
    onnx_writer_attr_float(model->writer, "epsilon", 1e-5f);
    onnx_writer_attr_float(model->writer, "momentum", 0.9f); /* of the old value: PyTorch's 0.1 weighs the new one */
    onnx_writer_attr_int(model->writer, "training_mode", 1);
    return path;
}

const char *max_pool(Model *model, const char *path, const char *x, int64_t kernel, int64_t stride, int64_t padding)
{
    node1(model, "MaxPool", path, x);
    window_attributes(model, kernel, stride, padding);
    return path;
}
