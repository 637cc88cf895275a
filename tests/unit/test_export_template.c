/* The writer and the export template: a model written, imported, cut and spliced back. */
#include "model_support.h"

static const ImportOptions no_options = {0};

static void fill_index(void *context, int64_t first, int64_t count, void *elements)
{
    (void)context;
    for (int64_t i = 0; i < count; i++) {
        ((float *)elements)[i] = (float)(first + i);
    }
}

/* The whole file, which the test frees. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = test_malloc(*size + 1);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

/* What runtime's --export does: payload i, of sizes[i] bytes, inserted at splice i. */
static const char *splice(ModelTest *test, const OnnxTemplate *template, const void *const *payloads,
                          const size_t *sizes)
{
    WireBuffer file = {0};
    size_t done = 0;
    for (int i = 0; i < template->splice_count; i++) {
        size_t offset = (size_t) template->splices[i].offset;
        assert_true(offset >= done && offset <= template->size);
        wire_append(&file, template->bytes + done, offset - done);
        wire_append(&file, payloads[i], sizes[i]);
        done = offset;
    }
    wire_append(&file, template->bytes + done, template->size - done);
    const char *path = write_file(test, "spliced.onnx", file.bytes, file.size);
    wire_free(&file);
    return path;
}

static OnnxTemplate template_of(ModelTest *test, int count, const OnnxTrained *trained)
{
    OnnxTemplate result;
    assert_true(onnx_export_template(test->model, test->fixture->arena, count, trained, 0, NULL, &result));
    return result;
}

/* y = x · w + c with w f32 [300, 500], larger than the writer's fill buffer, and a frozen c. */
static const char *write_affine(ModelTest *test)
{
    Fixture *fixture = test->fixture;
    OnnxWriter *w = onnx_writer_create(fixture->arena, &fixture->diagnostics, "affine", 17);
    onnx_writer_input(w, "x", DTYPE_F32, 2, DIMS(2, 300), NULL);
    onnx_writer_initializer(w, "w", DTYPE_F32, 2, DIMS(300, 1000), fill_index, NULL);
    onnx_writer_constant(w, "c", DTYPE_F32, 1, DIMS(1), &(float){0.5f});
    onnx_writer_node(w, "MatMul", "mm", 2, (const char *[]){"x", "w"}, 1, (const char *[]){"h"});
    onnx_writer_node(w, "Add", "add", 2, (const char *[]){"h", "c"}, 1, (const char *[]){"y"});
    onnx_writer_output(w, "y", DTYPE_F32, 2, DIMS(2, 1000), NULL);
    onnx_writer_metadata(w, "author", "pcc");
    const char *path = path_in(test, "affine.onnx");
    onnx_writer_save(w, path);
    return path;
}

static void test_the_same_payload_gives_the_same_file(void **state)
{
    ModelTest *test = *state;
    const char *path = write_affine(test);
    Graph *graph = imported(test, path, &no_options);
    const Value *w = value_named(graph, "w");
    assert_true(((const float *)w->data)[299999] == 299999);
    OnnxTrained trained[] = {{"absent", 0, 3, w->type}, {"w", 1, 7, w->type}};
    OnnxTemplate template = template_of(test, 2, trained);
    assert_int_equal(template.splice_count, 1);
    assert_int_equal(template.splices[0].kind, 1);
    assert_int_equal(template.splices[0].index, 7);
    assert_int_equal(template.splices[0].data_type, 1);
    assert_true(template.size < 1000);
    size_t sizes[] = {300000 * sizeof(float)}, whole_size, spliced_size;
    uint8_t *whole = read_file(path, &whole_size);
    uint8_t *spliced = read_file(splice(test, &template, (const void *[]){w->data}, sizes), &spliced_size);
    assert_int_equal(spliced_size, whole_size);
    assert_memory_equal(spliced, whole, whole_size);
    test_free(whole);
    test_free(spliced);
    onnx_template_free(&template);
}

/* Typed data, a sparse initializer and other dims (--head) all come back as raw initializers; the rest, unknown fields
 * included, stays. */
static const char *write_odd_model(ModelTest *test)
{
    float typed[3] = {1, 2, 3}, value = 9;
    int64_t index = 2;
    WireBuffer graph = {0}, tensor = {0}, sparse = {0}, values = raw_tensor("s", 1, 1, DIMS(1), &value, 4);
    WireBuffer indices = raw_tensor("", 7, 1, DIMS(1), &index, 8), head = raw_tensor("h", 1, 1, DIMS(3), typed, 12);
    add_value(&graph, 11, "x", 1, 1, DIMS(3), NULL);
    wire_int(&tensor, 1, 3);
    wire_int(&tensor, 2, 1);
    wire_bytes(&tensor, 4, typed, sizeof typed);
    wire_string(&tensor, 8, "t");
    wire_string(&tensor, 12, "documented");
    add_field(&graph, 5, &tensor);
    add_field(&sparse, 1, &values);
    add_field(&sparse, 2, &indices);
    wire_int(&sparse, 3, 3);
    add_field(&graph, 15, &sparse);
    add_field(&graph, 5, &head);
    add_node(&graph, "Add", "a", "x t", "u");
    add_node(&graph, "Add", "b", "u s", "v");
    add_node(&graph, "Add", "c", "v h", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(3), NULL);
    wire_string(&graph, 99, "a field of the future");
    return write_model(test, &graph, 17, NULL);
}

static void test_odd_initializers_become_raw(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_odd_model(test), &no_options);
    assert_memory_equal(value_named(graph, "s")->data, ((float[]){0, 0, 9}), 12);
    Type three = TYPE(DTYPE_F32, 3), one = TYPE(DTYPE_F32, 1);
    OnnxTrained trained[] = {{"t", 0, 0, three}, {"s", 0, 1, three}, {"h", 0, 2, one}};
    OnnxTemplate template = template_of(test, 3, trained);
    assert_int_equal(template.splice_count, 3);
    const float t[3] = {4, 5, 6}, s[3] = {7, 8, 9}, h[1] = {10};
    const char *path = splice(test, &template, (const void *[]){t, s, h}, (const size_t[]){12, 12, 4});
    onnx_template_free(&template);
    size_t size;
    uint8_t *bytes = read_file(path, &size);
    assert_non_null(memmem(bytes, size, "a field of the future", 21));
    assert_non_null(memmem(bytes, size, "documented", 10));
    test_free(bytes);
    graph = imported(test, path, &no_options);
    assert_int_equal(node_count(graph), 3);
    assert_memory_equal(value_named(graph, "t")->data, t, sizeof t);
    assert_memory_equal(value_named(graph, "s")->data, s, sizeof s);
    assert_memory_equal(value_named(graph, "h")->data, h, sizeof h);
    assert_true(same_type(&value_named(graph, "h")->type, &one));
}

/* Only the dim that changed becomes a number; the symbol beside it and what else the entry says stay. */
static void test_reshaped_values_are_declared_anew(void **state)
{
    ModelTest *test = *state;
    const float weights[15] = {0};
    WireBuffer graph = {0}, weight = raw_tensor("w", 1, 2, DIMS(3, 5), weights, sizeof weights);
    add_value(&graph, 11, "x", 1, 2, DIMS(-1, 3), "rows");
    add_field(&graph, 5, &weight);
    add_node(&graph, "Tanh", "t", "x", "h");
    add_node(&graph, "MatMul", "m", "h w", "p");
    add_node(&graph, "Identity", "i", "p", "y");
    add_value(&graph, 13, "h", 1, 2, DIMS(-1, 3), "rows");
    add_value(&graph, 13, "p", 1, 2, DIMS(-1, 5), "rows");
    add_value(&graph, 12, "y", 1, 2, DIMS(-1, 5), "rows");
    imported(test, write_model(test, &graph, 17, NULL), &(ImportOptions){.batch = 4});
    const Type from = TYPE(DTYPE_F32, 4, 5), to = TYPE(DTYPE_F32, 4, 2), narrow = TYPE(DTYPE_F32, 3, 2);
    const OnnxTrained trained[] = {{"w", 0, 0, narrow}};
    const OnnxReshaped reshaped[] = {{"p", from, to}, {"y", from, to}};
    OnnxTemplate template;
    assert_true(onnx_export_template(test->model, test->fixture->arena, 1, trained, 2, reshaped, &template));
    const float payload[6] = {1, 2, 3, 4, 5, 6};
    const char *path = splice(test, &template, (const void *[]){payload}, (const size_t[]){sizeof payload});
    onnx_template_free(&template);

    WireBuffer want = {0}, head = raw_tensor("w", 1, 2, DIMS(3, 2), payload, sizeof payload);
    add_value(&want, 11, "x", 1, 2, DIMS(-1, 3), "rows");
    add_field(&want, 5, &head);
    add_node(&want, "Tanh", "t", "x", "h");
    add_node(&want, "MatMul", "m", "h w", "p");
    add_node(&want, "Identity", "i", "p", "y");
    add_value(&want, 13, "h", 1, 2, DIMS(-1, 3), "rows");
    add_value(&want, 13, "p", 1, 2, DIMS(-1, 2), "rows");
    add_value(&want, 12, "y", 1, 2, DIMS(-1, 2), "rows");
    size_t size, want_size;
    uint8_t *bytes = read_file(path, &size), *want_bytes = read_file(write_model(test, &want, 17, NULL), &want_size);
    assert_int_equal(size, want_size);
    assert_memory_equal(bytes, want_bytes, size);
    test_free(bytes);
    test_free(want_bytes);
}

/* y = x · w, with w [1] stored in the graph itself. */
static WireBuffer product_branch(const char *y, float w)
{
    WireBuffer graph = {0}, weight = raw_tensor("w", 1, 1, DIMS(1), &w, sizeof w);
    add_node(&graph, "Mul", "scale", "x w", y);
    add_field(&graph, 5, &weight);
    add_value(&graph, 12, y, 1, 1, DIMS(1), NULL);
    return graph;
}

/* An If named "choose" on the initializer `condition`. */
static void add_choice(WireBuffer *graph, const char *condition, const char *output, WireBuffer *yes, WireBuffer *no)
{
    WireBuffer attributes = {0};
    add_graph_attribute(&attributes, "else_branch", no);
    add_graph_attribute(&attributes, "then_branch", yes);
    add_node_of(graph, 1, "If", NULL, "choose", condition, output, &attributes);
}

/* Each of the tensors called w; y = x·w[0] + x·w[1] + x·w[2] with those of the branches that are taken: of two nodes of
 * one name, and of one inside a branch. */
static const char *write_choices(ModelTest *test, const float taken[3], const float left[3])
{
    WireBuffer graph = {0}, nested = {0}, yes = raw_tensor("yes", 9, 1, DIMS(1), "\1", 1),
               no = raw_tensor("no", 9, 1, DIMS(1), "\0", 1);
    add_value(&graph, 11, "x", 1, 1, DIMS(1), NULL);
    add_field(&graph, 5, &yes);
    add_field(&graph, 5, &no);
    WireBuffer a = product_branch("a_then", taken[0]), not_a = product_branch("a_else", left[0]);
    add_choice(&graph, "yes", "a", &a, &not_a);
    WireBuffer b = product_branch("b_else", taken[1]), not_b = product_branch("b_then", left[1]);
    add_choice(&graph, "no", "b", &not_b, &b);
    WireBuffer c = product_branch("c_then", taken[2]), not_c = product_branch("c_else", left[2]),
               other = product_branch("d_else", 7);
    add_choice(&nested, "yes", "c", &c, &not_c);
    add_value(&nested, 12, "c", 1, 1, DIMS(1), NULL);
    add_choice(&graph, "yes", "d", &nested, &other);
    add_node(&graph, "Sum", "sum", "a b d", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(1), NULL);
    return write_model(test, &graph, 17, NULL);
}

/* The parameters of the graph, the one that holds i + 1 with index i; their names differ. */
static void train_all(const Graph *graph, int count, OnnxTrained *trained)
{
    int found = 0;
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_PARAM) {
            continue;
        }
        assert_true(found < count);
        for (int j = 0; j < found; j++) {
            assert_string_not_equal(value->name, trained[j].name);
        }
        const int index = (int)*(const float *)value->data - 1;
        trained[found++] = (OnnxTrained){value->name, 0, index, value->type};
    }
    assert_int_equal(found, count);
}

/* The file `from`, whose `count` parameters hold 1, 2, ..., trained to `after` and exported, is the file `want`. */
static void check_export(ModelTest *test, const char *from, int count, const float *after, const char *want)
{
    OnnxTrained trained[4];
    assert_true(count <= 4);
    train_all(imported(test, from, &no_options), count, trained);
    OnnxTemplate template = template_of(test, count, trained);
    assert_int_equal(template.splice_count, count);
    const void *payloads[4];
    for (int i = 0; i < count; i++) {
        payloads[i] = &after[template.splices[i].index];
    }
    size_t size, want_size;
    const char *path = splice(test, &template, payloads, (const size_t[]){4, 4, 4, 4});
    onnx_template_free(&template);
    uint8_t *bytes = read_file(path, &size), *want_bytes = read_file(want, &want_size);
    assert_int_equal(size, want_size);
    assert_memory_equal(bytes, want_bytes, size);
    test_free(bytes);
    test_free(want_bytes);
}

static void test_branches_may_store_the_same_names(void **state)
{
    ModelTest *test = *state;
    const float left[3] = {-1, -2, -3}, before[3] = {1, 2, 3}, after[3] = {10, 20, 30};
    const char *want = path_in(test, "want.onnx");
    assert_int_equal(rename(write_choices(test, after, left), want), 0);
    check_export(test, write_choices(test, before, left), 3, after, want);
}

/* y = x·w[0] + x·w[1]: of a branch inside a branch, and of one whose name spells the way to the other. */
static const char *write_spelt_way(ModelTest *test, const float w[2], const char *spelt)
{
    WireBuffer graph = {0}, nested = {0}, yes = raw_tensor("yes", 9, 1, DIMS(1), "\1", 1);
    add_value(&graph, 11, "x", 1, 1, DIMS(1), NULL);
    add_field(&graph, 5, &yes);
    WireBuffer inner = product_branch("b_then", w[0]), not_inner = product_branch("b_else", -1),
               other = product_branch("a_else", -2), way = product_branch("c_then", w[1]),
               not_way = product_branch("c_else", -3);
    add_choice(&nested, "yes", "b", &inner, &not_inner);
    add_value(&nested, 12, "b", 1, 1, DIMS(1), NULL);
    add_choice(&graph, "yes", "a", &nested, &other);
    add_choice(&graph, "yes", spelt, &way, &not_way);
    add_node(&graph, "Add", "add", arena_printf(test->fixture->arena, "a %s", spelt), "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(1), NULL);
    return write_model(test, &graph, 17, NULL);
}

static void test_a_name_may_spell_the_way_to_a_branch(void **state)
{
    ModelTest *test = *state;
    static const char *const spelt[] = {"a\nthen_branch\nb", "1:a11:then_branch1:b"};
    const float before[2] = {1, 2}, after[2] = {10, 20};
    for (int i = 0; i < 2; i++) {
        const char *want = path_in(test, "want.onnx");
        assert_int_equal(rename(write_spelt_way(test, after, spelt[i]), want), 0);
        check_export(test, write_spelt_way(test, before, spelt[i]), 2, after, want);
    }
}

/* y = a plus three weights; the branch taken stores w, and the graph itself stores the names that a prefix would make
 * of it. */
static const char *write_taken_names(ModelTest *test, const float w[4])
{
    static const char *const names[] = {"choose/w", "choose:a/w", "choose:a:2/w"};
    WireBuffer graph = {0}, yes = raw_tensor("yes", 9, 1, DIMS(1), "\1", 1);
    add_value(&graph, 11, "x", 1, 1, DIMS(1), NULL);
    add_field(&graph, 5, &yes);
    for (int i = 0; i < 3; i++) {
        WireBuffer weight = raw_tensor(names[i], 1, 1, DIMS(1), &w[i], sizeof *w);
        add_field(&graph, 5, &weight);
    }
    WireBuffer taken = product_branch("a_then", w[3]), left = product_branch("a_else", -1);
    add_choice(&graph, "yes", "a", &taken, &left);
    add_node(&graph, "Sum", "sum", "a choose/w choose:a/w choose:a:2/w", "y");
    add_value(&graph, 12, "y", 1, 1, DIMS(1), NULL);
    return write_model(test, &graph, 17, NULL);
}

static void test_a_branch_avoids_the_names_of_the_graph(void **state)
{
    ModelTest *test = *state;
    const float before[4] = {1, 2, 3, 4}, after[4] = {10, 20, 30, 40};
    const char *want = path_in(test, "want.onnx");
    assert_int_equal(rename(write_taken_names(test, after), want), 0);
    check_export(test, write_taken_names(test, before), 4, after, want);
}

static void test_a_branch_without_a_free_prefix_is_refused(void **state)
{
    ModelTest *test = *state;
    const float w = 1;
    WireBuffer graph = {0}, yes = raw_tensor("yes", 9, 1, DIMS(1), "\1", 1);
    add_value(&graph, 11, "x", 1, 1, DIMS(1), NULL);
    add_field(&graph, 5, &yes);
    for (int i = 0; i < 20; i++) {
        const char *name = i == 0   ? "choose/w"
                           : i == 1 ? "choose:a/w"
                                    : arena_printf(test->fixture->arena, "choose:a:%d/w", i);
        WireBuffer weight = raw_tensor(name, 1, 1, DIMS(1), &w, sizeof w);
        add_field(&graph, 5, &weight);
    }
    WireBuffer taken = product_branch("a_then", 1), left = product_branch("a_else", -1);
    add_choice(&graph, "yes", "a", &taken, &left);
    add_value(&graph, 12, "a", 1, 1, DIMS(1), NULL);
    const char *path = write_model(test, &graph, 17, NULL);
    ASSERT_LEAVES(test->fixture, EXIT_STATUS_INPUT, import_with(test, path, &no_options));
    assert_message(test->fixture, "node 'choose' (If): the graph stores tensors of the names");
}

static void test_a_full_disk_leaves_nothing(void **state)
{
    ModelTest *test = *state;
    Fixture *fixture = test->fixture;
    OnnxWriter *w = onnx_writer_create(fixture->arena, &fixture->diagnostics, "m", 17);
    onnx_writer_output(w, "y", DTYPE_F32, 0, NULL, NULL);
    ASSERT_LEAVES(fixture, EXIT_STATUS_IO, onnx_writer_save(w, path_in(test, "no/such/folder.onnx")));
    assert_message(fixture, "cannot create");
    assert_int_equal(access(path_in(test, "no"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_the_same_payload_gives_the_same_file),
        MODEL_TEST(test_odd_initializers_become_raw),
        MODEL_TEST(test_reshaped_values_are_declared_anew),
        MODEL_TEST(test_branches_may_store_the_same_names),
        MODEL_TEST(test_a_name_may_spell_the_way_to_a_branch),
        MODEL_TEST(test_a_branch_avoids_the_names_of_the_graph),
        MODEL_TEST(test_a_branch_without_a_free_prefix_is_refused),
        MODEL_TEST(test_a_full_disk_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
