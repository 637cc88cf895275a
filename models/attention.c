/* attention.c: multi-head attention, decomposed as exporters do (Vaswani et al. 2017, section 3.2). */
#include <math.h>

#include "models/model.h"

const char *attend(Model *model, const char *path, const char *q, const char *k, const char *v, const char *mask,
                   Heads heads)
{
    const char *scale = scalar(model, path_join(model, path, "scale"), 1 / sqrt((double)(heads.dim / heads.count)));
    const char *kt = transpose(model, path_join(model, path, "kt"), k, 4, (int64_t[]){0, 1, 3, 2});
    const char *product = node2(model, "MatMul", path_join(model, path, "product"), q, kt);
    const char *scores = node2(model, "Mul", path_join(model, path, "scores"), product, scale);
    if (mask)
        scores = node2(model, "Add", path_join(model, path, "masked"), scores, mask);
    const char *weights = node1(model, "Softmax", path_join(model, path, "weights"), scores);
    onnx_writer_attr_int(model->writer, "axis", -1);
    const char *mixed = node2(model, "MatMul", path_join(model, path, "mixed"), weights, v);
    const char *tokens = transpose(model, path_join(model, path, "tokens"), mixed, 4, (int64_t[]){0, 2, 1, 3});
    return reshape(model, path_join(model, path, "merged"), tokens, 3, (int64_t[]){0, heads.tokens, heads.dim});
}

const char *attend_joint(Model *model, const char *path, const char *qkv, const char *mask, Heads heads)
{
    const int64_t dims[] = {0, heads.tokens, 3, heads.count, heads.dim / heads.count};
    const char *split = reshape(model, path_join(model, path, "split"), qkv, 5, dims);
    const char *first = transpose(model, path_join(model, path, "heads"), split, 5, (int64_t[]){2, 0, 3, 1, 4});
    const char *axis = integer_vector(model, path_join(model, path, "axis"), 1, (int64_t[]){0});
    const char *parts[3];
    split_along(model, path_join(model, path, "qkv"), first, 0, 3, parts);
    static const char *const names[] = {"q", "k", "v"};
    for (int i = 0; i < 3; i++)
        parts[i] = node2(model, "Squeeze", path_join(model, path, names[i]), parts[i], axis);
    return attend(model, path, parts[0], parts[1], parts[2], mask, heads);
}
