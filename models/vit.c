/* vit.c: vision transformers (Dosovitskiy et al. 2021): patches, class token, pre-norm encoder, linear head. */
#include <math.h>

#include "models/model.h"

/* Whose names and initialisers. */
typedef struct Style {
    const char *patches, *class_token, *positions;
    const char *block; /* before the index */
    const char *norm1, *attention, *qkv_weight, *qkv_bias, *projection;
    const char *norm2, *fc1, *fc2, *norm, *head;
    double epsilon; /* of the LayerNormalizations */
    bool torchvision;
} Style;

static const Style small_style = {"p", "cls", "pos", "b.", "n1", "attention", "qkv.weight",   "qkv.bias",
                                  "o", "n2",  "f1",  "f2", "n",  "head",      .epsilon = 1e-5};

static const Style torchvision_style = {"conv_proj",
                                        "class_token",
                                        "encoder.pos_embedding",
                                        "encoder.layers.encoder_layer_",
                                        "ln_1",
                                        "self_attention",
                                        "self_attention.in_proj_weight",
                                        "self_attention.in_proj_bias",
                                        "self_attention.out_proj",
                                        "ln_2",
                                        "mlp.0",
                                        "mlp.3",
                                        "encoder.ln",
                                        "heads.head",
                                        .epsilon = 1e-6,
                                        .torchvision = true};

typedef struct Sizes {
    int64_t image, channels, patch, tokens, dim, mlp, depth, heads, classes;
} Sizes;

static Sizes sizes_of(const Model *model)
{
    require_multiple(model, "image", "patch");
    require_multiple(model, "dim", "heads");
    Sizes s = {
        .image = model_size(model, "image"),
        .channels = model_size(model, "channels"),
        .patch = model_size(model, "patch"),
        .dim = model_size(model, "dim"),
        .depth = model_size(model, "depth"),
        .heads = model_size(model, "heads"),
        .classes = model_size(model, "classes"),
    };
    s.mlp = 4 * s.dim;
    s.tokens = (s.image / s.patch) * (s.image / s.patch) + 1;
    return s;
}

/* torchvision's MultiheadAttention: Glorot for q, k and v together, biases 0; out_proj keeps nn.Linear's weights. */
static LinearInit qkv_init(const Style *style, int64_t dim)
{
    if (!style->torchvision)
        return linear_default(dim);
    return (LinearInit){init_xavier_uniform(dim, 3 * dim), init_constant(0)};
}

static LinearInit projection_init(const Style *style, int64_t dim)
{
    LinearInit init = linear_default(dim);
    if (style->torchvision)
        init.bias = init_constant(0);
    return init;
}

/* torchvision's MLPBlock. */
static LinearInit mlp_init(const Style *style, int64_t in, int64_t out)
{
    if (!style->torchvision)
        return linear_default(in);
    return (LinearInit){init_xavier_uniform(in, out), init_normal(1e-6)};
}

static const char *attention(Model *model, const Style *style, const char *path, const char *x, const Sizes *s)
{
    LinearInit init = qkv_init(style, s->dim);
    const char *inside = path_join(model, path, style->attention);
    const char *weight =
        parameter(model, path_join(model, path, style->qkv_weight), init.weight, 2, (int64_t[]){3 * s->dim, s->dim});
    const char *bias = parameter(model, path_join(model, path, style->qkv_bias), init.bias, 1, (int64_t[]){3 * s->dim});
    const char *qkv = project_tokens(model, path_join(model, inside, "in_proj"), weight, bias, x);
    const char *mixed = attend_joint(model, inside, qkv, NULL, (Heads){s->tokens, s->dim, s->heads});
    return linear_tokens(model, path_join(model, path, style->projection), mixed, s->dim, s->dim,
                         projection_init(style, s->dim));
}

static const char *encoder_block(Model *model, const Style *style, const char *path, const char *x, const Sizes *s)
{
    const char *y = layer_norm(model, path_join(model, path, style->norm1), x, s->dim, style->epsilon);
    y = attention(model, style, path, y, s);
    x = node2(model, "Add", path_join(model, path, "attended"), x, y);
    y = layer_norm(model, path_join(model, path, style->norm2), x, s->dim, style->epsilon);
    y = linear_tokens(model, path_join(model, path, style->fc1), y, s->dim, s->mlp, mlp_init(style, s->dim, s->mlp));
    y = node1(model, "Gelu", path_join(model, path, "gelu"), y);
    y = linear_tokens(model, path_join(model, path, style->fc2), y, s->mlp, s->dim, mlp_init(style, s->mlp, s->dim));
    return node2(model, "Add", path_join(model, path, "out"), x, y);
}

/* [B, C, H, W] -> [B, patches, dim]. */
static const char *patch_tokens(Model *model, const Style *style, const char *image, const Sizes *s)
{
    ConvShape shape = {.in = s->channels, .out = s->dim, .kernel = s->patch, .stride = s->patch, .bias = true};
    LinearInit init = conv_default(shape);
    if (style->torchvision)
        init = (LinearInit){init_normal(sqrt(1.0 / (double)(s->channels * s->patch * s->patch))), init_constant(0)};
    const char *x = conv2d(model, style->patches, image, shape, init);
    x = reshape(model, "patches.flat", x, 3, (int64_t[]){0, s->dim, s->tokens - 1});
    return transpose(model, "patches", x, 3, (int64_t[]){0, 2, 1});
}

/* The class token, repeated along the batch of `x`, before its tokens. */
static const char *prepend_class(Model *model, const Style *style, const char *x, int64_t dim)
{
    const char *token = parameter(model, style->class_token, init_constant(0), 3, (int64_t[]){1, 1, dim});
    const char *batch = node1(model, "Shape", "class.batch", x);
    onnx_writer_attr_int(model->writer, "start", 0);
    onnx_writer_attr_int(model->writer, "end", 1);
    const char *rest = integer_vector(model, "class.rest", 2, (int64_t[]){1, dim});
    const char *shape = node2(model, "Concat", "class.shape", batch, rest);
    onnx_writer_attr_int(model->writer, "axis", 0);
    const char *expanded = node2(model, "Expand", "class", token, shape);
    node2(model, "Concat", "tokens", expanded, x);
    onnx_writer_attr_int(model->writer, "axis", 1);
    return "tokens";
}

static void build_styled(Model *model, const Style *style)
{
    Sizes s = sizes_of(model);
    const char *x = model_input(model, "image", DTYPE_F32, 3, (int64_t[]){s.channels, s.image, s.image});
    x = prepend_class(model, style, patch_tokens(model, style, x, &s), s.dim);
    /* torchvision draws N(0, 0.02) too */
    const char *positions = parameter(model, style->positions, init_normal(0.02), 3, (int64_t[]){1, s.tokens, s.dim});
    x = node2(model, "Add", "embedded", x, positions);
    for (int i = 0; i < s.depth; i++)
        x = encoder_block(model, style, arena_printf(model->arena, "%s%d", style->block, i), x, &s);
    x = layer_norm(model, style->norm, x, s.dim, style->epsilon);
    const char *first = integers(model, "class.index", 0, NULL, (int64_t[]){0});
    x = node2(model, "Gather", "class.encoded", x, first);
    onnx_writer_attr_int(model->writer, "axis", 1);
    LinearInit head = linear_default(s.dim);
    if (style->torchvision)
        head = (LinearInit){init_constant(0), init_constant(0)};
    classifier(model, style->head, x, s.dim, s.classes, head);
}

void build_vit(Model *model)
{
    build_styled(model, &small_style);
}

void build_vit_torchvision(Model *model)
{
    build_styled(model, &torchvision_style);
}
