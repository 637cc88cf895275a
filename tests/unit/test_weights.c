/* test_weights.c: what the weights block holds of each parameter, by its dtype, the mode and the optimizer. */
#include "ir_fixture.h"

#include "codegen/emit.h"

static char zeros[100 * 64 * 4]; /* the parameters' contents do not matter */

static const void *no_contents(void *context, const char *name, const Type *type)
{
    (void)context;
    (void)name;
    return type_bytes(type) <= (int64_t)sizeof zeros ? zeros : NULL;
}

/* A table that Gather reads through a copy, a matrix of 4096 elements, and a bias; %s is their dtype. */
static const char text_form[] = "graph \"g\" stage \"schedule\"\n"
                                "input %%0 \"ids\" : i64[3]\n"
                                "param %%1 \"table\" : %s[100,64] = data\n"
                                "param %%2 \"w\" : %s[64,64] = data\n"
                                "param %%3 \"b\" : %s[64] = data\n"
                                "copy %%4 : f16[100,64] of %%1\n"
                                "%%5 : f16[3,64] = Gather(%%4, %%0)\n"
                                "output %%5\n"
                                "gradient %%1 = %%1\n"
                                "gradient %%2 = %%2\n"
                                "gradient %%3 = %%3\n";

enum { TABLE, MATRIX, BIAS };

static Weights plan(Fixture *fixture, const char *dtype, const char *precision, const char *optimizer,
                    const char *update)
{
    const char *text = arena_printf(fixture->arena, text_form, dtype, dtype, dtype);
    Graph *graph = graph_parse(fixture->arena, &fixture->diagnostics, "text", text, strlen(text), no_contents, NULL);
    if (!graph)
        fail_msg("%s", messages(fixture));
    Options *options = NEW(fixture->arena, Options);
    options->target = &target_c;
    options->precision = precision;
    options->optimizer = optimizer;
    options->update = update;
    return plan_weights(graph, graph_clone(graph), options, fixture->arena);
}

static void assert_moments(const Weights *weights, Dtype table, Dtype matrix, Dtype bias)
{
    assert_int_equal(weights->param_states[TABLE].moment_dtype, table);
    assert_int_equal(weights->param_states[MATRIX].moment_dtype, matrix);
    assert_int_equal(weights->param_states[BIAS].moment_dtype, bias);
}

enum { ELEMENTS = 100 * 64 + 64 * 64 + 64 };

static void uniform_modes_have_one_dtype(void **state)
{
    Weights w = plan(*state, "f32", "32-true", "adamw", NULL);
    assert_moments(&w, DTYPE_F32, DTYPE_F32, DTYPE_F32);
    assert_int_equal(w.param_bytes, 4 * ELEMENTS);
    assert_int_equal(w.gradient_bytes, 4 * ELEMENTS);
    assert_int_equal(w.moment_bytes, 2 * 4 * ELEMENTS);
    assert_int_equal(w.extra_bytes, 0);
    w = plan(*state, "f64", "64-true", "lion", NULL);
    assert_moments(&w, DTYPE_F64, DTYPE_F64, DTYPE_F64);
    assert_int_equal(w.moment_bytes, 8 * ELEMENTS);
    assert_int_equal(w.param_states[BIAS].moment2, -1);
}

/* Both graphs read one copy. */
static void copies_are_shared(void **state)
{
    Weights w = plan(*state, "f32", "16-mixed", "adamw", NULL);
    assert_int_equal(w.copy_count, 1);
    assert_int_equal(w.copy_bytes, 2 * 100 * 64);
    assert_int_equal(w.copies[0].value->copy_of->id, w.params[TABLE].value->id);
    assert_true(updates_narrow(&w, &(Options){.optimizer = "adamw"}));
}

static void narrow_weights_follow_the_mode(void **state)
{
    const struct {
        const char *dtype, *precision, *update;
        PccRounding rounding;
        Dtype moment;
        int64_t extra;
    } cases[] = {{"bf16", "bf16-true", NULL, PCC_STOCHASTIC, DTYPE_BF16, 0},
                 {"f16", "16-true", NULL, PCC_STOCHASTIC, DTYPE_F32, 0},
                 {"bf16", "bf16-true", "nearest", PCC_NEAREST, DTYPE_BF16, 0},
                 {"f16", "16-true", "kahan", PCC_KAHAN, DTYPE_F32, 2},
                 {"bf16", "bf16-true", "master", PCC_MASTER, DTYPE_BF16, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Weights w = plan(*state, cases[i].dtype, cases[i].precision, "adamw", cases[i].update);
        assert_moments(&w, cases[i].moment, cases[i].moment, cases[i].moment);
        assert_int_equal(w.param_states[MATRIX].rounding, cases[i].rounding);
        assert_int_equal(w.param_bytes, 2 * ELEMENTS);
        assert_int_equal(w.gradient_bytes, 2 * ELEMENTS);
        assert_int_equal(w.extra_bytes, cases[i].extra * ELEMENTS);
        assert_int_equal(w.moment_bytes, 2 * dtype_info[cases[i].moment].bytes * ELEMENTS);
    }
}

/* 8 bits for the matrix alone, with one f32 for each 256 elements: embeddings and small tensors keep f32. */
static void moments_in_8_bits(void **state)
{
    Weights w = plan(*state, "bf16", "bf16-true", "adamw8bit", NULL);
    assert_moments(&w, DTYPE_F32, DTYPE_U8, DTYPE_F32);
    assert_int_equal(w.moment_bytes, 2 * (4 * (100 * 64 + 64) + 64 * 64 + 64 * 64 / 256 * 4));
    assert_int_equal(w.param_states[TABLE].absmax1, -1);
    assert_true(w.param_states[MATRIX].absmax1 >= 0 && w.param_states[MATRIX].absmax2 >= 0);
    ASSERT_LEAVES((Fixture *)*state, EXIT_STATUS_USAGE, plan(*state, "f64", "64-true", "adamw8bit", NULL));
    assert_message(*state, "adamw8bit computes in f32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(uniform_modes_have_one_dtype, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(copies_are_shared, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(narrow_weights_follow_the_mode, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(moments_in_8_bits, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
