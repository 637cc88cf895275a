/* json.h: a strict cursor over JSON (RFC 8259) for headers and logs: the caller reads the structure that it expects.
 *
 *     PccJson json = pcc_json(text, size);
 *     for (bool more = pcc_json_begin(&json, '{'); more; more = pcc_json_more(&json, '}')) {
 *         char *key = pcc_json_key(&json);
 *         ...one value...
 *     }
 *     bool ok = pcc_json_finish(&json);
 *
 * The first violation stops everything: every later call does nothing and returns false, NULL or 0. */
#ifndef PCC_JSON_H
#define PCC_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PCC_JSON_MAX_DEPTH 32 /* of nested arrays and objects */

typedef struct PccJson {
    const char *begin, *at, *end;
    const char *problem; /* what is wrong at `at`, NULL while nothing is */
    int depth;
} PccJson;

PccJson pcc_json(const char *text, size_t size);

/* Marks the text as wrong here, for rules of the caller's own. Returns false. */
bool pcc_json_fail(PccJson *json, const char *problem);

/* The next token's first character after white space, 0 at the end. */
char pcc_json_peek(PccJson *json);

/* Enters an object '{' or array '['; true when it has a first element. */
bool pcc_json_begin(PccJson *json, char open);
/* After an element: true when another follows, false when the container has ended with `close`. */
bool pcc_json_more(PccJson *json, char close);

/* New memory; valid UTF-8 without NUL (an escaped one is refused). A key includes its colon. */
char *pcc_json_string(PccJson *json);
char *pcc_json_key(PccJson *json);

/* A non-negative integer without sign, fraction or exponent. */
uint64_t pcc_json_integer(PccJson *json);
double pcc_json_number(PccJson *json);

/* Any value. */
void pcc_json_skip(PccJson *json);

/* True when all went well and only white space is left. */
bool pcc_json_finish(PccJson *json);

/* Writing: a quoted string; a number in the fewest digits that read back the same (null when not finite). */
void pcc_json_write_string(FILE *file, const char *text);
void pcc_json_write_number(FILE *file, double value);

#endif
