/* 8-bit moments: the map against its definition, codes against the nearest entry, AdamW on them against f32's. */
#include "ir/optimizer.h"
#include "narrow_check.h"

/* The definition, with linspace in full: for i = 0 ... 6 the midpoints of linspace(0.1, 1, n + 1) times 10^(i - 6), n =
 * 2^i and both signs, or n = 2^(i + 1) without sign; 0; 1; sorted. */
static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void define_map(bool with_sign, double map[256])
{
    int count = 0;
    for (int i = 0; i < 7; i++) {
        const int n = 1 << (with_sign ? i : i + 1);
        for (int k = 0; k < n; k++) {
            const double low = 0.1 + 0.9 * k / n, high = 0.1 + 0.9 * (k + 1) / n;
            const double entry = (low + high) / 2 * pow(10, i - 6);
            map[count++] = entry;
            if (with_sign)
                map[count++] = -entry;
        }
    }
    map[count++] = 0;
    map[count++] = 1;
    assert_int_equal(count, 256);
    qsort(map, 256, sizeof *map, ascending);
}

static void maps_are_as_defined(void **state)
{
    (void)state;
    for (int with_sign = 0; with_sign < 2; with_sign++) {
        double want[256];
        PccMap8 map;
        define_map(with_sign, want);
        pcc_map8_make(with_sign, &map);
        for (int i = 0; i < 256; i++)
            check_close((double)map.value[i], want[i], 0x1p-23 * fabs(want[i]), "entry", i);
        assert_true(map.value[map.zero] == 0 && map.value[255] == 1);
    }
}

static double nearest_distance(const PccMap8 *map, double x)
{
    double least = 2;
    for (int i = 0; i < 256; i++)
        least = fmin(least, fabs((double)map->value[i] - x));
    return least;
}

/* Random magnitudes of every decade, every entry, and both sides of every boundary. A place among up to 128 steps, in
 * f32, is off by 2^-16 of a step at most, so that the entry taken is farther by 2^-15 steps than the nearest. */
static void codes_are_nearest(void **state)
{
    (void)state;
    for (int with_sign = 0; with_sign < 2; with_sign++) {
        PccMap8 map;
        pcc_map8_make(with_sign, &map);
        for (int i = 0; i < 20000 + 4 * 256; i++) {
            const int entry = i % 256, next = entry < 255 ? entry + 1 : entry;
            float x = (float)((with_sign ? next_value() : fabs(next_value())) * pow(10, -8.0 * (i % 97) / 97));
            if (i >= 20000)
                x = (map.value[entry] + map.value[next]) / 2;
            if (i >= 20512)
                x = nextafterf(x, i & 256 ? 1 : -1);
            const float row[] = {x, 1}; /* so that the scale is 1 */
            uint8_t codes[2];
            assert_true(pcc_map8_encode(&map, row, 2, codes) == 1 && codes[1] == 255);
            const double distance = fabs((double)map.value[codes[0]] - (double)x),
                         nearest = nearest_distance(&map, (double)x);
            check_close(distance, nearest, 0x1p-15 * 2 * nearest, "distance", i);
        }
        for (int i = 0; i < 256; i++) {
            const float row[] = {map.value[i], 1};
            uint8_t codes[2];
            pcc_map8_encode(&map, row, 2, codes);
            assert_int_equal(codes[0], i);
        }
    }
}

/* A block's scale is its largest magnitude, which comes back exactly; zeros, subnormals and NaNs do no harm. */
static void blocks_come_back(void **state)
{
    (void)state;
    PccMap8 map;
    pcc_map8_make(true, &map);
    float row[PCC_MOMENT_BLOCK], back[PCC_MOMENT_BLOCK];
    uint8_t codes[PCC_MOMENT_BLOCK];
    const double scales[] = {1e-30, 3.7e-5, 1, 8e20};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < PCC_MOMENT_BLOCK; i++)
            row[i] = (float)(next_value() * scales[k]);
        row[100] = (float)(k % 2 ? 1.5 * scales[k] : -1.5 * scales[k]);
        const float scale = pcc_map8_encode(&map, row, 200, codes);
        assert_true(scale == fabsf(row[100]));
        pcc_map8_decode(&map, codes, scale, 200, back);
        if (k % 2)
            assert_true(back[100] == row[100]);
        /* the widest steps of the signed map are 0.9 / 64; below -1 + half of one there is no entry */
        for (int i = 0; i < 200; i++)
            check_close((double)back[i], (double)row[i], 0.9 / 64 / 2 * (double)scale * 1.0001, "element", i);
    }
    memset(row, 0, sizeof row);
    assert_true(pcc_map8_encode(&map, row, PCC_MOMENT_BLOCK, codes) == 0 && codes[5] == map.zero);
    row[3] = 0x1p-140f;
    assert_true(pcc_map8_encode(&map, row, PCC_MOMENT_BLOCK, codes) == row[3] && codes[3] == map.zero);
    row[3] = NAN;
    assert_true(isnan(pcc_map8_encode(&map, row, PCC_MOMENT_BLOCK, codes)));
}

/* 100 steps of AdamW on noisy gradients: with 8-bit moments the weights end near those with f32 moments. The widest
 * steps of the signed map, 0.9 / 64 of the largest momentum, are a root mean square error of 0.4 % of that, 1 % of a
 * typical momentum, and so of the distance travelled; twice that is allowed. */
static void close_to_f32_adamw(void **state)
{
    (void)state;
    enum { ELEMENTS = 5000, STEPS = 100 };
    Narrow runs[2] = {{.count = 0}};
    const PccDtype moments[] = {PCC_F32, PCC_U8};
    for (int r = 0; r < 2; r++) {
        narrow_add(&runs[r], (Storage){PCC_F32, PCC_F32, moments[r], PCC_NEAREST}, ELEMENTS);
        narrow_start(&runs[r], (PccHyper){.lr = 1e-3, .weight_decay = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8});
    }
    for (int step = 0; step < STEPS; step++) {
        for (int64_t i = 0; i < ELEMENTS; i++) {
            const double g = (sin((double)i) + next_value());
            for (int r = 0; r < 2; r++)
                narrow_set(&runs[r], runs[r].params[0].gradient, PCC_F32, i, g);
        }
        for (int r = 0; r < 2; r++, runs[r - 1].s.update++)
            run_adamw8bit(runs[r].params, 1, &runs[r].s);
    }
    double apart = 0, travelled = 0;
    for (int64_t i = 0; i < ELEMENTS; i++) {
        apart += pow(narrow_value(&runs[1], 0, i) - narrow_value(&runs[0], 0, i), 2);
        travelled += pow(narrow_value(&runs[0], 0, i), 2);
    }
    const double share = sqrt(apart / travelled);
    if (share > 0.02 || share == 0)
        fail_msg("the weights are %.4f of the distance apart", share);
    narrow_end(&runs[0]);
    narrow_end(&runs[1]);
}

/* What the reference of `pcc verify` takes storage for: the same, but where f32 decides between two entries. */
static void the_reference_rounds_alike(void **state)
{
    (void)state;
    enum { COUNT = PCC_MOMENT_BLOCK };
    for (int trial = 0; trial < 40; trial++) {
        const bool with_sign = trial % 2;
        PccMap8 map;
        float row[COUNT], back[COUNT];
        double reference[COUNT];
        uint8_t codes[COUNT];
        pcc_map8_make(with_sign, &map);
        for (int i = 0; i < COUNT; i++) {
            row[i] = (float)((with_sign ? next_value() : fabs(next_value())) * pow(10, -8.0 * (i % 97) / 97));
            reference[i] = (double)row[i];
        }
        const float scale = pcc_map8_encode(&map, row, COUNT, codes);
        pcc_map8_decode(&map, codes, scale, COUNT, back);
        round_to_blocks8(COUNT, with_sign, reference);
        for (int i = 0; i < COUNT; i++) {
            const double value = (double)row[i], error = fabs(reference[i] - value);
            const bool alike = fabs((double)back[i] - reference[i]) <= 0x1p-22 * fabs(reference[i]);
            const bool tie = fabs(fabs((double)back[i] - value) - error) <= 0x1p-14 * error;
            assert_true(alike || tie);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_as_defined), cmocka_unit_test(codes_are_nearest),
        cmocka_unit_test(blocks_come_back),    cmocka_unit_test(the_reference_rounds_alike),
        cmocka_unit_test(close_to_f32_adamw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
