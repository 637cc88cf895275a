/* The optimizer on 16-bit storage: every combination of value, gradient, moments and rounding against the formulas in
 * double; what becomes of small updates; the same bits for any threads, chunks and neighbours. */
#include "narrow_check.h"

/* The state of one element in double, and one step of it. */
typedef struct Element {
    double w, m, v;
} Element;

typedef void (*Formula)(Element *e, double g, const PccHyper *h, double t);

static void sgd_formula(Element *e, double g, const PccHyper *h, double t)
{
    (void)t;
    e->m = h->momentum * e->m + g + h->weight_decay * e->w;
    e->w -= h->lr * e->m;
}

static void adamw_formula(Element *e, double g, const PccHyper *h, double t)
{
    e->w *= 1 - h->lr * h->weight_decay;
    e->m = h->beta1 * e->m + (1 - h->beta1) * g;
    e->v = h->beta2 * e->v + (1 - h->beta2) * g * g;
    e->w -= h->lr * e->m / (1 - pow(h->beta1, t)) / (sqrt(e->v / (1 - pow(h->beta2, t))) + h->eps);
}

static void lion_formula(Element *e, double g, const PccHyper *h, double t)
{
    (void)t;
    const double c = h->beta1 * e->m + (1 - h->beta1) * g;
    e->w -= h->lr * ((c > 0 ? 1 : c < 0 ? -1 : 0) + h->weight_decay * e->w);
    e->m = h->beta2 * e->m + (1 - h->beta2) * g;
}

static const PccDtype dtypes[] = {PCC_F32, PCC_BF16, PCC_F16};
static const PccHyper hyper = {
    .lr = 0.01, .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .momentum = 0.9};

enum { ELEMENTS = 777 }; /* three blocks and a part */

/* Momentum and gradient of one sign, as that of their sum is Lion's step. */
static void fill(Narrow *narrow)
{
    for (int p = 0; p < narrow->count; p++) {
        const PccParam *param = &narrow->params[p];
        for (int64_t i = 0; i < narrow->elements[p]; i++) {
            const double g = copysign(0.2, next_value()) + next_value() / 8;
            narrow_set_weight(narrow, p, i, next_value());
            narrow_set(narrow, param->gradient, param->gradient_dtype, i, g);
            if (param->moment_dtype == PCC_U8)
                continue;
            narrow_set(narrow, param->moment1, param->moment_dtype, i, copysign(next_value() / 8, g));
            narrow_set(narrow, param->moment2, param->moment_dtype, i, 0.1 + next_value() / 16);
        }
    }
}

/* Half an ulp where the result is rounded to nearest, one where it is not, and some of f32's. */
static double tolerance(PccDtype dtype, bool nearest, double x)
{
    const double room = 8 * 0x1p-24 * (fabs(x) + 0.1);
    return dtype == PCC_F32 ? room : ulp_of(dtype, x) * (nearest ? 0.5 : 1) + room;
}

static void check_moment(const Narrow *narrow, size_t offset, double want, int64_t i)
{
    const PccParam *param = &narrow->params[0];
    const bool nearest = param->rounding == PCC_NEAREST;
    check_close(narrow_get(narrow, offset, param->moment_dtype, i), want, tolerance(param->moment_dtype, nearest, want),
                "moment", i);
}

static void check_weight(const Narrow *narrow, double want, int64_t i)
{
    const PccParam *param = &narrow->params[0];
    const PccDtype dtype = param->value.dtype;
    const double got = narrow_value(narrow, 0, i);
    check_close(got, want, tolerance(dtype, param->rounding != PCC_STOCHASTIC, want), "w", i);
    double best = got;
    if (param->rounding == PCC_MASTER && dtype != PCC_F32)
        best = narrow_get(narrow, param->extra, PCC_F32, i);
    if (param->rounding == PCC_KAHAN && dtype != PCC_F32) {
        const double compensation = narrow_get(narrow, param->extra, dtype, i);
        check_close(got + compensation, want, ulp_of(dtype, compensation) / 2 + tolerance(PCC_F32, true, want),
                    "compensated", i);
    }
    if (param->rounding == PCC_MASTER)
        check_close(best, want, tolerance(PCC_F32, true, want), "master", i);
    const double copy[] = {narrow_get(narrow, param->copies[0].offset, PCC_BF16, i),
                           narrow_get(narrow, param->copies[1].offset, PCC_F16, i)};
    assert_true(copy[0] == (double)pcc_f32_from_bf16(pcc_bf16_from_f32((float)best)));
    assert_true(copy[1] == (double)pcc_f32_from_f16(pcc_f16_from_f32((float)best)));
}

/* One step from the stored state, which both sides read exactly. */
static void one_step(Storage storage, UpdateFunction optimizer, Formula formula)
{
    Narrow narrow = {0};
    narrow_add(&narrow, storage, ELEMENTS);
    narrow_start(&narrow, hyper);
    fill(&narrow);
    narrow.s.loss_scale = 4;
    const PccParam *param = &narrow.params[0];
    Element want[ELEMENTS];
    for (int64_t i = 0; i < ELEMENTS; i++) {
        want[i] = (Element){narrow_value(&narrow, 0, i), narrow_get(&narrow, param->moment1, storage.moment, i),
                            narrow_get(&narrow, param->moment2, storage.moment, i)};
        formula(&want[i], narrow_get(&narrow, param->gradient, storage.gradient, i) / 4, &hyper, 1);
    }
    assert_int_equal(optimizer(narrow.params, 1, &narrow.s).first_overflow, -1);
    for (int64_t i = 0; i < ELEMENTS; i++) {
        check_weight(&narrow, want[i].w, i);
        check_moment(&narrow, param->moment1, want[i].m, i);
        if (optimizer == run_adamw)
            check_moment(&narrow, param->moment2, want[i].v, i);
    }
    narrow_end(&narrow);
}

static void every_storage(void **state)
{
    (void)state;
    const struct {
        UpdateFunction optimizer;
        Formula formula;
    } cases[] = {{run_sgd, sgd_formula}, {run_adamw, adamw_formula}, {run_lion, lion_formula}};
    for (int k = 0; k < 3 * 3 * 3; k++)
        for (int c = 0; c < 3; c++)
            for (PccRounding rounding = PCC_NEAREST; rounding <= PCC_MASTER; rounding++) {
                const Storage storage = {dtypes[k % 3], dtypes[k / 3 % 3], dtypes[k / 9], rounding};
                if (storage.value != PCC_F32 || rounding == PCC_NEAREST)
                    one_step(storage, cases[c].optimizer, cases[c].formula);
            }
}

/* ---- small updates -------------------------------------------------------------------------------------------- */

enum { WIDTH = 4096, UPDATES = 1000 };

typedef struct Creep {
    double mean, deviation; /* of the weights; deviation from what is exact: root of the mean square */
    double lost;            /* share of the updates */
} Creep;

/* 1 + UPDATES * delta by SGD with gradients of -delta. */
static Creep creep(PccDtype dtype, PccRounding rounding, double delta)
{
    Narrow narrow = {0};
    narrow_add(&narrow, (Storage){dtype, PCC_F32, PCC_F32, rounding}, WIDTH);
    narrow_start(&narrow, (PccHyper){.lr = 1});
    PccUpdate total = {0};
    for (int64_t i = 0; i < WIDTH; i++) {
        narrow_set_weight(&narrow, 0, i, 1);
        narrow_set(&narrow, narrow.params[0].gradient, PCC_F32, i, -delta);
    }
    for (int step = 0; step < UPDATES; step++, narrow.s.update++) {
        const PccUpdate done = run_sgd(narrow.params, 1, &narrow.s);
        total.rounded += done.rounded;
        total.lost += done.lost;
    }
    Creep result = {.lost = (double)total.lost / ((double)WIDTH * UPDATES)};
    double squares = 0;
    for (int64_t i = 0; i < WIDTH; i++) {
        const double end = narrow_value(&narrow, 0, i), off = end - (1 + UPDATES * delta);
        result.mean += end / WIDTH;
        squares += off * off / WIDTH;
    }
    result.deviation = sqrt(squares);
    assert_int_equal(total.rounded, rounding == PCC_MASTER ? 0 : (int64_t)WIDTH * UPDATES);
    narrow_end(&narrow);
    return result;
}

/* An update below half an ulp: 0.001 beside bf16's 2^-7, 0.0002 beside f16's 2^-10. Stochastic rounding moves a weight
 * by an ulp with probability p = delta / ulp. Independent draws would leave it off by ulp sqrt(1000 p (1 - p)), ten ulp
 * and more; draws that are even over time, by an ulp or so. A compensation adds an error of at most half its own ulp a
 * step. */
static void small_updates(void **state)
{
    (void)state;
    const double deltas[] = {[PCC_BF16] = 0.001, [PCC_F16] = 0.0002};
    for (PccDtype dtype = PCC_F16; dtype <= PCC_BF16; dtype++) {
        const double delta = deltas[dtype], ulp = ulp_of(dtype, 1), p = delta / ulp, end = 1 + UPDATES * delta;
        const Creep nearest = creep(dtype, PCC_NEAREST, delta), stochastic = creep(dtype, PCC_STOCHASTIC, delta);
        assert_true(nearest.mean == 1 && nearest.lost == 1);
        check_close(stochastic.mean, end, 5 * ulp / sqrt(WIDTH), "stochastic", 0);
        check_close(stochastic.deviation, 0, ulp_of(dtype, end), "deviation", 0);
        check_close(stochastic.lost, 1 - p, p / 20, "lost", 0); /* a few more past 2, where bf16's ulp doubles */
        const Creep kahan = creep(dtype, PCC_KAHAN, delta), master = creep(dtype, PCC_MASTER, delta);
        check_close(kahan.mean, end, ulp + UPDATES * ulp_of(dtype, ulp / 4) / 2, "kahan", 0);
        check_close(master.mean, end, ulp / 2 + UPDATES * 0x1p-24, "master", 0);
        assert_true(kahan.lost == 0 && master.lost == 0);
    }
}

/* Where the part to round is itself even, as that of a step far above an ulp, rounding stochastically errs by 1/12
 * ulp^2 an update, which is what rounding to nearest errs by; independent draws err by 1/6. */
static void large_updates(void **state)
{
    (void)state;
    enum { STEPS = 256 };
    double squares[] = {[PCC_NEAREST] = 0, [PCC_STOCHASTIC] = 0};
    for (PccRounding rounding = PCC_NEAREST; rounding <= PCC_STOCHASTIC; rounding++) {
        Narrow narrow = {0};
        narrow_add(&narrow, (Storage){PCC_BF16, PCC_F32, PCC_F32, rounding}, WIDTH);
        narrow_start(&narrow, (PccHyper){.lr = 1});
        double *exact = calloc(WIDTH, sizeof *exact);
        for (int64_t i = 0; i < WIDTH; i++)
            narrow_set_weight(&narrow, 0, i, exact[i] = 1.5);
        for (int step = 0; step < STEPS; step++, narrow.s.update++) {
            for (int64_t i = 0; i < WIDTH; i++) { /* to and fro, within [1, 2) */
                const float delta = (float)(copysign(0.1, 1.5 - exact[i]) * (1 + next_value()));
                narrow_set(&narrow, narrow.params[0].gradient, PCC_F32, i, -(double)delta);
                exact[i] += (double)delta;
            }
            run_sgd(narrow.params, 1, &narrow.s);
        }
        for (int64_t i = 0; i < WIDTH; i++) {
            const double off = (narrow_value(&narrow, 0, i) - exact[i]) / 0x1p-7;
            squares[rounding] += off * off / WIDTH / STEPS;
        }
        free(exact);
        narrow_end(&narrow);
    }
    /* the mean of 4096 squares is off by sqrt(2 / 4096) of it */
    check_close(squares[PCC_NEAREST], 1.0 / 12, 5 * sqrt(2.0 / WIDTH) / 12, "nearest", 0);
    check_close(squares[PCC_STOCHASTIC], 1.0 / 12, 5 * sqrt(2.0 / WIDTH) / 12, "stochastic", 0);
}

/* With beta2 = 0.999 and no gradient a second moment loses a thousandth a step, a quarter of half an ulp in bf16. */
static void second_moment_decays(void **state)
{
    (void)state;
    for (PccRounding rounding = PCC_NEAREST; rounding <= PCC_STOCHASTIC; rounding++) {
        Narrow narrow = {0};
        narrow_add(&narrow, (Storage){PCC_BF16, PCC_BF16, PCC_BF16, rounding}, WIDTH);
        narrow_start(&narrow, (PccHyper){.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8});
        const PccParam *param = &narrow.params[0];
        for (int64_t i = 0; i < WIDTH; i++)
            narrow_set(&narrow, param->moment2, PCC_BF16, i, 1);
        for (; narrow.s.update < UPDATES; narrow.s.update++)
            run_adamw(narrow.params, 1, &narrow.s);
        double mean = 0;
        for (int64_t i = 0; i < WIDTH; i++)
            mean += narrow_get(&narrow, param->moment2, PCC_BF16, i) / WIDTH;
        /* a step is an ulp (2^-8 and below) with probability p <= 0.001 / 2^-8 */
        const double want = pow(0.999, UPDATES), deviation = 0x1p-8 * sqrt(UPDATES * 0.256 / WIDTH);
        check_close(mean, rounding == PCC_NEAREST ? 1 : want, rounding == PCC_NEAREST ? 0 : 5 * deviation, "v", 0);
        narrow_end(&narrow);
    }
}

/* ---- stochastic rounding -------------------------------------------------------------------------------------- */

/* Of all 2^16 random values as many round up as the part between the neighbours says, exactly. */
static void all_random_values(void **state)
{
    (void)state;
    const float values[] = {1.001f, -3.7f, 1e-3f, 0x1.fffp-14f, 0x1.2345p-15f, -0x1.8p-24f, 0x1.5p-20f, 65503.0f};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
        for (PccDtype dtype = PCC_F16; dtype <= PCC_BF16; dtype++) {
            double sum = 0;
            for (uint32_t random = 0; random < 0x10000; random++)
                sum += dtype == PCC_BF16 ? (double)pcc_f32_from_bf16(pcc_bf16_from_f32_random(values[k], random))
                                         : (double)pcc_f32_from_f16(pcc_f16_from_f32_random(values[k], random));
            /* a subnormal's part is cut to 16 bits */
            const double cut = dtype == PCC_F16 && fabsf(values[k]) < 0x1p-14f ? 0x1p-16 * 0x1p-24 : 0;
            check_close(sum / 0x10000, (double)values[k], cut, "mean", (int64_t)k);
        }
}

/* What has no neighbours to choose from. */
static void special_values(void **state)
{
    (void)state;
    for (uint32_t random = 0; random < 0x10000; random += 0x5555) {
        assert_int_equal(pcc_bf16_from_f32_random(INFINITY, random).bits, 0x7f80);
        assert_int_equal(pcc_f16_from_f32_random(-INFINITY, random).bits, 0xfc00);
        assert_int_equal(pcc_f16_from_f32_random(70000.0f, random).bits, 0x7c00);
        assert_int_equal(pcc_bf16_from_f32_random(-0.0f, random).bits, 0x8000);
        assert_int_equal(pcc_f16_from_f32_random(0.0f, random).bits, 0);
        assert_true(isnan(pcc_f32_from_bf16(pcc_bf16_from_f32_random(NAN, random))));
        assert_true(isnan(pcc_f32_from_f16(pcc_f16_from_f32_random(pcc_f32_of_bits(0x7f800001u), random))));
        for (uint32_t bits = 0; bits < 0x7c00; bits += 7) {
            const PccF16 exact = {(uint16_t)bits};
            assert_int_equal(pcc_f16_from_f32_random(pcc_f32_from_f16(exact), random).bits, bits);
        }
    }
}

static void draw(uint64_t seed, int64_t param, int64_t first, uint32_t update, PccDraw which, uint32_t row[PCC_STAGE])
{
    uint32_t offset[PCC_STAGE];
    pcc_rounding_offsets(pcc_rounding_key(seed, param), first, offset);
    for (int i = 0; i < PCC_STAGE; i++)
        row[i] = pcc_rounding_bits(offset[i], which, pcc_rounding_phase(which, update));
}

/* Draws of one element, and rows of different seeds, parameters, updates and blocks, share no pattern, and their bits
 * are even: the mean of 256 uniform 16-bit values is 2^15 within five of its deviations, 2^16 / sqrt(12 * 256). */
static void draws_differ(void **state)
{
    (void)state;
    uint32_t rows[7][PCC_STAGE];
    draw(7, 0, 0, 3, PCC_DRAW_VALUE, rows[0]);
    draw(7, 0, 0, 3, PCC_DRAW_MOMENT1, rows[1]);
    draw(7, 0, 0, 3, PCC_DRAW_MOMENT2, rows[2]);
    draw(7, 1, 0, 3, PCC_DRAW_VALUE, rows[3]);
    draw(7, 0, PCC_STAGE, 3, PCC_DRAW_VALUE, rows[4]);
    draw(7, 0, 0, 4, PCC_DRAW_VALUE, rows[5]);
    draw(8, 0, 0, 3, PCC_DRAW_VALUE, rows[6]);
    for (int a = 0; a < 7; a++) {
        double mean = 0;
        for (int i = 0; i < PCC_STAGE; i++) {
            assert_true(rows[a][i] <= 0xffff);
            mean += rows[a][i] / (double)PCC_STAGE;
        }
        check_close(mean, 0x8000, 5 * 0x10000 / sqrt(12 * PCC_STAGE), "mean", a);
        for (int b = 0; b < a; b++) {
            int equal = 0;
            for (int i = 0; i < PCC_STAGE; i++)
                equal += rows[a][i] == rows[b][i];
            assert_true(equal < 4);
        }
    }
}

/* Offsets are hashed: of 2^16 elements' top bytes, and of the pairs of neighbours' top four bits, each comes 256 times,
 * within five of its deviations, 16. */
static void offsets_are_even(void **state)
{
    (void)state;
    int32_t bytes[256] = {0}, pairs[256] = {0};
    for (int64_t first = 0; first < 0x10000; first += PCC_STAGE) {
        uint32_t offset[PCC_STAGE];
        pcc_rounding_offsets(pcc_rounding_key(7, 0), first, offset);
        for (int i = 0; i < PCC_STAGE; i++) {
            bytes[offset[i] >> 24]++;
            pairs[offset[i] >> 28 << 4 | offset[(i + 1) % PCC_STAGE] >> 28]++;
        }
    }
    for (int k = 0; k < 256; k++) {
        check_close(bytes[k], 256, 5 * 16, "byte", k);
        check_close(pairs[k], 256, 5 * 16, "pair", k);
    }
}

/* ---- the same bits -------------------------------------------------------------------------------------------- */

static void three_steps(void *context)
{
    Narrow *narrow = context;
    const bool coded = narrow->params[0].moment_dtype == PCC_U8;
    memset(narrow->s.weights, 0, narrow->bytes);
    for (int p = 0; p < narrow->count; p++)
        for (int64_t i = 0; i < narrow->elements[p]; i++) {
            narrow_set_weight(narrow, p, i, sin((double)(i + 1)));
            narrow_set(narrow, narrow->params[p].gradient, narrow->params[p].gradient_dtype, i,
                       cos((double)(3 * i + p)));
        }
    for (narrow->s.update = 0; narrow->s.update < 3; narrow->s.update++)
        (coded ? run_adamw8bit : run_adamw)(narrow->params, narrow->count, &narrow->s);
}

static const Storage shared_storages[] = {{PCC_BF16, PCC_BF16, PCC_BF16, PCC_STOCHASTIC},
                                          {PCC_F16, PCC_F16, PCC_F32, PCC_KAHAN},
                                          {PCC_BF16, PCC_F16, PCC_U8, PCC_STOCHASTIC},
                                          {PCC_F32, PCC_F32, PCC_F32, PCC_NEAREST}};

static void any_threads(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof shared_storages / sizeof *shared_storages; k++) {
        Narrow narrow = {0};
        narrow_add(&narrow, shared_storages[k], 5 * PCC_UPDATE_CHUNK + 77);
        narrow_add(&narrow, shared_storages[k], 130);
        narrow_start(&narrow, hyper);
        narrow.s.clip_norm = 1e6; /* the norm is taken, the scale stays */
        check_threads(three_steps, &narrow, narrow.s.weights, narrow.bytes);
        narrow_end(&narrow);
    }
}

/* An element's bits depend on no other element of its parameter but, in 8 bits, those of its block. */
static void any_chunks(void **state)
{
    (void)state;
    enum { FEW = 300, BLOCKS = FEW / PCC_MOMENT_BLOCK * PCC_MOMENT_BLOCK };
    for (size_t k = 0; k < sizeof shared_storages / sizeof *shared_storages; k++) {
        const int64_t sizes[] = {FEW, 2 * PCC_UPDATE_CHUNK + 5};
        Narrow runs[2] = {{.count = 0}};
        for (int r = 0; r < 2; r++) {
            narrow_add(&runs[r], shared_storages[k], sizes[r]);
            narrow_start(&runs[r], hyper);
            three_steps(&runs[r]);
        }
        const int64_t same = shared_storages[k].moment == PCC_U8 ? BLOCKS : FEW;
        assert_memory_equal(runs[0].s.weights + runs[0].params[0].value.offset,
                            runs[1].s.weights + runs[1].params[0].value.offset,
                            (size_t)(same * narrow_bytes(shared_storages[k].value)));
        assert_memory_equal(runs[0].s.weights + runs[0].params[0].moment2,
                            runs[1].s.weights + runs[1].params[0].moment2,
                            (size_t)(same * narrow_bytes(shared_storages[k].moment)));
        narrow_end(&runs[0]);
        narrow_end(&runs[1]);
    }
}

/* ---- overflow and norms --------------------------------------------------------------------------------------- */

/* One element that is not finite stops everything, whatever is stored how. */
static void overflow_changes_nothing(void **state)
{
    (void)state;
    const double bad[] = {(double)INFINITY, -(double)INFINITY, (double)NAN};
    for (size_t k = 0; k < sizeof shared_storages / sizeof *shared_storages; k++)
        for (int b = 0; b < 3; b++) {
            Narrow narrow = {0};
            narrow_add(&narrow, shared_storages[k], ELEMENTS);
            narrow_add(&narrow, shared_storages[k], 2 * PCC_UPDATE_CHUNK);
            narrow_start(&narrow, hyper);
            three_steps(&narrow);
            narrow.s.check_gradients = true;
            narrow_set(&narrow, narrow.params[1].gradient, narrow.params[1].gradient_dtype, 2 * PCC_UPDATE_CHUNK - 1,
                       bad[b]);
            char *before = malloc(narrow.bytes);
            memcpy(before, narrow.s.weights, narrow.bytes);
            const PccUpdate done = run_adamw8bit(narrow.params, 2, &narrow.s);
            assert_int_equal(done.first_overflow, 1);
            assert_int_equal(done.rounded, 0);
            assert_memory_equal(before, narrow.s.weights, narrow.bytes);
            free(before);
            narrow_end(&narrow);
        }
}

/* The norm of what is stored, unscaled; and the update is clipped to it. */
static void norms_of_16_bits(void **state)
{
    (void)state;
    for (PccDtype dtype = PCC_F16; dtype <= PCC_BF16; dtype++) {
        Narrow narrow = {0};
        narrow_add(&narrow, (Storage){PCC_F32, dtype, PCC_F32, PCC_NEAREST}, 2 * PCC_UPDATE_CHUNK + 5);
        narrow_start(&narrow, (PccHyper){.lr = 1});
        fill(&narrow);
        memset(narrow.s.weights + narrow.params[0].moment1, 0, (size_t)narrow.elements[0] * 4);
        narrow.s.loss_scale = 1024;
        narrow.s.clip_norm = 1e-6;
        double squares = 0, first = narrow_get(&narrow, narrow.params[0].gradient, dtype, 0);
        const double weight = narrow_value(&narrow, 0, 0);
        for (int64_t i = 0; i < narrow.elements[0]; i++)
            squares += pow(narrow_get(&narrow, narrow.params[0].gradient, dtype, i) / 1024, 2);
        const PccUpdate done = run_sgd(narrow.params, 1, &narrow.s);
        check_close(done.gradient_norm, sqrt(squares), 1e-12, "norm", 0);
        const double step = first / 1024 * 1e-6 / (sqrt(squares) + 1e-6);
        check_close(narrow_value(&narrow, 0, 0), weight - step, 0x1p-24, "clipped", 0);
        narrow_end(&narrow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_storage),
        cmocka_unit_test(small_updates),
        cmocka_unit_test(large_updates),
        cmocka_unit_test(second_moment_decays),
        cmocka_unit_test(all_random_values),
        cmocka_unit_test(special_values),
        cmocka_unit_test(offsets_are_even),
        cmocka_unit_test(draws_differ),
        cmocka_unit_test(any_threads),
        cmocka_unit_test(any_chunks),
        cmocka_unit_test(overflow_changes_nothing),
        cmocka_unit_test(norms_of_16_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
