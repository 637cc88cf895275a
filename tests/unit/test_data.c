/* test_data.c: every data format against files made here, and what is refused. */
#include "data_fixture.h"

#include <zlib.h>

#include <pcc/data/batch.h>
#include <pcc/data/shuffle.h>

enum { SAMPLES = 10, PIXELS = 6 };

static void write_idx(const char *name, int rank, const int *dims, const void *body, size_t size, bool compress)
{
    unsigned char bytes[4096] = {0, 0, 8, (unsigned char)rank};
    for (int i = 0; i < rank; i++)
        for (int b = 0; b < 4; b++)
            bytes[4 + 4 * i + b] = (unsigned char)(dims[i] >> (24 - 8 * b));
    size_t header = 4 + 4 * (size_t)rank;
    memcpy(bytes + header, body, size);
    if (!compress) {
        support_write(support_path(name), bytes, header + size);
        return;
    }
    gzFile file = gzopen(support_path(name), "wb");
    assert_int_equal(gzwrite(file, bytes, (unsigned)(header + size)), header + size);
    gzclose(file);
}

static void make_images(unsigned char *images, unsigned char *labels)
{
    for (int i = 0; i < SAMPLES * PIXELS; i++)
        images[i] = (unsigned char)(i * 4);
    for (int i = 0; i < SAMPLES; i++)
        labels[i] = (unsigned char)(i % 3);
}

static void check_images(const PccData *data, double mean, double deviation)
{
    assert_int_equal(data->count, SAMPLES);
    for (int i = 0; i < SAMPLES; i++) {
        float pixels[PIXELS];
        int64_t label;
        assert_int_equal(pcc_data_read(data, i, 0, pixels, &error), 0);
        assert_int_equal(pcc_data_read(data, i, 1, &label, &error), 0);
        assert_int_equal(label, i % 3);
        for (int p = 0; p < PIXELS; p++) {
            double byte = (i * PIXELS + p) * 4 % 256;
            assert_true(pixels[p] == (float)((byte / 255.0 - mean) / deviation));
        }
    }
}

static void idx_plain_and_compressed(void **state)
{
    (void)state;
    unsigned char images[SAMPLES * PIXELS], labels[SAMPLES];
    make_images(images, labels);
    assert_int_equal(open_layout(&linear_f32_program), 0);
    mkdir(support_path("idx"), 0777);
    write_idx("idx/train-images-idx3-ubyte", 3, (int[]){SAMPLES, 2, 3}, images, sizeof images, false);
    write_idx("idx/train-labels-idx1-ubyte.gz", 1, (int[]){SAMPLES}, labels, sizeof labels, true);
    PccData data;
    assert_int_equal(open_data(&data, "idx:%s/idx", false, 0.25, 0.5), 0);
    check_images(&data, 0.25, 0.5);
    pcc_data_close(&data);
    char spec[1024];
    snprintf(spec, sizeof spec, "idx:%s/idx", support_directory);
    assert_false(pcc_data_has_validation(spec));
    write_idx("idx/t10k-images-idx3-ubyte", 3, (int[]){2, 2, 3}, images, 12, false);
    write_idx("idx/t10k-labels-idx1-ubyte", 1, (int[]){2}, labels, 2, false);
    assert_true(pcc_data_has_validation(spec));
    assert_int_equal(open_data(&data, "idx:%s/idx", true, 0, 1), 0);
    assert_int_equal(data.count, 2);
    pcc_data_close(&data);
}

static void idx_refuses(void **state)
{
    (void)state;
    unsigned char images[SAMPLES * PIXELS], labels[SAMPLES];
    make_images(images, labels);
    assert_int_equal(open_layout(&linear_f32_program), 0);
    refused("idx:%s/none", PCC_ERR_IO, "none has no train-images-idx3-ubyte");
    mkdir(support_path("bad"), 0777);
    write_idx("bad/train-images-idx3-ubyte", 3, (int[]){SAMPLES, 2, 3}, images, sizeof images - 1, false);
    refused("idx:%s/bad", PCC_ERR_INPUT, "truncated");
    write_idx("bad/train-images-idx3-ubyte", 3, (int[]){SAMPLES, 2, 2}, images, sizeof images, false);
    refused("idx:%s/bad", PCC_ERR_INPUT, "longer");
    write_idx("bad/train-images-idx3-ubyte", 3, (int[]){0x7fffffff, 0x7fffffff, 0x7fffffff}, images, 4, false);
    refused("idx:%s/bad", PCC_ERR_INPUT, "overflow");
    write_idx("bad/train-images-idx3-ubyte", 3, (int[]){0x7fffffff, 0x7fff, 1}, images, 4, false);
    refused("idx:%s/bad", PCC_ERR_INPUT, "truncated");
    support_write(support_path("bad/train-images-idx3-ubyte"), "PNG?", 4);
    refused("idx:%s/bad", PCC_ERR_INPUT, "not an idx file");
    write_idx("bad/train-images-idx3-ubyte", 3, (int[]){SAMPLES, 2, 3}, images, sizeof images, false);
    write_idx("bad/train-labels-idx1-ubyte", 1, (int[]){SAMPLES - 1}, labels, SAMPLES - 1, false);
    refused("idx:%s/bad", PCC_ERR_INPUT, "has 9 samples");
    labels[7] = 3;
    write_idx("bad/train-labels-idx1-ubyte", 1, (int[]){SAMPLES}, labels, SAMPLES, false);
    refused("idx:%s/bad", PCC_ERR_INPUT, "sample 7: 3 is out of range; the model has classes 0 to 2");
    write_idx("bad/train-images-idx3-ubyte", 3, (int[]){SAMPLES, 1, 4}, images, 4 * SAMPLES, false);
    refused("idx:%s/bad", PCC_ERR_INPUT, "U8 [1,4] does not fit input image F32 [1,2,3]");
    write_idx("bad/train-images-idx3-ubyte", 3, (int[]){0, 2, 3}, images, 0, false);
    write_idx("bad/train-labels-idx1-ubyte", 1, (int[]){0}, labels, 0, false);
    refused("idx:%s/bad", PCC_ERR_INPUT, "no samples");
    /* A gzip stream cut short. */
    write_idx("bad/train-images-idx3-ubyte.gz", 3, (int[]){SAMPLES, 2, 3}, images, sizeof images, true);
    unlink(support_path("bad/train-images-idx3-ubyte"));
    size_t size = 0;
    char *bytes = support_read(support_path("bad/train-images-idx3-ubyte.gz"), &size);
    support_write(support_path("bad/train-images-idx3-ubyte.gz"), bytes, size - 12);
    free(bytes);
    refused("idx:%s/bad", PCC_ERR_INPUT, "damaged");
}

static void unknown_specs_are_usage_errors(void **state)
{
    (void)state;
    assert_int_equal(open_layout(&linear_f32_program), 0);
    refused("mnist:%s", PCC_ERR_USAGE, "expected one of idx:DIR");
    refused("idx:", PCC_ERR_USAGE, "expected one of idx:DIR");
    refused("synthetik", PCC_ERR_USAGE, "did you mean synthetic");
}

static void cifar_records(void **state)
{
    (void)state;
    PccTensor image = {"image", PCC_F64, 4, {4, 3, 32, 32}, 0}, logits = {"logits", PCC_F64, 2, {4, 10}, 0};
    PccProgram program = linear_f64_program;
    program.inputs = &image;
    program.outputs = &logits;
    assert_int_equal(open_layout(&program), 0);
    enum { RECORD = 3073 };
    unsigned char *records = calloc(2, RECORD);
    mkdir(support_path("cifar"), 0777);
    for (int f = 1; f <= 5; f++) {
        char name[64];
        snprintf(name, sizeof name, "cifar/data_batch_%d.bin", f);
        records[0] = (unsigned char)f;
        records[RECORD] = (unsigned char)(f + 1);
        records[RECORD + 1 + 2 * 1024 + 5] = (unsigned char)(10 * f);
        support_write(support_path(name), records, 2 * RECORD);
    }
    PccData data;
    assert_int_equal(open_data(&data, "cifar10:%s/cifar", false, 0, 1), 0);
    assert_int_equal(data.count, 10);
    double *pixels = malloc(3072 * sizeof *pixels);
    int64_t label;
    assert_int_equal(pcc_data_read(&data, 7, 0, pixels, &error), 0); /* second record of file 4 */
    assert_int_equal(pcc_data_read(&data, 7, 1, &label, &error), 0);
    assert_true(pixels[2 * 1024 + 5] == 40 / 255.0 && pixels[0] == 0);
    assert_int_equal(label, 5);
    pcc_data_close(&data);
    refused("cifar10:%s/none", PCC_ERR_IO, "data_batch_1.bin");
    support_write(support_path("cifar/data_batch_3.bin"), records, RECORD + 1);
    refused("cifar10:%s/cifar", PCC_ERR_INPUT, "not a multiple");
    free(pixels);
    free(records);
}

static void npy_dtypes(void **state)
{
    (void)state;
    assert_int_equal(open_layout(&linear_f32_program), 0);
    double wide[12];
    int16_t narrow[12];
    uint8_t bytes[12];
    for (int i = 0; i < 12; i++) {
        wide[i] = i + 0.5;
        narrow[i] = (int16_t)(-i);
        bytes[i] = (uint8_t)(20 * i);
    }
    const int32_t labels[] = {2, -100};
    write_npy("y.npy", "<i4", "False", "(2,)", labels, sizeof labels);
    const struct {
        const char *descr;
        const void *data;
        size_t size;
        float fifth;
    } cases[] = {{"<f8", wide, sizeof wide, 5.5f}, {"<i2", narrow, sizeof narrow, -5}, {"|u1", bytes, 12, 100 / 255.f}};
    for (int64_t i = 0; i < PCC_COUNT(cases); i++) {
        write_npy("x.npy", cases[i].descr, "False", "(2, 2, 3)", cases[i].data, cases[i].size);
        PccData data;
        float pixels[PIXELS];
        int64_t label;
        assert_int_equal(open_data(&data, "npy:%s/x.npy,%s/y.npy", false, 0, 1), 0);
        assert_int_equal(pcc_data_read(&data, 0, 0, pixels, &error), 0);
        assert_int_equal(pcc_data_read(&data, 1, 1, &label, &error), 0);
        assert_true(pixels[5] == cases[i].fifth);
        assert_int_equal(label, -100);
        pcc_data_close(&data);
    }
}

static void npy_refuses(void **state)
{
    (void)state;
    assert_int_equal(open_layout(&linear_f32_program), 0);
    float x[12] = {0};
    int64_t y[2] = {0, -1};
    const float floats[2] = {0, 1};
    write_npy("y.npy", "<i8", "False", "(2,)", y, sizeof y);
    write_npy("x.npy", "<f4", "True", "(2, 6)", x, sizeof x);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "Fortran order");
    write_npy("x.npy", ">f4", "False", "(2, 6)", x, sizeof x);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "dtype >f4");
    write_npy("x.npy", "<f4", "False", "(2, 7)", x, sizeof x);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "truncated");
    write_npy("x.npy", "<f4", "False", "(9223372036854775807, 9223372036854775807)", x, sizeof x);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "shape");
    write_npy("x.npy", "<f4", "False", "()", x, 4);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "shape");
    support_write(support_path("x.npy"), "\x93NUMPY\x01\0\xff\xff", 10);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "not a .npy file");
    write_npy("x.npy", "<f4", "False", "(2, 6)", x, sizeof x);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "sample 1: -1 is out of range");
    write_npy("y.npy", "<f4", "False", "(2,)", floats, sizeof floats);
    refused("npy:%s/x.npy,%s/y.npy", PCC_ERR_INPUT, "has floats where the target");
    refused("npy:%s/x.npy", PCC_ERR_INPUT, "nothing for the target");
    refused("npy:%s/x.npy,%s/missing.npy", PCC_ERR_IO, "missing.npy");
}

/* A language model: input tokens [2, 4], logits [2, 4, 50]. */
static const PccTensor lm_input = {"tokens", PCC_I64, 2, {2, 4}, 0}, lm_logits = {"logits", PCC_F32, 3, {2, 4, 50}, 0};

static PccProgram lm_program(PccLoss loss)
{
    PccProgram program = linear_f32_program;
    program.batch = 2;
    program.inputs = &lm_input;
    program.outputs = &lm_logits;
    program.loss = loss;
    program.label_input = loss == PCC_LOSS_CAUSAL_LM ? 0 : -1;
    program.target = (PccTensor){"target", PCC_I64, loss == PCC_LOSS_CAUSAL_LM ? -1 : 2, {2, 4}, 0};
    return program;
}

static void token_windows(void **state)
{
    (void)state;
    uint16_t tokens[12];
    for (int i = 0; i < 12; i++)
        tokens[i] = (uint16_t)(30 + i);
    support_write(support_path("t.bin"), tokens, sizeof tokens);
    PccProgram causal = lm_program(PCC_LOSS_CAUSAL_LM), token = lm_program(PCC_LOSS_TOKEN_CROSS_ENTROPY);
    PccData data;
    int64_t window[4];
    assert_int_equal(open_layout(&causal), 0);
    assert_int_equal(open_data(&data, "tokens:%s/t.bin", false, 0, 1), 0);
    assert_int_equal(data.count, 3);
    assert_int_equal(pcc_data_read(&data, 2, 0, window, &error), 0);
    assert_memory_equal(window, ((int64_t[]){38, 39, 40, 41}), sizeof window);
    pcc_data_close(&data);
    assert_int_equal(open_layout(&token), 0);
    assert_int_equal(open_data(&data, "tokens:%s/t.bin", false, 0, 1), 0);
    assert_int_equal(data.count, 2); /* the last window has no token after it */
    assert_int_equal(pcc_data_read(&data, 1, 1, window, &error), 0);
    assert_memory_equal(window, ((int64_t[]){35, 36, 37, 38}), sizeof window);
    pcc_data_close(&data);
    support_write(support_path("text"), "\x01\x02\x03\x04\x05\x06\x07\x63", 8);
    assert_int_equal(open_data(&data, "tokens:%s/text", false, 0, 1), 0);
    assert_int_equal(data.count, 1);
    pcc_data_close(&data);
    assert_int_equal(open_layout(&causal), 0);
    assert_int_equal(open_data(&data, "tokens:%s/text", false, 0, 1), 0);
    assert_int_equal(pcc_data_read(&data, 1, 0, window, &error), PCC_ERR_INPUT);
    assert_non_null(strstr(error.message, "sample 1: 99 is out of range"));
    pcc_data_close(&data);
    support_write(support_path("odd.bin"), "abc", 3);
    refused("tokens:%s/odd.bin", PCC_ERR_INPUT, "odd number");
    support_write(support_path("short.bin"), "ab", 2);
    refused("tokens:%s/short.bin", PCC_ERR_INPUT, "one sample takes 4");
    assert_int_equal(open_layout(&linear_f32_program), 0);
    refused("tokens:%s/t.bin", PCC_ERR_INPUT, "one integer input");
}

/* Two inputs, one without a batch axis. */
static void safetensors_columns(void **state)
{
    (void)state;
    const PccTensor inputs[] = {{"x", PCC_F32, 2, {2, 3}, 0}, {"adjacency", PCC_I64, 2, {3, 3}, 0}};
    PccProgram program = linear_f32_program;
    program.batch = 2;
    program.inputs = inputs;
    program.input_count = 2;
    program.target.dims[0] = 2;
    double x[12];
    int32_t adjacency[9];
    int64_t target[4] = {0, 1, 2, -100};
    for (int i = 0; i < 12; i++)
        x[i] = i;
    for (int i = 0; i < 9; i++)
        adjacency[i] = 2 * i;
    PccStTensor tensors[] = {
        {.name = "input/x", .dtype = PCC_F64, .rank = 2, .dims = {4, 3}, .data = x},
        {.name = "input/adjacency", .dtype = PCC_I32, .rank = 2, .dims = {3, 3}, .data = adjacency},
        {.name = "target", .dtype = PCC_I64, .rank = 1, .dims = {4}, .data = target}};
    assert_int_equal(open_layout(&program), 0);
    assert_int_equal(pcc_st_write(support_path("d.safetensors"), tensors, 3, NULL, 0, &error), 0);
    PccData data;
    assert_int_equal(open_data(&data, "safetensors:%s/d.safetensors", false, 1, 2), 0);
    assert_int_equal(data.count, 4);
    assert_true(linear_layout.fixed_order && data.ordered); /* the adjacency's rows are the batch's */
    PccBatch batch;
    assert_int_equal(pcc_batch_init(&batch, NULL, &linear_layout, &error), 0);
    /* One valid sample: the second repeats it. */
    assert_int_equal(pcc_batch_fill(&batch, &data, (int64_t[]){2}, 1, &error), 0);
    const float *got = batch.feed.inputs[0];
    assert_true(got[0] == 2.5f && got[2] == 3.5f && got[3] == got[0] && got[5] == got[2]);
    assert_true(((const int64_t *)batch.feed.inputs[1])[8] == 16);
    assert_true(((const int64_t *)batch.feed.target)[1] == 2 && batch.feed.valid == 1);
    pcc_batch_free(&batch);
    pcc_data_close(&data);
    assert_int_equal(pcc_st_write(support_path("d.safetensors"), tensors, 2, NULL, 0, &error), 0);
    refused("safetensors:%s/d.safetensors", PCC_ERR_INPUT, "no tensor target");
    tensors[2].dims[0] = 3;
    assert_int_equal(pcc_st_write(support_path("d.safetensors"), tensors, 3, NULL, 0, &error), 0);
    refused("safetensors:%s/d.safetensors", PCC_ERR_INPUT, "samples where the other columns have");
    target[1] = -7;
    tensors[2].dims[0] = 4;
    assert_int_equal(pcc_st_write(support_path("d.safetensors"), tensors, 3, NULL, 0, &error), 0);
    refused("safetensors:%s/d.safetensors", PCC_ERR_INPUT, "target: sample 1: -7");
    assert_int_equal(pcc_st_write(support_path("d.safetensors"), tensors + 1, 2, NULL, 0, &error), 0);
    refused("safetensors:%s/d.safetensors", PCC_ERR_INPUT, "no tensor input/x");
}

static void synthetic_repeats_itself(void **state)
{
    (void)state;
    assert_int_equal(open_layout(&linear_f32_program), 0);
    PccData data;
    assert_int_equal(open_data(&data, "synthetic", false, 0, 1), 0);
    float first[PIXELS], again[PIXELS];
    double sum = 0;
    for (int64_t i = 0; i < data.count; i++) {
        int64_t label;
        assert_int_equal(pcc_data_read(&data, i, 0, first, &error), 0);
        assert_int_equal(pcc_data_read(&data, i, 0, again, &error), 0);
        assert_int_equal(pcc_data_read(&data, i, 1, &label, &error), 0);
        assert_memory_equal(first, again, sizeof first);
        assert_in_range(label, 0, 2);
        sum += (double)first[0] * (double)first[0];
    }
    assert_true(sum / (double)data.count > 0.5 && sum / (double)data.count < 2); /* variance 1 */
    pcc_data_close(&data);
}

static void shuffles_are_permutations(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    int64_t order[COUNT], other[COUNT];
    bool seen[COUNT] = {false};
    pcc_shuffle(order, COUNT, 3, 0);
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(order[i], 0, COUNT - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
    }
    pcc_shuffle(other, COUNT, 3, 0);
    assert_memory_equal(order, other, sizeof order);
    const uint64_t seeds[][2] = {{3, 1}, {4, 0}};
    for (int s = 0; s < 2; s++) {
        int64_t same = 0;
        pcc_shuffle(other, COUNT, seeds[s][0], seeds[s][1]);
        for (int i = 0; i < COUNT; i++)
            same += order[i] == other[i];
        assert_true(same < 20); /* 1 expected */
    }
}

/* A column of a safetensors file holds its name: any number of inputs has room. */
static void a_set_holds_any_number_of_things(void **state)
{
    (void)state;
    PccData set = {0};
    PccError failure = {0};
    for (int i = 0; i < 100; i++)
        assert_non_null(pcc_data_allocate(&set, 1, &failure));
    assert_int_equal(set.held_count, 100);
    pcc_data_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_holds_any_number_of_things),
        cmocka_unit_test(idx_plain_and_compressed),
        cmocka_unit_test(idx_refuses),
        cmocka_unit_test(unknown_specs_are_usage_errors),
        cmocka_unit_test(cifar_records),
        cmocka_unit_test(npy_dtypes),
        cmocka_unit_test(npy_refuses),
        cmocka_unit_test(token_windows),
        cmocka_unit_test(safetensors_columns),
        cmocka_unit_test(synthetic_repeats_itself),
        cmocka_unit_test(shuffles_are_permutations),
    };
    return cmocka_run_group_tests(tests, support_setup, free_layout);
}
