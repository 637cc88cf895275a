/* Which bytes are free at which positions, against a list of all that is taken. */
#include "ir_fixture.h"

#include "passes/schedule/occupancy.h"

typedef struct Taken {
    int first, last;
    int64_t offset, bytes;
} Taken;

/* The lowest offset that overlaps nothing which is taken at the same time: the end of something, or 0. */
static int64_t lowest_of(const Taken *taken, int count, const Taken *wanted)
{
    int64_t lowest = INT64_MAX;
    for (int i = -1; i < count; i++) {
        const int64_t offset = i < 0 ? 0 : taken[i].offset + taken[i].bytes;
        bool is_free = true;
        for (int k = 0; k < count; k++)
            is_free &= taken[k].first > wanted->last || wanted->first > taken[k].last ||
                       taken[k].offset >= offset + wanted->bytes || taken[k].offset + taken[k].bytes <= offset;
        lowest = is_free && offset < lowest ? offset : lowest;
    }
    return lowest;
}

static void test_buffers_go_to_the_lowest_place(void **state)
{
    Fixture *fixture = *state;
    enum { COUNT = 300 };
    for (int positions = 1; positions < 100; positions += 7) {
        Occupancy *occupancy = occupancy_create(fixture->arena, positions);
        Taken taken[COUNT];
        unsigned random = 12345u + (unsigned)positions;
        for (int i = 0; i < COUNT; i++) {
            random = random * 1103515245u + 12345u;
            const int first = (int)(random >> 8) % positions, length = (int)(random >> 16) % (positions / 2 + 1);
            taken[i] = (Taken){first, first + length < positions ? first + length : positions - 1,
                               .bytes = 1 + (int64_t)(random >> 20) % 9};
            taken[i].offset = lowest_free(occupancy, first, taken[i].last, taken[i].bytes);
            assert_int_equal(taken[i].offset, lowest_of(taken, i, &taken[i]));
            occupy(occupancy, first, taken[i].last, taken[i].offset, taken[i].bytes);
        }
    }
}

static void test_gaps_are_seen(void **state)
{
    Fixture *fixture = *state;
    Occupancy *occupancy = occupancy_create(fixture->arena, 5);
    occupy(occupancy, 0, 2, 0, 10);
    occupy(occupancy, 2, 4, 14, 6);
    assert_int_equal(lowest_free(occupancy, 2, 2, 4), 10);
    assert_int_equal(lowest_free(occupancy, 2, 2, 5), 20);
    assert_int_equal(lowest_free(occupancy, 3, 4, 14), 0);
    assert_int_equal(lowest_free(occupancy, 0, 1, 100), 10);
    occupy(occupancy, 2, 2, 10, 4); /* the three are one range now */
    assert_int_equal(lowest_free(occupancy, 2, 2, 1), 20);
    assert_int_equal(lowest_free(occupancy, 1, 1, 1), 10);
    assert_int_equal(lowest_free(occupancy, 0, 4, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(test_buffers_go_to_the_lowest_place),
        TEST_WITH_FIXTURE(test_gaps_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
