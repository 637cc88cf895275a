/* test_data_axes.c: samples whose axes, labels or values are not as the program takes them: permuted, converted or
 * refused, never read as something else. */
#include "data_fixture.h"

enum { PIXELS = 6 };

/* Images [3,2,2] and a target like them: mse. */
static const PccTensor image_input = {"x", PCC_F32, 4, {4, 3, 2, 2}, 0},
                       image_output = {"y", PCC_F32, 4, {4, 3, 2, 2}, 0};

static PccProgram image_program(void)
{
    PccProgram program = linear_f32_program;
    program.inputs = &image_input;
    program.outputs = &image_output;
    program.loss = PCC_LOSS_MSE;
    program.target = (PccTensor){"target", PCC_F32, 4, {4, 3, 2, 2}, 0};
    return program;
}

/* Pixels of channels last, which the program takes channels first; the target as it lies. */
static void axes_are_permuted(void **state)
{
    (void)state;
    const PccProgram program = image_program();
    unsigned char pixels[24];
    float target[24], x[12], y[12];
    for (int i = 0; i < 24; i++) {
        pixels[i] = (unsigned char)(10 * i);
        target[i] = (float)i;
    }
    write_npy("hwc.npy", "|u1", "False", "(2, 2, 2, 3)", pixels, sizeof pixels);
    write_npy("like.npy", "<f4", "False", "(2, 3, 2, 2)", target, sizeof target);
    assert_int_equal(open_layout(&program), 0);
    refused("npy:%s/hwc.npy,%s/like.npy", PCC_ERR_INPUT,
            "hwc.npy U8 [2,2,3] fits input x F32 [3,2,2] in several orders of its axes: give them as they lie in the "
            "data, as in --layout x=NHWC");
    refused("npy:%s/like.npy,%s/hwc.npy", PCC_ERR_INPUT, "--layout target=NHWC");
    assert_int_equal(pcc_layout_set_order(&linear_layout, "x=NHWC", &error), 0);
    PccData data;
    assert_int_equal(open_data(&data, "npy:%s/hwc.npy,%s/like.npy", false, 0.25, 0.5), 0);
    assert_int_equal(pcc_data_read(&data, 1, 0, x, &error), 0);
    assert_int_equal(pcc_data_read(&data, 1, 1, y, &error), 0);
    for (int c = 0; c < 3; c++)
        for (int p = 0; p < 4; p++)
            assert_true(x[4 * c + p] == (float)((pixels[12 + 3 * p + c] / 255.0 - 0.25) / 0.5));
    assert_memory_equal(y, target + 12, sizeof y);
    pcc_data_close(&data);
    assert_int_equal(pcc_layout_set_order(&linear_layout, "target=NWCH", &error), 0);
    refused("npy:%s/hwc.npy,%s/like.npy", PCC_ERR_USAGE,
            "--layout target=NWCH: with these letters the dims do not fit");
    assert_int_equal(pcc_layout_set_order(&linear_layout, "y=NHWC", &error), PCC_ERR_USAGE);
    assert_non_null(strstr(error.message, "no input of that name; its first is x"));
    assert_int_equal(pcc_layout_set_order(&linear_layout, "x", &error), PCC_ERR_USAGE);
    assert_int_equal(pcc_layout_set_order(&linear_layout, "x=", &error), PCC_ERR_USAGE);
}

/* The only order that fits is taken; other axes of as many elements are not. */
static void one_order_is_taken(void **state)
{
    (void)state;
    float x[12], got[PIXELS];
    int64_t y[2] = {0, 1};
    for (int i = 0; i < 12; i++)
        x[i] = (float)i;
    write_npy("y.npy", "<i8", "False", "(2,)", y, sizeof y);
    assert_int_equal(open_layout(&linear_f32_program), 0);
    write_npy("x.npy", "<f4", "False", "(2, 3, 2, 1)", x, sizeof x); /* of [1,2,3] */
    PccData data;
    int kept = support_redirect(2, support_path("stderr"));
    int status = open_data(&data, "npy:%s/x.npy,%s/y.npy", false, 0, 1);
    fflush(stderr);
    support_restore(2, kept, support_path("stderr"), support_err, sizeof support_err);
    assert_int_equal(status, 0);
    assert_non_null(strstr(support_err, "note: a sample of"));
    assert_non_null(strstr(support_err, "x.npy F32 [3,2,1] is permuted to input image F32 [1,2,3]"));
    assert_int_equal(pcc_data_read(&data, 1, 0, got, &error), 0);
    assert_memory_equal(got, ((float[]){6, 8, 10, 7, 9, 11}), sizeof got);
    pcc_data_close(&data);
    PccTensor input = {"x", PCC_F32, 3, {4, 3, 8}, 0};
    PccProgram program = linear_f32_program;
    program.inputs = &input;
    float other[48] = {0};
    assert_int_equal(open_layout(&program), 0);
    write_npy("x.npy", "<f4", "False", "(2, 4, 6)", other, sizeof other);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "F32 [4,6] does not fit input x F32 [3,8]");
}

/* CIFAR's format says that it is channels first. */
static void formats_know_their_axes(void **state)
{
    (void)state;
    PccTensor image = {"image", PCC_F32, 4, {4, 32, 32, 3}, 0}, logits = {"logits", PCC_F32, 2, {4, 10}, 0};
    PccProgram program = linear_f32_program;
    program.inputs = &image;
    program.outputs = &logits;
    assert_int_equal(open_layout(&program), 0);
    unsigned char *record = calloc(1, 3073);
    float *pixels = malloc(3072 * sizeof *pixels);
    record[1 + 2 * 1024 + 5] = 255;
    mkdir(support_path("last"), 0777);
    support_write(support_path("last/test_batch.bin"), record, 3073);
    PccData data;
    assert_int_equal(open_data(&data, "cifar10:%s/last", true, 0, 1), 0);
    assert_int_equal(pcc_data_read(&data, 0, 0, pixels, &error), 0);
    assert_true(pixels[5 * 3 + 2] == 1 && pixels[2 * 1024 + 5] == 0);
    pcc_data_close(&data);
    free(record);
    free(pixels);
}

/* Labels as one-hot rows, of floats and bytes, over the first axis and the last. */
static void one_hot_labels(void **state)
{
    (void)state;
    float x[12] = {0}, hot[6] = {0, 0, 1, 1, 0, 0};
    write_npy("x.npy", "<f4", "False", "(2, 6)", x, sizeof x);
    write_npy("y.npy", "<f4", "False", "(2, 3)", hot, sizeof hot);
    assert_int_equal(open_layout(&linear_f32_program), 0);
    PccData data;
    int64_t label;
    assert_int_equal(open_data(&data, "npy:%s/x.npy,%s/y.npy", false, 0, 1), 0);
    assert_int_equal(pcc_data_read(&data, 0, 1, &label, &error), 0);
    assert_int_equal(label, 2);
    pcc_data_close(&data);
    hot[4] = 0.25f;
    write_npy("y.npy", "<f4", "False", "(2, 3)", hot, sizeof hot);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "sample 1 is not one-hot: 0.25 for class 1 of 3");
    hot[4] = 1;
    write_npy("y.npy", "<f4", "False", "(2, 3)", hot, sizeof hot);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "sample 1 is not one-hot: 1 for class 1 of 3");
    write_npy("y.npy", "<i8", "False", "(2, 3)", (int64_t[]){0, 1, 0, 0, 0, 0}, 48);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "sample 1 is not one-hot: 0 for class 2 of 3");

    /* Classes of pixels: logits [4,3,2,2], labels [2,2] of each sample. */
    PccProgram pixels = linear_f32_program;
    pixels.outputs = &image_output;
    pixels.target = (PccTensor){"target", PCC_I64, 3, {4, 2, 2}, 0};
    const unsigned char first[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1},
                        last[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1};
    int64_t labels[4];
    write_npy("x.npy", "<f4", "False", "(1, 6)", x, 24);
    assert_int_equal(open_layout(&pixels), 0);
    for (int place = 0; place < 2; place++) {
        write_npy("y.npy", "|u1", "False", place ? "(1, 2, 2, 3)" : "(1, 3, 2, 2)", place ? last : first, 12);
        assert_int_equal(open_data(&data, "npy:%s/x.npy,%s/y.npy", false, 0, 1), 0);
        assert_int_equal(pcc_data_read(&data, 0, 1, labels, &error), 0);
        assert_memory_equal(labels, ((int64_t[]){0, 1, 2, 2}), sizeof labels);
        pcc_data_close(&data);
    }
}

/* Made-up targets lie where the loss takes them. */
static void synthetic_targets_suit_the_loss(void **state)
{
    (void)state;
    PccProgram program = image_program();
    for (int binary = 0; binary < 2; binary++) {
        program.loss = binary ? PCC_LOSS_BCE_WITH_LOGITS : PCC_LOSS_MSE;
        assert_int_equal(open_layout(&program), 0);
        PccData data;
        float y[12], sum = 0;
        int inside = 0, all = 0;
        assert_int_equal(open_data(&data, "synthetic", false, 0, 1), 0);
        for (int64_t i = 0; i < data.count; i++) {
            assert_int_equal(pcc_data_read(&data, i, 1, y, &error), 0);
            for (int e = 0; e < 12; e++, all++) {
                inside += y[e] >= 0 && y[e] <= 1;
                sum += y[e];
            }
        }
        assert_int_equal(inside == all, binary);
        assert_true(!binary || (sum > 0.3f * (float)all && sum < 0.7f * (float)all));
        pcc_data_close(&data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_are_permuted),
        cmocka_unit_test(one_order_is_taken),
        cmocka_unit_test(formats_know_their_axes),
        cmocka_unit_test(one_hot_labels),
        cmocka_unit_test(synthetic_targets_suit_the_loss),
    };
    return cmocka_run_group_tests(tests, support_setup, free_layout);
}
