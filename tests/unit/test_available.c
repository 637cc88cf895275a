/* test_available.c: available memory of systems made of files, and a program that needs more than there is. */
#include "runtime_support.h"

#include <pcc/session/available.h>

#include "program_linear.h"

/* Writes ROOT/PATH, with its folders. */
static void write_text(const char *root, const char *path, const char *text)
{
    char command[2048];
    snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s/%s')\"", support_path(root), path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "%s/%s", support_path(root), path);
    support_write(command, text, strlen(text));
}

static int64_t available(const char *root)
{
    return pcc_available_memory(support_path(root));
}

static void test_nothing_known(void **state)
{
    (void)state;
    assert_true(available("nowhere") == INT64_MAX);
}

static void test_meminfo(void **state)
{
    (void)state;
    write_text("plain", "proc/meminfo", "MemTotal:  900 kB\nMemAvailable:     500 kB\nSwapFree:  20 kB\n");
    assert_true(available("plain") == 520 * 1024);
}

static void test_peak(void **state)
{
    (void)state;
    assert_true(pcc_peak_memory(support_path("nowhere")) == -1);
    write_text("peak", "proc/self/status", "Name:\ttrain\nVmPeak:\t  900 kB\nVmHWM:\t  345 kB\nVmRSS:\t 12 kB\n");
    assert_true(pcc_peak_memory(support_path("peak")) == 345 * 1024);
}

/* The group above has the tighter limit; cached files count as free. */
static void test_cgroup_v2(void **state)
{
    (void)state;
    write_text("two", "proc/meminfo", "MemAvailable:   99999 kB\n");
    write_text("two", "proc/self/cgroup", "0::/slice/job\n");
    write_text("two", "sys/fs/cgroup/slice/job/memory.max", "max\n");
    write_text("two", "sys/fs/cgroup/slice/memory.max", "10000\n");
    write_text("two", "sys/fs/cgroup/slice/memory.current", "7000\n");
    write_text("two", "sys/fs/cgroup/slice/memory.stat", "anon 1\nfile 3000\ninactive_file 1500\nactive_file 500\n");
    assert_true(available("two") == 5000);
    write_text("two", "sys/fs/cgroup/slice/job/memory.max", "4000\n");
    write_text("two", "sys/fs/cgroup/slice/job/memory.current", "5000\n");
    assert_true(available("two") == 0);
}

/* In a container the group's path may be that of the host. */
static void test_cgroup_v1(void **state)
{
    (void)state;
    write_text("one", "proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/docker/1234\n0::/\n");
    write_text("one", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_true(available("one") > (int64_t)1 << 60);
    write_text("one", "sys/fs/cgroup/memory/memory.limit_in_bytes", "8000\n");
    write_text("one", "sys/fs/cgroup/memory/memory.usage_in_bytes", "3000\n");
    write_text("one", "sys/fs/cgroup/memory/memory.stat", "inactive_file 9\ntotal_inactive_file 1000\n");
    assert_true(available("one") == 6000);
}

static void test_a_program_that_needs_too_much(void **state)
{
    (void)state;
    PccProgram program = linear_f32_program;
    PccError error;
    program.arena_bytes = (size_t)1 << 44;
    assert_null(pcc_open(&program, NULL, 1, &error));
    assert_int_equal(error.status, PCC_ERR_INTERNAL);
    assert_non_null(strstr(error.message, "not enough memory"));
    assert_non_null(strstr(error.message, "16777216.0 MiB for a step"));
    assert_non_null(strstr(error.message, "MiB are available"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_meminfo),
        cmocka_unit_test(test_peak),
        cmocka_unit_test(test_cgroup_v2),
        cmocka_unit_test(test_cgroup_v1),
        cmocka_unit_test(test_a_program_that_needs_too_much),
    };
    return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
