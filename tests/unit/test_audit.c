/* test_audit.c: each rule of the audit catches its snippet, and leaves alone what is allowed. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "audit/audit.h"

enum { MAX_RULES = 16 };

typedef struct Found {
    char rules[MAX_RULES][16];
    unsigned lines[MAX_RULES];
    int count;
} Found;

static void keep(void *context, const AuditFinding *finding)
{
    Found *found = context;
    assert_true(found->count < MAX_RULES);
    strncpy(found->rules[found->count], finding->rule, sizeof found->rules[0] - 1);
    found->lines[found->count++] = finding->line;
}

/* Loaded as pcc loads it; without libclang there is no module to test. */
static AuditFunction *load_audit(void)
{
    AuditFunction *entry = NULL;
    void *module = dlopen(PCC_AUDIT_MODULE, RTLD_NOW | RTLD_LOCAL);
    if (!module) {
        print_message("%s\n", dlerror());
        fail();
    }
    void *symbol = dlsym(module, PCC_AUDIT_ENTRY);
    assert_non_null(symbol);
    memcpy(&entry, &symbol, sizeof entry);
    return entry;
}

static Found audit(const char *text, bool wide)
{
    Found found = {.count = 0};
    AuditOptions options = {.source_name = "snippet.c", .include = PCC_TEST_INCLUDE, .wide = wide};
    int count = load_audit()(text, strlen(text), &options, keep, &found);
    assert_int_equal(count, found.count);
    return found;
}

static void assert_caught(const char *rule, unsigned line, const char *text)
{
    Found found = audit(text, false);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.rules[0], rule);
    assert_int_equal(found.lines[0], line);
}

static void assert_clean(const char *text, bool wide)
{
    Found found = audit(text, wide);
    if (found.count > 0)
        fail_msg("line %u: [%s]", found.lines[0], found.rules[0]);
}

static void test_parse(void **state)
{
    (void)state;
    assert_caught("parse", 1, "int f(void) { return undeclared; }\n");
    assert_caught("parse", 1, "static int unused(void) { return 1; }\n");
    assert_caught("parse", 3, "int f(int n)\n{\n    int unused;\n    return n;\n}\n");
}

static void test_promotion(void **state)
{
    (void)state;
    assert_caught("promotion", 1, "double f(float x) { return x; }\n");
    assert_caught("promotion", 2, "double g(double);\ndouble f(float x) { return g(x); }\n");
    assert_caught("promotion", 3, "double f(float x)\n{\n    double y = (x);\n    return y;\n}\n");
    assert_clean("double f(float x) { return (double)x; }\n", false);
    assert_clean("float f(double x) { return (float)x; }\n", false);
    Found found = audit("double f(float x) { return x; }\n", true);
    assert_int_equal(found.count, 1); /* in every precision */
}

static void test_double_arithmetic(void **state)
{
    (void)state;
    const char *sum = "double f(double x, double y) { return x + y; }\n";
    assert_caught("double", 1, sum);
    assert_clean(sum, true);
    assert_caught("double", 1, "void f(double *x) { *x *= 2.0; }\n");
    assert_caught("double", 1, "_Bool f(double x) { return x > 0.0; }\n");
    assert_caught("double", 1, "double f(double x) { return -x; }\n");
    assert_clean("void g(double);\nvoid f(void) { g(-0x1p-3); }\n", false); /* a literal's sign is no arithmetic */
    assert_clean("float f(float x, float y) { return x * y - 0x1p-1f; }\n", false);
    assert_clean("double f(const double *x) { double y = *x; return y; }\n", false);
}

static void test_libm(void **state)
{
    (void)state;
    assert_caught("libm", 2, "#include <math.h>\ndouble f(void) { return exp(0.5); }\n");
    assert_caught("libm", 1, "double f(void) { return __builtin_sqrt(0.5); }\n");
    assert_clean("#include <math.h>\nfloat f(float x) { return expf(x); }\n", false);
    assert_clean("#include <math.h>\ndouble f(double x) { return exp(x); }\n", true);
}

static void test_half(void **state)
{
    (void)state;
    assert_caught("half", 1, "_Float16 f(_Float16 x, _Float16 y) { return x + y; }\n");
    assert_caught("half", 1, "float f(_Float16 x) { return -(float)(x * x); }\n");
    assert_clean("float f(_Float16 x) { return (float)x * 0x1p+1f; }\n", false);
    assert_clean("float f_from_half(_Float16 x) { return (float)(x * x); }\n", false);
}

/* The runtime's own headers, which emitted files include, keep the rules. */
static void test_runtime_headers(void **state)
{
    (void)state;
    assert_clean("#include <pcc/pcc.h>\n"
                 "#include <pcc/kernels/attention/attention.h>\n"
                 "#include <pcc/kernels/common/integer.h>\n"
                 "#include <pcc/kernels/conv/conv.h>\n"
                 "#include <pcc/kernels/index/index.h>\n"
                 "#include <pcc/kernels/loss/loss.h>\n"
                 "#include <pcc/kernels/loss/loss_scale.h>\n"
                 "#include <pcc/kernels/movement/copy.h>\n"
                 "#include <pcc/kernels/norm/norm.h>\n"
                 "#include <pcc/kernels/norm/softmax.h>\n"
                 "#include <pcc/kernels/optimizer/accumulate.h>\n"
                 "#include <pcc/kernels/optimizer/optimizer.h>\n"
                 "#include <pcc/kernels/pool/pool.h>\n"
                 "#include <pcc/kernels/pool/region.h>\n"
                 "#include <pcc/kernels/pool/resize.h>\n"
                 "#include <pcc/kernels/random/dropout.h>\n"
                 "#include <pcc/kernels/recurrent/recurrent.h>\n"
                 "#include <pcc/kernels/reduce/reduce.h>\n",
                 false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse), cmocka_unit_test(test_promotion), cmocka_unit_test(test_double_arithmetic),
        cmocka_unit_test(test_libm),  cmocka_unit_test(test_half),      cmocka_unit_test(test_runtime_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
