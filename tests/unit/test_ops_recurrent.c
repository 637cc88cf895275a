/* test_ops_recurrent.c: gradients of LSTM, GRU and RNN against central differences, with every attribute, and what is
 * refused. That their values are right the standard's node tests show. */
#include "gradient_check.h"

/* 3 steps of 2 sequences, 2 inputs and 3 hidden units. */
typedef struct Layer {
    const char *op, *operands, *attributes, *outputs;
    int gates, directions;
} Layer;

/* Each operand is a parameter; `operands` says by letters which of the optional ones there are: b, l, h, c, p. */
static const char *layer_text(Arena *arena, const Layer *l)
{
    const int d = l->directions, rows = 3 * l->gates, flipped = strstr(l->attributes, "layout=1") != NULL;
    const char *has = l->operands;
    const char *state = flipped ? arena_printf(arena, "2,%d,3", d) : arena_printf(arena, "%d,2,3", d);
    const char *text = arena_printf(arena,
                                    "param %%0 : f64[%s] = data\nparam %%1 : f64[%d,%d,2] = data\n"
                                    "param %%2 : f64[%d,%d,3] = data\nparam %%3 : f64[%d,%d] = data\n"
                                    "const %%4 : i64[2] = {3, 2}\nparam %%5 : f64[%s] = data\n"
                                    "param %%6 : f64[%s] = data\nparam %%7 : f64[%d,9] = data\n",
                                    flipped ? "2,3,2" : "3,2,2", d, rows, d, rows, d, 2 * rows, state, state, d);
    return arena_printf(arena, "%s%s = %s(%%0, %%1, %%2, %s, %s, %s%s%s) {%s}\n%s", text,
                        strcmp(l->op, "LSTM") == 0 ? "%8, %9, %10" : "%8, %9", l->op, strchr(has, 'b') ? "%3" : "_",
                        strchr(has, 'l') ? "%4" : "_", strchr(has, 'h') ? "%5" : "_",
                        strcmp(l->op, "LSTM") != 0 ? ""
                        : strchr(has, 'c')         ? ", %6"
                                                   : ", _",
                        strcmp(l->op, "LSTM") != 0 ? ""
                        : strchr(has, 'p')         ? ", %7"
                                                   : ", _",
                        l->attributes, l->outputs);
}

static const Layer layers[] = {
    {"LSTM", "", "layout=0", "output %8", 4, 1},
    {"LSTM", "bhc", "layout=0", "output %8\noutput %9\noutput %10", 4, 1},
    {"LSTM", "bhc", "direction=\"reverse\"", "output %8\noutput %10", 4, 1},
    {"LSTM", "bhc", "direction=\"bidirectional\", layout=1", "output %8\noutput %9\noutput %10", 4, 2},
    {"LSTM", "bhcp", "direction=\"bidirectional\"", "output %8\noutput %10", 4, 2},
    {"LSTM", "lhcp", "direction=\"bidirectional\"", "output %8\noutput %9\noutput %10", 4, 2},
    {"LSTM", "l", "direction=\"reverse\"", "output %9", 4, 1},
    {"LSTM", "bhcp", "input_forget=1", "output %8\noutput %10", 4, 1},
    {"LSTM", "bhc", "clip=0.7", "output %8", 4, 1},
    {"LSTM", "bhc",
     "activations=\"HardSigmoid Softsign Softplus\", activation_alpha=floats[0.3], activation_beta=floats[0.4]",
     "output %8", 4, 1},
    {"LSTM", "bhc",
     "activations=\"Affine ScaledTanh Elu sigmoid tanh leakyrelu\", activation_alpha=floats[0.5, 0.8, 0.9, 0.1], "
     "activation_beta=floats[0.2, 1.1], direction=\"bidirectional\"",
     "output %8", 4, 2},
    {"GRU", "", "layout=0", "output %8", 3, 1},
    {"GRU", "bh", "linear_before_reset=1", "output %8\noutput %9", 3, 1},
    {"GRU", "bh", "direction=\"bidirectional\"", "output %8\noutput %9", 3, 2},
    {"GRU", "bh", "direction=\"bidirectional\", linear_before_reset=1, layout=1", "output %8\noutput %9", 3, 2},
    {"GRU", "blh", "direction=\"reverse\", linear_before_reset=1", "output %8\noutput %9", 3, 1},
    {"GRU", "blh", "direction=\"bidirectional\"", "output %9", 3, 2},
    {"GRU", "bh", "clip=0.6", "output %8", 3, 1},
    {"RNN", "", "layout=0", "output %8", 1, 1},
    {"RNN", "bh", "direction=\"bidirectional\"", "output %8\noutput %9", 1, 2},
    {"RNN", "blh", "direction=\"reverse\", layout=1", "output %8\noutput %9", 1, 1},
    {"RNN", "bh", "activations=\"ThresholdedRelu\", activation_alpha=floats[0.05]", "output %8", 1, 1},
    {"RNN", "bh", "activations=\"Relu\", clip=0.9", "output %8", 1, 1},
};

static void gradients_of_layers(void **state)
{
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        check_gradient(f, layer_text(f->arena, &layers[i]), -1, 1);
}

/* One step: nothing comes before it. */
static void gradients_of_one_step(void **state)
{
    Fixture *f = *state;
    check_gradient(f,
                   "param %0 : f64[1,2,2] = data\nparam %1 : f64[1,12,2] = data\nparam %2 : f64[1,12,3] = data\n"
                   "%3 = LSTM(%0, %1, %2)\noutput %3",
                   -1, 1);
}

/* Initial states of zeros, as exporters write them, take no part in the node that is built. */
static void zero_states_are_dropped(void **state)
{
    Fixture *f = *state;
    Graph *graph = parse_case(f,
                              "param %0 : f64[3,2,2] = data\nparam %1 : f64[1,12,2] = data\n"
                              "param %2 : f64[1,12,3] = data\nconst %3 : f64[1,2,3] = {0, 0, 0, 0, 0, 0}\n"
                              "%4 = LSTM(%0, %1, %2, _, _, %3, %3)\noutput %4",
                              -1, 1);
    const Options options = {.target = &target_c, .precision = "64-true", .accumulate = 1};
    expand(graph, &options);
    const Node *node = graph->first;
    while (node && strcmp(node->op->name, "LstmRecurrence") != 0)
        node = node->next;
    assert_non_null(node);
    assert_null(input(node, 3));
    assert_null(input(node, 4));
}

/* A bound that bounds nothing, and functions for gates that there are not. */
static void wrong_attributes_are_refused(void **state)
{
    static const char operands[] = "param %0 : f64[3,2,2] = data\nparam %1 : f64[1,3,2] = data\n"
                                   "param %2 : f64[1,3,3] = data\n%3 = RNN(%0, %1, %2)";
    Fixture *f = *state;
    assert_refused(f, arena_printf(f->arena, "%s {clip=-1.0}\noutput %%3", operands), "attribute 'clip' is -1");
    assert_refused(f, arena_printf(f->arena, "%s {activations=\"Tanh Relu\"}\noutput %%3", operands),
                   "has more than the 1 functions");
    assert_refused(
        f, arena_printf(f->arena, "%s {activations=\"LeakyRelu\", activation_alpha=floats[nan]}\noutput %%3", operands),
        "attribute 'activation_alpha' has nan");
    assert_refused(
        f, arena_printf(f->arena, "%s {activations=\"ScaledTanh\", activation_beta=floats[inf]}\noutput %%3", operands),
        "attribute 'activation_beta' has inf");
    assert_refused(f,
                   "param %0 : f64[3,2,2] = data\nparam %1 : f64[1,12,2] = data\nparam %2 : f64[1,12,3] = data\n"
                   "%3, %4, %5, %6 = LSTM(%0, %1, %2)\noutput %6",
                   "outputs (Y?, Y_h?, Y_c?)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(gradients_of_layers),
        TEST_WITH_FIXTURE(gradients_of_one_step),
        TEST_WITH_FIXTURE(zero_states_are_dropped),
        TEST_WITH_FIXTURE(wrong_attributes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
