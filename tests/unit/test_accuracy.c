/* test_accuracy.c: which predictions are judged, and which are right, for each loss. */
#include "runtime_support.h"

#include <pcc/files/dtype.h>
#include <pcc/session/session.h>

/* Scores [2, 3, 2]: for sample 0 the classes' scores are (1 5 3) and (2 1 0), for sample 1 (0 0 9) and (4 6 5). */
static float scores[] = {1, 2, 5, 1, 3, 0, 0, 4, 0, 6, 9, 5};
static int64_t correct;

static int64_t judge(PccLoss loss, PccTensor output, PccTensor input, PccTensor target, const void *labels,
                     int64_t valid)
{
    PccProgram program = {.batch = 2,
                          .loss = loss,
                          .outputs = &output,
                          .output_count = 1,
                          .inputs = &input,
                          .input_count = 1,
                          .label_input = loss == PCC_LOSS_CAUSAL_LM ? 0 : -1,
                          .target = target};
    PccFeed feed = {.inputs = &labels, .target = labels, .valid = valid};
    return pcc_count_correct(&program, &feed, scores, &correct);
}

static void class_axis_one(void **state)
{
    (void)state;
    PccTensor output = {"y", PCC_F32, 3, {2, 3, 2}, 0}, target = {"t", PCC_I64, 2, {2, 2}, 0};
    const int64_t labels[] = {1, 0, 2, -100};
    assert_int_equal(judge(PCC_LOSS_CROSS_ENTROPY, output, target, target, labels, 2), 3);
    assert_int_equal(correct, 3);
    const int64_t wrong[] = {1, 1, 2, 1};
    assert_int_equal(judge(PCC_LOSS_CROSS_ENTROPY, output, target, target, wrong, 2), 4);
    assert_int_equal(correct, 3);
    assert_int_equal(judge(PCC_LOSS_CROSS_ENTROPY, output, target, target, wrong, 1), 2);
    assert_int_equal(correct, 1);
}

/* The same numbers as [2, 2, 3]: rows (1 2 5) (1 3 0) and (0 4 0) (6 9 5). */
static void class_axis_last(void **state)
{
    (void)state;
    PccTensor output = {"y", PCC_F32, 3, {2, 2, 3}, 0}, target = {"t", PCC_I64, 2, {2, 2}, 0};
    const int64_t labels[] = {2, -100, 1, 0};
    assert_int_equal(judge(PCC_LOSS_TOKEN_CROSS_ENTROPY, output, target, target, labels, 2), 3);
    assert_int_equal(correct, 2);
    const int64_t tokens[] = {0, 2, 2, 1}; /* position 0 predicts the token at 1 */
    assert_int_equal(judge(PCC_LOSS_CAUSAL_LM, output, target, target, tokens, 2), 2);
    assert_int_equal(correct, 2);
    assert_int_equal(judge(PCC_LOSS_CAUSAL_LM, output, target, target, tokens, 1), 1);
}

static void ties_go_to_the_first(void **state)
{
    (void)state;
    PccTensor output = {"y", PCC_F32, 2, {2, 3}, 0}, target = {"t", PCC_I64, 1, {2}, 0};
    const float kept[] = {scores[0], scores[1], scores[2]};
    scores[0] = scores[1] = scores[2] = 7;
    const int64_t labels[] = {0, 1};
    assert_int_equal(judge(PCC_LOSS_CROSS_ENTROPY, output, target, target, labels, 2), 2);
    assert_int_equal(correct, 2);
    memcpy(scores, kept, sizeof kept);
}

static void binary_and_none(void **state)
{
    (void)state;
    PccTensor output = {"y", PCC_F32, 2, {2, 3}, 0}, target = {"t", PCC_F32, 2, {2, 3}, 0};
    const float labels[] = {1, 0, 1, 1, 1, 0}; /* scores 1 2 5 1 3 0 */
    assert_int_equal(judge(PCC_LOSS_BCE_WITH_LOGITS, output, target, target, labels, 2), 6);
    assert_int_equal(correct, 5);
    assert_int_equal(judge(PCC_LOSS_BCE_WITH_LOGITS, output, target, target, labels, 1), 3);
    assert_int_equal(correct, 2);
    assert_int_equal(judge(PCC_LOSS_MSE, output, target, target, labels, 2), 0);
    assert_int_equal(judge(PCC_LOSS_OUTPUT, output, target, target, labels, 2), 0);
}

/* Logits in 16 bits, more classes than are widened at a time: [2, 3000]. */
static void logits_of_16_bits(void **state)
{
    (void)state;
    enum { CLASSES = 3000 };
    static uint16_t logits[2 * CLASSES];
    PccTensor target = {"t", PCC_I64, 1, {2}, 0};
    const int64_t labels[] = {2047, 17};
    for (PccDtype dtype = PCC_F16; dtype <= PCC_BF16; dtype++) {
        PccTensor output = {"y", dtype, 2, {2, CLASSES}, 0};
        PccProgram program = {.batch = 2, .outputs = &output, .output_count = 1, .target = target};
        PccFeed feed = {.target = labels, .valid = 2};
        for (int64_t i = 0; i < 2 * CLASSES; i++)
            pcc_dtype_store(logits, dtype, i, -1 - (double)(i % 5));
        pcc_dtype_store(logits, dtype, 2047, -0.5);
        pcc_dtype_store(logits, dtype, CLASSES + 17, -0.5);
        pcc_dtype_store(logits, dtype, CLASSES + 2999, -0.75);
        assert_int_equal(pcc_count_correct(&program, &feed, logits, &correct), 2);
        assert_int_equal(correct, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_axis_one),  cmocka_unit_test(class_axis_last),   cmocka_unit_test(ties_go_to_the_first),
        cmocka_unit_test(binary_and_none), cmocka_unit_test(logits_of_16_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
