/* fuzz.h: random graphs of 10 to 60 operators, whose emitted programs are compared with the evaluator. A seed is a
 * graph.
 *
 * Every node is evaluated as it is added, and stays when its results are of moderate size, do not hang on the last bits
 * of its operands, and lie away from kinks: then the tolerances follow from the dtype. */
#ifndef PCC_TESTS_FUZZ_H
#define PCC_TESTS_FUZZ_H

#include "merged.h"

enum { MAX_ELEMENTS = 300, MAX_FUZZ_RANK = 5, MAX_VALUES = 4096, MAX_POOL = 256 };

typedef struct Generator {
    Graph *graph;
    Case *test; /* of which the inputs are filled */
    uint64_t state;
    Tensor *tensors;       /* by value id */
    Value *pool[MAX_POOL]; /* what nodes may read */
    int pool_count, node_count;
    bool smooth; /* no node that rounding to 16 bits could switch */
} Generator;

/* Adds one or a few nodes. False when no operand fits, or a node was refused: then another is tried. */
typedef bool Family(Generator *g);

/* Ended by NULL. */
extern Family *const elementwise_families[],
    *const view_families[], *const index_families[], *const reduction_families[], *const product_families[],
                                                                                      *const pattern_families[];

/* ---- generate.c ---- */

/* The case of a seed: its graph, and the data of its inputs. */
void generate_case(Arena *arena, Diagnostics *diagnostics, uint64_t seed, bool smooth, Case *test);

int64_t below(Generator *g, int64_t count);               /* 0 ... count - 1 */
int64_t between(Generator *g, int64_t low, int64_t high); /* both may come */
double uniform(Generator *g, double low, double high);
bool chance(Generator *g, int percent);
#define ANY_OF(g, list) ((list)[below((g), (int64_t)(sizeof(list) / sizeof *(list)))])

/* A value of the pool with a rank in [low, high]: 'f' float, 'i' integer, 'b' bool; NULL when there is none. */
Value *pick(Generator *g, char kind, int low, int high);
/* A new parameter, or now and then an input or a constant, with numbers in [low, high). */
Value *fresh(Generator *g, int rank, const int64_t *dims, double low, double high);
Value *fresh_bools(Generator *g, int rank, const int64_t *dims);
/* A constant or an input of i64 in [low, high]. */
Value *fresh_indices(Generator *g, int rank, const int64_t *dims, int64_t low, int64_t high);
Value *scalar(Generator *g, double value);                    /* a constant of rank 0 */
Value *whole(Generator *g, int count, const int64_t *values); /* constant i64 [count] */
Value *scalar_int(Generator *g, int64_t value);

#define BEGIN(g, op, outputs, ...) \
    begin((g), (op), (outputs), (int)(sizeof((Value *[]){__VA_ARGS__}) / sizeof(Value *)), (Value *[]){__VA_ARGS__})
Node *begin(Generator *g, const char *op, int outputs, int count, Value *const *inputs);
/* Infers, evaluates, judges; the results join the pool. A refused node is removed. */
bool finish(Generator *g, Node *node);
/* No element within a margin of the point; exact zeros are no danger where `point` is 0, since nothing rounds them. */
bool clear_of(const Generator *g, const Value *value, double point);
/* No two elements are near each other, zeros left aside: where a maximum is chosen. */
bool is_distinct(const Generator *g, const Value *value);
bool lies_in(const Generator *g, const Value *value, double low, double high);

/* ---- run.c ---- */

/* Compiles the cases as one program, runs it, and compares outputs and gradients with the evaluator's. */
void check_cases(const Case *cases, int count, const char *precision, const char *folder, Result *const *results);

/* ---- reduce.c ---- */

typedef bool Fails(void *context, const Case *test);
/* The smallest case found that still fails: fewer outputs, fewer nodes, values become parameters. */
Case reduce_case(const Case *test, Fails *fails, void *context);

#endif
