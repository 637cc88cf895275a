/* conformance.h: the ONNX node tests through pcc: cases, what became of them, and the table of those that do not pass.
 *
 * A case is a folder test_X with model.onnx and test_data_set_0/{input,output}_i.pb. It passes when
 *   - the reference evaluator computes the expected outputs from the imported graph,
 *   - the emitted program's step() does too, after all passes, and
 *   - its gradients of a weighted sum of the float outputs agree with those that the evaluator computes in double. */
#ifndef PCC_TESTS_CONFORMANCE_H
#define PCC_TESTS_CONFORMANCE_H

#include "ir/ir.h"
#include "passes/passes.h"

typedef struct OnnxModel OnnxModel;

enum { MAX_CASES = 2048, MAX_CASE_TENSORS = 16, MESSAGE_BYTES = 240 };

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

/* Shared between processes: each case runs in a child, so that a crash is a result like any other. */
typedef struct Result {
    Stage stage;
    int64_t samples; /* the first axis of the case: programs have one batch, so cases of equal ones go together */
    char message[MESSAGE_BYTES];
} Result;

/* ---- cases.c ---- */

typedef struct CaseTensor {
    const char *name;
    Type type;
    const void *data; /* dense, little-endian */
} CaseTensor;

typedef struct Case {
    const char *name; /* "test_abs" */
    Graph *graph;     /* float inputs are PARAM with their data; the others INPUT or folded in as constants */
    OnnxModel *model;
    CaseTensor inputs[MAX_CASE_TENSORS], outputs[MAX_CASE_TENSORS];
    int input_count, output_count;
    int64_t samples;
} Case;

/* Reads and imports a case. Inputs that must be known at compile time become constants: none, else those that are not
 * float, else all but the first, else all. Leaves through the diagnostics when the model cannot be imported. */
void load_case(Arena *arena, Diagnostics *diagnostics, const char *folder, const char *name, Case *test);
void unload_case(Case *test);

/* The contents of an integer or bool input of the graph. */
const void *case_input(const Case *test, const char *name);

/* ---- compare.c ---- */

/* ONNX's test runner: |actual - expected| <= 1e-7 + 1e-3 |expected|, with NaN equal to NaN; integers and bool exactly.
 * Wider for 16-bit floats, whose unit roundoff is of that order. False and a message when they differ. */
bool same_contents(const Tensor *actual, const CaseTensor *expected, Arena *arena, char message[MESSAGE_BYTES]);

/* ---- reference.c ---- */

void check_reference(const Case *test, Result *result);

/* ---- merge.c: many cases as one program ---- */

/* Copies each case's graph into one, under names "CASE/NAME", with a scalar output "loss": the sum of all float outputs
 * times fixed weights. */
Graph *merge_cases(Arena *arena, Diagnostics *diagnostics, const Case *cases, int count);
Options conformance_options(const char *precision);

/* ---- emitted.c ---- */

/* Compiles the cases as one program into `folder` and loads it; every case gets its result. A failure that is no single
 * case's is all of theirs: then run them in smaller batches. */
void check_emitted(const Case *cases, int count, const char *folder, Result *const *results);
/* Through all passes and code generation, without the C compiler. */
void check_compiles(const Case *test);

/* ---- expected.c ---- */

/* Compares results with the table (lines `GLOB STAGE reason`); prints every disagreement and returns their number. A
 * line must cover a case, and every case that it covers must end at its stage. Of a filtered run only those cases. */
int check_expectations(const char *path, char *const *names, const Result *results, int count, bool filtered);

#endif
