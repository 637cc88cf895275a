/* Three steps of each optimizer against its formulas in double, several parameters of different sizes; clipping, loss
 * scales, overflow. */
#include "runtime/kernels/optimizer/optimizer.h"

#include "kernel_check.h"

enum { PARAMS = 6, STEPS = 3 };

/* One parameter spans several chunks, one is empty, none but one is a multiple of a vector or a block. */
static const int64_t sizes[PARAMS] = {1, 3 * PCC_UPDATE_CHUNK + 77, 0, 130, 64, 4097};

typedef PccUpdate (*UpdateFunction)(const PccParam *params, int64_t count, PccStep *s);

static PccUpdate run_sgd(const PccParam *params, int64_t count, PccStep *s)
{
    return pcc_sgd(params, count, s);
}

static PccUpdate run_adam(const PccParam *params, int64_t count, PccStep *s)
{
    return pcc_adam(params, count, s);
}

static PccUpdate run_adamw(const PccParam *params, int64_t count, PccStep *s)
{
    return pcc_adamw(params, count, s);
}

static PccUpdate run_lion(const PccParam *params, int64_t count, PccStep *s)
{
    return pcc_lion(params, count, s);
}

/* The state of one element in double, and one step of it. */
typedef struct Element {
    double w, m, v;
} Element;

typedef void (*Formula)(Element *e, double g, const PccHyper *h, double t);

/* torch.optim.SGD: in the first step the buffer is the gradient. */
static void sgd_formula(Element *e, double g, const PccHyper *h, double t)
{
    g += h->weight_decay * e->w;
    e->m = t == 1 ? g : h->momentum * e->m + g;
    e->w -= h->lr * (h->momentum != 0 ? e->m : g);
}

static void adam_step(Element *e, double g, const PccHyper *h, double t)
{
    e->m = h->beta1 * e->m + (1 - h->beta1) * g;
    e->v = h->beta2 * e->v + (1 - h->beta2) * g * g;
    double m = e->m / (1 - pow(h->beta1, t)), v = e->v / (1 - pow(h->beta2, t));
    e->w -= h->lr * m / (sqrt(v) + h->eps);
}

static void adam_formula(Element *e, double g, const PccHyper *h, double t)
{
    adam_step(e, g + h->weight_decay * e->w, h, t);
}

static void adamw_formula(Element *e, double g, const PccHyper *h, double t)
{
    e->w *= 1 - h->lr * h->weight_decay;
    adam_step(e, g, h, t);
}

/* Algorithm 2 as the paper has it. */
static void lion_formula(Element *e, double g, const PccHyper *h, double t)
{
    (void)t;
    double c = h->beta1 * e->m + (1 - h->beta1) * g;
    e->w -= h->lr * ((c > 0 ? 1 : c < 0 ? -1 : 0) + h->weight_decay * e->w);
    e->m = h->beta2 * e->m + (1 - h->beta2) * g;
}

/* A run's parameters, in one weights block of `dtype`, and the step that points to it. */
typedef struct Run {
    UpdateFunction optimizer;
    PccDtype dtype;
    PccParam params[PARAMS];
    PccStep s;
    size_t bytes, first_gradient;
    char *start; /* the weights before the first step */
} Run;

static double read_element(const Run *r, size_t offset, int64_t i)
{
    const char *at = r->s.weights + offset;
    return r->dtype == PCC_F32 ? (double)((const float *)at)[i] : ((const double *)at)[i];
}

static void write_element(Run *r, size_t offset, int64_t i, double value)
{
    char *at = r->s.weights + offset;
    if (r->dtype == PCC_F32)
        ((float *)at)[i] = (float)value;
    else
        ((double *)at)[i] = value;
}

/* 64-byte aligned room for n elements. */
static size_t place(Run *r, int64_t n)
{
    size_t offset = r->bytes;
    r->bytes += ((size_t)n * (r->dtype == PCC_F32 ? 4 : 8) + 63) / 64 * 64;
    return offset;
}

static void set_up(Run *r, UpdateFunction optimizer, PccDtype dtype)
{
    *r = (Run){.optimizer = optimizer, .dtype = dtype};
    for (int p = 0; p < PARAMS; p++) {
        PccTensor value = {.name = "w", .dtype = dtype, .rank = 2, .dims = {sizes[p], 1}, .offset = place(r, sizes[p])};
        r->params[p] = (PccParam){.value = value, .gradient_dtype = dtype, .moment_dtype = dtype};
        r->params[p].gradient = place(r, sizes[p]);
        r->params[p].moment1 = place(r, sizes[p]);
        r->params[p].moment2 = optimizer == run_sgd ? PCC_NONE : place(r, sizes[p]);
    }
    r->s = (PccStep){.weights = aligned_alloc(64, r->bytes), .loss_scale = 1};
    r->s.gradients = r->s.weights;
    r->s.hyper =
        (PccHyper){.lr = 0.01, .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .momentum = 0.9};
    r->s.thread_scratch = aligned_alloc(64, 4 * PCC_THREAD_SCRATCH);
    r->start = malloc(r->bytes);
    memset(r->s.weights, 0, r->bytes);
    for (int p = 0; p < PARAMS; p++)
        for (int64_t i = 0; i < sizes[p]; i++)
            write_element(r, r->params[p].value.offset, i, next_value());
    memcpy(r->start, r->s.weights, r->bytes);
}

static void tear_down(Run *r)
{
    free(r->s.weights);
    free(r->s.thread_scratch);
    free(r->start);
}

/* A gradient that depends on the step, parameter and element only; large enough that weight decay does not cancel it,
 * where m / sqrt(v) would be ill-conditioned. */
static double gradient(int step, int p, int64_t i)
{
    double wave = sin((double)(i * 7 + p * 131 + step * 17) * 0.37);
    return copysign(0.3, wave) + wave / 4;
}

static double gradient_norm(int step)
{
    double squares = 0;
    for (int p = 0; p < PARAMS; p++)
        for (int64_t i = 0; i < sizes[p]; i++)
            squares += gradient(step, p, i) * gradient(step, p, i);
    return sqrt(squares);
}

static PccUpdate take_step(Run *r, int step)
{
    for (int p = 0; p < PARAMS; p++)
        for (int64_t i = 0; i < sizes[p]; i++)
            write_element(r, r->params[p].gradient, i, gradient(step, p, i) * r->s.loss_scale);
    PccUpdate update = r->optimizer(r->params, PARAMS, &r->s);
    r->s.update++;
    return update;
}

/* An update's error is relative to the weight and to the step taken. */
static void check_weights(const Run *r, Formula formula, double clip_norm)
{
    double epsilon = r->dtype == PCC_F32 ? EPSILON(float) : EPSILON(double), factors[STEPS];
    for (int step = 0; step < STEPS; step++)
        factors[step] = clip_norm > 0 ? fmin(1, clip_norm / (gradient_norm(step) + 1e-6)) : 1;
    for (int p = 0; p < PARAMS; p++)
        for (int64_t i = 0; i < sizes[p]; i++) {
            const char *start = r->start + r->params[p].value.offset;
            double w = r->dtype == PCC_F32 ? (double)((const float *)start)[i] : ((const double *)start)[i];
            Element e = {.w = w};
            for (int step = 0; step < STEPS; step++) {
                formula(&e, gradient(step, p, i) * factors[step], &r->s.hyper, step + 1);
            }
            check_close(read_element(r, r->params[p].value.offset, i), e.w, 4 * epsilon * (fabs(w) + 0.1), "w", i);
        }
}

static void three_steps(UpdateFunction optimizer, Formula formula)
{
    for (PccDtype dtype = PCC_F32; dtype <= PCC_F64; dtype++)
        for (int scaled = 0; scaled < 2; scaled++) {
            Run r;
            set_up(&r, optimizer, dtype);
            r.s.loss_scale = scaled ? 1024 : 1;
            for (int step = 0; step < STEPS; step++)
                assert_int_equal(take_step(&r, step).first_overflow, -1);
            check_weights(&r, formula, 0);
            tear_down(&r);
        }
}

static void sgd(void **state)
{
    (void)state;
    three_steps(run_sgd, sgd_formula);
}

static void adam(void **state)
{
    (void)state;
    three_steps(run_adam, adam_formula);
}

static void adamw(void **state)
{
    (void)state;
    three_steps(run_adamw, adamw_formula);
}

static void lion(void **state)
{
    (void)state;
    three_steps(run_lion, lion_formula);
}

/* Without momentum SGD needs no buffer. */
static void sgd_without_momentum(void **state)
{
    (void)state;
    Run r;
    set_up(&r, run_sgd, PCC_F64);
    r.s.hyper.momentum = 0;
    for (int p = 0; p < PARAMS; p++)
        r.params[p].moment1 = PCC_NONE;
    for (int step = 0; step < STEPS; step++)
        take_step(&r, step);
    check_weights(&r, sgd_formula, 0);
    tear_down(&r);
}

static void clipping(void **state)
{
    (void)state;
    const double norms[] = {0.5, 1e6};
    for (PccDtype dtype = PCC_F32; dtype <= PCC_F64; dtype++)
        for (int k = 0; k < 2; k++) {
            Run r;
            set_up(&r, run_sgd, dtype);
            r.s.clip_norm = norms[k];
            r.s.loss_scale = 65536;
            for (int step = 0; step < STEPS; step++) {
                double want = gradient_norm(step), got = take_step(&r, step).gradient_norm;
                check_close(got, want, 1e-6 * want, "norm", step);
            }
            check_weights(&r, sgd_formula, norms[k]);
            tear_down(&r);
        }
}

/* A non-finite gradient is found, named, and stops the whole update. */
static void overflow(void **state)
{
    (void)state;
    const double bad[] = {INFINITY, -INFINITY, NAN};
    for (PccDtype dtype = PCC_F32; dtype <= PCC_F64; dtype++)
        for (int k = 0; k < 3; k++) {
            Run r;
            set_up(&r, run_adamw, dtype);
            r.s.loss_scale = 2;
            r.s.check_gradients = true;
            write_element(&r, r.params[5].gradient, 4096, NAN);
            write_element(&r, r.params[1].gradient, sizes[1] - 1, bad[k]);
            char *before = malloc(r.bytes);
            memcpy(before, r.s.weights, r.bytes);
            assert_int_equal(r.optimizer(r.params, PARAMS, &r.s).first_overflow, 1);
            assert_memory_equal(before, r.s.weights, r.bytes);
            free(before);
            tear_down(&r);
        }
}

/* Squares that overflow are not gradients that overflow. */
static void huge_gradient(void **state)
{
    (void)state;
    Run r;
    set_up(&r, run_sgd, PCC_F64);
    r.s.clip_norm = 1;
    write_element(&r, r.params[3].gradient, 0, 1e200);
    assert_int_equal(r.optimizer(r.params, PARAMS, &r.s).first_overflow, -1);
    tear_down(&r);
}

static void three_clipped_steps(void *context)
{
    Run *r = context;
    r->s.update = 0;
    memcpy(r->s.weights, r->start, r->bytes);
    for (int step = 0; step < STEPS; step++)
        take_step(r, step);
}

static void any_threads(void **state)
{
    (void)state;
    for (PccDtype dtype = PCC_F32; dtype <= PCC_F64; dtype++) {
        Run r;
        set_up(&r, run_adamw, dtype);
        r.s.clip_norm = 1;
        check_threads(three_clipped_steps, &r, r.s.weights, r.bytes);
        tear_down(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd),           cmocka_unit_test(adam),
        cmocka_unit_test(adamw),         cmocka_unit_test(lion),
        cmocka_unit_test(clipping),      cmocka_unit_test(overflow),
        cmocka_unit_test(huge_gradient), cmocka_unit_test(sgd_without_momentum),
        cmocka_unit_test(any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
