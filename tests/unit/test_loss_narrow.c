/* Losses over 16-bit operands, and their gradients, against the f64 kernels on the same rounded operands: mixtures of
 * dtypes, every way that a target may not count, and more classes than any buffer holds. */
#define PCC_NARROW
#include "runtime/kernels/loss/loss.h"

#include "stored_check.h"

#include <float.h>

typedef struct Shape {
    int64_t batch, outer, classes, inner, shift;
} Shape;

static const Shape shapes[] = {
    {4, 4, 3, 1, 0},     /* fewer classes than lanes */
    {8, 8, 1000, 1, 0},  /* a classifier */
    {3, 21, 77, 1, 7},   /* a causal language model of 3 x 7 tokens */
    {2, 4, 50257, 1, 2}, /* one with more classes than a buffer */
    {2, 2, 5, 150, 0},   /* segmentation: tiles of positions */
    {2, 2, PCC_LOSS_CLASSES + 3, 70, 0},
    {500, 500, 10, 1, 0}, /* more rows than chunks */
};

typedef struct Storage {
    PccDtype logits, weight, dlogits;
} Storage;

static const Storage storages[] = {
    {PCC_BF16, PCC_F32, PCC_BF16},
    {PCC_F16, PCC_F16, PCC_F16},
    {PCC_F32, PCC_BF16, PCC_BF16},
    {PCC_F16, PCC_F32, PCC_F32},
};

typedef struct Scores {
    Shape shape;
    int64_t reduction, *target;
    bool weighted;
    Stored logits, weight, loss, lse, total, dloss, dlogits;
    double *want_loss, *want_lse, want_total, *want_dlogits, want_counted;
    PccStep s;
} Scores;

static Scores scores_of(Shape shape, Storage storage, int64_t reduction, bool weighted)
{
    const int64_t rows = shape.outer * shape.inner, n = rows * shape.classes;
    Scores t = {
        .shape = shape,
        .reduction = reduction,
        .target = malloc((size_t)rows * sizeof(int64_t)),
        .weighted = weighted,
        .logits = stored_noise(storage.logits, n, 0, 5),
        .weight = stored_noise(storage.weight, shape.classes, 1.5, 1),
        .loss = stored_new(PCC_F32, reduction == PCC_REDUCTION_NONE ? rows : 1),
        .lse = stored_new(PCC_F32, rows),
        .total = stored_new(PCC_F32, 1),
        .dloss = stored_noise(PCC_F32, rows, 2, 1),
        .dlogits = stored_new(storage.dlogits, n),
        .want_loss = malloc((size_t)rows * sizeof(double)),
        .want_lse = malloc((size_t)rows * sizeof(double)),
        .want_dlogits = malloc((size_t)n * sizeof(double)),
        .s = {.valid = shape.batch - shape.batch / 3},
    };
    for (int64_t i = 0; i < rows; i++)
        t.target[i] = i % 5 == 3 ? -100 : i % 11 == 6 ? shape.classes : next_below(shape.classes);
    return t;
}

static void release(Scores *t)
{
    Stored *stored[] = {&t->logits, &t->weight, &t->loss, &t->lse, &t->total, &t->dloss, &t->dlogits};
    for (size_t i = 0; i < sizeof(stored) / sizeof(*stored); i++)
        stored_free(stored[i]);
    free(t->target);
    free(t->want_loss);
    free(t->want_lse);
    free(t->want_dlogits);
}

static void run_forward(void *context)
{
    Scores *t = context;
    const Shape h = t->shape;
    pcc_cross_entropy_narrow(h.batch, h.outer, h.classes, h.inner, -100, h.shift, t->reduction, stored_in(&t->logits),
                             t->target, t->weighted ? stored_in(&t->weight) : PCC_NO_IN, stored_out(&t->loss),
                             stored_out(&t->lse), stored_out(&t->total), &t->s);
}

static void run_backward(void *context)
{
    Scores *t = context;
    const Shape h = t->shape;
    pcc_cross_entropy_grad_narrow(h.batch, h.outer, h.classes, h.inner, -100, h.shift, t->reduction,
                                  stored_in(&t->dloss), stored_in(&t->logits), t->target,
                                  t->weighted ? stored_in(&t->weight) : PCC_NO_IN, stored_in(&t->lse),
                                  stored_in(&t->total), stored_out(&t->dlogits), &t->s);
}

static void reference(Scores *t)
{
    const Shape h = t->shape;
    const double *weight = t->weighted ? t->weight.exact : NULL;
    PccStep s = t->s;
    pcc_cross_entropy_f64(h.batch, h.outer, h.classes, h.inner, -100, h.shift, t->reduction, t->logits.exact, t->target,
                          weight, t->want_loss, t->want_lse, &t->want_total, &s);
    t->want_counted = s.counted;
    pcc_cross_entropy_grad_f64(h.batch, h.outer, h.classes, h.inner, -100, h.shift, t->reduction, t->dloss.exact,
                               t->logits.exact, t->target, weight, t->want_lse, &t->want_total, t->want_dlogits, &s);
}

/* lse and the peak are within 5 + log(classes) <= 16, so that it and its difference from a logit are within 16
 * epsilons. */
static void check_scores(Scores *t)
{
    reference(t);
    const double epsilon = (double)FLT_EPSILON, share = t->reduction == PCC_REDUCTION_MEAN ? t->want_total : 1;
    const double terms = t->reduction == PCC_REDUCTION_SUM ? t->want_counted : 1;
    run_forward(t);
    check_close(t->s.counted, t->want_counted, 0, "counted", 0);
    stored_check(&t->total, &t->want_total, 0, "total");
    stored_check(&t->lse, t->want_lse, 16 * epsilon, "lse");
    stored_check(&t->loss, t->want_loss, 3 * 16 * epsilon * terms, "loss"); /* a weight is up to 3 */
    run_backward(t);
    stored_check(&t->dlogits, t->want_dlogits, share > 0 ? 64 * epsilon / share : 0, "dlogits");
}

static void cross_entropy_agrees_with_f64(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        for (size_t j = 0; j < sizeof(storages) / sizeof(*storages); j++)
            for (int64_t reduction = PCC_REDUCTION_NONE; reduction <= PCC_REDUCTION_MEAN; reduction++)
                for (int weighted = 0; weighted < 2; weighted++) {
                    Scores t = scores_of(shapes[i], storages[j], reduction, weighted);
                    check_scores(&t);
                    release(&t);
                }
}

/* The label's own element is rounded once: softmax - 1 is not the difference of rounded numbers. Over the logits. */
static void the_gradient_of_a_sure_label_is_rounded_once(void **state)
{
    (void)state;
    static const Shape sure[] = {{2, 2, 40, 1, 0}, {2, 2, 3, 70, 0}};
    for (size_t i = 0; i < sizeof(sure) / sizeof(*sure); i++) {
        Scores t = scores_of(sure[i], storages[0], PCC_REDUCTION_SUM, false);
        t.s.valid = 2;
        for (int64_t row = 0; row < sure[i].outer; row++)
            for (int64_t c = 0; c < sure[i].inner; c++) {
                t.target[row * sure[i].inner + c] = 1;
                stored_set(&t.logits, (row * sure[i].classes + 1) * sure[i].inner + c, 14);
            }
        check_scores(&t);
        Scores over = t;
        over.dlogits = t.logits;
        run_backward(&over);
        assert_memory_equal(t.logits.data, t.dlogits.data, (size_t)t.dlogits.count * sizeof(PccBf16));
        release(&t);
    }
}

static void nothing_counts(void **state)
{
    (void)state;
    Scores t = scores_of(shapes[1], storages[1], PCC_REDUCTION_MEAN, true);
    for (int64_t i = 0; i < t.shape.outer; i++)
        t.target[i] = -100;
    run_forward(&t);
    run_backward(&t);
    check_close(stored_get(&t.loss, 0), 0, 0, "loss", 0);
    check_close(t.s.counted, 0, 0, "counted", 0);
    for (int64_t i = 0; i < t.dlogits.count; i++)
        check_close(stored_get(&t.dlogits, i), 0, 0, "dlogits", i);
    release(&t);
}

typedef void Loss(int64_t, int64_t, PccIn, PccIn, PccOut, PccStep *);
typedef void LossGrad(int64_t, int64_t, PccIn, PccIn, PccIn, PccOut, PccStep *);
typedef void LossF64(int64_t, int64_t, const double *, const double *, double *, PccStep *);
typedef void LossGradF64(int64_t, int64_t, const double *, const double *, const double *, double *, PccStep *);

static void mse(int64_t b, int64_t n, PccIn y, PccIn z, PccOut loss, PccStep *s)
{
    pcc_mse_narrow(b, n, y, z, loss, s);
}

static void mse_grad(int64_t b, int64_t n, PccIn d, PccIn y, PccIn z, PccOut dy, PccStep *s)
{
    pcc_mse_grad_narrow(b, n, d, y, z, dy, s);
}

static void bce(int64_t b, int64_t n, PccIn y, PccIn z, PccOut loss, PccStep *s)
{
    pcc_bce_with_logits_narrow(b, n, y, z, loss, s);
}

static void bce_grad(int64_t b, int64_t n, PccIn d, PccIn y, PccIn z, PccOut dy, PccStep *s)
{
    pcc_bce_with_logits_grad_narrow(b, n, d, y, z, dy, s);
}

/* One mean over elements, whose padding samples hold NaN, which must not be seen. */
static void check_mean(Storage storage, int64_t per_sample, Loss *loss, LossGrad *grad, LossF64 *loss_f64,
                       LossGradF64 *grad_f64)
{
    const int64_t batch = 6, n = batch * per_sample;
    PccStep s = {.valid = 4}, same = {.valid = 4};
    Stored y = stored_noise(storage.logits, n, 0, 20), z = stored_noise(storage.weight, n, 0.5, 0.5);
    Stored got = stored_new(PCC_F32, 1), dloss = stored_noise(PCC_F32, 1, 3, 0), dy = stored_new(storage.dlogits, n);
    double want, *want_dy = malloc((size_t)n * sizeof(double));
    for (int64_t i = 4 * per_sample; i < n; i++)
        stored_set(&y, i, (double)NAN);
    loss(batch, per_sample, stored_in(&y), stored_in(&z), stored_out(&got), &s);
    grad(batch, per_sample, stored_in(&dloss), stored_in(&y), stored_in(&z), stored_out(&dy), &s);
    loss_f64(batch, per_sample, y.exact, z.exact, &want, &same);
    grad_f64(batch, per_sample, dloss.exact, y.exact, z.exact, want_dy, &same);
    check_close(s.counted, same.counted, 0, "counted", 0);
    stored_check(&got, &want, 0, "loss");
    stored_check(&dy, want_dy, 16 * (double)FLT_EPSILON / (double)per_sample, "dy");
    stored_free(&y);
    stored_free(&z);
    stored_free(&got);
    stored_free(&dloss);
    stored_free(&dy);
    free(want_dy);
}

static void means_agree_with_f64(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 1000, 20001};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        for (size_t j = 0; j < sizeof(storages) / sizeof(*storages); j++) {
            check_mean(storages[j], sizes[i], mse, mse_grad, pcc_mse_f64, pcc_mse_grad_f64);
            check_mean(storages[j], sizes[i], bce, bce_grad, pcc_bce_with_logits_f64, pcc_bce_with_logits_grad_f64);
        }
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        Scores t = scores_of(shapes[i], storages[0], PCC_REDUCTION_MEAN, true);
        check_threads(run_forward, &t, t.loss.data, sizeof(float));
        check_threads(run_backward, &t, t.dlogits.data, (size_t)t.dlogits.count * sizeof(PccBf16));
        release(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_agrees_with_f64),
        cmocka_unit_test(the_gradient_of_a_sure_label_is_rounded_once),
        cmocka_unit_test(nothing_counts),
        cmocka_unit_test(means_agree_with_f64),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
