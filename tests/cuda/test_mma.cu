/* test_mma.cu: the fragments of mma.cuh against plain loops and a second source's tables (fragments.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
extern "C" {
#include <cmocka.h>
}

#include "runtime/kernels/common/mma.cuh"

#include "fragments.inc"

static PccStep step;

/* ---- tables ----------------------------------------------------------------------------------------------------- */

/* The numbers that each lane holds of tiles whose elements are their own indices. */
template <bool Transposed> __global__ void load_kernel(const uint16_t *tile, uint32_t *a, uint32_t *b)
{
    const auto line = [&](int i, int chunk) { return tile + i * 16 + chunk * 8; };
    PccB two[2];
    const PccA fragment = pcc_load_a<Transposed>(line);
    pcc_load_b<Transposed>(two, line);
    for (int i = 0; i < 4; i++) {
        a[pcc_lane() * 4 + i] = fragment.at[i];
        b[pcc_lane() * 4 + i] = two[i / 2].at[i % 2];
    }
}

static int half(const uint32_t *pairs, int lane, int number)
{
    return (int)(pairs[lane * 4 + number / 2] >> number % 2 * 16 & 0xffff);
}

/* tile[i][j] = 16 i + j: the numbers name their places. */
template <bool Transposed> static void check_loads()
{
    uint16_t tile[256];
    uint32_t a[128], b[128];
    for (int i = 0; i < 256; i++)
        tile[i] = (uint16_t)i;
    PCC_LAUNCH((load_kernel<Transposed>), 1, 32, 0, &step, tile, a, b);
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 8; i++) {
            const int row = table_a[lane * 8 + i] / 16, k = table_a[lane * 8 + i] % 16;
            assert_int_equal(half(a, lane, i), Transposed ? k * 16 + row : row * 16 + k);
            const int depth = table_b[lane * 4 + i % 4] / 8, column = table_b[lane * 4 + i % 4] % 8 + i / 4 * 8;
            assert_int_equal(half(b, lane, i), Transposed ? depth * 16 + column : column * 16 + depth);
        }
}

static void test_loads(void **state)
{
    (void)state;
    check_loads<false>();
    check_loads<true>();
}

template <bool Transposed> __global__ void matrices_kernel(const uint16_t *matrices, uint32_t *out)
{
    uint32_t at[4];
    pcc_load_matrices<Transposed>(at, matrices + pcc_lane() * 8);
    for (int i = 0; i < 4; i++)
        out[pcc_lane() * 4 + i] = at[i];
}

template <bool Transposed> static void check_matrices(const int *table)
{
    uint16_t matrices[256];
    uint32_t out[128];
    for (int i = 0; i < 256; i++)
        matrices[i] = (uint16_t)i;
    PCC_LAUNCH((matrices_kernel<Transposed>), 1, 32, 0, &step, matrices, out);
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 8; i++)
            assert_int_equal(half(out, lane, i), table[lane * 8 + i]);
}

static void test_matrices(void **state)
{
    (void)state;
    check_matrices<false>(table_matrices);
    check_matrices<true>(table_transposed);
}

static void test_accumulators(void **state)
{
    (void)state;
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++)
            assert_int_equal(pcc_accumulator_row(lane, i) * 8 + pcc_accumulator_column(lane, i), table_c[lane * 4 + i]);
}

/* ---- products --------------------------------------------------------------------------------------------------- */

/* Fragments filled by the second source's tables. */
template <class X> __global__ void multiply_kernel(const X *a, const X *b, float *c)
{
    const int lane = pcc_lane();
    PccA fa = {};
    PccB fb = {};
    float fc[4];
    for (int i = 0; i < 8; i++)
        fa.at[i / 2] |= (uint32_t)a[table_a[lane * 8 + i]].bits << i % 2 * 16;
    for (int i = 0; i < 4; i++) {
        fb.at[i / 2] |= (uint32_t)b[table_b[lane * 4 + i]].bits << i % 2 * 16;
        fc[i] = c[table_c[lane * 4 + i]];
    }
    pcc_multiply<X>(fc, fa, fb);
    for (int i = 0; i < 4; i++)
        c[table_c[lane * 4 + i]] = fc[i];
}

/* Small whole numbers: sums are exact in any order. */
template <class X> static void check_product()
{
    X a[256], b[128];
    float c[128];
    int want[128];
    for (int i = 0; i < 256; i++)
        a[i] = pcc_narrowed<X>((float)(i * 7 % 23 - 11));
    for (int i = 0; i < 128; i++) {
        b[i] = pcc_narrowed<X>((float)(i * 5 % 19 - 9));
        c[i] = (float)(want[i] = i - 60);
        for (int k = 0; k < 16; k++)
            want[i] += ((i / 8 * 16 + k) * 7 % 23 - 11) * ((k * 8 + i % 8) * 5 % 19 - 9);
    }
    PCC_LAUNCH((multiply_kernel<X>), 1, 32, 0, &step, a, b, c);
    for (int i = 0; i < 128; i++)
        assert_int_equal((int)c[i], want[i]);
}

static void test_products(void **state)
{
    (void)state;
    check_product<PccBf16>();
    check_product<PccF16>();
}

/* What a fragment packs is what pcc_put() stores. */
__global__ void pack_kernel(float low, float high, uint32_t *bf16, uint32_t *f16)
{
    *bf16 = pcc_pack_pair<PccBf16>(low, high);
    *f16 = pcc_pack_pair<PccF16>(low, high);
}

static void test_pairs(void **state)
{
    (void)state;
    const float low = 1.0f / 3, high = -70000.5f;
    uint32_t bf16, f16;
    PCC_LAUNCH(pack_kernel, 1, 1, 0, &step, low, high, &bf16, &f16);
    assert_int_equal(bf16 & 0xffff, pcc_bf16_from_f32(low).bits);
    assert_int_equal(bf16 >> 16, pcc_bf16_from_f32(high).bits);
    assert_int_equal(f16 & 0xffff, pcc_f16_from_f32(low).bits);
    assert_int_equal(f16 >> 16, pcc_f16_from_f32(high).bits);
}

/* ---- copies ----------------------------------------------------------------------------------------------------- */

/* Three groups, of which the first two are waited for. */
__global__ void copy_kernel(const unsigned char *from, unsigned char *early, unsigned char *all)
{
    PCC_DYNAMIC_SHARED(unsigned char, shared);
    const int thread = (int)threadIdx.x;
    for (int group = 0; group < 3; group++) {
        const int chunk = group * (int)blockDim.x + thread;
        pcc_copy_async(shared + chunk * 16, from + chunk * 16, chunk % 17);
        pcc_commit_copies();
    }
    pcc_wait_copies<1>();
    for (int i = 0; i < 48; i++)
        early[thread * 48 + i] = shared[(i / 16 * (int)blockDim.x + thread) * 16 + i % 16];
    pcc_wait_copies<0>();
    for (int i = 0; i < 48; i++)
        all[thread * 48 + i] = shared[(i / 16 * (int)blockDim.x + thread) * 16 + i % 16];
}

/* The missing bytes are zeros; what has not been waited for is not there, as far as a test can ask for that. */
static void test_copies(void **state)
{
    (void)state;
    enum { THREADS = 64 };
    alignas(16) static unsigned char from[THREADS * 48];
    static unsigned char early[THREADS * 48], all[THREADS * 48];
    for (int i = 0; i < THREADS * 48; i++)
        from[i] = (unsigned char)(1 + i % 250);
    PCC_LAUNCH(copy_kernel, 1, THREADS, THREADS * 48, &step, from, early, all);
    int late = 0;
    for (int i = 0; i < THREADS * 48; i++) {
        const int group = i % 48 / 16, chunk = group * THREADS + i / 48;
        const int want = i % 16 < chunk % 17 ? from[chunk * 16 + i % 16] : 0;
        assert_int_equal(all[i], want);
        if (group < 2)
            assert_int_equal(early[i], want);
        else
            late += early[i] != want;
    }
    assert_true(late > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads),    cmocka_unit_test(test_matrices), cmocka_unit_test(test_accumulators),
        cmocka_unit_test(test_products), cmocka_unit_test(test_pairs),    cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
