/* resnet.c: residual networks (He et al. 2016) as torchvision builds them: version 1.5, with the stride in the 3 x 3
 * convolution of a bottleneck. */
#include <math.h>

#include "models/model.h"

/* He et al. 2015: N(0, 2 / fan_out). */
static const char *convolution(Model *model, const char *path, const char *x, ConvShape shape)
{
    double fan_out = (double)(shape.out * shape.kernel * shape.kernel);
    return conv2d(model, path, x, shape, (LinearInit){.weight = init_normal(sqrt(2 / fan_out))});
}

/* Convolution `conv` and BatchNormalization `norm` of the module at `path`. */
static const char *conv_norm(Model *model, const char *path, const char *conv, const char *norm, const char *x,
                             ConvShape shape)
{
    x = convolution(model, path_join(model, path, conv), x, shape);
    return batch_norm(model, path_join(model, path, norm), x, shape.out);
}

static const char *conv_norm_relu(Model *model, const char *path, int index, const char *x, ConvShape shape)
{
    x = conv_norm(model, path, arena_printf(model->arena, "conv%d", index), arena_printf(model->arena, "bn%d", index),
                  x, shape);
    return node1(model, "Relu", arena_printf(model->arena, "%s.relu%d", path, index), x);
}

static const char *join(Model *model, const char *path, const char *x, const char *residual, ConvShape shortcut)
{
    if (shortcut.in != shortcut.out || shortcut.stride != 1)
        x = conv_norm(model, path, "downsample.0", "downsample.1", x, shortcut);
    x = node2(model, "Add", path_join(model, path, "sum"), residual, x);
    return node1(model, "Relu", path_join(model, path, "relu"), x);
}

typedef const char *Block(Model *model, const char *path, const char *x, int64_t in, int64_t width, int64_t stride);

static const char *basic_block(Model *model, const char *path, const char *x, int64_t in, int64_t width, int64_t stride)
{
    const char *y = conv_norm_relu(model, path, 1, x, (ConvShape){in, width, 3, stride, 1, false});
    y = conv_norm(model, path, "conv2", "bn2", y, (ConvShape){width, width, 3, 1, 1, false});
    return join(model, path, x, y, (ConvShape){in, width, 1, stride, 0, false});
}

static const char *bottleneck(Model *model, const char *path, const char *x, int64_t in, int64_t width, int64_t stride)
{
    const char *y = conv_norm_relu(model, path, 1, x, (ConvShape){in, width, 1, 1, 0, false});
    y = conv_norm_relu(model, path, 2, y, (ConvShape){width, width, 3, stride, 1, false});
    y = conv_norm(model, path, "conv3", "bn3", y, (ConvShape){width, 4 * width, 1, 1, 0, false});
    return join(model, path, x, y, (ConvShape){in, 4 * width, 1, stride, 0, false});
}

static void build_resnet(Model *model, Block *block, int64_t expansion, const int64_t blocks[4])
{
    int64_t image = model_size(model, "image"), channels = model_size(model, "channels");
    int64_t classes = model_size(model, "classes"), width = model_size(model, "width"), in = width;
    const char *x = model_input(model, "image", DTYPE_F32, 3, (int64_t[]){channels, image, image});
    x = convolution(model, "conv1", x, (ConvShape){channels, width, 7, 2, 3, false});
    x = node1(model, "Relu", "relu", batch_norm(model, "bn1", x, width));
    x = max_pool(model, "maxpool", x, 3, 2, 1);
    for (int stage = 0; stage < 4; stage++, width *= 2) {
        for (int i = 0; i < blocks[stage]; i++) {
            const char *path = arena_printf(model->arena, "layer%d.%d", stage + 1, i);
            x = block(model, path, x, in, width, stage > 0 && i == 0 ? 2 : 1);
            in = expansion * width;
        }
    }
    x = node1(model, "Flatten", "features", node1(model, "GlobalAveragePool", "avgpool", x));
    classifier(model, "fc", x, in, classes, linear_default(in));
}

void build_resnet18(Model *model)
{
    build_resnet(model, basic_block, 1, (const int64_t[]){2, 2, 2, 2});
}

void build_resnet50(Model *model)
{
    build_resnet(model, bottleneck, 4, (const int64_t[]){3, 4, 6, 3});
}
