/* test_recurrent.cu: recurrences and their gradients against the C target's kernels on the same operands: every cell
 * and attribute, and the same bits in any order of blocks and threads. test_recurrent_products.cu has larger ones. */
#include "recurrent_case.h"

template <class Case> static void agrees_with_c(void **)
{
    check_variants<Case>({1, 1, 1, 1}, false);
    check_variants<Case>({3, 2, 1, 5}, true);
    check_variants<Case>({4, 13, 2, 8}, false);
}

/* ---- clipping --------------------------------------------------------------------------------------------------- */

/* Sums beyond the bounds have no gradient, whatever the function. */
template <class T> static void clipped_sums_have_no_gradient(void **)
{
    const Sizes z = {1, 40, 1, 8};
    const double alpha[] = {0, 0, 0, 0.3, 0.2, 0.1, 0.9, 0.2, 0.7, 0, 0}, beta[] = {0, 0, 0, 0.1, 0, 0, 1.3, 0.4};
    for (int64_t function = PCC_GATE_SIGMOID; function <= PCC_GATE_SOFTPLUS; function++) {
        const Variant v = {PCC_CELL_RNN, CLIPPED, {function}, {alpha[function]}, {function < 8 ? beta[function] : 0}};
        const Recurrent<T, T> c(v, z, "clipped");
        CudaStep step;
        const Device<T> g(c.g.values), r(c.r.values), dy(c.dy.values);
        const Device<T> gates(c.all()), y(c.all()), dg(c.all());
        const Device<unsigned char> scratch((int64_t)pcc_cuda_recurrence_grad_scratch_bytes(c.shape, sizeof(T)));
        T *none = nullptr;
        pcc_recurrence<T>(c.shape, g.at(), r.at(), none, none, none, none, (int64_t *)nullptr, gates.at(), y.at(), none,
                          none, none, scratch.at(), step.get());
        pcc_recurrence_grad<T>(c.shape, gates.at(), y.at(), none, r.at(), none, none, none, (int64_t *)nullptr, dy.at(),
                               none, none, dg.at(), none, none, none, scratch.at(), step.get());
        step.finish();
        const std::vector<double> got = dg.read();
        int beyond = 0;
        for (size_t i = 0; i < got.size(); i++)
            if (fabs(c.g.values[i]) > 0.5) {
                beyond++;
                assert_true(got[i] == 0);
            }
        assert_true(beyond > 50);
    }
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_c<F64>),
        cmocka_unit_test(agrees_with_c<Bf16>),
        cmocka_unit_test(clipped_sums_have_no_gradient<double>),
        cmocka_unit_test(clipped_sums_have_no_gradient<float>),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
