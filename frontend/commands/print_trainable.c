/* print_trainable.c: the pass `trainable` explained: the model's initializers in their order, then the floats in
 * Constant nodes that could be weights. */
#include "frontend/commands/print_trainable.h"

#include <string.h>

#include "frontend/onnx/name_table.h"
#include "frontend/import/onnx_model.h"

typedef struct Row {
    const char *name;
    int id; /* of the value in the graph, -1 when the graph has no such float */
    Type type;
    Verdict verdict;
} Row;

/* What is stored in the graph, by name. */
static NameTable stored_values(Compilation *c)
{
    NameTable table = {0};
    for (int i = 0; i < c->imported->value_count; i++) {
        Value *value = c->imported->values[i];
        if (value && !value->producer && value->name)
            name_table_set(&table, c->arena, value->name, value);
    }
    return table;
}

static const Verdict quantised_verdict = {false, "a quantised tensor, which trains only where --trainable names it"};

static bool is_quantised(const Graph *graph, const char *name)
{
    for (int i = 0; i < graph->quantised_count; i++)
        if (strcmp(graph->quantised[i], name) == 0)
            return true;
    return false;
}

static Row make_row(const TensorProto *tensor, const NameTable *stored, const Judge *judge)
{
    const char *name = tensor->name ? tensor->name : "";
    const Value *value = name_table_find(stored, name);
    Dtype dtype;
    Row row = {.name = name, .id = -1};
    if (value && value->kind == VALUE_PARAM)
        row = (Row){name, value->id, value->type, judge_tensor(judge, value)};
    else if (value && value->kind == VALUE_STATE)
        row = (Row){name, -1, value->type, {false, "a running statistic of BatchNormalization"}};
    else if (dtype_from_onnx(tensor->data_type, &dtype) && is_float(dtype))
        row.verdict = (Verdict){false, value ? "a constant of the graph" : "no node reads it"};
    else if (is_quantised(judge->graph, name))
        row.verdict = quantised_verdict;
    else
        row.verdict = (Verdict){false, "not floating-point"};
    if (value)
        row.type = value->type;
    return row;
}

/* Later passes drop or fix a parameter that no gradient reaches. */
static void follow_gradients(Compilation *c, Row *rows, int count)
{
    run_passes(c);
    const Graph *train = c->program.train;
    for (int i = 0; i < count; i++) {
        const Value *value = rows[i].id >= 0 ? train->values[rows[i].id] : NULL;
        if (rows[i].verdict.learns && (!value || value->kind != VALUE_PARAM))
            rows[i].verdict = (Verdict){false, "no gradient reaches it"};
    }
}

/* Of what the graph stores besides the file's initializers: Constant nodes, and initializers of branches. */
static int add_other_rows(Compilation *c, const Judge *judge, Row *rows, int count)
{
    NameTable listed = {0};
    for (int i = 0; i < count; i++)
        name_table_set(&listed, c->arena, rows[i].name, &rows[i]);
    for (int i = 0; i < c->imported->value_count; i++) {
        const Value *value = c->imported->values[i];
        if (!value || !value->name || name_table_find(&listed, value->name))
            continue;
        if (value->kind == VALUE_PARAM)
            rows[count++] = (Row){value->name, value->id, value->type, judge_tensor(judge, value)};
        else if (value->kind == VALUE_CONST && is_quantised(c->imported, value->name))
            rows[count++] = (Row){value->name, -1, value->type, quantised_verdict};
    }
    return count;
}

static void print_rows(Compilation *c, FILE *stream, const Row *rows, int count)
{
    int learning = 0;
    int64_t elements = 0, total = 0;
    for (int i = 0; i < count; i++) {
        const Row *row = &rows[i];
        fprintf(stream, "%-6s  %-20s %s: %s\n", row->verdict.learns ? "trains" : "fixed",
                type_text(c->arena, &row->type), row->name, row->verdict.reason);
        learning += row->verdict.learns;
        elements += row->verdict.learns ? element_count(&row->type) : 0;
        total += element_count(&row->type);
    }
    fprintf(stream, "%d of %d initializers train: %lld of %lld elements\n", learning, count, (long long)elements,
            (long long)total);
}

void print_trainable(Compilation *c, FILE *stream)
{
    const GraphProto *graph = c->model->proto->graph;
    int count = (int)graph->n_initializer;
    bool any = false;
    Row *rows = NEW_ARRAY(c->arena, Row, count + c->imported->value_count + 1);
    prepare_options(c);
    const NameTable stored = stored_values(c);
    const Judge judge = make_judge(c->imported, &c->options);
    for (int i = 0; i < count; i++)
        rows[i] = make_row(graph->initializer[i], &stored, &judge);
    count = add_other_rows(c, &judge, rows, count);
    for (int i = 0; i < count; i++)
        any |= rows[i].verdict.learns;
    if (any)
        follow_gradients(c, rows, count);
    print_rows(c, stream, rows, count);
}
