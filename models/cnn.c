/* cnn.c: a small convolutional network for 28 x 28 images: blocks of convolution, BatchNormalization, ReLU and pooling,
 * and two linear layers. Names are those of the torch.nn.Sequential of bench/torch_step.py. */
#include "models/model.h"

/* The name of the Sequential's next module. */
static const char *next(const Model *model, int *module)
{
    return arena_printf(model->arena, "%d", (*module)++);
}

static const char *block(Model *model, const char *x, int64_t in, int64_t out, int *module)
{
    ConvShape shape = {.in = in, .out = out, .kernel = 3, .stride = 1, .padding = 1, .bias = true};
    x = conv2d(model, next(model, module), x, shape, conv_default(shape));
    x = batch_norm(model, next(model, module), x, out);
    x = node1(model, "Relu", next(model, module), x);
    return max_pool(model, next(model, module), x, 2, 2, 0);
}

void build_cnn(Model *model)
{
    int64_t image = model_size(model, "image"), channels = model_size(model, "channels");
    int64_t classes = model_size(model, "classes"), hidden = model_size(model, "hidden");
    const Setting *widths = model_setting(model, "widths");
    int module = 0;
    const char *x = model_input(model, "image", DTYPE_F32, 3, (int64_t[]){channels, image, image});
    for (int i = 0; i < widths->count; i++) {
        x = block(model, x, channels, widths->values[i], &module);
        channels = widths->values[i];
        image /= 2;
    }
    if (image == 0)
        fatal(model->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
              "zoo model 'cnn': %d poolings by 2 leave nothing of the image", widths->count);
    int64_t features = channels * image * image;
    x = node1(model, "Flatten", next(model, &module), x);
    x = linear(model, next(model, &module), x, features, hidden, linear_default(features));
    x = node1(model, "Relu", next(model, &module), x);
    classifier(model, next(model, &module), x, hidden, classes, linear_default(hidden));
}
