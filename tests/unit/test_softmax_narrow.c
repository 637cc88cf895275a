/* Softmax and LogSoftmax over 16-bit operands against the f64 kernels on the same rounded operands: mixtures of
 * dtypes, every layout, lines longer than any buffer, and the same bits for any number of threads. */
#define PCC_NARROW
#include "runtime/kernels/norm/softmax.h"

#include "stored_check.h"

#include <float.h>

typedef struct Storage {
    PccDtype x, y, dy, dx;
} Storage;

static const Storage storages[] = {
    {PCC_BF16, PCC_BF16, PCC_BF16, PCC_BF16}, {PCC_F16, PCC_F16, PCC_F16, PCC_F16},
    {PCC_F32, PCC_BF16, PCC_BF16, PCC_F32},   {PCC_F16, PCC_F32, PCC_F32, PCC_F16},
    {PCC_BF16, PCC_F16, PCC_F32, PCC_BF16},
};

typedef struct Shape {
    int64_t outer, width, inner;
} Shape;

static const Shape shapes[] = {
    {7, 10, 1}, {50, 197, 1}, {3, 1, 1},  {2, PCC_SEGMENT_SIZE, 1}, {2, PCC_SEGMENT_SIZE + 1, 1}, {1, 50257, 1},
    {4, 10, 3}, {2, 33, 200}, {1, 1, 65},
};

typedef struct Lines {
    Shape shape;
    int logarithm;
    Stored x, y, dy, dx;
    double *want_y, *want_dx;
} Lines;

static Lines lines_of(Shape shape, int logarithm, Storage storage)
{
    const int64_t n = shape.outer * shape.width * shape.inner;
    return (Lines){
        .shape = shape,
        .logarithm = logarithm,
        .x = stored_noise(storage.x, n, 0, 5),
        .y = stored_new(storage.y, n),
        .dy = stored_noise(storage.dy, n, 0, 1),
        .dx = stored_new(storage.dx, n),
        .want_y = malloc((size_t)n * sizeof(double)),
        .want_dx = malloc((size_t)n * sizeof(double)),
    };
}

static void release(Lines *t)
{
    stored_free(&t->x);
    stored_free(&t->y);
    stored_free(&t->dy);
    stored_free(&t->dx);
    free(t->want_y);
    free(t->want_dx);
}

static void run_forward(void *context)
{
    const Lines *t = context;
    const Shape s = t->shape;
    if (t->logarithm)
        pcc_log_softmax_narrow(s.outer, s.width, s.inner, stored_in(&t->x), stored_out(&t->y));
    else
        pcc_softmax_narrow(s.outer, s.width, s.inner, stored_in(&t->x), stored_out(&t->y));
}

static void run_backward(void *context)
{
    const Lines *t = context;
    const Shape s = t->shape;
    if (t->logarithm)
        pcc_log_softmax_grad_narrow(s.outer, s.width, s.inner, stored_in(&t->y), stored_in(&t->dy), stored_out(&t->dx));
    else
        pcc_softmax_grad_narrow(s.outer, s.width, s.inner, stored_in(&t->y), stored_in(&t->dy), stored_out(&t->dx));
}

/* The backward pass is checked on the y that the forward pass has rounded. */
static void check_lines(Lines *t)
{
    const Shape s = t->shape;
    const double epsilon = (double)FLT_EPSILON;
    (t->logarithm ? pcc_log_softmax_f64 : pcc_softmax_f64)(s.outer, s.width, s.inner, t->x.exact, t->want_y);
    run_forward(t);
    /* relative to y, whose smallest are e^-10 of the largest; its logarithm is a difference of numbers up to 5 + log n
     */
    double slack = t->logarithm ? 8 * epsilon * (5 + log((double)s.width)) : 16 * epsilon / (double)s.width;
    stored_check(&t->y, t->want_y, slack, "y");
    double *y = malloc((size_t)t->y.count * sizeof(double));
    for (int64_t i = 0; i < t->y.count; i++)
        y[i] = stored_get(&t->y, i);
    (t->logarithm ? pcc_log_softmax_grad_f64 : pcc_softmax_grad_f64)(s.outer, s.width, s.inner, y, t->dy.exact,
                                                                     t->want_dx);
    run_backward(t);
    slack = t->logarithm ? 8 * epsilon * 12 : 16 * epsilon / (double)s.width;
    stored_check(&t->dx, t->want_dx, slack, "dx");
    free(y);
}

static void every_layout_agrees_with_f64(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        for (size_t j = 0; j < sizeof(storages) / sizeof(*storages); j++)
            for (int logarithm = 0; logarithm < 2; logarithm++) {
                Lines t = lines_of(shapes[i], logarithm, storages[j]);
                check_lines(&t);
                release(&t);
            }
}

/* y over x and dx over dy, where they have the same dtype. */
static void in_place(void **state)
{
    (void)state;
    static const Shape wide[] = {{3, 100, 1}, {2, PCC_SEGMENT_SIZE + 9, 1}, {2, 20, 70}};
    for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++)
        for (int logarithm = 0; logarithm < 2; logarithm++) {
            Lines t = lines_of(wide[i], logarithm, storages[0]);
            run_forward(&t);
            run_backward(&t);
            Lines over = t;
            over.dx = t.dy;
            run_backward(&over);
            assert_memory_equal(t.dy.data, t.dx.data, (size_t)t.dx.count * sizeof(PccBf16));
            over.y = t.x;
            run_forward(&over);
            assert_memory_equal(t.x.data, t.y.data, (size_t)t.y.count * sizeof(PccBf16));
            release(&t);
        }
}

static void masked_and_undefined_inputs(void **state)
{
    (void)state;
    enum { N = 20 };
    Stored x = stored_new(PCC_F16, N), y = stored_new(PCC_F16, N);
    for (int64_t i = 0; i < N; i++)
        stored_set(&x, i, i == 3 ? 65504 : (double)-INFINITY);
    pcc_softmax_narrow(1, N, 1, stored_in(&x), stored_out(&y));
    for (int64_t i = 0; i < N; i++)
        assert_true(stored_get(&y, i) == (i == 3 ? 1 : 0));
    stored_set(&x, 17, (double)NAN);
    pcc_softmax_narrow(1, N, 1, stored_in(&x), stored_out(&y));
    assert_true(isnan(stored_get(&y, 0)) && isnan(stored_get(&y, 17)));
    stored_free(&x);
    stored_free(&y);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    Lines t = lines_of((Shape){64, 1024, 1}, 0, storages[1]);
    check_threads(run_forward, &t, t.y.data, (size_t)t.y.count * sizeof(PccF16));
    check_threads(run_backward, &t, t.dx.data, (size_t)t.dx.count * sizeof(PccF16));
    release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_agrees_with_f64),
        cmocka_unit_test(in_place),
        cmocka_unit_test(masked_and_undefined_inputs),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
