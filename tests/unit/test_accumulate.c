/* Gradients summed over micro-batches: against the f64 kernel on the same operands. */
#define PCC_NARROW
#include "runtime/kernels/optimizer/accumulate.h"

#include "narrow_case.h"

typedef struct MicroBatches {
    NarrowCase c;
    uint64_t count;
} MicroBatches;

static void narrow_accumulate(void *context)
{
    MicroBatches *t = context;
    for (uint64_t micro = 0; micro < t->count; micro++)
        pcc_accumulate_narrow(t->c.x.count, stored_in(&t->c.x), stored_out(&t->c.out), &(PccStep){.micro = micro});
}

static void wide_accumulate(void *context)
{
    MicroBatches *t = context;
    for (uint64_t micro = 0; micro < t->count; micro++)
        pcc_accumulate_f64(t->c.x.count, t->c.x.exact, t->c.want, &(PccStep){.micro = micro});
}

/* The first batch replaces what was there; a second one is one addition, rounded once. */
static void accumulates(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 77, PCC_ACCUMULATE_SEGMENT, 50001};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        EACH_MIXTURE(m)
        {
            MicroBatches t = {.c = narrow_case(m, NULL, counts[i], 0, counts[i])};
            for (t.count = 1; t.count <= 2; t.count++)
                compare_case(&t.c, narrow_accumulate, wide_accumulate, t.count == 1 ? 0 : relative_error(m->out),
                             "sum");
            release_case(&t.c);
        }
}

static void f32_and_f64(void **state)
{
    (void)state;
    float x[3] = {1, 2, 0x1p-30f}, sum[3] = {9, 9, 9};
    for (uint64_t micro = 0; micro < 3; micro++)
        pcc_accumulate_f32(3, x, sum, &(PccStep){.micro = micro});
    assert_true(sum[0] == 3 && sum[1] == 6 && sum[2] == 3 * 0x1p-30f);
    double y[2] = {1, -0.5}, total[2] = {9, 9};
    for (uint64_t micro = 0; micro < 4; micro++)
        pcc_accumulate_f64(2, y, total, &(PccStep){.micro = micro});
    assert_true(total[0] == 4 && total[1] == -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(accumulates), cmocka_unit_test(f32_and_f64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
