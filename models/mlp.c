/* mlp.c: a multi-layer perceptron with ReLU, as torch.nn.Sequential(Flatten, Linear, ReLU, ..., Linear). */
#include "models/model.h"

void build_mlp(Model *model)
{
    int64_t image = model_size(model, "image"), channels = model_size(model, "channels");
    int64_t classes = model_size(model, "classes"), width = channels * image * image;
    const Setting *hidden = model_setting(model, "hidden");
    const char *x = model_input(model, "image", DTYPE_F32, 3, (int64_t[]){channels, image, image});
    x = node1(model, "Flatten", "0", x);
    int module = 1; /* index in the Sequential */
    for (int i = 0; i < hidden->count; i++) {
        x = linear(model, arena_printf(model->arena, "%d", module++), x, width, hidden->values[i],
                   linear_default(width));
        x = node1(model, "Relu", arena_printf(model->arena, "%d", module++), x);
        width = hidden->values[i];
    }
    const char *last = arena_printf(model->arena, "%d", module);
    classifier(model, last, x, width, classes, linear_default(width));
}
