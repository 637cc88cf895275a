/* test_zoo.c: the zoo's models have their published sizes, can be imported, and start from documented values. */
#include "model_support.h"

#include <math.h>

#include "models/zoo.h"
#include "passes/passes.h"

static int64_t parameters_of(ModelTest *test, const char *name)
{
    return zoo_write(test->fixture->arena, &test->fixture->diagnostics, name, 0, NULL, NULL);
}

static int split_words(ModelTest *test, const char *text, char *words[16])
{
    char *rest = arena_printf(test->fixture->arena, "%s", text);
    int count = 0;
    for (char *word = strtok(rest, " "); word; word = strtok(NULL, " "))
        words[count++] = word;
    return count;
}

/* Writes NAME with "key=value ..." into the test's folder. */
static int64_t write_zoo(ModelTest *test, const char *name, const char *keys, const char *path)
{
    char *words[16];
    int count = split_words(test, keys, words);
    return zoo_write(test->fixture->arena, &test->fixture->diagnostics, name, count, words, path);
}

static void standard_models_have_their_published_sizes(void **state)
{
    ModelTest *test = *state;
    /* torchvision.models, transformers' GPT2LMHeadModel and BertForSequenceClassification, and for gcn
     * 1433·16 + 16 + 16·7 + 7; mlp, cnn and vit by the same sum over their layers. */
    static const struct {
        const char *name;
        int64_t parameters;
    } published[] = {
        {"mlp", 669706},        {"cnn", 421834},         {"vit", 2684554},       {"vit_tiny", 2684554},
        {"vit_b_16", 86567656}, {"vit_l_16", 304326632}, {"resnet18", 11689512}, {"resnet50", 25557032},
        {"gpt2", 124439808},    {"bert", 109483778},     {"gcn", 23063},         {"lstm", 9463818},
        {"gru", 7100426},
    };
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        assert_int_equal(parameters_of(test, published[i].name), published[i].parameters);
}

static int64_t parameter_elements(const Graph *graph)
{
    int64_t sum = 0;
    for (int i = 0; i < graph->value_count; i++)
        if (graph->values[i] && graph->values[i]->kind == VALUE_PARAM)
            sum += element_count(&graph->values[i]->type);
    return sum;
}

static void small_models_import_with_every_parameter(void **state)
{
    ModelTest *test = *state;
    static const char *const models[][2] = {
        {"mlp", "image=4 hidden=7,5,3 classes=2"},
        {"cnn", "image=8 channels=3 widths=4,6 hidden=5"},
        {"vit", "image=8 patch=4 dim=16 depth=2 heads=2"},
        {"vit_b_16", "image=32 dim=16 depth=1 heads=2"},
        {"resnet18", "image=32 width=4 classes=3"},
        {"resnet50", "image=32 width=4 classes=3"},
        {"gpt2", "vocab=20 context=6 dim=16 depth=1 heads=2"},
        {"bert", "vocab=20 context=6 dim=16 depth=1 heads=2"},
        {"gcn", "nodes=5 edges=7 features=4 hidden=6,3 classes=2"},
        {"lstm", "steps=3 features=2 hidden=4 classes=2"},
        {"gru", "steps=3 features=2 hidden=4 depth=3 directions=1 classes=2"},
    };
    const ImportOptions batch = {.batch = 3}, none = {0};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const char *path = path_in(test, "zoo.onnx");
        int64_t parameters = write_zoo(test, models[i][0], models[i][1], path);
        Graph *graph = imported(test, path, strcmp(models[i][0], "gcn") == 0 ? &none : &batch);
        assert_int_equal(parameter_elements(graph), parameters);
        assert_int_equal(graph->output_count, 1);
        assert_string_equal(graph->output_names[0], "logits");
        onnx_close(test->model);
        test->model = NULL;
    }
}

/* Decomposed into products and a softmax; the fused operator must take its place before differentiation. */
static void attention_is_recognised(void **state)
{
    ModelTest *test = *state;
    static const char *const models[][2] = {
        {"vit", "image=8 patch=4 dim=16 depth=2 heads=2"},
        {"gpt2", "vocab=20 context=6 dim=16 depth=2 heads=2"},
        {"bert", "vocab=20 context=6 dim=16 depth=2 heads=2"},
    };
    const ImportOptions batch = {.batch = 3};
    const Options options = {0};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const char *path = path_in(test, "zoo.onnx");
        write_zoo(test, models[i][0], models[i][1], path);
        Graph *graph = imported(test, path, &batch);
        simplify(graph, &options);
        recognise(graph, &options);
        int fused = 0;
        for (const Node *node = graph->first; node; node = node->next)
            fused += strcmp(node->op->name, "ScaledDotProductAttention") == 0;
        assert_int_equal(fused, 2);
    }
}

static const char *file_bytes(ModelTest *test, const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = arena_alloc(test->fixture->arena, (size_t)1 << 20);
    *size = fread(bytes, 1, (size_t)1 << 20, file);
    fclose(file);
    return bytes;
}

static void equal_seeds_give_equal_files(void **state)
{
    ModelTest *test = *state;
    static const char *const seeds[] = {"hidden=9 seed=5", "hidden=9 seed=5", "hidden=9 seed=6"};
    const char *bytes[3];
    size_t sizes[3];
    for (int i = 0; i < 3; i++) {
        const char *path = arena_printf(test->fixture->arena, "%s/seed%d.onnx", test->folder, i);
        write_zoo(test, "mlp", seeds[i], path);
        bytes[i] = file_bytes(test, path, &sizes[i]);
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    assert_int_equal(sizes[0], sizes[2]);
    assert_memory_not_equal(bytes[0], bytes[2], sizes[0]);
}

/* Mean and variance of U(-b, b) are 0 and b²/3; over n draws the mean's deviation is b/sqrt(3n). */
static void linear_layers_start_as_in_pytorch(void **state)
{
    ModelTest *test = *state;
    const char *path = path_in(test, "mlp.onnx");
    write_zoo(test, "mlp", "hidden=512", path);
    Graph *graph = imported(test, path, &(ImportOptions){.batch = 1});
    const Value *weight = value_named(graph, "1.weight");
    int64_t count = element_count(&weight->type);
    const float *elements = weight->data;
    double bound = 1 / sqrt(784.0), sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
        assert_true(fabs((double)elements[i]) <= bound);
        sum += elements[i];
        squares += (double)elements[i] * elements[i];
    }
    double deviation = bound / sqrt(3.0 * (double)count);
    assert_true(fabs(sum / (double)count) < 5 * deviation);
    assert_float_equal(squares / (double)count / (bound * bound / 3), 1, 0.01);
}

static void refuse_vit(ModelTest *test, const char *keys)
{
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_USAGE, write_zoo(test, "vit", keys, NULL));
}

static void wrong_requests_are_usage_errors(void **state)
{
    ModelTest *test = *state;
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_USAGE, parameters_of(test, "resnet19"));
    assert_message(test->fixture, "did you mean 'resnet18'");
    refuse_vit(test, "imgae=28");
    assert_message(test->fixture, "did you mean 'image'");
    refuse_vit(test, "image=30");
    assert_message(test->fixture, "image=30 is not a multiple of patch=4");
    static const char *const wrong[] = {"dim",     "dim=",  "dim=x", "dim=0", "dim=-4", "dim=4,4", "dim=99999999999",
                                        "seed=-1", "seed=x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuse_vit(test, wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(standard_models_have_their_published_sizes),
        MODEL_TEST(small_models_import_with_every_parameter),
        MODEL_TEST(attention_is_recognised),
        MODEL_TEST(equal_seeds_give_equal_files),
        MODEL_TEST(linear_layers_start_as_in_pytorch),
        MODEL_TEST(wrong_requests_are_usage_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
