/* bert.c: BERT (Devlin et al. 2019) for sequence classification, with the names of transformers'
 * BertForSequenceClassification: post-norm encoder, pooler, linear classifier. All tokens are of type 0. */
#include "models/model.h"

typedef struct Sizes {
    int64_t vocab, context, dim, depth, heads, classes;
} Sizes;

static const double deviation = 0.02, epsilon = 1e-12;

static LinearInit bert_init(void)
{
    return (LinearInit){init_normal(deviation), init_constant(0)};
}

static const char *embedding(Model *model, const char *name, int64_t rows, int64_t dim)
{
    const char *weight = arena_printf(model->arena, "bert.embeddings.%s.weight", name);
    return parameter(model, weight, init_normal(deviation), 2, (int64_t[]){rows, dim});
}

static const char *embed(Model *model, const char *ids, const Sizes *s)
{
    const char *words = embedding(model, "word_embeddings", s->vocab, s->dim);
    const char *positions = embedding(model, "position_embeddings", s->context, s->dim);
    const char *types = embedding(model, "token_type_embeddings", 2, s->dim);
    const char *zero = integers(model, "type.index", 0, NULL, (int64_t[]){0});
    const char *x = node2(model, "Gather", "words", words, ids);
    x = node2(model, "Add", "words_types", x, node2(model, "Gather", "type", types, zero));
    x = node2(model, "Add", "embedded", x, positions);
    return layer_norm(model, "bert.embeddings.LayerNorm", x, s->dim, epsilon);
}

/* attention_mask [B, T] of 1 and 0 -> [B, 1, 1, T] of 0 and very negative. */
static const char *additive_mask(Model *model, const char *mask)
{
    const char *axes = integer_vector(model, "mask.axes", 2, (int64_t[]){1, 2});
    const char *wide = node2(model, "Unsqueeze", "mask.wide", mask, axes);
    const char *kept = node1(model, "Cast", "mask.kept", wide);
    onnx_writer_attr_int(model->writer, "to", dtype_info[DTYPE_F32].onnx);
    const char *left_out = node2(model, "Sub", "mask.left_out", scalar(model, "mask.one", 1), kept);
    return node2(model, "Mul", "mask", left_out, scalar(model, "mask.value", -1e9));
}

static const char *heads_of(Model *model, const char *path, const char *x, const Sizes *s)
{
    const int64_t dims[] = {0, s->context, s->heads, s->dim / s->heads};
    x = linear_tokens(model, path, x, s->dim, s->dim, bert_init());
    x = reshape(model, path_join(model, path, "split"), x, 4, dims);
    return transpose(model, path_join(model, path, "heads"), x, 4, (int64_t[]){0, 2, 1, 3});
}

static const char *layer(Model *model, const char *path, const char *x, const char *mask, const Sizes *s)
{
    const char *self = path_join(model, path, "attention.self");
    const char *q = heads_of(model, path_join(model, self, "query"), x, s);
    const char *k = heads_of(model, path_join(model, self, "key"), x, s);
    const char *v = heads_of(model, path_join(model, self, "value"), x, s);
    const char *y = attend(model, self, q, k, v, mask, (Heads){s->context, s->dim, s->heads});
    y = linear_tokens(model, path_join(model, path, "attention.output.dense"), y, s->dim, s->dim, bert_init());
    y = node2(model, "Add", path_join(model, path, "attended"), y, x);
    x = layer_norm(model, path_join(model, path, "attention.output.LayerNorm"), y, s->dim, epsilon);
    y = linear_tokens(model, path_join(model, path, "intermediate.dense"), x, s->dim, 4 * s->dim, bert_init());
    y = node1(model, "Gelu", path_join(model, path, "gelu"), y);
    y = linear_tokens(model, path_join(model, path, "output.dense"), y, 4 * s->dim, s->dim, bert_init());
    y = node2(model, "Add", path_join(model, path, "out"), y, x);
    return layer_norm(model, path_join(model, path, "output.LayerNorm"), y, s->dim, epsilon);
}

void build_bert(Model *model)
{
    require_multiple(model, "dim", "heads");
    Sizes s = {model_size(model, "vocab"), model_size(model, "context"), model_size(model, "dim"),
               model_size(model, "depth"), model_size(model, "heads"),   model_size(model, "classes")};
    const char *ids = model_input(model, "input_ids", DTYPE_I64, 1, &s.context);
    const char *mask = additive_mask(model, model_input(model, "attention_mask", DTYPE_I64, 1, &s.context));
    const char *x = embed(model, ids, &s);
    for (int i = 0; i < s.depth; i++)
        x = layer(model, arena_printf(model->arena, "bert.encoder.layer.%d", i), x, mask, &s);
    const char *first = integers(model, "pooler.index", 0, NULL, (int64_t[]){0});
    x = node2(model, "Gather", "pooler.first", x, first);
    onnx_writer_attr_int(model->writer, "axis", 1);
    x = linear(model, "bert.pooler.dense", x, s.dim, s.dim, bert_init());
    x = node1(model, "Tanh", "pooled", x);
    classifier(model, "classifier", x, s.dim, s.classes, bert_init());
}
