/* merged.h: many small graphs as one program, because a C compiler's time goes into the headers: merged, compiled,
 * loaded and run, beside the evaluator's outputs and gradients; in children, so that a crash is a result like any
 * other. */
#ifndef PCC_TESTS_MERGED_H
#define PCC_TESTS_MERGED_H

#include "ir/ir.h"
#include "passes/passes.h"
#include "runtime/pcc.h"

typedef struct OnnxModel OnnxModel;

enum { MAX_CASE_TENSORS = 16, MESSAGE_BYTES = 240 };

/* Where a case ended. */
typedef enum Stage {
    STAGE_PASSED,
    STAGE_IMPORT,    /* refused with a message: not supported */
    STAGE_REFERENCE, /* the evaluator's outputs are not the expected ones */
    STAGE_COMPILE,   /* pcc's passes or code generation fail, or the C compiler does */
    STAGE_EMITTED,   /* the program's outputs are not the expected ones */
    STAGE_GRADIENT,  /* its gradients are not the evaluator's */
    STAGE_CRASH,     /* a signal, or out of time */
} Stage;

extern const char *const stage_names[];

typedef struct Result {
    Stage stage;
    int64_t samples; /* the first axis of the case: programs have one batch, so cases of equal ones go together */
    char message[MESSAGE_BYTES];
} Result;

typedef struct CaseTensor {
    const char *name;
    Type type;
    const void *data; /* dense, little-endian */
} CaseTensor;

typedef struct Case {
    const char *name; /* "test_abs" */
    Graph *graph;     /* what learns is PARAM with its data; the others INPUT, or folded in as constants */
    OnnxModel *model;
    CaseTensor inputs[MAX_CASE_TENSORS], outputs[MAX_CASE_TENSORS];
    int input_count, output_count;
    int64_t samples;
} Case;

/* The contents of an input of the graph. */
const void *case_input(const Case *test, const char *name);

/* ---- merge.c ---- */

/* Copies each case's graph into one, under names "CASE/NAME", with outputs "CASE/output I" and a scalar output "loss":
 * the sum of all float outputs times fixed weights. */
Graph *merge_cases(Arena *arena, Diagnostics *diagnostics, const Case *cases, int count);
/* Every initializer learns, the output "loss" is the loss, and the verifier runs after each pass; the rest is as pcc
 * has it by default. */
Options merged_options(const char *precision);

/* ---- batch.c: cases as one program ---- */

typedef struct Batch {
    const Case *cases;
    int count;
    Arena *arena;
    Diagnostics *diagnostics;
    const PccProgram *program;
    PccSession *session;
} Batch;

/* Compiles the cases into files of `folder` and loads the program. */
Batch open_batch(const Case *cases, int count, const char *precision, const char *folder);
/* One step of the training graph, without an update. */
void run_batch(Batch *batch);
void close_batch(Batch *batch);
/* The case that a value "CASE/NAME" belongs to, or NULL; *rest is NAME. */
const Case *find_case(const Batch *batch, const char *value, const char **rest);
/* Of the program. False when it has no place in memory. */
bool batch_output(const Batch *batch, const Case *test, int index, Tensor *output);
bool batch_gradient(const Batch *batch, const char *parameter, Tensor *gradient);
/* The merged graph differentiated in f64, by only the passes that give the graph its meaning: none that could hide its
 * own mistake from a comparison. Its inputs' tensors, by value id; evaluate_graph() then makes all. */
Graph *derive_batch(const Batch *batch, Tensor **tensors);
const Value *output_of(const Graph *graph, const char *name);

/* ---- rounding.c ---- */

double unit_roundoff(const char *precision); /* of the narrowest format that the mode computes in */
/* The graph's values with every element of every result off by a roundoff, up or down by the seed. */
Tensor *evaluate_rounded(Graph *graph, const Tensor *inputs, double roundoff, uint64_t seed);
double largest_of(const Tensor *tensor);                     /* |element| */
double noise_of(const Tensor *exact, const Tensor *rounded); /* the largest difference of elements */

/* ---- children.c ---- */

typedef struct Runner Runner;
typedef void Job(const Runner *runner, Arena *arena, Diagnostics *diagnostics, const int *indices, int count);
struct Runner {
    Job *job;        /* what a child does with cases of these indices: their results' stages say how far they came */
    Result *results; /* shared with children */
    const void *context;
};

Result *share_results(int count); /* NULL when there is no memory */
void set_results(Result *results, const int *indices, int count, Stage stage, const char *message);
/* Two children at a time, each with at most `each` cases of equal samples. A failure of several at once is found by
 * halving; the first line of its messages is the result's. */
void run_children(const Runner *runner, const int *indices, int count, int each);
/* Removes a folder with the files in it. */
void remove_folder(const char *folder);

#endif
