/* test_sessions.c: sessions in one process: of one program and of two, on different numbers of threads, moved from
 * thread to thread, and within the caller's own parallel region. Each computes the bits that it computes alone. */
#include "runtime_support.h"

#include <omp.h>
#include <pthread.h>

#include <pcc/kernels/gemm/gemm.h>
#include <pcc/kernels/optimizer/optimizer.h>
#include <pcc/files/safetensors.h>

enum { ROWS = 64, MOST = 256, STEPS = 4 };

/* y = x w, squared error: the products are large enough for the packed kernel, which uses every thread's scratch. */
static void store_rows(const void *context, int64_t row, int64_t column, int64_t count, const float *acc)
{
    const PccTensor *to = context;
    memcpy((char *)to->name + to->offset + 4 * (size_t)(row * to->dims[1] + column), acc, (size_t)count * sizeof *acc);
}

static void product(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column, const float *b,
                    float *c, PccStep *s)
{
    const PccTensor to = {.name = (const char *)c, .dims = {m, n}};
    pcc_gemm_f32(m, n, k, a, a_row, a_column, b, n, 1, NULL, store_rows, &to, s);
}

static void step_of(int64_t width, PccStep *s, bool backward)
{
    const float *x = s->inputs[0], *target = s->target, *w = (const float *)(const void *)s->weights;
    float *y = (float *)(void *)s->arena, *dw = (float *)(void *)(s->weights + 4 * width * width);
    double loss = 0;
    product(ROWS, width, width, x, width, 1, w, y, s);
    for (int64_t i = 0; i < ROWS * width; i++) {
        y[i] -= target[i];
        loss += (double)y[i] * (double)y[i];
    }
    if (backward)
        product(width, width, ROWS, x, 1, width, y, dw, s);
    s->counted = (double)(ROWS * width);
    s->loss = loss / s->counted;
}

#define PROGRAM(suffix, width, rule)                                                                \
    static const PccParam params_##suffix[] = {{.value = {"w", PCC_F32, 2, {width, width}, 0},      \
                                                .gradient = (size_t)4 * (width) * (width),          \
                                                .moment1 = (size_t)8 * (width) * (width),           \
                                                .moment2 = (size_t)12 * (width) * (width)}};        \
    static void step_##suffix(PccStep *s)                                                           \
    {                                                                                               \
        step_of(width, s, true);                                                                    \
    }                                                                                               \
    static void evaluate_##suffix(PccStep *s)                                                       \
    {                                                                                               \
        step_of(width, s, false);                                                                   \
    }                                                                                               \
    static void update_##suffix(PccStep *s)                                                         \
    {                                                                                               \
        s->done = pcc_##rule(params_##suffix, 1, s);                                                \
    }                                                                                               \
    static const PccTensor input_##suffix = {"x", PCC_F32, 2, {ROWS, width}, 0};                    \
    static const PccTensor output_##suffix = {"y", PCC_F32, 2, {ROWS, width}, 0};                   \
    static const PccProgram program_##suffix = {.abi = PCC_PROGRAM_ABI,                             \
                                                .name = #suffix,                                    \
                                                .precision = "32-true",                             \
                                                .optimizer = #rule,                                 \
                                                .batch = ROWS,                                      \
                                                .accumulate = 1,                                    \
                                                .clip_norm = 1,                                     \
                                                .weights_bytes = (size_t)16 * (width) * (width),    \
                                                .arena_bytes = (size_t)4 * ROWS * (width),          \
                                                .params = params_##suffix,                          \
                                                .param_count = 1,                                   \
                                                .inputs = &input_##suffix,                          \
                                                .input_count = 1,                                   \
                                                .outputs = &output_##suffix,                        \
                                                .output_count = 1,                                  \
                                                .loss = PCC_LOSS_MSE,                               \
                                                .label_input = -1,                                  \
                                                .target = {"target", PCC_F32, 2, {ROWS, width}, 0}, \
                                                .hyper = {0, 0.01, 0.9, 0.999, 1e-8, 0.9},          \
                                                .step = step_##suffix,                              \
                                                .evaluate = evaluate_##suffix,                      \
                                                .update = update_##suffix};

PROGRAM(wide, MOST, adamw)
PROGRAM(narrow, 128, sgd)

static float x[ROWS * MOST], target[ROWS * MOST], initial[MOST * MOST];

static void write_initial(const PccProgram *program)
{
    const PccTensor *value = &program->params[0].value;
    PccStTensor tensor = {.name = "w", .dtype = PCC_F32, .rank = 2, .data = initial};
    PccError error;
    memcpy(tensor.dims, value->dims, sizeof tensor.dims);
    assert_int_equal(pcc_st_write(support_path(program->name), &tensor, 1, NULL, 0, &error), 0);
}

static int setup(void **state)
{
    if (support_setup(state))
        return -1;
    for (int i = 0; i < ROWS * MOST; i++) {
        x[i] = sinf((float)i);
        target[i] = cosf(3 * (float)i);
    }
    for (int i = 0; i < MOST * MOST; i++)
        initial[i] = 0.1f * sinf(0.7f * (float)i);
    write_initial(&program_wide);
    write_initial(&program_narrow);
    return 0;
}

static PccSession *open_session(const PccProgram *program, int threads)
{
    PccError error;
    PccSession *session = pcc_open(program, support_path(program->name), threads, &error);
    assert_non_null(session);
    return session;
}

static void train_step(PccSession *session)
{
    const PccFeed feed = {.inputs = (const void *[]){x}, .target = target, .valid = ROWS};
    pcc_backward(session, &feed);
    pcc_update(session, 0.01);
}

/* The weight of a session that is closed, in new memory. */
static float *take_weight(PccSession *session)
{
    const PccTensor *value;
    const void *data = pcc_tensor(session, "w", &value);
    size_t bytes = (size_t)(value->dims[0] * value->dims[1]) * sizeof(float);
    float *copy = malloc(bytes);
    memcpy(copy, data, bytes);
    pcc_close(session);
    return copy;
}

static float *train_alone(const PccProgram *program)
{
    PccSession *session = open_session(program, 1);
    for (int i = 0; i < STEPS; i++)
        train_step(session);
    return take_weight(session);
}

/* Takes the session's weight: it must be what the program gives alone. */
static void check_as_alone(PccSession *session, const PccProgram *program)
{
    float *alone = train_alone(program), *found = take_weight(session);
    size_t width = (size_t)program->params[0].value.dims[0];
    assert_memory_equal(found, alone, width * width * sizeof *found);
    assert_true(memcmp(found, initial, width * width * sizeof *found) != 0);
    free(alone);
    free(found);
}

static void sessions_take_turns(void **state)
{
    (void)state;
    const struct {
        const PccProgram *program;
        int threads;
    } opened[] = {{&program_wide, 1}, {&program_wide, 4}, {&program_narrow, 2}, {&program_narrow, 0}};
    PccSession *sessions[PCC_COUNT(opened)];
    for (int64_t i = 0; i < PCC_COUNT(opened); i++)
        sessions[i] = open_session(opened[i].program, opened[i].threads);
    for (int step = 0; step < STEPS; step++)
        for (int64_t i = 0; i < PCC_COUNT(opened); i++)
            train_step(sessions[i]);
    for (int64_t i = 0; i < PCC_COUNT(opened); i++)
        check_as_alone(sessions[i], opened[i].program);
}

/* A session's threads are its own: the caller's setting stays what it was. */
static void the_callers_threads_stay(void **state)
{
    (void)state;
    const int before = omp_get_max_threads();
    omp_set_num_threads(3);
    PccSession *session = open_session(&program_narrow, 1);
    assert_int_equal(omp_get_max_threads(), 3);
    for (int step = 0; step < STEPS; step++)
        train_step(session);
    const PccFeed feed = {.inputs = (const void *[]){x}, .target = target, .valid = ROWS};
    pcc_evaluate(session, &feed);
    assert_int_equal(omp_get_max_threads(), 3);
    omp_set_num_threads(before);
    check_as_alone(session, &program_narrow);
}

static void *step_elsewhere(void *session)
{
    omp_set_num_threads(4); /* as OpenMP chooses on a machine with four processors */
    train_step(session);
    return NULL;
}

static void sessions_move_between_threads(void **state)
{
    (void)state;
    PccSession *session = open_session(&program_wide, 1);
    for (int step = 0; step < STEPS; step += 2) {
        pthread_t thread;
        train_step(session);
        assert_int_equal(pthread_create(&thread, NULL, step_elsewhere, session), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    check_as_alone(session, &program_wide);
}

/* Whether the caller's OpenMP nests (levels 2) or not. */
static void sessions_run_within_parallel_regions(void **state)
{
    (void)state;
    const PccProgram *programs[] = {&program_wide, &program_narrow, &program_wide};
    const int levels_before = omp_get_max_active_levels();
    for (int levels = 1; levels <= 2; levels++) {
        PccSession *sessions[PCC_COUNT(programs)];
        omp_set_max_active_levels(levels);
        for (int64_t i = 0; i < PCC_COUNT(programs); i++)
            sessions[i] = open_session(programs[i], (int)i + 1);
#pragma omp parallel for num_threads(3)
        for (int64_t i = 0; i < PCC_COUNT(programs); i++)
            for (int step = 0; step < STEPS; step++)
                train_step(sessions[i]);
        for (int64_t i = 0; i < PCC_COUNT(programs); i++)
            check_as_alone(sessions[i], programs[i]);
    }
    omp_set_max_active_levels(levels_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_take_turns),
        cmocka_unit_test(the_callers_threads_stay),
        cmocka_unit_test(sessions_move_between_threads),
        cmocka_unit_test(sessions_run_within_parallel_regions),
    };
    return cmocka_run_group_tests(tests, setup, support_teardown);
}
