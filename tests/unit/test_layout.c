/* test_layout.c: which axes of a program's inputs and target belong to a sample. */
#include "runtime_support.h"

#include <pcc/data/batch_layout.h>

/* Tokens [B, T] with positions [T] and the target of the given dims, for logits [B * T, V] or [B, T, V]. */
static PccLayout layout_of(PccLoss loss, int64_t batch, int rank, int64_t rows, int64_t columns)
{
    static PccTensor inputs[2], outputs[1];
    inputs[0] = (PccTensor){.name = "ids", .dtype = PCC_I64, .rank = 2, .dims = {batch, 5}};
    inputs[1] = (PccTensor){.name = "positions", .dtype = PCC_I64, .rank = 1, .dims = {5}};
    outputs[0] = (PccTensor){.name = "logits", .dtype = PCC_F32, .rank = rank + 1, .dims = {rows, columns, 11}};
    outputs[0].dims[rank] = 11;
    const PccProgram program = {
        .batch = batch,
        .inputs = inputs,
        .input_count = 2,
        .outputs = outputs,
        .output_count = 1,
        .loss = loss,
        .label_input = -1,
        .target = {.name = "target", .dtype = PCC_I64, .rank = rank, .dims = {rows, columns}},
    };
    PccLayout layout;
    PccError error;
    assert_int_equal(pcc_layout_init(&layout, &program, &error), PCC_OK);
    assert_int_equal(layout.classes, 11);
    assert_int_equal(layout.label_slot, 2);
    assert_false(layout.slots[0].shared);
    assert_int_equal(layout.slots[0].elements, 5);
    assert_true(layout.slots[1].shared);
    return layout;
}

static void test_a_target_of_flattened_logits_belongs_to_samples(void **state)
{
    (void)state;
    PccLayout layout = layout_of(PCC_LOSS_CROSS_ENTROPY, 4, 1, 20, 0);
    assert_false(layout.slots[2].shared);
    assert_int_equal(layout.slots[2].elements, 5);
    pcc_layout_free(&layout);
}

static void test_a_target_with_the_batch_as_its_first_axis(void **state)
{
    (void)state;
    PccLayout layout = layout_of(PCC_LOSS_TOKEN_CROSS_ENTROPY, 4, 2, 4, 5);
    assert_false(layout.slots[2].shared);
    assert_int_equal(layout.slots[2].elements, 5);
    pcc_layout_free(&layout);
}

/* A graph of 12 nodes and 20 edges: one sample, in which no input has a first axis of one. */
static void test_inputs_without_a_batch_are_one_sample(void **state)
{
    (void)state;
    const PccTensor inputs[] = {{.name = "x", .dtype = PCC_F32, .rank = 2, .dims = {12, 5}},
                                {.name = "edges", .dtype = PCC_I64, .rank = 2, .dims = {2, 20}}};
    const PccTensor logits = {.name = "logits", .dtype = PCC_F32, .rank = 2, .dims = {3, 4}};
    PccProgram program = {.batch = 1,
                          .inputs = inputs,
                          .input_count = 2,
                          .outputs = &logits,
                          .output_count = 1,
                          .label_input = -1,
                          .target = {.name = "target", .dtype = PCC_I64, .rank = 1, .dims = {3}}};
    const int64_t elements[] = {60, 40, 3};
    PccLayout layout;
    PccError error;
    assert_int_equal(pcc_layout_init(&layout, &program, &error), PCC_OK);
    for (int i = 0; i < 3; i++) {
        assert_false(layout.slots[i].shared);
        assert_int_equal(layout.slots[i].elements, elements[i]);
    }
    assert_false(layout.fixed_order);
    pcc_layout_free(&layout);
    program.batch = 12; /* the nodes are the samples: their edges are those of the whole batch */
    assert_int_equal(pcc_layout_init(&layout, &program, &error), PCC_OK);
    assert_false(layout.slots[0].shared);
    assert_true(layout.slots[1].shared && layout.fixed_order);
    pcc_layout_free(&layout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_target_of_flattened_logits_belongs_to_samples),
        cmocka_unit_test(test_a_target_with_the_batch_as_its_first_axis),
        cmocka_unit_test(test_inputs_without_a_batch_are_one_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
