/* The generator against its published vectors; dropout and random tensors by their definitions and statistics. */
#define PCC_NARROW
#include "runtime/kernels/random/dropout.h"

#include "narrow_case.h"

enum { N = 200003 }; /* not a multiple of a group */

static PccStep some_step(void)
{
    return (PccStep){.seed = 42, .update = 7, .micro = 1};
}

/* Known answers of Random123 for Philox4x32-10: counters of zeros, of ones, and of the digits of pi. */
static void known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4];
        uint64_t key;
        uint32_t want[4];
    } cases[] = {
        {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         0xffffffffffffffff,
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         0x299f31d0a4093822,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        PccPhilox p = {{0}};
        for (int w = 0; w < 4; w++)
            p.word[w * PCC_PHILOX_LANES + 3] = cases[i].counter[w];
        pcc_philox(&p, cases[i].key);
        for (int w = 0; w < 4; w++)
            assert_int_equal(p.word[w * PCC_PHILOX_LANES + 3], cases[i].want[w]);
    }
}

/* Seed, node, update and micro-batch all change the bits. */
static void streams_differ(void **state)
{
    (void)state;
    PccStep steps[4] = {some_step(), some_step(), some_step(), some_step()};
    steps[1].seed++;
    steps[2].update++;
    steps[3].micro++;
    PccPhilox first = pcc_random_group(steps, 3, 0);
    for (int i = 0; i < 4; i++) {
        PccPhilox other = pcc_random_group(steps + i, i == 0 ? 4 : 3, 0);
        int same = 0;
        for (int k = 0; k < PCC_RANDOM_GROUP; k++)
            same += first.word[k] == other.word[k];
        assert_int_equal(same, 0);
    }
}

#define PCC_TEMPLATE "tests/unit/dropout_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#undef PCC_TEMPLATE

#include "dropout_narrow.inc"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers), cmocka_unit_test(streams_differ), cmocka_unit_test(drops_f32),
        cmocka_unit_test(drops_f64),     cmocka_unit_test(edges_f32),      cmocka_unit_test(edges_f64),
        cmocka_unit_test(uniforms_f32),  cmocka_unit_test(uniforms_f64),   cmocka_unit_test(normals_f32),
        cmocka_unit_test(normals_f64),   cmocka_unit_test(draws_narrow),   cmocka_unit_test(uniforms_narrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
