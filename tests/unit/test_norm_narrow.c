/* The normalisations over 16-bit operands against the f64 kernels on the same rounded operands: every mixture of
 * dtypes, widths that are odd and longer than any buffer, and the same bits for any number of threads. */
#define PCC_NARROW
#include "runtime/kernels/norm/norm.h"

#include "stored_check.h"

#include <float.h>

/* What each operand is stored in. */
typedef struct Storage {
    PccDtype x, affine, y, dy, dx;
} Storage;

static const Storage storages[] = {
    {PCC_BF16, PCC_BF16, PCC_BF16, PCC_BF16, PCC_BF16}, /* bf16-true */
    {PCC_F16, PCC_F16, PCC_F16, PCC_F16, PCC_F16},      /* 16-true */
    {PCC_BF16, PCC_F32, PCC_BF16, PCC_F32, PCC_BF16},   /* bf16-mixed */
    {PCC_F32, PCC_F32, PCC_F16, PCC_F16, PCC_F32},      /* a fused cast */
    {PCC_F16, PCC_BF16, PCC_F32, PCC_BF16, PCC_F16},
};

typedef struct Rows {
    int64_t rows, width;
} Rows;

static const Rows shapes[] = {
    {9, 1}, {40, 7}, {33, 768}, {6, PCC_SEGMENT_SIZE}, {5, PCC_SEGMENT_SIZE + 1}, {3, 3 * PCC_SEGMENT_SIZE + 77},
};

/* A row kernel's operands: as stored, and the f64 kernel's results. */
typedef struct RowCase {
    Rows shape;
    int centered;
    Stored x, scale, bias, y, mean, rstd, dy, dx, dscale, dbias;
    double *want_y, *want_mean, *want_rstd, *want_dx, *want_dscale, *want_dbias;
    void *scratch;
} RowCase;

static RowCase row_case(Rows shape, int centered, Storage storage, double offset)
{
    const int64_t n = shape.rows * shape.width;
    return (RowCase){
        .shape = shape,
        .centered = centered,
        .x = stored_noise(storage.x, n, offset, 2),
        .scale = stored_noise(storage.affine, shape.width, 1, 0.5),
        .bias = stored_noise(storage.affine, shape.width, 0, 1),
        .y = stored_new(storage.y, n),
        .mean = stored_new(PCC_F32, shape.rows),
        .rstd = stored_new(PCC_F32, shape.rows),
        .dy = stored_noise(storage.dy, n, 0, 1),
        .dx = stored_new(storage.dx, n),
        .dscale = stored_new(storage.affine, shape.width),
        .dbias = stored_new(storage.affine, shape.width),
        .want_y = malloc((size_t)n * 8),
        .want_mean = malloc((size_t)shape.rows * 8),
        .want_rstd = malloc((size_t)shape.rows * 8),
        .want_dx = malloc((size_t)n * 8),
        .want_dscale = malloc((size_t)shape.width * 8),
        .want_dbias = malloc((size_t)shape.width * 8),
        .scratch = malloc(pcc_layer_norm_scratch_bytes(shape.rows, shape.width, 8)),
    };
}

static void release_rows(RowCase *t)
{
    Stored *stored[] = {&t->x, &t->scale, &t->bias, &t->y, &t->mean, &t->rstd, &t->dy, &t->dx, &t->dscale, &t->dbias};
    for (size_t i = 0; i < sizeof(stored) / sizeof(*stored); i++)
        stored_free(stored[i]);
    void *rest[] = {t->want_y, t->want_mean, t->want_rstd, t->want_dx, t->want_dscale, t->want_dbias, t->scratch};
    for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++)
        free(rest[i]);
}

static void run_rows(void *context)
{
    const RowCase *t = context;
    const int64_t rows = t->shape.rows, width = t->shape.width;
    const PccIn x = stored_in(&t->x), scale = stored_in(&t->scale), dy = stored_in(&t->dy);
    const PccIn mean = stored_in(&t->mean), rstd = stored_in(&t->rstd);
    if (t->centered) {
        pcc_layer_norm_narrow(rows, width, 1e-5, x, scale, stored_in(&t->bias), stored_out(&t->y), stored_out(&t->mean),
                              stored_out(&t->rstd));
        pcc_layer_norm_grad_narrow(rows, width, dy, x, scale, mean, rstd, stored_out(&t->dx), stored_out(&t->dscale),
                                   stored_out(&t->dbias), t->scratch);
    } else {
        pcc_rms_norm_narrow(rows, width, 1e-5, x, scale, stored_out(&t->y), stored_out(&t->rstd));
        pcc_rms_norm_grad_narrow(rows, width, dy, x, scale, rstd, stored_out(&t->dx), stored_out(&t->dscale),
                                 t->scratch);
    }
}

static void reference_rows(const RowCase *t)
{
    const int64_t rows = t->shape.rows, width = t->shape.width;
    const double *x = t->x.exact, *scale = t->scale.exact;
    if (t->centered) {
        pcc_layer_norm_f64(rows, width, 1e-5, x, scale, t->bias.exact, t->want_y, t->want_mean, t->want_rstd);
        pcc_layer_norm_grad_f64(rows, width, t->dy.exact, x, scale, t->want_mean, t->want_rstd, t->want_dx,
                                t->want_dscale, t->want_dbias, t->scratch);
    } else {
        pcc_rms_norm_f64(rows, width, 1e-5, x, scale, t->want_y, t->want_rstd);
        pcc_rms_norm_grad_f64(rows, width, t->dy.exact, x, scale, t->want_rstd, t->want_dx, t->want_dscale, t->scratch);
    }
}

static double largest(int64_t n, const double *x)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

/* The slack is that of the f32 kernels' own test: epsilons of the largest value, or of `size` where that is more: what
 * the values are differences or sums of. */
static void check_sums(const Stored *got, const double *want, double epsilons, double size, const char *what)
{
    stored_check(got, want, epsilons * (double)FLT_EPSILON * fmax(size, largest(got->count, want)), what);
}

static void check(const Stored *got, const double *want, double epsilons, const char *what)
{
    check_sums(got, want, epsilons, 0, what);
}

/* Epsilons that a running sum of n terms of like sign wanders off by. */
static double walk(int64_t n)
{
    return sqrt((double)n) / 2;
}

static void rows_agree_with_f64(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        for (size_t j = 0; j < sizeof(storages) / sizeof(*storages); j++)
            for (int centered = 0; centered < 2; centered++) {
                RowCase t = row_case(shapes[i], centered, storages[j], 0.5);
                const double summed = walk(shapes[i].width);
                run_rows(&t);
                reference_rows(&t);
                check(&t.y, t.want_y, 8 + summed, "y");
                check(&t.rstd, t.want_rstd, 8 + summed, "rstd");
                const double gradients = largest(t.rstd.count, t.want_rstd) * largest(t.scale.count, t.scale.exact);
                check_sums(&t.dx, t.want_dx, 16 + summed, gradients, "dx");
                check_sums(&t.dscale, t.want_dscale, 16 + summed, (double)shapes[i].rows, "dscale");
                if (centered) {
                    check_sums(&t.mean, t.want_mean, 2 + summed, 2.5, "mean");
                    check(&t.dbias, t.want_dbias, 16, "dbias");
                }
                release_rows(&t);
            }
}

/* Without scale, bias, statistics and their gradients; and in place. */
static void absent_operands_and_places(void **state)
{
    (void)state;
    const Storage plain = {PCC_BF16, PCC_BF16, PCC_BF16, PCC_BF16, PCC_BF16};
    RowCase t = row_case((Rows){20, 300}, 1, plain, 0);
    pcc_layer_norm_f64(20, 300, 1e-5, t.x.exact, NULL, NULL, t.want_y, t.want_mean, t.want_rstd);
    pcc_layer_norm_grad_f64(20, 300, t.dy.exact, t.x.exact, NULL, t.want_mean, t.want_rstd, t.want_dx, NULL, NULL,
                            t.scratch);
    pcc_layer_norm_narrow(20, 300, 1e-5, stored_in(&t.x), PCC_NO_IN, PCC_NO_IN, stored_out(&t.y), stored_out(&t.mean),
                          stored_out(&t.rstd));
    pcc_layer_norm_grad_narrow(20, 300, stored_in(&t.dy), stored_in(&t.x), PCC_NO_IN, stored_in(&t.mean),
                               stored_in(&t.rstd), stored_out(&t.dy), PCC_NO_OUT, PCC_NO_OUT, t.scratch);
    pcc_layer_norm_narrow(20, 300, 1e-5, stored_in(&t.x), PCC_NO_IN, PCC_NO_IN, stored_out(&t.x), PCC_NO_OUT,
                          PCC_NO_OUT);
    check(&t.y, t.want_y, 8, "y");
    check(&t.dy, t.want_dx, 16, "dx in place");
    assert_memory_equal(t.x.data, t.y.data, 20 * 300 * sizeof(PccBf16));
    release_rows(&t);
}

/* A constant row has variance 0: its result is the bias, and its gradient is finite. A NaN stays in its row. */
static void special_rows(void **state)
{
    (void)state;
    enum { WIDTH = 33 };
    const Storage plain = {PCC_F16, PCC_F16, PCC_F16, PCC_F16, PCC_F16};
    RowCase t = row_case((Rows){3, WIDTH}, 1, plain, 0);
    for (int64_t i = 0; i < WIDTH; i++)
        stored_set(&t.x, i, 1.25);
    stored_set(&t.x, WIDTH + 5, (double)NAN);
    run_rows(&t);
    for (int64_t i = 0; i < WIDTH; i++) {
        assert_true(stored_get(&t.y, i) == t.bias.exact[i]);
        assert_true(isfinite(stored_get(&t.dx, i)));
        assert_true(isnan(stored_get(&t.y, WIDTH + i)) && isnan(stored_get(&t.dx, WIDTH + i)));
        assert_true(isfinite(stored_get(&t.y, 2 * WIDTH + i)) && isfinite(stored_get(&t.dx, 2 * WIDTH + i)));
    }
    release_rows(&t);
}

/* ---- BatchNormalization ---- */

typedef struct Batch {
    int64_t batch, outer, channels, inner, valid;
} Batch;

static const Batch batches[] = {
    {4, 4 * 9, 5, 1, 4},       {8, 8 * 49, 64, 1, 7}, {6, 6, 2 * PCC_NORM_PANEL + 3, 1, 5},
    {64, 64 * 100, 24, 1, 61}, {8, 8, 16, 81, 8},     {5, 5, 3, PCC_SEGMENT_SIZE + 19, 4},
};

typedef struct BatchCase {
    Batch shape;
    Stored x, scale, bias, old_mean, old_var, gain, offset, new_mean, new_var, mean, rstd, dy, dx, dscale, dbias;
    double *want[10]; /* gain, offset, new mean, new variance, mean, rstd, dscale, dbias, dx, and scratch */
    void *scratch;
    PccStep step;
} BatchCase;

static BatchCase batch_case(Batch b, Storage storage)
{
    const int64_t n = b.outer * b.channels * b.inner;
    BatchCase t = {
        .shape = b,
        .x = stored_noise(storage.x, n, 0.5, 2),
        .scale = stored_noise(storage.affine, b.channels, 1, 0.5),
        .bias = stored_noise(storage.affine, b.channels, 0, 1),
        .old_mean = stored_noise(PCC_F32, b.channels, 0, 1),
        .old_var = stored_noise(PCC_F32, b.channels, 2, 1),
        .gain = stored_new(PCC_F32, b.channels),
        .offset = stored_new(PCC_F32, b.channels),
        .new_mean = stored_new(PCC_F32, b.channels),
        .new_var = stored_new(PCC_F32, b.channels),
        .mean = stored_new(PCC_F32, b.channels),
        .rstd = stored_new(PCC_F32, b.channels),
        .dy = stored_noise(storage.dy, n, 0, 1),
        .dx = stored_new(storage.dx, n),
        .dscale = stored_new(storage.affine, b.channels),
        .dbias = stored_new(storage.affine, b.channels),
        .scratch = malloc(pcc_batch_norm_scratch_bytes(b.outer, b.channels, b.inner, sizeof(float))),
        .step = {.valid = b.valid},
    };
    for (size_t i = 0; i < 9; i++)
        t.want[i] = malloc((size_t)(i == 8 ? n : b.channels) * sizeof(double));
    t.want[9] = malloc(pcc_batch_norm_scratch_bytes(b.outer, b.channels, b.inner, sizeof(double)));
    return t;
}

static void release_batch(BatchCase *t)
{
    Stored *stored[] = {&t->x,    &t->scale,  &t->bias,     &t->old_mean, &t->old_var,
                        &t->gain, &t->offset, &t->new_mean, &t->new_var,  &t->mean,
                        &t->rstd, &t->dy,     &t->dx,       &t->dscale,   &t->dbias};
    for (size_t i = 0; i < sizeof(stored) / sizeof(*stored); i++)
        stored_free(stored[i]);
    for (size_t i = 0; i < sizeof(t->want) / sizeof(*t->want); i++)
        free(t->want[i]);
    free(t->scratch);
}

static void run_batch(void *context)
{
    BatchCase *t = context;
    const Batch b = t->shape;
    pcc_batch_norm_statistics_narrow(b.batch, b.outer, b.channels, b.inner, 1e-5, 0.9, stored_in(&t->x),
                                     stored_in(&t->scale), stored_in(&t->bias), stored_in(&t->old_mean),
                                     stored_in(&t->old_var), stored_out(&t->gain), stored_out(&t->offset),
                                     stored_out(&t->new_mean), stored_out(&t->new_var), stored_out(&t->mean),
                                     stored_out(&t->rstd), t->scratch, &t->step);
    pcc_batch_norm_grad_narrow(b.batch, b.outer, b.channels, b.inner, stored_in(&t->dy), stored_in(&t->x),
                               stored_in(&t->scale), stored_in(&t->mean), stored_in(&t->rstd), stored_out(&t->dx),
                               stored_out(&t->dscale), stored_out(&t->dbias), t->scratch, &t->step);
}

static void reference_batch(BatchCase *t)
{
    const Batch b = t->shape;
    double **want = t->want;
    pcc_batch_norm_statistics_f64(b.batch, b.outer, b.channels, b.inner, 1e-5, 0.9, t->x.exact, t->scale.exact,
                                  t->bias.exact, t->old_mean.exact, t->old_var.exact, want[0], want[1], want[2],
                                  want[3], want[4], want[5], want[9], &t->step);
    pcc_batch_norm_grad_f64(b.batch, b.outer, b.channels, b.inner, t->dy.exact, t->x.exact, t->scale.exact, want[4],
                            want[5], want[8], want[6], want[7], want[9], &t->step);
}

/* offset - mean gain, in which the rounding of the mean cancels. */
static void check_means(const BatchCase *t, double epsilons)
{
    for (int64_t c = 0; c < t->shape.channels; c++) {
        const double got = stored_get(&t->offset, c) - stored_get(&t->mean, c) * stored_get(&t->gain, c);
        const double want = t->want[1][c] - t->want[4][c] * t->want[0][c];
        check_close(got, want, epsilons * (double)FLT_EPSILON * 3 * t->want[0][c], "offset", c);
    }
}

static void batch_norm_agrees_with_f64(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(batches) / sizeof(*batches); i++)
        for (size_t j = 0; j < sizeof(storages) / sizeof(*storages); j++) {
            BatchCase t = batch_case(batches[i], storages[j]);
            const double summed = walk(batches[i].outer * batches[i].inner);
            run_batch(&t);
            reference_batch(&t);
            check(&t.gain, t.want[0], 8 + summed, "gain");
            check_means(&t, 8 + summed);
            check_sums(&t.new_mean, t.want[2], 4 + summed, 2.5, "new mean");
            check(&t.new_var, t.want[3], 8 + summed, "new variance");
            check_sums(&t.mean, t.want[4], 4 + summed, 2.5, "mean");
            check(&t.rstd, t.want[5], 8 + summed, "rstd");
            check(&t.dx, t.want[8], 16 + summed, "dx");
            check(&t.dscale, t.want[6], 32 + summed, "dscale");
            check(&t.dbias, t.want[7], 32 + summed, "dbias");
            release_batch(&t);
        }
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    RowCase rows = row_case((Rows){64, 400}, 1, storages[0], 0);
    Stored *row_outputs[] = {&rows.y, &rows.dx, &rows.dscale, &rows.dbias};
    for (size_t i = 0; i < 4; i++)
        check_threads(run_rows, &rows, row_outputs[i]->data, (size_t)row_outputs[i]->count * sizeof(PccBf16));
    release_rows(&rows);
    BatchCase batch = batch_case(batches[3], storages[1]);
    Stored *batch_outputs[] = {&batch.dx, &batch.dscale, &batch.dbias};
    for (size_t i = 0; i < 3; i++)
        check_threads(run_batch, &batch, batch_outputs[i]->data, (size_t)batch_outputs[i]->count * sizeof(PccF16));
    release_batch(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_agree_with_f64),
        cmocka_unit_test(absent_operands_and_places),
        cmocka_unit_test(special_rows),
        cmocka_unit_test(batch_norm_agrees_with_f64),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
