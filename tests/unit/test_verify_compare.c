/* test_verify_compare.c: what `pcc verify` accepts, and that it refuses everything else. */
#include <math.h>

#include "ir_fixture.h"

#include "frontend/verify/verify_compare.h"

enum { CAPACITY = 8 };

typedef struct Tensors {
    PccSafetensors file;
    PccStTensor tensors[CAPACITY];
    double data[CAPACITY][2];
} Tensors;

/* Adds a vector of two; names are added in order, as pcc_st_find() wants them. */
static void add(Tensors *t, const char *name, double first, double second)
{
    int64_t i = t->file.count++;
    t->data[i][0] = first, t->data[i][1] = second;
    t->tensors[i] =
        (PccStTensor){.name = name, .dtype = PCC_F64, .rank = 1, .dims = {2}, .data = t->data[i], .bytes = 16};
    t->file.tensors = t->tensors;
}

static void add_all(Tensors *t, double off)
{
    add(t, "grad/bias", 0, 1e-20);
    add(t, "grad/weight", 3, 4 * (1 + off));
    add(t, "loss", 2, 1);
    add(t, "output/y", 1, -1);
    add(t, "param/bias", 0, 0);
    add(t, "param/weight", 0.5, 0.25 * (1 + off));
}

static Comparison compare(Fixture *fixture, const Tensors *dump, const Tensors *reference, const char *precision)
{
    return compare_dump(fixture->arena, &dump->file, &reference->file, precision);
}

static void assert_worst(const Comparison *comparison, int failed, const char *name)
{
    assert_int_equal(comparison->failed, failed);
    assert_string_equal(comparison->rows[0].name, name);
}

static void test_equal(void **state)
{
    Tensors dump = {0}, reference = {0};
    add_all(&dump, 0);
    add_all(&reference, 0);
    Comparison wide = compare(*state, &dump, &reference, "64-true");
    assert_int_equal(wide.failed, 0);
    assert_int_equal(wide.count, 7); /* the six, and all gradients as one */
    Comparison narrow = compare(*state, &dump, &reference, "32-true");
    assert_int_equal(narrow.failed, 0);
    assert_int_equal(narrow.count, 6); /* the bias has a zero gradient: its steps are noise */
}

static void test_tolerance_follows_precision(void **state)
{
    Tensors dump = {0}, reference = {0};
    add_all(&dump, 1e-7);
    add_all(&reference, 0);
    assert_int_equal(compare(*state, &dump, &reference, "32-true").failed, 0);
    Comparison wide = compare(*state, &dump, &reference, "64-true");
    assert_worst(&wide, 3, "grad"); /* weight's gradient, the whole, and the parameter */
}

/* A zero gradient is measured against the whole: 1e-12 of 5 is noise in any precision, 1e-3 is not. */
static void test_zero_gradient(void **state)
{
    Tensors dump = {0}, reference = {0};
    add_all(&dump, 0);
    add_all(&reference, 0);
    dump.data[0][0] = 1e-12;
    assert_int_equal(compare(*state, &dump, &reference, "64-true").failed, 0);
    dump.data[0][0] = 1e-3;
    Comparison comparison = compare(*state, &dump, &reference, "32-true");
    assert_worst(&comparison, 2, "grad");
}

/* However wide the dtype's tolerance, no gradient may be absent. */
static void test_zeros_are_no_gradient(void **state)
{
    Tensors dump = {0}, reference = {0};
    add_all(&dump, 0);
    add_all(&reference, 0);
    dump.data[1][0] = dump.data[1][1] = 0;
    Comparison comparison = compare(*state, &dump, &reference, "bf16-true");
    assert_worst(&comparison, 2, "grad");
    assert_string_equal(comparison.rows[1].name, "grad/weight");
}

static void test_nan_is_an_error(void **state)
{
    for (int i = 0; i < 6; i++) {
        Tensors dump = {0}, reference = {0};
        add_all(&dump, 0);
        add_all(&reference, 0);
        dump.data[i][1] = NAN;
        assert_true(compare(*state, &dump, &reference, "64-true").failed > 0);
        if (i != 4) /* the parameter that is not compared */
            assert_true(compare(*state, &dump, &reference, "32-true").failed > 0);
    }
}

static const ComparedTensor *row_of(const Comparison *comparison, const char *name)
{
    for (int i = 0; i < comparison->count; i++)
        if (strcmp(comparison->rows[i].name, name) == 0)
            return &comparison->rows[i];
    return NULL;
}

/* Where the reference is not finite nothing is right or wrong, whatever the program has there; the rest is compared. */
static void test_reference_not_finite(void **state)
{
    const double theirs[] = {NAN, INFINITY, -INFINITY}, ours[] = {NAN, INFINITY, 7};
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 9; k++) {
            Tensors dump = {0}, reference = {0};
            add_all(&dump, 0), add_all(&reference, 0);
            reference.data[i][1] = theirs[k / 3], dump.data[i][1] = ours[k % 3];
            Comparison comparison = compare(*state, &dump, &reference, "64-true");
            assert_int_equal(comparison.failed, 0);
            assert_int_equal(comparison.undecided, 0);
            assert_int_equal(comparison.not_finite, i < 2 ? 2 : 1); /* of a gradient the whole, too */
            assert_true(comparison.rows[0].not_finite);             /* before what agrees */
            dump.data[i][0] += 0.5;                                 /* finite in the reference */
            assert_true(compare(*state, &dump, &reference, "64-true").failed > 0);
            dump.data[i][0] = NAN;
            assert_true(compare(*state, &dump, &reference, "64-true").failed > 0);
        }
}

/* Also in units of lr, also once noise has been allowed, which does not make a row ok. */
static void test_noise_where_the_reference_is_not_finite(void **state)
{
    Tensors dump = {0}, reference = {0}, rounded = {0};
    add_all(&dump, 0), add_all(&reference, 0), add_all(&rounded, 0);
    reference.data[5][1] = dump.data[5][1] = rounded.data[5][1] = NAN;
    Comparison comparison = compare(*state, &dump, &reference, "32-true");
    assert_int_equal(comparison.failed, 0);
    assert_true(row_of(&comparison, "param/weight")->not_finite);
    reference.data[2][1] = dump.data[2][1] = rounded.data[2][1] = INFINITY;
    dump.data[2][0] = 2.01, rounded.data[2][0] = 2.001;
    comparison = compare(*state, &dump, &reference, "32-true");
    assert_worst(&comparison, 1, "loss");
    Comparison noise = compare(*state, &rounded, &reference, "32-true");
    allow_noise(((Fixture *)*state)->arena, &comparison, &noise, 0x1p-24, false, "32-true");
    assert_int_equal(comparison.failed, 0);
    assert_int_equal(comparison.not_finite, 2);
    char text[2048] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    print_comparison(stream, &comparison, 1);
    fclose(stream);
    assert_non_null(strstr(text, "open loss: the reference is not finite"));
    assert_non_null(strstr(text, "open param/weight: the reference is not finite"));
}

static void test_missing_and_unexpected(void **state)
{
    Tensors dump = {0}, reference = {0};
    add(&dump, "grad/weight", 3, 4);
    add(&dump, "loss", 2, 1);
    add(&reference, "grad/other", 3, 4);
    add(&reference, "input/x", 7, 7);
    add(&reference, "loss", 2, 1);
    Comparison comparison = compare(*state, &dump, &reference, "64-true");
    assert_worst(&comparison, 2, "grad/other");
    assert_string_equal(comparison.rows[0].problem, "missing");
    assert_string_equal(comparison.rows[1].name, "grad/weight");
    assert_string_equal(comparison.rows[1].problem, "unexpected");
}

static void test_other_dims(void **state)
{
    Tensors dump = {0}, reference = {0};
    add_all(&dump, 0);
    add_all(&reference, 0);
    dump.tensors[1].dims[0] = 1;
    Comparison comparison = compare(*state, &dump, &reference, "64-true");
    assert_string_equal(comparison.rows[0].name, "grad/weight");
    assert_string_equal(comparison.rows[0].problem, "of other dims");
}

/* In 32-true parameters are compared in units of lr, within ten times the error of PyTorch's float32 run. */
static void test_float32_metadata(void **state)
{
    Tensors dump = {0}, reference = {0};
    PccStMetadata metadata = {"float32", "{\"loss\": 1e-7, \"param\": 0.002}"};
    add_all(&dump, 0);
    add_all(&reference, 0);
    reference.file.metadata = &metadata;
    reference.file.metadata_count = 1;
    dump.data[5][0] += 1e-5; /* 0.01 lr */
    assert_int_equal(compare(*state, &dump, &reference, "32-true").failed, 0);
    dump.data[5][0] += 2e-5; /* 0.03 lr */
    Comparison comparison = compare(*state, &dump, &reference, "32-true");
    assert_worst(&comparison, 1, "param/weight");
}

/* What rounding does in float64 is allowed many times over, but not without end. */
static void test_noise(void **state)
{
    Tensors dump = {0}, reference = {0}, rounded = {0};
    add_all(&dump, 0);
    add_all(&reference, 0);
    add_all(&rounded, 0);
    dump.data[2][0] = 2.01;     /* the loss */
    rounded.data[2][0] = 2.001; /* a tenth of that */
    Comparison comparison = compare(*state, &dump, &reference, "32-true");
    assert_worst(&comparison, 1, "loss");
    Comparison noise = compare(*state, &rounded, &reference, "32-true");
    allow_noise(((Fixture *)*state)->arena, &comparison, &noise, 0x1p-24, false, "32-true");
    assert_int_equal(comparison.failed, 0);

    /* a larger perturbation says nothing of the first step */
    dump.data[1][1] = rounded.data[1][1] = 4.0005;
    comparison = compare(*state, &dump, &reference, "32-true");
    noise = compare(*state, &rounded, &reference, "32-true");
    allow_noise(((Fixture *)*state)->arena, &comparison, &noise, 0x1p-24, true, "32-true");
    assert_worst(&comparison, 1, "grad");
    allow_noise(((Fixture *)*state)->arena, &comparison, &noise, 0x1p-24, false, "32-true");
    assert_int_equal(comparison.failed, 0);

    /* no flip of signs takes f32 there: open where rounding alone does about the same, wrong where it does less */
    dump.data[1][1] = rounded.data[1][1] = 4.5;
    comparison = compare(*state, &dump, &reference, "32-true");
    noise = compare(*state, &rounded, &reference, "32-true");
    allow_noise(((Fixture *)*state)->arena, &comparison, &noise, 0x1p-24, false, "32-true");
    assert_int_equal(comparison.undecided, 2);
    assert_int_equal(comparison.failed, 0);
    rounded.data[1][1] = 4.05;
    noise = compare(*state, &rounded, &reference, "32-true");
    comparison = compare(*state, &dump, &reference, "32-true");
    allow_noise(((Fixture *)*state)->arena, &comparison, &noise, 0x1p-24, false, "32-true");
    assert_int_equal(comparison.undecided, 0);
    assert_worst(&comparison, 2, "grad");
    assert_string_equal(comparison.rows[1].name, "grad/weight");
}

/* In 16 bits: a whole gradient that rounding alone changes by more than its tolerance is open, not wrong. */
static void test_noise_in_16_bits(void **state)
{
    Tensors dump = {0}, reference = {0}, rounded = {0};
    add(&dump, "grad/weight", 3, 5), add(&reference, "grad/weight", 3, 4), add(&rounded, "grad/weight", 3, 3.2);
    Arena *arena = ((Fixture *)*state)->arena;
    Comparison comparison = compare(*state, &dump, &reference, "16-mixed");
    Comparison noise = compare(*state, &rounded, &reference, "16-mixed");
    allow_noise(arena, &comparison, &noise, 0x1p-11, false, "16-mixed");
    assert_int_equal(comparison.failed, 0);
    assert_int_equal(comparison.undecided, 1);

    rounded.data[0][1] = 3.9;
    comparison = compare(*state, &dump, &reference, "16-mixed");
    noise = compare(*state, &rounded, &reference, "16-mixed");
    allow_noise(arena, &comparison, &noise, 0x1p-11, false, "16-mixed");
    assert_worst(&comparison, 1, "grad");
}

/* All gradients are what rounding left of terms that cancel: absolute, by what rounding makes of them in f32. The loss
 * is another matter. */
static void test_gradients_that_cancel(void **state)
{
    Tensors dump = {0}, reference = {0}, rounded = {0};
    add(&dump, "grad/weight", 2e-8, -1e-8), add(&dump, "loss", 2, 1);
    add(&reference, "grad/weight", 1e-17, 0), add(&reference, "loss", 2, 1);
    add(&rounded, "grad/weight", 0, 1e-8), add(&rounded, "loss", 2, 1);
    Arena *arena = ((Fixture *)*state)->arena;
    Comparison noise = compare(*state, &rounded, &reference, "32-true");
    Comparison comparison = compare(*state, &dump, &reference, "32-true");
    assert_worst(&comparison, 2, "grad");
    allow_noise(arena, &comparison, &noise, 0x1p-24, false, "32-true");
    assert_int_equal(comparison.failed, 0);
    assert_true(comparison.rows[0].cancels && comparison.rows[0].error < 1e-7);

    dump.data[0][0] = 0.1; /* a term is missing */
    comparison = compare(*state, &dump, &reference, "32-true");
    allow_noise(arena, &comparison, &noise, 0x1p-24, false, "32-true");
    assert_worst(&comparison, 2, "grad");

    dump.data[0][0] = 1e-8, reference.data[0][0] = 1e-3; /* too large to be rounding: a gradient that is absent */
    comparison = compare(*state, &dump, &reference, "32-true");
    rounded.data[0][0] = 1e-3 + 1e-8;
    noise = compare(*state, &rounded, &reference, "32-true");
    allow_noise(arena, &comparison, &noise, 0x1p-24, false, "32-true");
    assert_worst(&comparison, 2, "grad");
}

static void test_table(void **state)
{
    Tensors dump = {0}, reference = {0};
    add_all(&dump, 1e-7);
    add_all(&reference, 0);
    Comparison comparison = compare(*state, &dump, &reference, "64-true");
    char text[2048] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    print_comparison(stream, &comparison, 1);
    fclose(stream);
    const char *last = strstr(text, "FAIL param/weight");
    assert_non_null(last); /* every failure has a row, whatever number is asked for */
    assert_non_null(strstr(text, "and 4 more, all within their tolerances"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(test_equal),
        TEST_WITH_FIXTURE(test_tolerance_follows_precision),
        TEST_WITH_FIXTURE(test_zero_gradient),
        TEST_WITH_FIXTURE(test_zeros_are_no_gradient),
        TEST_WITH_FIXTURE(test_nan_is_an_error),
        TEST_WITH_FIXTURE(test_reference_not_finite),
        TEST_WITH_FIXTURE(test_noise_where_the_reference_is_not_finite),
        TEST_WITH_FIXTURE(test_other_dims),
        TEST_WITH_FIXTURE(test_missing_and_unexpected),
        TEST_WITH_FIXTURE(test_float32_metadata),
        TEST_WITH_FIXTURE(test_noise),
        TEST_WITH_FIXTURE(test_noise_in_16_bits),
        TEST_WITH_FIXTURE(test_gradients_that_cancel),
        TEST_WITH_FIXTURE(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
