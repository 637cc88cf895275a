/* test_legalise.c: Casts around a kernel whose row takes no operands of 16 bits, in a target that has no other. */
#include "ir_fixture.h"

#include "passes/precision/autocast.h"

static void test_casts_around_a_wide_kernel(void **state)
{
    Fixture *fixture = *state;
    Graph *graph = parsed(fixture, "graph \"g\" stage \"hoist-casts\"\n"
                                   "input %0 \"x\" : bf16[2,4]\n"
                                   "%1 : bf16[2,4] = Relu(%0)\n"
                                   "%2 : bf16[2,4] = RunningSum(%1) {axis=1} @ \"first\" \"CumSum\"\n"
                                   "%3 : bf16[2,4] = RunningSum(%1) {axis=0} @ \"second\" \"CumSum\"\n"
                                   "%4 : bf16[2,4] = Add(%2, %3)\n"
                                   "output %4\n");
    static const Kernel wide[] = {{.op = "RunningSum"}, {0}};
    const Target target = {.name = "wide", .kernels = (const Kernel *const[]){wide, NULL}};
    legalise(graph, &(Options){.target = &target});
    graph_verify(graph);
    assert_string_equal(printed(fixture, graph, 0), /* both read one widened copy */
                        "graph \"g\" stage \"hoist-casts\"\n"
                        "input %0 \"x\" : bf16[2,4]\n"
                        "%1 : bf16[2,4] = Relu(%0)\n"
                        "%5 : f32[2,4] = Cast(%1) {to=1} @ \"first\" \"CumSum\"\n"
                        "%2 : f32[2,4] = RunningSum(%5) {axis=1} @ \"first\" \"CumSum\"\n"
                        "%6 : bf16[2,4] = Cast(%2) {to=16} @ \"first\" \"CumSum\"\n"
                        "%3 : f32[2,4] = RunningSum(%5) {axis=0} @ \"second\" \"CumSum\"\n"
                        "%7 : bf16[2,4] = Cast(%3) {to=16} @ \"second\" \"CumSum\"\n"
                        "%4 : bf16[2,4] = Add(%6, %7)\n"
                        "output %4\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_WITH_FIXTURE(test_casts_around_a_wide_kernel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
