/* attention_check.h: attention by the plain formula in double, and operands for it, for the tests of all forms of the
 * kernels. */
#ifndef ATTENTION_CHECK_H
#define ATTENTION_CHECK_H

#include "kernel_check.h"
#include "runtime/kernels/attention/attention.h"

enum { MAX = 1 << 18, THREADS = 5 };

/* Operands and results; q, k, v may be views of one buffer, as the strides say. mask and visible: at most one.
 * of_sizes: the formula adds up the sizes of the terms of y, dq, dk and dv instead of the terms. */
typedef struct Operands {
    double *q, *k, *v, *mask, *y, *max, *inverse_sum, *dy, *dq, *dk, *dv;
    uint8_t *visible;
    int of_sizes;
} Operands;

enum { OPERAND_COUNT = 11 }; /* of floats */

/* The i-th float operand, in the order of the struct. */
static inline double **operand(Operands *o, int i)
{
    double **all[OPERAND_COUNT] = {&o->q,           &o->k,  &o->v,  &o->mask, &o->y, &o->max,
                                   &o->inverse_sum, &o->dy, &o->dq, &o->dk,   &o->dv};
    return all[i];
}

static char *thread_scratch;
static void *grad_scratch;

static inline int set_up(void **state)
{
    (void)state;
    thread_scratch = aligned_alloc(64, THREADS * PCC_THREAD_SCRATCH);
    grad_scratch = aligned_alloc(64, (size_t)MAX * 64);
    return thread_scratch && grad_scratch ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    free(thread_scratch);
    free(grad_scratch);
    return 0;
}

/* Uniform in [-1, 1), rounded to float. */
static inline double *buffer(void)
{
    double *p = malloc(MAX * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < MAX; i++)
        p[i] = (double)(float)next_value();
    return p;
}

static inline Operands new_operands(int with_mask)
{
    Operands o = {0};
    for (int i = 0; i < OPERAND_COUNT; i++)
        *operand(&o, i) = buffer();
    if (!with_mask) {
        free(o.mask);
        o.mask = NULL;
    }
    return o;
}

static inline Operands copy_operands(Operands o)
{
    Operands c = o;
    for (int i = 0; i < OPERAND_COUNT; i++)
        if (*operand(&o, i)) {
            *operand(&c, i) = malloc(MAX * sizeof(double));
            memcpy(*operand(&c, i), *operand(&o, i), MAX * sizeof(double));
        }
    return c;
}

/* All but `visible`, which copies share. */
static inline void free_operands(Operands o)
{
    for (int i = 0; i < OPERAND_COUNT; i++)
        free(*operand(&o, i));
}

static inline void dense(int64_t stride[3], int64_t heads, int64_t rows, int64_t width)
{
    stride[0] = heads * rows * width;
    stride[1] = rows * width;
    stride[2] = width;
}

static inline PccAttention shape_of(int64_t batch, int64_t heads, int64_t queries, int64_t keys, int64_t width,
                                    int64_t value_width)
{
    PccAttention a = {.batch = batch,
                      .heads = heads,
                      .queries = queries,
                      .keys = keys,
                      .width = width,
                      .value_width = value_width,
                      .scale = 1.0 / sqrt((double)width),
                      .kv_group = 1};
    dense(a.q_stride, heads, queries, width);
    dense(a.k_stride, heads, keys, width);
    dense(a.v_stride, heads, keys, value_width);
    dense(a.y_stride, heads, queries, value_width);
    dense(a.dq_stride, heads, queries, width);
    dense(a.dk_stride, heads, keys, width);
    dense(a.dv_stride, heads, keys, value_width);
    dense(a.dy_stride, heads, queries, value_width);
    return a;
}

/* q, k, v and their gradients as windows of one buffer [B, T, 3, H, D], y and dy as [B, T, H, D]. */
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

/* Each key head serves `group` query heads. */
static inline PccAttention grouped_shape(int64_t batch, int64_t heads, int64_t group, int64_t queries, int64_t keys,
                                         int64_t width, int64_t value_width)
{
    PccAttention a = shape_of(batch, heads, queries, keys, width, value_width);
    a.kv_group = group;
    dense(a.k_stride, heads / group, keys, width);
    dense(a.v_stride, heads / group, keys, value_width);
    dense(a.dk_stride, heads / group, keys, width);
    dense(a.dv_stride, heads / group, keys, value_width);
    return a;
}

/* Every fifth key is blocked, and in layouts with a stride for queries one query sees nothing. */
static inline void block_some(double *mask, int64_t keys)
{
    for (int64_t j = 0; j < MAX; j += 5)
        mask[j] = -HUGE_VAL;
    for (int64_t j = keys; j < 2 * keys; j++)
        mask[j] = -HUGE_VAL;
}

/* ---- the formula ------------------------------------------------------------------------------------------------ */

static inline int64_t at(const int64_t stride[3], int64_t batch, int64_t head, int64_t row)
{
    return batch * stride[0] + head * stride[1] + row * stride[2];
}

static inline double score(const PccAttention *a, Operands o, int64_t b, int64_t h, int64_t i, int64_t j)
{
    const int64_t *m = a->mask_stride, masked = b * m[0] + h * m[1] + i * m[2] + j * m[3];
    if ((a->causal && j > i + a->keys - a->queries) || (o.visible && !o.visible[masked]))
        return -HUGE_VAL;
    const double *q = o.q + at(a->q_stride, b, h, i), *k = o.k + at(a->k_stride, b, h / a->kv_group, j);
    double sum = 0.0;
    for (int64_t d = 0; d < a->width; d++)
        sum += q[d] * k[d];
    sum *= a->scale;
    return o.mask ? sum + o.mask[masked] : sum;
}

static inline double term(Operands o, double x)
{
    return o.of_sizes ? fabs(x) : x;
}

/* One query's weights and statistics. Scores are rounded to float where a float kernel's would be `absorbed`: where
 * huge masks leave nothing of the products. */
static inline void reference_weights(const PccAttention *a, Operands o, int absorbed, int64_t b, int64_t h, int64_t i,
                                     double *weight)
{
    const int64_t row = (b * a->heads + h) * a->queries + i;
    double max = -HUGE_VAL, sum = 0.0;
    for (int64_t j = 0; j < a->keys; j++) {
        weight[j] = score(a, o, b, h, i, j);
        if (absorbed)
            weight[j] = (double)(float)weight[j];
        max = fmax(max, weight[j]);
    }
    max = max == -HUGE_VAL ? 0.0 : max;
    for (int64_t j = 0; j < a->keys; j++)
        sum += weight[j] = exp(weight[j] - max);
    o.max[row] = max;
    o.inverse_sum[row] = sum == 0.0 ? 0.0 : 1.0 / sum;
    for (int64_t j = 0; j < a->keys; j++)
        weight[j] *= o.inverse_sum[row];
}

static inline void reference_row(const PccAttention *a, Operands o, int64_t b, int64_t h, int64_t i,
                                 const double *weight)
{
    double *y = o.y + at(a->y_stride, b, h, i);
    memset(y, 0, (size_t)a->value_width * sizeof *y);
    for (int64_t j = 0; j < a->keys; j++)
        for (int64_t d = 0; d < a->value_width; d++)
            y[d] += term(o, weight[j] * o.v[at(a->v_stride, b, h / a->kv_group, j) + d]);
}

static inline void reference_grad_row(const PccAttention *a, Operands o, int64_t b, int64_t h, int64_t i,
                                      const double *weight)
{
    const double *dy = o.dy + at(a->dy_stride, b, h, i), *y = o.y + at(a->y_stride, b, h, i);
    const double *q = o.q + at(a->q_stride, b, h, i);
    double *dq = o.dq + at(a->dq_stride, b, h, i), delta = 0.0;
    for (int64_t d = 0; d < a->value_width; d++)
        delta += dy[d] * y[d];
    for (int64_t j = 0; j < a->keys; j++) {
        const int64_t kv = h / a->kv_group;
        const double *k = o.k + at(a->k_stride, b, kv, j), *v = o.v + at(a->v_stride, b, kv, j);
        double *dk = o.dk + at(a->dk_stride, b, kv, j), *dv = o.dv + at(a->dv_stride, b, kv, j), dp = 0.0;
        for (int64_t d = 0; d < a->value_width; d++) {
            dp += dy[d] * v[d];
            dv[d] += term(o, weight[j] * dy[d]);
        }
        const double ds = weight[j] * (dp - delta) * a->scale;
        for (int64_t d = 0; d < a->width; d++) {
            dq[d] += term(o, ds * k[d]);
            dk[d] += term(o, ds * q[d]);
        }
    }
}

static inline void clear_gradients(const PccAttention *a, Operands o, int64_t batch, int64_t head)
{
    for (int64_t i = 0; i < a->queries; i++)
        memset(o.dq + at(a->dq_stride, batch, head, i), 0, (size_t)a->width * sizeof(double));
    for (int64_t j = 0; j < a->keys; j++) {
        memset(o.dk + at(a->dk_stride, batch, head / a->kv_group, j), 0, (size_t)a->width * sizeof(double));
        memset(o.dv + at(a->dv_stride, batch, head / a->kv_group, j), 0, (size_t)a->value_width * sizeof(double));
    }
}

/* y, max and inverse_sum by the formula; then, from what `saved` says of y (NULL: itself), dq, dk and dv. */
static inline void reference(const PccAttention *a, Operands o, int absorbed, double *saved)
{
    double *weight = malloc((size_t)a->keys * sizeof *weight);
    Operands backward = o;
    backward.y = saved ? saved : o.y;
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t h = 0; h < a->heads; h++)
            clear_gradients(a, o, b, h);
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t h = 0; h < a->heads; h++)
            for (int64_t i = 0; i < a->queries; i++) {
                reference_weights(a, o, absorbed, b, h, i, weight);
                reference_row(a, o, b, h, i, weight);
                reference_grad_row(a, backward, b, h, i, weight);
            }
    free(weight);
}

#endif
