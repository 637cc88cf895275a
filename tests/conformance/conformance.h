/* conformance.h: the ONNX node tests through pcc: cases, what became of them, and the table of those that do not pass.
 *
 * A case is a folder test_X with model.onnx and test_data_set_0/{input,output}_i.pb. It passes when
 *   - the reference evaluator computes the expected outputs from the imported graph,
 *   - the emitted program's step() does too, after all passes, and
 *   - its gradients of a weighted sum of the float outputs agree with those that the evaluator computes in double. */
#ifndef PCC_TESTS_CONFORMANCE_H
#define PCC_TESTS_CONFORMANCE_H

#include "merged.h"

enum { MAX_CASES = 2048 };

/* ---- cases.c ---- */

/* Reads and imports a case: its float inputs are parameters. Inputs that must be known at compile time become
 * constants: none, else those that are not float, else all but the first, else all. Leaves through the diagnostics when
 * the model cannot be imported. */
void load_case(Arena *arena, Diagnostics *diagnostics, const char *folder, const char *name, Case *test);
void unload_case(Case *test);

/* ---- compare.c ---- */

/* ONNX's test runner: |actual - expected| <= 1e-7 + 1e-3 |expected|, with NaN equal to NaN; integers and bool exactly.
 * Wider for 16-bit floats, whose unit roundoff is of that order. False and a message when they differ. */
bool same_contents(const Tensor *actual, const CaseTensor *expected, Arena *arena, char message[MESSAGE_BYTES]);

/* ---- reference.c ---- */

void check_reference(const Case *test, Result *result);

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
