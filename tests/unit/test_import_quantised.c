/* test_import_quantised.c: weights that are stored as integers: what of them becomes a parameter, what the export makes
 * of it, and what is refused. */
#include "model_support.h"

#include <math.h>

enum { FLOAT = 1, UINT8 = 2, INT8 = 3, UINT4 = 21, INT4 = 22 }; /* TensorProto.DataType */

static const char *const all[] = {"*"}, *const q_alone[] = {"q"};
static const ImportOptions none_named = {0};
static const ImportOptions all_named = {.trainable = all, .trainable_count = 1};

static void add_tensor(WireBuffer *graph, const char *name, int type, int rank, const int64_t *dims, const void *bytes,
                       size_t size)
{
    WireBuffer tensor = raw_tensor(name, type, rank, dims, bytes, size);
    add_field(graph, 5, &tensor);
}

static void add_dequantise(WireBuffer *graph, const char *name, const char *inputs, const char *output, int axis,
                           int block_size)
{
    WireBuffer attributes = {0};
    add_int_attribute(&attributes, "axis", axis);
    if (block_size) {
        add_int_attribute(&attributes, "block_size", block_size);
    }
    add_node_of(graph, 1, "DequantizeLinear", NULL, name, inputs, output, &attributes);
}

static const int8_t integers[6] = {-128, 0, 1, 2, 3, 127};

/* y = x · dequantised(q [2, 3]), q with a scale and a zero point a column; `extra` is more of the graph, or NULL. */
static const char *write_samples(ModelTest *test, int64_t samples, const float scales[3], WireBuffer *extra)
{
    WireBuffer graph = {0};
    const int8_t zeros[3] = {0, 1, -1};
    add_value(&graph, 11, "x", FLOAT, 2, DIMS(samples, 2), NULL);
    add_tensor(&graph, "q", INT8, 2, DIMS(2, 3), integers, sizeof integers);
    add_tensor(&graph, "s", FLOAT, 1, DIMS(3), scales, 3 * sizeof(float));
    add_tensor(&graph, "z", INT8, 1, DIMS(3), zeros, sizeof zeros);
    add_dequantise(&graph, "dequantise", "q s z", "w", 1, 0);
    add_node(&graph, "MatMul", "product", "x w", "y");
    if (extra) {
        wire_append(&graph, extra->bytes, extra->size);
        wire_free(extra);
    }
    add_value(&graph, 12, "y", FLOAT, 2, DIMS(samples, 3), NULL);
    return write_model(test, &graph, 21, NULL);
}

static const char *write_columns(ModelTest *test, const float scales[3], WireBuffer *extra)
{
    return write_samples(test, 4, scales, extra);
}

static const float scales[3] = {0.5f, 0.25f, 2};

static void test_the_named_become_parameters(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_columns(test, scales, NULL), &all_named);
    const Value *q = value_named(graph, "q");
    assert_int_equal(q->kind, VALUE_PARAM);
    const Type want = TYPE(DTYPE_F32, 2, 3);
    assert_true(same_type(&q->type, &want));
    assert_memory_equal(q->data, ((float[]){-64, -0.25f, 4, 1, 0.5f, 256}), 6 * sizeof(float));
    assert_int_equal(node_count(graph), 3);
    assert_string_equal(graph->first->op->name, "QuantizeLinear");
    assert_ptr_equal(graph->first->inputs[0], q);
    assert_int_equal(graph->first->outputs[0]->type.dtype, DTYPE_I8);
    assert_string_equal(graph->first->next->op->name, "DequantizeLinear");
    assert_int_equal(graph->quantised_count, 0);
}

/* A file whose batch is fixed at 1. */
static void test_they_are_the_same_for_every_sample(void **state)
{
    ModelTest *test = *state;
    const ImportOptions options = {.trainable = all, .trainable_count = 1, .batch = 5};
    Graph *graph = imported(test, write_samples(test, 1, scales, NULL), &options);
    const Type want = TYPE(DTYPE_F32, 5, 3);
    assert_int_equal(value_named(graph, "q")->kind, VALUE_PARAM);
    assert_true(same_type(&graph->outputs[0]->type, &want));
}

static void test_others_stay_constants(void **state)
{
    ModelTest *test = *state;
    const ImportOptions frozen = {.trainable = all, .trainable_count = 1, .freeze = q_alone, .freeze_count = 1};
    const ImportOptions *options[] = {&none_named, &frozen};
    for (int i = 0; i < 2; i++) {
        Graph *graph = imported(test, write_columns(test, scales, NULL), options[i]);
        assert_int_equal(node_count(graph), 1);
        assert_int_equal(value_named(graph, "w")->kind, VALUE_CONST);
        assert_int_equal(graph->quantised_count, 1);
        assert_string_equal(graph->quantised[0], "q");
    }
}

static void assert_named_refused(ModelTest *test, const char *path, ExitStatus status, const char *part)
{
    ASSERT_LEAVES(test->fixture, status, import_with(test, path, &all_named));
    assert_message(test->fixture, part);
}

static void test_a_step_may_be_negative(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_columns(test, (float[]){0.5f, -0.25f, -2}, NULL), &all_named);
    assert_memory_equal(value_named(graph, "q")->data, ((float[]){-64, 0.25f, -4, 1, -0.5f, -256}), 6 * sizeof(float));
}

static void test_a_scale_of_0_keeps_the_integers(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_columns(test, (float[]){0.5f, -0.0f, 0}, NULL), &all_named);
    const Node *quantize = graph->first, *dequantize = quantize->next;
    assert_memory_equal(value_named(graph, "q")->data, ((float[]){-64, -1, 2, 1, 2, 128}), 6 * sizeof(float));
    assert_memory_equal(quantize->inputs[1]->data, ((float[]){0.5f, 1, 1}), 3 * sizeof(float));
    assert_memory_equal(dequantize->inputs[1]->data, ((float[]){0.5f, -0.0f, 0}), 3 * sizeof(float));
}

static void test_a_scale_must_be_a_step(void **state)
{
    ModelTest *test = *state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = write_columns(test, (float[]){1, 1, bad[i]}, NULL);
        assert_named_refused(test, path, EXIT_STATUS_INPUT, "node 'dequantise' (DequantizeLinear): scale 2 of 'q'");
        imported(test, path, &none_named); /* as a constant it is the model's affair */
    }
}

static void test_counts_must_agree(void **state)
{
    ModelTest *test = *state;
    const struct {
        int axis, block_size, rank;
        int64_t dims[2];
        const char *part;
    } cases[] = {{1, 0, 1, {2}, "input 1 is f32[2]"},
                 {0, 0, 1, {3}, "input 1 is f32[3]"},
                 {7, 0, 1, {3}, "axis"},
                 {1, 2, 2, {2, 3}, "input 1 is f32[2,3]"},
                 {1, 2, 1, {3}, "input 1 is f32[3]"},
                 {1, 1 << 30, 2, {2, 2}, "input 1 is f32[2,2]"},
                 {1, -2, 2, {2, 2}, "input 1 is f32[2,2]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WireBuffer graph = {0};
        const float ones[6] = {1, 1, 1, 1, 1, 1};
        int64_t count = cases[i].dims[0] * (cases[i].rank == 2 ? cases[i].dims[1] : 1);
        add_tensor(&graph, "q", INT8, 2, DIMS(2, 3), integers, sizeof integers);
        add_tensor(&graph, "s", FLOAT, cases[i].rank, cases[i].dims, ones, (size_t)count * sizeof(float));
        add_dequantise(&graph, "dequantise", "q s", "y", cases[i].axis, cases[i].block_size);
        add_value(&graph, 12, "y", FLOAT, 2, DIMS(2, 3), NULL);
        assert_named_refused(test, write_model(test, &graph, 21, NULL), EXIT_STATUS_INPUT, cases[i].part);
    }
}

static void test_integers_have_no_other_reader(void **state)
{
    ModelTest *test = *state;
    const struct {
        const char *op, *name, *inputs;
    } readers[] = {{"Cast", "other", "q"},
                   {"Transpose", "turned", "q"},
                   {"DequantizeLinear", "coarser", "q s2 z"},
                   {"DequantizeLinear", "shifted", "q s"},
                   {"DequantizeLinear", "zero", "z s2 q"}};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        WireBuffer extra = {0}, attributes = {0};
        const bool dequantises = strcmp(readers[i].op, "DequantizeLinear") == 0;
        add_tensor(&extra, "s2", FLOAT, 1, DIMS(3), (float[]){1, 1, 1}, 3 * sizeof(float));
        if (strcmp(readers[i].op, "Cast") == 0) {
            add_int_attribute(&attributes, "to", FLOAT);
        }
        if (i == 4) { /* q as a zero point */
            add_tensor(&extra, "p", INT8, 2, DIMS(2, 3), integers, sizeof integers);
            add_tensor(&extra, "s6", FLOAT, 2, DIMS(2, 3), (float[]){1, 1, 1, 1, 1, 1}, 6 * sizeof(float));
            add_dequantise(&extra, "zero", "p s6 q", "v", 1, 1);
        } else {
            add_node_of(&extra, 1, readers[i].op, NULL, readers[i].name, readers[i].inputs, "v",
                        dequantises ? NULL : &attributes);
        }
        add_value(&extra, 12, "v", FLOAT, 2, DIMS(2, 3), NULL);
        const char *path = write_columns(test, scales, &extra);
        assert_named_refused(test, path, EXIT_STATUS_UNSUPPORTED,
                             arena_printf(test->fixture->arena, "node '%s'", readers[i].name));
        Graph *graph = imported(test, path, &none_named);
        assert_int_equal(graph->quantised_count, i == 4); /* p, of which q is the zero point */
    }
}

/* Two nodes on one grid read one parameter; an output of integers is another reader. */
static void test_readers_on_one_grid_share_the_parameter(void **state)
{
    ModelTest *test = *state;
    WireBuffer again = {0}, output = {0};
    add_dequantise(&again, "again", "q s z", "v", 1, 0);
    add_value(&again, 12, "v", FLOAT, 2, DIMS(2, 3), NULL);
    Graph *graph = imported(test, write_columns(test, scales, &again), &all_named);
    assert_int_equal(node_count(graph), 4);
    assert_ptr_equal(value_named(graph, "v")->producer->inputs[0], value_named(graph, "w")->producer->inputs[0]);
    add_value(&output, 12, "q", INT8, 2, DIMS(2, 3), NULL);
    assert_named_refused(test, write_columns(test, scales, &output), EXIT_STATUS_UNSUPPORTED, "the integers 'q'");
}

/* ---- integers that are moved first ---- */

/* y = x · dequantised(q transposed), q [2, 3] with a scale and a zero point a column; then q as it is, too. */
static const char *write_turned(ModelTest *test, int64_t samples, WireBuffer *extra)
{
    WireBuffer graph = {0};
    const int8_t zeros[3] = {0, 1, -1};
    add_value(&graph, 11, "x", FLOAT, 2, DIMS(samples, 3), NULL);
    add_tensor(&graph, "q", INT8, 2, DIMS(2, 3), integers, sizeof integers);
    add_tensor(&graph, "s", FLOAT, 1, DIMS(3), scales, sizeof scales);
    add_tensor(&graph, "z", INT8, 1, DIMS(3), zeros, sizeof zeros);
    add_node(&graph, "Transpose", "turn", "q", "turned");
    add_dequantise(&graph, "dequantise", "turned s z", "w", 0, 0);
    add_node(&graph, "MatMul", "product", "x w", "h");
    add_dequantise(&graph, "straight", "q s z", "v", 1, 0);
    add_node(&graph, "MatMul", "again", "h v", "y");
    if (extra) {
        wire_append(&graph, extra->bytes, extra->size);
        wire_free(extra);
    }
    add_value(&graph, 12, "y", FLOAT, 2, DIMS(samples, 3), NULL);
    return write_model(test, &graph, 21, NULL);
}

static OnnxTemplate template_of(ModelTest *test, const Graph *graph, int64_t index);

static void test_the_floats_are_moved_instead(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_turned(test, 4, NULL), &all_named);
    const Value *q = value_named(graph, "q"), *w = value_named(graph, "w");
    const Type want = TYPE(DTYPE_F32, 2, 3);
    assert_true(q->kind == VALUE_PARAM && same_type(&q->type, &want));
    assert_memory_equal(q->data, ((float[]){-64, -0.25f, 4, 1, 0.5f, 256}), 6 * sizeof(float));
    assert_string_equal(w->producer->op->name, "Transpose");
    const Node *dequantize = w->producer->inputs[0]->producer;
    assert_string_equal(dequantize->op->name, "DequantizeLinear");
    assert_int_equal(attr_int(dequantize, "axis"), 1);
    assert_ptr_equal(dequantize->inputs[0]->producer->inputs[0], q);
    assert_ptr_equal(value_named(graph, "v")->producer->inputs[0]->producer->inputs[0], q);
    assert_int_equal(node_count(graph), 7);
    OnnxTemplate template = template_of(test, graph, 3);
    const OnnxGridRow row = {.param = 3, .first = 0, .extent = 3, .inner = 1, .block = 0};
    assert_int_equal(template.grid_count, 1);
    assert_memory_equal(template.grids, &row, sizeof row);
    onnx_template_free(&template);

    graph = imported(test, write_turned(test, 4, NULL), &none_named);
    assert_int_equal(value_named(graph, "w")->kind, VALUE_CONST);
    assert_int_equal(graph->quantised_count, 1);
}

/* Rows that samples choose, in a file whose batch is fixed at 1. */
static void test_rows_are_looked_up_for_every_sample(void **state)
{
    ModelTest *test = *state;
    WireBuffer graph = {0};
    const ImportOptions options = {.trainable = all, .trainable_count = 1, .batch = 5};
    add_value(&graph, 11, "ids", 7, 2, DIMS(1, 4), NULL);
    add_tensor(&graph, "q", INT8, 2, DIMS(2, 3), integers, sizeof integers);
    add_tensor(&graph, "s", FLOAT, 1, DIMS(3), scales, sizeof scales);
    add_node(&graph, "Gather", "look_up", "q ids", "rows");
    add_dequantise(&graph, "dequantise", "rows s", "y", 2, 0);
    add_value(&graph, 12, "y", FLOAT, 3, DIMS(1, 4, 3), NULL);
    Graph *imported_graph = imported(test, write_model(test, &graph, 21, NULL), &options);
    const Value *y = imported_graph->outputs[0];
    const Type want = TYPE(DTYPE_F32, 5, 4, 3);
    assert_true(same_type(&y->type, &want));
    assert_string_equal(y->name, "y");
    assert_string_equal(y->producer->op->name, "Gather");
    assert_int_equal(attr_int(y->producer->inputs[0]->producer, "axis"), 1);
    assert_int_equal(node_count(imported_graph), 3);
}

static void test_moved_integers_have_no_other_reader(void **state)
{
    ModelTest *test = *state;
    const struct {
        const char *op, *name, *inputs;
        int axis;
        int64_t dims[2];
    } readers[] = {{"Cast", "other", "turned", 0, {3, 2}},
                   {"Transpose", "returned", "turned", 0, {2, 3}}, /* an output */
                   {"DequantizeLinear", "coarser", "turned s2 z", 0, {3, 2}},
                   {"DequantizeLinear", "across", "turned s3", 1, {3, 2}}};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        WireBuffer extra = {0}, attributes = {0};
        add_tensor(&extra, "s2", FLOAT, 1, DIMS(3), (float[]){1, 1, 1}, 3 * sizeof(float));
        add_tensor(&extra, "s3", FLOAT, 1, DIMS(2), (float[]){1, 1}, 2 * sizeof(float));
        if (i == 0) {
            add_int_attribute(&attributes, "to", FLOAT);
        } else if (i > 1) {
            add_int_attribute(&attributes, "axis", readers[i].axis);
        }
        add_node_of(&extra, 1, readers[i].op, NULL, readers[i].name, readers[i].inputs, "r", &attributes);
        add_value(&extra, 12, "r", i == 1 ? INT8 : FLOAT, 2, readers[i].dims, NULL);
        const char *path = write_turned(test, 4, &extra);
        assert_named_refused(test, path, EXIT_STATUS_UNSUPPORTED,
                             arena_printf(test->fixture->arena, "node '%s'", readers[i].name));
        assert_int_equal(imported(test, path, &none_named)->quantised_count, 0);
    }
}

/* ---- packed blocks ---- */

static void add_block_product(WireBuffer *graph, const char *name, const char *inputs, const char *output)
{
    WireBuffer attributes = {0};
    add_int_attribute(&attributes, "K", 10);
    add_int_attribute(&attributes, "N", 2);
    add_int_attribute(&attributes, "block_size", 8);
    add_node_of(graph, 1, "MatMulNBits", "com.microsoft", name, inputs, output, &attributes);
}

/* y = x · q, q [2, 10] of 4 bits in two blocks of 8 each; `zeros` and `order` are operands, or "-". */
static const char *write_packed(ModelTest *test, const char *zeros, const char *order, bool has_moved_reader)
{
    WireBuffer graph = {0};
    const uint8_t packed[16] = {0x10, 0x32, 0x54, 0x76, 0x98, 0, 0, 0, 0xff}, z[2] = {0x21, 0x43};
    const int32_t g[10] = {0};
    add_value(&graph, 11, "x", FLOAT, 2, DIMS(4, 10), NULL);
    add_tensor(&graph, "q", UINT8, 3, DIMS(2, 2, 4), packed, sizeof packed);
    add_tensor(&graph, "s", FLOAT, 1, DIMS(4), (float[]){1, 2, 4, 8}, 4 * sizeof(float));
    add_tensor(&graph, "z", UINT8, 1, DIMS(2), z, sizeof z);
    add_tensor(&graph, "f", FLOAT, 1, DIMS(4), (float[]){0.5f, 1, 1, 1}, 4 * sizeof(float));
    add_tensor(&graph, "g", 6, 1, DIMS(10), g, sizeof g);
    add_block_product(&graph, "blocks", arena_printf(test->fixture->arena, "x q s %s %s", zeros, order), "y");
    if (has_moved_reader) {
        add_node(&graph, "Identity", "same", "q", "p");
        add_block_product(&graph, "behind", "x p s", "o");
        add_value(&graph, 12, "o", FLOAT, 2, DIMS(4, 2), NULL);
    }
    add_value(&graph, 12, "y", FLOAT, 2, DIMS(4, 2), NULL);
    return write_model(test, &graph, 21, NULL);
}

static void test_packed_blocks_are_not_read_behind_movers(void **state)
{
    ModelTest *test = *state;
    const char *path = write_packed(test, "-", "-", true);
    assert_named_refused(test, path, EXIT_STATUS_UNSUPPORTED, "node 'behind' (MatMulNBits): the integers 'q'");
    assert_int_equal(imported(test, path, &none_named)->quantised_count, 0);
}

static bool is_settled(const Graph *graph, const char *name)
{
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (value->kind == VALUE_PARAM && strcmp(value->name, name) == 0) {
            return value->is_settled;
        }
    }
    return false;
}

/* Training them would leave what is quantised behind. */
static void test_scales_do_not_learn_for_other_readers(void **state)
{
    ModelTest *test = *state;
    WireBuffer extra = {0};
    add_node(&extra, "Mul", "other", "y s", "o");
    add_value(&extra, 12, "o", FLOAT, 2, DIMS(4, 3), NULL);
    assert_true(is_settled(imported(test, write_turned(test, 4, &extra), &none_named), "s"));
    const Graph *graph = imported(test, write_packed(test, "-", "-", false), &none_named);
    assert_true(is_settled(graph, "s"));
    assert_false(is_settled(graph, "f"));
}

/* The file keeps the dims of the bytes. */
static void test_packed_blocks_become_a_matrix(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_packed(test, "z", "-", false), &all_named);
    const Value *q = value_named(graph, "q"), *y = value_named(graph, "y");
    const Type want = TYPE(DTYPE_F32, 2, 16);
    assert_true(q->kind == VALUE_PARAM && same_type(&q->type, &want));
    const float rows[32] = {-1, 0,  1,   2,   3,   4,   5,   6,   12,  14,  -4,  -4,  -4,  -4,  -4,  -4,
                            48, 48, -12, -12, -12, -12, -12, -12, -32, -32, -32, -32, -32, -32, -32, -32};
    assert_memory_equal(q->data, rows, sizeof rows);
    assert_string_equal(y->producer->op->name, "MatMul");
    assert_string_equal(y->producer->inputs[1]->producer->op->name, "Slice");
    assert_int_equal(node_count(graph), 4);
    OnnxTemplate template = template_of(test, graph, 5);
    const OnnxGridRow row = {.param = 5, .extent = 16, .inner = 1, .block = 8};
    assert_memory_equal(template.grids, &row, sizeof row);
    assert_int_equal(template.splices[0].data_type, UINT4);
    const OnnxGridEntry entries[4] = {{1, 1}, {2, 2}, {4, 3}, {8, 4}};
    assert_int_equal(template.entry_count, 4);
    assert_memory_equal(template.entries, entries, sizeof entries);
    const int64_t length = 16; /* of the payload, in bytes; dims stay as they are */
    assert_int_equal(template.bytes[template.splices[0].offset - 1], length);
    const uint8_t dims[] = {0x08, 2, 0x08, 2, 0x08, 4};
    assert_non_null(memmem(template.bytes, template.size, dims, sizeof dims));
    onnx_template_free(&template);
}

static void test_blocks_of_no_grid_stay(void **state)
{
    ModelTest *test = *state;
    const char *const operands[][2] = {{"f", "-"}, {"f", "g"}};
    for (size_t i = 0; i < 2; i++) {
        Graph *graph = imported(test, write_packed(test, operands[i][0], operands[i][1], false), &all_named);
        assert_int_equal(value_named(graph, "q")->kind, VALUE_CONST);
        assert_int_equal(graph->quantised_count, 0);
    }
    Graph *graph = imported(test, write_packed(test, "-", "-", false), &none_named);
    assert_int_equal(graph->quantised_count, 1);
    assert_int_equal(node_count(graph), 1);
}

/* ---- the export template ---- */

static OnnxTemplate template_of(ModelTest *test, const Graph *graph, int64_t index)
{
    OnnxTemplate result;
    const OnnxTrained trained = {"q", 0, index, value_named(graph, "q")->type};
    assert_true(onnx_export_template(test->model, test->fixture->arena, 1, &trained, 0, NULL, &result));
    return result;
}

static void test_the_grid_goes_into_the_template(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_columns(test, scales, NULL), &all_named);
    OnnxTemplate template = template_of(test, graph, 7);
    assert_int_equal(template.splice_count, 1);
    assert_int_equal(template.splices[0].kind, 2);
    assert_int_equal(template.splices[0].index, 0);
    assert_int_equal(template.splices[0].data_type, INT8);
    assert_int_equal(template.grid_count, 1);
    const OnnxGridRow want = {.param = 7, .first = 0, .extent = 3, .inner = 1, .block = 0};
    assert_memory_equal(template.grids, &want, sizeof want);
    assert_int_equal(template.entry_count, 3);
    const OnnxGridEntry entries[3] = {{0.5, 0}, {0.25, 1}, {2, -1}};
    assert_memory_equal(template.entries, entries, sizeof entries);
    onnx_template_free(&template);
}

/* q, int4 [5, 3] from a file beside the model, in blocks of 2 rows; its values are -8, -7, ... */
static const char *write_blocks(ModelTest *test)
{
    uint8_t packed[8] = {0};
    float steps[9];
    for (int i = 0; i < 15; i++) {
        packed[i / 2] |= (uint8_t)(((i - 8) & 15) << (i % 2 * 4));
    }
    for (int i = 0; i < 9; i++) {
        steps[i] = (float)(i + 1);
    }
    write_file(test, "weights.bin", packed, sizeof packed);
    WireBuffer graph = {0}, tensor = {0}, entry = {0};
    wire_int(&tensor, 1, 5);
    wire_int(&tensor, 1, 3);
    wire_int(&tensor, 2, INT4);
    wire_string(&tensor, 8, "q");
    wire_string(&entry, 1, "location");
    wire_string(&entry, 2, "weights.bin");
    add_field(&tensor, 13, &entry);
    wire_int(&tensor, 14, 1);
    add_field(&graph, 5, &tensor);
    add_tensor(&graph, "s", FLOAT, 2, DIMS(3, 3), steps, sizeof steps);
    add_value(&graph, 11, "x", FLOAT, 2, DIMS(4, 5), NULL);
    add_dequantise(&graph, "dequantise", "q s", "w", -2, 2);
    add_node(&graph, "MatMul", "product", "x w", "y");
    add_value(&graph, 12, "y", FLOAT, 2, DIMS(4, 3), NULL);
    return write_model(test, &graph, 21, NULL);
}

static void test_blocks_of_an_external_tensor(void **state)
{
    ModelTest *test = *state;
    Graph *graph = imported(test, write_blocks(test), &all_named);
    const float *w = value_named(graph, "q")->data;
    for (int i = 0; i < 15; i++) {
        assert_true(w[i] == (float)((i - 8) * (i / 6 * 3 + i % 3 + 1)));
    }
    OnnxTemplate template = template_of(test, graph, 0);
    const OnnxGridRow want = {.extent = 5, .inner = 3, .block = 2};
    assert_memory_equal(template.grids, &want, sizeof want);
    assert_int_equal(template.entry_count, 9);
    /* Eight bytes put in make a model without external data. */
    const uint8_t payload[8] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0x0e};
    WireBuffer file = {0};
    const size_t at = (size_t) template.splices[0].offset;
    wire_append(&file, template.bytes, at);
    wire_append(&file, payload, sizeof payload);
    wire_append(&file, template.bytes + at, template.size - at);
    graph = imported(test, write_file(test, "spliced.onnx", file.bytes, file.size), &none_named);
    wire_free(&file);
    onnx_template_free(&template);
    const float *again = value_named(graph, "w")->data;
    for (int i = 0; i < 15; i++) {
        assert_true(again[i] == (float)((i < 8 ? i : i - 16) * (i / 6 * 3 + i % 3 + 1)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_the_named_become_parameters),
        MODEL_TEST(test_they_are_the_same_for_every_sample),
        MODEL_TEST(test_others_stay_constants),
        MODEL_TEST(test_a_step_may_be_negative),
        MODEL_TEST(test_a_scale_of_0_keeps_the_integers),

        MODEL_TEST(test_a_scale_must_be_a_step),
        MODEL_TEST(test_counts_must_agree),
        MODEL_TEST(test_integers_have_no_other_reader),
        MODEL_TEST(test_readers_on_one_grid_share_the_parameter),
        MODEL_TEST(test_the_floats_are_moved_instead),
        MODEL_TEST(test_rows_are_looked_up_for_every_sample),
        MODEL_TEST(test_moved_integers_have_no_other_reader),
        MODEL_TEST(test_packed_blocks_become_a_matrix),
        MODEL_TEST(test_scales_do_not_learn_for_other_readers),
        MODEL_TEST(test_packed_blocks_are_not_read_behind_movers),
        MODEL_TEST(test_blocks_of_no_grid_stay),
        MODEL_TEST(test_the_grid_goes_into_the_template),
        MODEL_TEST(test_blocks_of_an_external_tensor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
