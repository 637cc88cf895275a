/* attention_reference.h: attention by the plain formula in double, for test_attention.cu. */
#ifndef ATTENTION_REFERENCE_H
#define ATTENTION_REFERENCE_H

#include "emulated_check.h"

#include <pcc/kernels/attention/attention_shape.h>

typedef std::vector<double> Values;

/* Operands and results; mask and visible: at most one is not empty. */
struct Operands {
    Values q, k, v, mask, visible, dy, y, max, inverse_sum, dq, dk, dv;
};

static inline void dense(int64_t stride[3], int64_t heads, int64_t rows, int64_t width)
{
    stride[0] = heads * rows * width;
    stride[1] = rows * width;
    stride[2] = width;
}

/* Each key head serves `group` query heads. */
static inline PccAttention shape_of(int64_t batch, int64_t heads, int64_t queries, int64_t keys, int64_t width,
                                    int64_t value_width, int64_t group = 1)
{
    PccAttention a = {};
    a.batch = batch;
    a.heads = heads;
    a.queries = queries;
    a.keys = keys;
    a.width = width;
    a.value_width = value_width;
    a.scale = 1.0 / sqrt((double)width);
    a.kv_group = group;
    dense(a.q_stride, heads, queries, width);
    dense(a.k_stride, heads / group, keys, width);
    dense(a.v_stride, heads / group, keys, value_width);
    dense(a.y_stride, heads, queries, value_width);
    dense(a.dq_stride, heads, queries, width);
    dense(a.dk_stride, heads / group, keys, width);
    dense(a.dv_stride, heads / group, keys, value_width);
    dense(a.dy_stride, heads, queries, value_width);
    return a;
}

/* q, k, v and their gradients as windows of [B, T, 3, H, D], y and dy as [B, T, H, D]. */
static inline PccAttention interleaved_shape(int64_t batch, int64_t tokens, int64_t heads, int64_t width)
{
    PccAttention a = shape_of(batch, heads, tokens, tokens, width, width);
    const int64_t qkv[3] = {tokens * 3 * heads * width, width, 3 * heads * width};
    const int64_t y[3] = {tokens * heads * width, width, heads * width};
    for (int i = 0; i < 3; i++) {
        a.q_stride[i] = a.k_stride[i] = a.v_stride[i] = a.dq_stride[i] = a.dk_stride[i] = a.dv_stride[i] = qkv[i];
        a.y_stride[i] = a.dy_stride[i] = y[i];
    }
    return a;
}

/* Elements from the first to the last of an operand. */
static inline int64_t extent(const int64_t stride[3], int64_t batch, int64_t heads, int64_t rows, int64_t width)
{
    return (batch - 1) * stride[0] + (heads - 1) * stride[1] + (rows - 1) * stride[2] + width;
}

static inline int64_t mask_extent(const PccAttention &a)
{
    return (a.batch - 1) * a.mask_stride[0] + (a.heads - 1) * a.mask_stride[1] + (a.queries - 1) * a.mask_stride[2] +
           (a.keys - 1) * a.mask_stride[3] + 1;
}

static inline Operands random_operands(const PccAttention &a)
{
    const int64_t kv_heads = a.heads / a.kv_group;
    Operands o;
    o.q = random_values(extent(a.q_stride, a.batch, a.heads, a.queries, a.width), 1);
    o.k = random_values(extent(a.k_stride, a.batch, kv_heads, a.keys, a.width), 2);
    o.v = random_values(extent(a.v_stride, a.batch, kv_heads, a.keys, a.value_width), 3);
    o.dy = random_values(extent(a.dy_stride, a.batch, a.heads, a.queries, a.value_width), 4);
    o.y.assign((size_t)extent(a.y_stride, a.batch, a.heads, a.queries, a.value_width), NAN);
    o.dq.assign((size_t)extent(a.dq_stride, a.batch, a.heads, a.queries, a.width), NAN);
    o.dk.assign((size_t)extent(a.dk_stride, a.batch, kv_heads, a.keys, a.width), NAN);
    o.dv.assign((size_t)extent(a.dv_stride, a.batch, kv_heads, a.keys, a.value_width), NAN);
    o.max.assign((size_t)(a.batch * a.heads * a.queries), NAN);
    o.inverse_sum = o.max;
    return o;
}

/* ---- the formula ------------------------------------------------------------------------------------------------ */

static inline int64_t at(const int64_t stride[3], int64_t batch, int64_t head, int64_t row)
{
    return batch * stride[0] + head * stride[1] + row * stride[2];
}

static inline double score(const PccAttention &a, const Operands &o, int64_t b, int64_t h, int64_t i, int64_t j)
{
    const int64_t *m = a.mask_stride, masked = b * m[0] + h * m[1] + i * m[2] + j * m[3];
    if (j >= pcc_attention_keys_seen(&a, i, 0, a.keys) || (!o.visible.empty() && o.visible[(size_t)masked] == 0))
        return -HUGE_VAL;
    const double *q = &o.q[(size_t)at(a.q_stride, b, h, i)], *k = &o.k[(size_t)at(a.k_stride, b, h / a.kv_group, j)];
    double sum = 0.0;
    for (int64_t d = 0; d < a.width; d++)
        sum += q[d] * k[d];
    sum *= a.scale;
    return o.mask.empty() ? sum : sum + o.mask[(size_t)masked];
}

/* One query's weights and statistics. Scores are rounded to float where huge masks leave nothing of the products. */
static inline Values reference_weights(const PccAttention &a, Operands &o, bool absorbed, int64_t b, int64_t h,
                                       int64_t i)
{
    const size_t row = (size_t)((b * a.heads + h) * a.queries + i);
    Values weight((size_t)a.keys);
    double max = -HUGE_VAL, sum = 0.0;
    for (int64_t j = 0; j < a.keys; j++) {
        const double s = score(a, o, b, h, i, j);
        weight[(size_t)j] = absorbed ? (double)(float)s : s;
        max = fmax(max, weight[(size_t)j]);
    }
    max = max == -HUGE_VAL ? 0.0 : max;
    for (double &w : weight)
        sum += w = exp(w - max);
    o.max[row] = max;
    o.inverse_sum[row] = sum == 0.0 ? 0.0 : 1.0 / sum;
    for (double &w : weight)
        w *= o.inverse_sum[row];
    return weight;
}

static inline void reference_row(const PccAttention &a, Operands &o, int64_t b, int64_t h, int64_t i,
                                 const Values &weight)
{
    double *y = &o.y[(size_t)at(a.y_stride, b, h, i)];
    for (int64_t d = 0; d < a.value_width; d++) {
        y[d] = 0;
        for (int64_t j = 0; j < a.keys; j++)
            y[d] += weight[(size_t)j] * o.v[(size_t)(at(a.v_stride, b, h / a.kv_group, j) + d)];
    }
}

static inline void reference_grad_row(const PccAttention &a, Operands &o, const Values &saved, int64_t b, int64_t h,
                                      int64_t i, const Values &weight)
{
    const double *dy = &o.dy[(size_t)at(a.dy_stride, b, h, i)], *y = &saved[(size_t)at(a.y_stride, b, h, i)];
    const double *q = &o.q[(size_t)at(a.q_stride, b, h, i)];
    double *dq = &o.dq[(size_t)at(a.dq_stride, b, h, i)], delta = 0.0;
    for (int64_t d = 0; d < a.value_width; d++)
        delta += dy[d] * y[d];
    for (int64_t j = 0; j < a.keys; j++) {
        const int64_t kv = h / a.kv_group;
        const double *k = &o.k[(size_t)at(a.k_stride, b, kv, j)], *v = &o.v[(size_t)at(a.v_stride, b, kv, j)];
        double *dk = &o.dk[(size_t)at(a.dk_stride, b, kv, j)], *dv = &o.dv[(size_t)at(a.dv_stride, b, kv, j)];
        double dp = 0.0;
        for (int64_t d = 0; d < a.value_width; d++) {
            dp += dy[d] * v[d];
            dv[d] += weight[(size_t)j] * dy[d];
        }
        const double ds = weight[(size_t)j] * (dp - delta) * a.scale;
        for (int64_t d = 0; d < a.width; d++) {
            dq[d] += ds * k[d];
            dk[d] += ds * q[d];
        }
    }
}

static inline void clear_rows(Values &values, const int64_t stride[3], int64_t b, int64_t h, int64_t rows,
                              int64_t width)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < width; d++)
            values[(size_t)(at(stride, b, h, i) + d)] = 0;
}

static inline void clear_gradients(const PccAttention &a, Operands &o)
{
    for (int64_t b = 0; b < a.batch; b++)
        for (int64_t h = 0; h < a.heads; h++) {
            clear_rows(o.dq, a.dq_stride, b, h, a.queries, a.width);
            clear_rows(o.dk, a.dk_stride, b, h / a.kv_group, a.keys, a.width);
            clear_rows(o.dv, a.dv_stride, b, h / a.kv_group, a.keys, a.value_width);
        }
}

/* y, max and inverse_sum by the formula; then, from what `saved` says of y, dq, dk and dv. Elements between rows stay
 * what they are. */
static inline void reference(const PccAttention &a, Operands &o, bool absorbed, const Values &saved)
{
    clear_gradients(a, o);
    for (int64_t b = 0; b < a.batch; b++)
        for (int64_t h = 0; h < a.heads; h++)
            for (int64_t i = 0; i < a.queries; i++) {
                const Values weight = reference_weights(a, o, absorbed, b, h, i);
                reference_row(a, o, b, h, i, weight);
                reference_grad_row(a, o, saved, b, h, i, weight);
            }
}

#endif
