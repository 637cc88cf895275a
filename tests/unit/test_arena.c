/* The arena: zeroed, aligned, bounded. */
#include "ir_fixture.h"

static void test_memory_is_zero_and_aligned(void **state)
{
    Fixture *fixture = *state;
    size_t total = 0;
    for (size_t bytes = 1; bytes < (size_t)3 << 20; bytes += 1 + bytes / 3) {
        unsigned char *memory = arena_alloc(fixture->arena, bytes);
        assert_int_equal((uintptr_t)memory % (bytes >= 64 ? 64 : 16), 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xa5, bytes);
        total += bytes;
    }
    assert_int_equal(arena_used(fixture->arena), total);
}

static void test_allocations_do_not_overlap(void **state)
{
    Fixture *fixture = *state;
    enum { COUNT = 3000, BYTES = 700 };
    unsigned char *blocks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = arena_alloc(fixture->arena, BYTES);
        memset(blocks[i], i & 255, BYTES);
    }
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < BYTES; k += 699)
            assert_int_equal(blocks[i][k], i & 255);
}

static void test_capacity_is_a_diagnostic(void **state)
{
    Fixture *fixture = *state;
    ASSERT_LEAVES(fixture, EXIT_STATUS_INPUT, arena_alloc(fixture->arena, (size_t)65 << 20));
    assert_message(fixture, "more than the 64 MiB allowed");
}

static void test_capacity_counts_all_allocations(void **state)
{
    Fixture *fixture = *state;
    arena_alloc(fixture->arena, (size_t)40 << 20);
    ASSERT_LEAVES(fixture, EXIT_STATUS_INPUT, arena_alloc(fixture->arena, (size_t)25 << 20));
}

static void test_array_size_overflow_is_a_diagnostic(void **state)
{
    Fixture *fixture = *state;
    ASSERT_LEAVES(fixture, EXIT_STATUS_INPUT, arena_alloc_array(fixture->arena, SIZE_MAX / 4, 8));
    ASSERT_LEAVES(fixture, EXIT_STATUS_INPUT, arena_alloc(fixture->arena, SIZE_MAX));
}

static void test_text(void **state)
{
    Fixture *fixture = *state;
    assert_string_equal(arena_printf(fixture->arena, "%s-%d", "layer", 12), "layer-12");
    assert_string_equal(arena_strndup(fixture->arena, "abcdef", 3), "abc");
    assert_string_equal(arena_printf(fixture->arena, "%s", ""), "");
}

__attribute__((format(printf, 3, 4))) static void with_libc(char *buffer, size_t room, const char *format, ...)
{
    char own[64], *copy = room ? own : NULL;
    va_list arguments;
    memset(own, 'x', sizeof own);
    memset(buffer, 'x', sizeof own);
    va_start(arguments, format);
    const int wanted = vsnprintf(copy, room, format, arguments);
    va_end(arguments);
    va_start(arguments, format);
    const int length = format_into(buffer, room, format, arguments);
    va_end(arguments);
    assert_int_equal(length, wanted);
    assert_memory_equal(buffer, own, sizeof own);
}

/* Text of every conversion, cut off at every length. */
static void test_texts_are_those_of_libc(void **state)
{
    (void)state;
    char buffer[64];
    for (size_t room = 0; room < 48; room++) {
        with_libc(buffer, room, "plain");
        with_libc(buffer, room, "%s%s|%s", "", "word", "another");
        with_libc(buffer, room, "%d %d %d", 0, -7, INT32_MIN);
        with_libc(buffer, room, "%lld %lld", (long long)INT64_MIN, (long long)INT64_MAX);
        with_libc(buffer, room, "0x%llx, %llx", 0xfedcba9876543210ull, 0ull);
        with_libc(buffer, room, "[%.*s] %.*s", 3, "truncated", 9, "short");
        with_libc(buffer, room, "%d%%, %-4s %04x %g", 12, "left", 255u, 0.5); /* some that it leaves to libc */
        with_libc(buffer, room, "%s %zu %lldu", "words", (size_t)9, 3ll);
    }
}

static void test_lists_grow(void **state)
{
    Fixture *fixture = *state;
    int *list = NULL, count = 0;
    for (int i = 0; i < 1000; i++)
        APPEND(fixture->arena, list, count, 3 * i);
    assert_int_equal(count, 1000);
    for (int i = 0; i < count; i++)
        assert_int_equal(list[i], 3 * i);
}

static void test_only_the_last_allocation_extends(void **state)
{
    Fixture *fixture = *state;
    const size_t room = (size_t)1 << 30; /* more than the capacity */
    unsigned char *memory = arena_alloc(fixture->arena, 100);
    assert_true(arena_extend(fixture->arena, memory, 100, 28));
    assert_int_equal(arena_used(fixture->arena), 128);
    for (int i = 0; i < 128; i++)
        assert_int_equal(memory[i], 0);
    assert_false(arena_extend(fixture->arena, memory, 128, room));
    const unsigned char *next = arena_alloc(fixture->arena, 1);
    assert_true(next >= memory + 128);
    assert_false(arena_extend(fixture->arena, memory, 128, 1));
    assert_int_equal(arena_used(fixture->arena), 129);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(test_memory_is_zero_and_aligned),
        TEST_WITH_FIXTURE(test_allocations_do_not_overlap),
        TEST_WITH_FIXTURE(test_capacity_is_a_diagnostic),
        TEST_WITH_FIXTURE(test_capacity_counts_all_allocations),
        TEST_WITH_FIXTURE(test_only_the_last_allocation_extends),
        TEST_WITH_FIXTURE(test_array_size_overflow_is_a_diagnostic),
        TEST_WITH_FIXTURE(test_text),
        cmocka_unit_test(test_texts_are_those_of_libc),
        TEST_WITH_FIXTURE(test_lists_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
