/* test_recurrent.c: the kernels of recurrences against the evaluator on the same operands: every cell and attribute, in
 * f64, f32 and 16 bits, sizes around the register tiles, and the same bits for any number of threads. */
#define PCC_NARROW
#include "runtime/kernels/recurrent/recurrent.h"

#include "ir/ops/shared/recurrence.h"
#include "ir_fixture.h"
#include "stored_check.h"

typedef struct Sizes {
    int64_t steps, batch, directions, width;
} Sizes;

static const Sizes sizes[] = {
    {1, 1, 1, 1}, {3, 2, 1, 5}, {4, 13, 2, 33}, {2, 27, 1, 100}, {3, 4, 2, 140}, {2, 1, 1, 530},
};

enum { HAS_H0 = 1, HAS_C0 = 2, HAS_P = 4, HAS_LENGTHS = 8, RESET_AFTER = 16, INPUT_FORGET = 32, CLIPPED = 64 };

typedef struct Variant {
    Cell cell;
    unsigned has;
    bool reverse;
    GateFunction functions[MAX_GATE_FUNCTIONS];
} Variant;

#define LSTM_DEFAULT                             \
    {                                            \
        {GATE_SIGMOID, 0, 0}, {GATE_TANH, 0, 0}, \
        {                                        \
            GATE_TANH, 0, 0                      \
        }                                        \
    }
#define GRU_DEFAULT           \
    {                         \
        {GATE_SIGMOID, 0, 0}, \
        {                     \
            GATE_TANH, 0, 0   \
        }                     \
    }

/* What is clipped has values that 16 bits hold exactly: it is known by them. */
static const Variant variants[] = {
    {CELL_LSTM, 0, false, LSTM_DEFAULT},
    {CELL_LSTM, HAS_H0 | HAS_C0, true, LSTM_DEFAULT},
    {CELL_LSTM, HAS_H0 | HAS_C0 | HAS_P | INPUT_FORGET, false, LSTM_DEFAULT},
    {CELL_LSTM, HAS_C0 | HAS_P | HAS_LENGTHS, false, LSTM_DEFAULT},
    {CELL_LSTM,
     HAS_H0 | CLIPPED,
     false,
     {{GATE_HARD_SIGMOID, 0.25, 0.5}, {GATE_AFFINE, 0.5, 0.25}, {GATE_ELU, 0.8, 0}}},
    {CELL_LSTM, 0, true, {{GATE_SOFTPLUS, 0, 0}, {GATE_SCALED_TANH, 0.9, 1.2}, {GATE_AFFINE, 0.7, 0.1}}},
    {CELL_GRU, 0, false, GRU_DEFAULT},
    {CELL_GRU, HAS_H0, true, GRU_DEFAULT},
    {CELL_GRU, HAS_H0 | HAS_LENGTHS, false, GRU_DEFAULT},
    {CELL_GRU, HAS_H0 | RESET_AFTER, false, GRU_DEFAULT},
    {CELL_GRU, HAS_LENGTHS | RESET_AFTER, false, {{GATE_SIGMOID, 0, 0}, {GATE_LEAKY_RELU, 0.1, 0}}},
    {CELL_RNN, HAS_H0, false, {{GATE_SOFTSIGN, 0, 0}}},
    {CELL_RNN, HAS_LENGTHS, false, {{GATE_RELU, 0, 0}}},
    {CELL_RNN, 0, true, {{GATE_THRESHOLDED_RELU, 0.1, 0}}},
};

/* ---- a case: a node, its operands as the kernel is given them, and what the evaluator makes of them -------------- */

enum { OPERANDS = RECURRENCE_GRAD_INPUTS, RESULTS = RECURRENCE_C + 1 };

typedef enum Form { FORM_F64, FORM_F32, FORM_NARROW } Form;

typedef struct Recurrent {
    Graph *graph;
    Node *node;
    Form form;
    PccDtype dtype;
    PccRecurrent shape;
    Tensor in[OPERANDS], want[RESULTS];
    Stored given[OPERANDS]; /* data NULL: absent */
    void *got[RESULTS];     /* of `dtype`, of double in FORM_F64; NULL: absent */
    void *scratch;
} Recurrent;

static PccRecurrent shape_of(const Recurrence *r)
{
    const GateFunction *f = r->functions;
    return (PccRecurrent){.cell = r->cell,
                          .steps = r->steps,
                          .batch = r->batch,
                          .directions = r->directions,
                          .width = r->width,
                          .reverse = r->reverse,
                          .reset_after = r->reset_after,
                          .input_forget = r->input_forget,
                          .functions = {f[0].kind, f[1].kind, f[2].kind},
                          .clip = r->clip,
                          .f_alpha = f[0].alpha,
                          .f_beta = f[0].beta,
                          .g_alpha = f[1].alpha,
                          .g_beta = f[1].beta,
                          .h_alpha = f[2].alpha,
                          .h_beta = f[2].beta};
}

/* A float operand of noise, rounded as it is stored, so that every form computes with the same numbers. */
static Value *operand(Recurrent *c, int i, double spread, int rank, const int64_t *dims)
{
    const Type type = make_type(DTYPE_F64, rank, dims);
    c->given[i] = stored_noise(c->dtype, element_count(&type), 0, spread);
    c->in[i] = tensor_alloc(c->graph->arena, type);
    memcpy(c->in[i].f, c->given[i].exact, (size_t)element_count(&type) * sizeof(double));
    return value_create(c->graph, VALUE_INPUT, type, NULL);
}

/* From 0 to one beyond the number of steps. */
static Value *lengths(Recurrent *c, int i, Sizes z)
{
    c->in[i] = tensor_alloc(c->graph->arena, make_type(DTYPE_I64, 1, &z.batch));
    for (int64_t k = 0; k < z.batch; k++)
        c->in[i].i[k] = k % (z.steps + 2);
    return value_create(c->graph, VALUE_INPUT, c->in[i].type, NULL);
}

static void set_attributes(Recurrent *c, const Variant *v)
{
    set_gate_functions(c->graph, c->node, cell_functions(v->cell), v->functions);
    set_int(c->graph, c->node, "reverse", v->reverse);
    set_int(c->graph, c->node, "reset_after", (v->has & RESET_AFTER) != 0);
    set_int(c->graph, c->node, "input_forget", (v->has & INPUT_FORGET) != 0);
    set_float(c->graph, c->node, "clip", v->has & CLIPPED ? 0.5 : 0);
}

/* The node, evaluated; memory for what the kernel makes. */
static void finish(Recurrent *c, const char *op, int inputs, Value **operands, int outputs, const Variant *v)
{
    c->node = build_begin(c->graph, op, inputs, operands, outputs);
    set_attributes(c, v);
    build_finish(c->graph, c->node);
    evaluate_node(c->graph, c->node, c->in, c->want);
    const Recurrence r = recurrence_of(c->node);
    c->shape = shape_of(&r);
    c->scratch = aligned_alloc(64, pcc_recurrent_scratch_bytes(c->shape, sizeof(double)));
    for (int i = 0; i < outputs; i++)
        c->got[i] = malloc((size_t)element_count(&c->want[i].type) * sizeof(double));
}

static const char *name_of(Arena *arena, const Variant *v, const char *suffix)
{
    static const char *const cells[] = {"Rnn", "Lstm", "Gru"};
    return arena_printf(arena, "%sRecurrence%s", cells[v->cell], suffix);
}

static Recurrent forward_case(Graph *graph, const Variant *v, Sizes z, Form form, PccDtype dtype)
{
    Recurrent c = {.graph = graph, .form = form, .dtype = dtype};
    const int64_t gates = cell_gates(v->cell) * z.width;
    const int64_t state[] = {z.directions, z.batch, z.width}, sums[] = {z.steps, z.batch, z.directions * gates};
    Value *operands[RECURRENCE_INPUTS] = {
        [RECURRENCE_G] = operand(&c, RECURRENCE_G, 1, 3, sums),
        [RECURRENCE_R] =
            operand(&c, RECURRENCE_R, 1 / sqrt((double)z.width), 3, (int64_t[]){z.directions, gates, z.width}),
    };
    if (v->has & RESET_AFTER)
        operands[RECURRENCE_BIAS] = operand(&c, RECURRENCE_BIAS, 1, 2, (int64_t[]){z.directions, z.width});
    if (v->has & HAS_H0)
        operands[RECURRENCE_H0] = operand(&c, RECURRENCE_H0, 1, 3, state);
    if (v->has & HAS_C0)
        operands[RECURRENCE_C0] = operand(&c, RECURRENCE_C0, 1, 3, state);
    if (v->has & HAS_P)
        operands[RECURRENCE_P] = operand(&c, RECURRENCE_P, 1, 2, (int64_t[]){z.directions, 3 * z.width});
    if (v->has & HAS_LENGTHS)
        operands[RECURRENCE_LENGTHS] = lengths(&c, RECURRENCE_LENGTHS, z);
    const int results = v->cell == CELL_LSTM   ? RESULTS
                        : v->has & RESET_AFTER ? RECURRENCE_STATES + 1
                                               : RECURRENCE_H + 1;
    finish(&c, name_of(graph->arena, v, ""), RECURRENCE_INPUTS, operands, results, v);
    return c;
}

/* Of gates that the forward case has made, rounded as they are stored. */
static Value *result_of(Recurrent *c, int i, const Tensor *result)
{
    Value *value = operand(c, i, 0, result->type.rank, result->type.dims);
    for (int64_t k = 0; k < c->given[i].count; k++) {
        stored_set(&c->given[i], k, result->f[k]);
        c->in[i].f[k] = c->given[i].exact[k];
    }
    return value;
}

static Recurrent backward_case(const Recurrent *forward, const Variant *v, Sizes z)
{
    Recurrent c = {.graph = forward->graph, .form = forward->form, .dtype = forward->dtype};
    const int64_t state[] = {z.directions, z.batch, z.width}, all[] = {z.steps, z.batch, z.directions * z.width};
    const bool saves = v->cell == CELL_LSTM || v->has & RESET_AFTER;
    Value *operands[OPERANDS] = {
        [RECURRENCE_GRAD_GATES] = result_of(&c, RECURRENCE_GRAD_GATES, &forward->want[RECURRENCE_GATES]),
        [RECURRENCE_GRAD_Y] = result_of(&c, RECURRENCE_GRAD_Y, &forward->want[RECURRENCE_Y]),
        [RECURRENCE_GRAD_R] = result_of(&c, RECURRENCE_GRAD_R, &forward->in[RECURRENCE_R]),
        [RECURRENCE_GRAD_DH] = operand(&c, RECURRENCE_GRAD_DH, 1, 3, state),
    };
    if (saves)
        operands[RECURRENCE_GRAD_STATES] = result_of(&c, RECURRENCE_GRAD_STATES, &forward->want[RECURRENCE_STATES]);
    if (z.batch != 2)
        operands[RECURRENCE_GRAD_DY] = operand(&c, RECURRENCE_GRAD_DY, 1, 3, all);
    if (v->cell == CELL_LSTM)
        operands[RECURRENCE_GRAD_DC] = operand(&c, RECURRENCE_GRAD_DC, 1, 3, state);
    static const int same[][2] = {
        {RECURRENCE_H0, RECURRENCE_GRAD_H0}, {RECURRENCE_C0, RECURRENCE_GRAD_C0}, {RECURRENCE_P, RECURRENCE_GRAD_P}};
    for (int i = 0; i < 3; i++)
        if (forward->in[same[i][0]].f)
            operands[same[i][1]] = result_of(&c, same[i][1], &forward->in[same[i][0]]);
    if (v->has & HAS_LENGTHS)
        operands[RECURRENCE_GRAD_LENGTHS] = lengths(&c, RECURRENCE_GRAD_LENGTHS, z);
    finish(&c, name_of(c.graph->arena, v, "Grad"), OPERANDS, operands,
           v->has & RESET_AFTER ? RECURRENCE_GRAD_DQ + 1 : RECURRENCE_GRAD_DQ, v);
    return c;
}

static void release(Recurrent *c)
{
    for (int i = 0; i < OPERANDS; i++)
        stored_free(&c->given[i]);
    for (int i = 0; i < RESULTS; i++)
        free(c->got[i]);
    free(c->scratch);
}

/* ---- the kernels ------------------------------------------------------------------------------------------------- */

#define ARGUMENTS(IN, OUT)                                                                                          \
    c->shape, IN(RECURRENCE_G), IN(RECURRENCE_R), IN(RECURRENCE_BIAS), IN(RECURRENCE_H0), IN(RECURRENCE_C0),        \
        IN(RECURRENCE_P), c->in[RECURRENCE_LENGTHS].i, OUT(RECURRENCE_GATES), OUT(RECURRENCE_Y), OUT(RECURRENCE_H), \
        OUT(RECURRENCE_STATES), OUT(RECURRENCE_C), c->scratch, NULL

#define GRAD_ARGUMENTS(IN, OUT)                                                                                    \
    c->shape, IN(RECURRENCE_GRAD_GATES), IN(RECURRENCE_GRAD_Y), IN(RECURRENCE_GRAD_STATES), IN(RECURRENCE_GRAD_R), \
        IN(RECURRENCE_GRAD_H0), IN(RECURRENCE_GRAD_C0), IN(RECURRENCE_GRAD_P), c->in[RECURRENCE_GRAD_LENGTHS].i,   \
        IN(RECURRENCE_GRAD_DY), IN(RECURRENCE_GRAD_DH), IN(RECURRENCE_GRAD_DC), OUT(RECURRENCE_GRAD_DG),           \
        OUT(RECURRENCE_GRAD_DH0), OUT(RECURRENCE_GRAD_DC0), OUT(RECURRENCE_GRAD_DQ), c->scratch, NULL

#define F64_IN(i) (c->in[i].f)
#define POINTER_IN(i) (c->given[i].data)
#define POINTER_OUT(i) (c->got[i])
#define NARROW_IN(i) stored_in(&c->given[i])
#define NARROW_OUT(i) ((PccOut){c->got[i], c->dtype})

static void run_forward(void *context)
{
    const Recurrent *c = context;
    if (c->form == FORM_F64)
        pcc_recurrence_f64(ARGUMENTS(F64_IN, POINTER_OUT));
    else if (c->form == FORM_F32)
        pcc_recurrence_f32(ARGUMENTS(POINTER_IN, POINTER_OUT));
    else
        pcc_recurrence_narrow(ARGUMENTS(NARROW_IN, NARROW_OUT));
}

static void run_backward(void *context)
{
    const Recurrent *c = context;
    if (c->form == FORM_F64)
        pcc_recurrence_grad_f64(GRAD_ARGUMENTS(F64_IN, POINTER_OUT));
    else if (c->form == FORM_F32)
        pcc_recurrence_grad_f32(GRAD_ARGUMENTS(POINTER_IN, POINTER_OUT));
    else
        pcc_recurrence_grad_narrow(GRAD_ARGUMENTS(NARROW_IN, NARROW_OUT));
}

/* ---- comparison -------------------------------------------------------------------------------------------------- */

static double got_at(const Recurrent *c, int i, int64_t k)
{
    return c->form == FORM_F64 ? ((const double *)c->got[i])[k] : (double)pcc_read_one((PccIn){c->got[i], c->dtype}, k);
}

/* What is stored between steps is rounded at each; the weights neither amplify nor forget. */
static void compare(const Recurrent *c, const char *what)
{
    for (int i = 0; i < RESULTS && c->got[i]; i++) {
        const int64_t count = element_count(&c->want[i].type);
        double greatest = 0;
        for (int64_t k = 0; k < count; k++)
            greatest = fmax(greatest, fabs(c->want[i].f[k]));
        const double error = c->form == FORM_F64 ? 64 * 0x1p-52 : 4 * relative_error(c->dtype);
        for (int64_t k = 0; k < count; k++)
            check_close(got_at(c, i, k), c->want[i].f[k], (double)(c->shape.steps + 1) * error * greatest, what, k);
    }
}

static void check(Recurrent *c, void (*run)(void *context), const char *what)
{
    const size_t bytes = c->form == FORM_F64 ? 8 : (size_t)pcc_stored_bytes(c->dtype);
    check_threads(run, c, c->got[0], (size_t)element_count(&c->want[0].type) * bytes);
    compare(c, what);
}

static void check_variant(Fixture *fixture, const Variant *v, Sizes z, Form form, PccDtype dtype)
{
    Arena *arena = arena_create((size_t)256 << 20, &fixture->diagnostics);
    Graph *graph = graph_create(arena, &fixture->diagnostics, "case");
    Recurrent forward = forward_case(graph, v, z, form, dtype), backward = backward_case(&forward, v, z);
    const char *what = arena_printf(arena, "%s variant %d width %d form %d", forward.node->op->name,
                                    (int)(v - variants), (int)z.width, (int)form);
    check(&forward, run_forward, what);
    check(&backward, run_backward, what);
    release(&forward);
    release(&backward);
    arena_destroy(arena);
}

static void check_variants(Fixture *fixture, Form form, PccDtype dtype)
{
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            const bool both_ways = variants[i].has & HAS_LENGTHS && sizes[k].directions == 2;
            if (!both_ways) /* the kernel walks forward where lengths differ */
                check_variant(fixture, &variants[i], sizes[k], form, dtype);
        }
}

static void in_f64(void **state)
{
    check_variants(*state, FORM_F64, PCC_F32);
}

static void in_f32(void **state)
{
    check_variants(*state, FORM_F32, PCC_F32);
}

static void in_16_bits(void **state)
{
    check_variants(*state, FORM_NARROW, PCC_BF16);
    check_variants(*state, FORM_NARROW, PCC_F16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(in_f64),
        TEST_WITH_FIXTURE(in_f32),
        TEST_WITH_FIXTURE(in_16_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
