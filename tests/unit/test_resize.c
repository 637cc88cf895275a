/* Resize along one axis: worked examples of ONNX's specification, weights of every mode against an independent dense
 * matrix, and the adjoint as that matrix's transpose. */
#define PCC_NARROW
#include "runtime/kernels/pool/resize.h"

#include "narrow_case.h"

#include "resize_axes.inc"

#define PCC_TEMPLATE "tests/unit/resize_cases.inc"
#include "runtime/kernels/common/for_floats.inc"
#undef PCC_TEMPLATE

#include "resize_narrow.inc"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrix_f32),          cmocka_unit_test(matrix_f64),  cmocka_unit_test(worked_examples_f32),
        cmocka_unit_test(worked_examples_f64), cmocka_unit_test(axes_narrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
