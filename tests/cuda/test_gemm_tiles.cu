/* test_gemm_tiles.cu: products in every tile and layout, whatever the plan would choose for their size. */
#include "gemm_case.cuh"

template <class T, class X, int Tile, int Kind> static void check_tile(int64_t m, int64_t n, int64_t k)
{
    constexpr bool a_across = (Kind & PCC_PRODUCT_A_ACROSS) != 0, b_across = (Kind & PCC_PRODUCT_B_ACROSS) != 0;
    const Case c = {2, m, n, k, a_across ? 't' : 'n', b_across ? 'n' : 't', 0, 0};
    const Layout la = layout(c.ta, c.batch, m, k, 0), lb = layout(c.tb, c.batch, k, n, 0);
    const Operand<X> a(la.size, 1), b(lb.size, 2);
    Result<T> result(c.batch * m, n);
    const PccMatrix<X> left = {a.at(), la.batch, a_across ? la.column : la.row, 1, a_across ? k : m, a_across ? m : k};
    const PccMatrix<X> right = {b.at(), lb.batch, b_across ? lb.row : lb.column, 1, b_across ? k : n, b_across ? n : k};
    CudaStep step;
    pcc_run_form<T, Tile + Kind>(pcc_cut_product({c.batch, m, n, k, m, 0}, {Tile, 1}), left, right, nullptr,
                                 result.epilogue(), step.get());
    step.finish();
    result.expect_each_once();
    expected(c, a, la, b, lb).template expect<T, T>(result.y.read(), k, "tile");
}

template <class T, class X, int Tile> static void check_tiles()
{
    enum {
        A = PCC_PRODUCT_A_ACROSS,
        B = PCC_PRODUCT_B_ACROSS,
        VECTORS = PCC_PRODUCT_A_ALIGNED + PCC_PRODUCT_B_ALIGNED
    };
    check_tile<T, X, Tile, VECTORS>(136, 200, 136);
    check_tile<T, X, Tile, VECTORS + A>(264, 72, 40);
    check_tile<T, X, Tile, VECTORS + B>(72, 136, 104);
    check_tile<T, X, Tile, VECTORS + A + B>(136, 136, 72);
    check_tile<T, X, Tile, 0>(131, 133, 67);
    check_tile<T, X, Tile, A + B>(131, 133, 67);
    check_tile<T, X, Tile, PCC_PRODUCT_A_ALIGNED + A>(136, 131, 72);
    check_tile<T, X, Tile, PCC_PRODUCT_B_ALIGNED + B>(131, 136, 65);
}

static void test_tiles(void **)
{
    check_tiles<float, PccBf16, PCC_TILE_128x128>();
    check_tiles<float, PccBf16, PCC_TILE_128x64>();
    check_tiles<float, PccF16, PCC_TILE_64x64>();
    check_tiles<float, float, PCC_TILE_128x128>();
    check_tiles<float, float, PCC_TILE_128x64>();
    check_tiles<double, double, PCC_TILE_128x128>();
    check_tiles<double, double, PCC_TILE_128x64>();
}

/* More bands of tiles than one, and a last one that is not full. */
static void test_bands(void **)
{
    check_tile<float, PccBf16, PCC_TILE_64x64, PCC_PRODUCT_A_ALIGNED + PCC_PRODUCT_B_ALIGNED>(64 * 11, 130, 16);
}

/* The 8 lines that a warp reads of a chunk at once lie in different banks, and chunks do not overlap. */
template <int Chunks> static void check_banks()
{
    for (int line = 0; line < 32; line += 8)
        for (int chunk = 0; chunk < Chunks; chunk++) {
            unsigned banks = 0;
            for (int i = 0; i < 8; i++) {
                const int offset = pcc_chunk_offset<Chunks>(line + i, chunk);
                assert_int_equal(offset / 8 / Chunks, line + i);
                banks |= 1u << offset / 8 % 8;
            }
            assert_int_equal(banks, 0xff);
        }
}

static void test_banks(void **)
{
    check_banks<4>();
    check_banks<8>();
    check_banks<16>();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_bands),
        cmocka_unit_test(test_banks),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
