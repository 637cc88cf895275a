/* test_mma.cu: the fragments of mma.cuh against plain loops and a second source's tables (fragments.py). */
#include "emulated_check.h"

#include <pcc/kernels/common/mma.cuh>

#include "fragments.inc"

/* 0, 1, ...: numbers that name their places. */
static std::vector<double> places(int64_t count)
{
    std::vector<double> values;
    for (int64_t i = 0; i < count; i++)
        values.push_back((double)i);
    return values;
}

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

static int half(const std::vector<uint32_t> &pairs, int lane, int number)
{
    return (int)(pairs[(size_t)(lane * 4 + number / 2)] >> number % 2 * 16 & 0xffff);
}

/* tile[i][j] = 16 i + j: the numbers name their places. */
template <bool Transposed> static void check_loads()
{
    CudaStep step;
    Device<uint16_t> tile(places(256));
    Device<uint32_t> device_a(128), device_b(128);
    PCC_LAUNCH((load_kernel<Transposed>), 1, 32, 0, step.get(), tile.at(), device_a.at(), device_b.at());
    const std::vector<uint32_t> a = device_a.elements(), b = device_b.elements();
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 8; i++) {
            const int row = table_a[lane * 8 + i] / 16, k = table_a[lane * 8 + i] % 16;
            assert_int_equal(half(a, lane, i), Transposed ? k * 16 + row : row * 16 + k);
            const int depth = table_b[lane * 4 + i % 4] / 8, column = table_b[lane * 4 + i % 4] % 8 + i / 4 * 8;
            assert_int_equal(half(b, lane, i), Transposed ? depth * 16 + column : column * 16 + depth);
        }
}

static void test_loads(void **)
{
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
    CudaStep step;
    Device<uint16_t> matrices(places(256));
    Device<uint32_t> device_out(128);
    PCC_LAUNCH((matrices_kernel<Transposed>), 1, 32, 0, step.get(), matrices.at(), device_out.at());
    const std::vector<uint32_t> out = device_out.elements();
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 8; i++)
            assert_int_equal(half(out, lane, i), table[lane * 8 + i]);
}

static void test_matrices(void **)
{
    check_matrices<false>(table_matrices);
    check_matrices<true>(table_transposed);
}

static void test_accumulators(void **)
{
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
    std::vector<double> a, b, c, want;
    for (int i = 0; i < 256; i++)
        a.push_back(i * 7 % 23 - 11);
    for (int i = 0; i < 128; i++) {
        b.push_back(i * 5 % 19 - 9);
        c.push_back(i - 60);
    }
    want = c;
    for (size_t i = 0; i < 128; i++)
        for (size_t k = 0; k < 16; k++)
            want[i] += a[i / 8 * 16 + k] * b[k * 8 + i % 8];
    CudaStep step;
    Device<X> device_a(a), device_b(b);
    Device<float> device_c(c);
    PCC_LAUNCH((multiply_kernel<X>), 1, 32, 0, step.get(), device_a.at(), device_b.at(), device_c.at());
    expect_close(want, device_c.read(), 0, "product");
}

static void test_products(void **)
{
    check_product<PccBf16>();
    check_product<PccF16>();
}

/* What a fragment packs is what pcc_put() stores. */
__global__ void pack_kernel(float low, float high, uint32_t *bf16, uint32_t *f16)
{
    *bf16 = pcc_pack_pair<PccBf16>(low, high);
    *f16 = pcc_pack_pair<PccF16>(low, high);
}

static void test_pairs(void **)
{
    const float low = 1.0f / 3, high = -70000.5f;
    CudaStep step;
    Device<uint32_t> device_bf16(1), device_f16(1);
    PCC_LAUNCH(pack_kernel, 1, 1, 0, step.get(), low, high, device_bf16.at(), device_f16.at());
    const uint32_t bf16 = device_bf16.elements()[0], f16 = device_f16.elements()[0];
    assert_int_equal(bf16 & 0xffff, pcc_bf16_from_f32(low).bits);
    assert_int_equal(bf16 >> 16, pcc_bf16_from_f32(high).bits);
    assert_int_equal(f16 & 0xffff, pcc_f16_from_f32(low).bits);
    assert_int_equal(f16 >> 16, pcc_f16_from_f32(high).bits);
}

/* ---- copies ----------------------------------------------------------------------------------------------------- */

/* Three groups, of which the first two are waited for first. */
__global__ void copy_kernel(const unsigned char *from, unsigned char *early, unsigned char *late)
{
    PCC_DYNAMIC_SHARED(unsigned char, shared);
    const int thread = (int)threadIdx.x, threads = (int)blockDim.x;
    for (int group = 0; group < 3; group++) {
        const int chunk = group * threads + thread;
        pcc_copy_async(shared + chunk * 16, from + chunk * 16, chunk % 17);
        pcc_commit_copies();
    }
    pcc_wait_copies<1>();
    for (int i = 0; i < 48; i++)
        early[thread * 48 + i] = shared[(i / 16 * threads + thread) * 16 + i % 16];
    pcc_wait_copies<0>();
    for (int i = 0; i < 48; i++)
        late[thread * 48 + i] = shared[(i / 16 * threads + thread) * 16 + i % 16];
}

/* The missing bytes are zeros; what has not been waited for is not there, as far as the emulator can tell. */
static void test_copies(void **)
{
    enum { THREADS = 64 };
    CudaStep step;
    const std::vector<double> from = random_integers(THREADS * 48, 1, 1, 250);
    Device<unsigned char> device_from(from), early(THREADS * 48), late(THREADS * 48);
    PCC_LAUNCH(copy_kernel, 1, THREADS, THREADS * 48, step.get(), device_from.at(), early.at(), late.at());
    const std::vector<double> first = early.read(), all = late.read();
    int missing = 0;
    for (size_t i = 0; i < THREADS * 48; i++) {
        const size_t group = i % 48 / 16, chunk = group * THREADS + i / 48;
        const double want = i % 16 < chunk % 17 ? from[chunk * 16 + i % 16] : 0;
        assert_true(all[i] == want);
        assert_true(first[i] == want || group == 2);
        missing += first[i] != want;
    }
    assert_true(missing > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads),    cmocka_unit_test(test_matrices), cmocka_unit_test(test_accumulators),
        cmocka_unit_test(test_products), cmocka_unit_test(test_pairs),    cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
