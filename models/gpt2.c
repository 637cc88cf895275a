/* gpt2.c: GPT-2 (Radford et al. 2019) with the names of transformers' GPT2LMHeadModel. The output projection is the
 * token embedding itself, so that the two train as one. */
#include <math.h>

#include "models/model.h"

typedef struct Sizes {
    int64_t vocab, context, dim, depth, heads;
} Sizes;

static const double deviation = 0.02; /* of all initial weights */

/* transformers' Conv1D: a linear layer whose weight is [in, out]. */
static const char *conv1d(Model *model, const char *path, const char *x, int64_t in, int64_t out, double spread)
{
    const char *weight =
        parameter(model, path_join(model, path, "weight"), init_normal(spread), 2, (int64_t[]){in, out});
    const char *bias = parameter(model, path_join(model, path, "bias"), init_constant(0), 1, &out);
    return node2(model, "Add", path, node2(model, "MatMul", path_join(model, path, "product"), x, weight), bias);
}

/* [B, T, 3·dim] -> q, k, v [B, H, T, D] by halves of the last axis, as GPT2Attention does. */
static const char *attention(Model *model, const char *path, const char *x, const char *mask, const Sizes *s)
{
    static const char *const names[] = {"q", "k", "v"};
    const char *parts[3];
    x = conv1d(model, path_join(model, path, "c_attn"), x, s->dim, 3 * s->dim, deviation);
    split_along(model, path_join(model, path, "qkv"), x, 2, 3, parts);
    for (int i = 0; i < 3; i++) {
        const char *name = path_join(model, path, names[i]);
        const int64_t dims[] = {0, s->context, s->heads, s->dim / s->heads};
        const char *split = reshape(model, path_join(model, name, "split"), parts[i], 4, dims);
        parts[i] = transpose(model, name, split, 4, (int64_t[]){0, 2, 1, 3});
    }
    x = attend(model, path, parts[0], parts[1], parts[2], mask, (Heads){s->context, s->dim, s->heads});
    /* Projections into the residual stream start smaller by the number of them (section 2.3). */
    double residual = deviation / sqrt(2 * (double)s->depth);
    return conv1d(model, path_join(model, path, "c_proj"), x, s->dim, s->dim, residual);
}

static const char *block(Model *model, const char *path, const char *x, const char *mask, const Sizes *s)
{
    const char *y = layer_norm(model, path_join(model, path, "ln_1"), x, s->dim, 1e-5);
    y = attention(model, path_join(model, path, "attn"), y, mask, s);
    x = node2(model, "Add", path_join(model, path, "attended"), x, y);
    y = layer_norm(model, path_join(model, path, "ln_2"), x, s->dim, 1e-5);
    y = conv1d(model, path_join(model, path, "mlp.c_fc"), y, s->dim, 4 * s->dim, deviation);
    y = node1(model, "Gelu", path_join(model, path, "mlp.act"), y);
    onnx_writer_attr_string(model->writer, "approximate", "tanh");
    double residual = deviation / sqrt(2 * (double)s->depth);
    y = conv1d(model, path_join(model, path, "mlp.c_proj"), y, 4 * s->dim, s->dim, residual);
    return node2(model, "Add", path_join(model, path, "out"), x, y);
}

/* [1, 1, T, T]: 0 on and below the diagonal, very negative above, made from a Constant so that it never trains. */
static const char *causal_mask(Model *model, int64_t context)
{
    const char *shape = integer_vector(model, "mask.shape", 4, (int64_t[]){1, 1, context, context});
    const char *blocked = node2(model, "Expand", "mask.blocked", scalar(model, "mask.value", -1e9), shape);
    const char *above = integers(model, "mask.above", 0, NULL, (int64_t[]){1});
    node2(model, "Trilu", "mask", blocked, above);
    onnx_writer_attr_int(model->writer, "upper", 1);
    return "mask";
}

void build_gpt2(Model *model)
{
    require_multiple(model, "dim", "heads");
    Sizes s = {model_size(model, "vocab"), model_size(model, "context"), model_size(model, "dim"),
               model_size(model, "depth"), model_size(model, "heads")};
    const char *ids = model_input(model, "input_ids", DTYPE_I64, 1, &s.context);
    Init init = init_normal(deviation);
    const char *tokens = parameter(model, "transformer.wte.weight", init, 2, (int64_t[]){s.vocab, s.dim});
    const char *positions = parameter(model, "transformer.wpe.weight", init, 2, (int64_t[]){s.context, s.dim});
    const char *mask = causal_mask(model, s.context);
    const char *x = node2(model, "Add", "embedded", node2(model, "Gather", "tokens", tokens, ids), positions);
    for (int i = 0; i < s.depth; i++)
        x = block(model, arena_printf(model->arena, "transformer.h.%d", i), x, mask, &s);
    x = layer_norm(model, "transformer.ln_f", x, s.dim, 1e-5);
    const char *head = transpose(model, "lm_head.transposed", tokens, 2, (int64_t[]){1, 0});
    node2(model, "MatMul", "logits", x, head);
    model_output(model, "logits", 2, (int64_t[]){s.context, s.vocab});
}
