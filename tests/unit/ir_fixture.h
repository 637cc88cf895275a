/* ir_fixture.h: an arena and diagnostics that are kept as text, for tests of the IR. */
#ifndef PCC_TESTS_IR_FIXTURE_H
#define PCC_TESTS_IR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

typedef struct Fixture {
    Diagnostics diagnostics;
    Arena *arena;
    char *messages;
    size_t message_bytes;
    int earlier_errors;                /* before ASSERT_LEAVES */
    size_t first_checked, end_checked; /* what the last assert_message() looked at */
} Fixture;

static inline int fixture_setup(void **state)
{
    Fixture *fixture = test_calloc(1, sizeof(Fixture));
    FILE *stream = open_memstream(&fixture->messages, &fixture->message_bytes);
    diagnostics_init(&fixture->diagnostics, stream);
    fixture->diagnostics.file = "test";
    fixture->arena = arena_create((size_t)64 << 20, &fixture->diagnostics);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    Fixture *fixture = *state;
    arena_destroy(fixture->arena);
    fclose(fixture->diagnostics.stream);
    free(fixture->messages);
    test_free(fixture);
    return 0;
}

/* All messages so far. */
static inline const char *messages(Fixture *fixture)
{
    fflush(fixture->diagnostics.stream);
    return fixture->messages;
}

/* Another part of what the last assert_message() looked at. */
static inline void assert_also(Fixture *fixture, const char *part)
{
    const char *text = messages(fixture) + fixture->first_checked;
    size_t length = fixture->end_checked - fixture->first_checked;
    if (!memmem(text, length, part, strlen(part)))
        fail_msg("expected '%s' in: %.*s", part, (int)length, text);
}

/* Looks at the messages since the last check, so that none of an earlier step will do. */
static inline void assert_message(Fixture *fixture, const char *part)
{
    fixture->first_checked = fixture->end_checked;
    fixture->end_checked = strlen(messages(fixture));
    assert_also(fixture, part);
}

/* Runs a statement that must end in fatal() or leave() with this status; statuses of earlier steps do not count. */
#define ASSERT_LEAVES(fixture, expected_status, statement)                          \
    do {                                                                            \
        (fixture)->earlier_errors = (fixture)->diagnostics.error_count;             \
        (fixture)->diagnostics.error_count = 0; /* the first one's status counts */ \
        (fixture)->diagnostics.status = EXIT_STATUS_OK;                             \
        (fixture)->diagnostics.can_recover = true;                                  \
        if (setjmp((fixture)->diagnostics.recover) == 0) {                          \
            statement;                                                              \
            fail_msg("it returned: %s", #statement);                                \
        }                                                                           \
        (fixture)->diagnostics.can_recover = false;                                 \
        (fixture)->diagnostics.error_count += (fixture)->earlier_errors;            \
        assert_int_equal((fixture)->diagnostics.status, expected_status);           \
    } while (0)

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})
#define RANK(...) ((int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
#define TYPE(dtype, ...) make_type((dtype), RANK(__VA_ARGS__), DIMS(__VA_ARGS__))
#define TEST_WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

static inline Graph *parse_text(Fixture *fixture, const char *text)
{
    return graph_parse(fixture->arena, &fixture->diagnostics, "test.ir", text, strlen(text), NULL, NULL);
}

/* A text that must parse. */
static inline Graph *parsed(Fixture *fixture, const char *text)
{
    Graph *graph = parse_text(fixture, text);
    if (!graph)
        fail_msg("%s", messages(fixture));
    return graph;
}

static inline const char *printed(Fixture *fixture, const Graph *graph, int64_t inline_elements)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    graph_print(graph, stream, inline_elements);
    fclose(stream);
    const char *copy = arena_strndup(fixture->arena, text, length);
    free(text);
    return copy;
}

#endif
