/* verify_compare.h: what an emitted program dumped against what it should have. */
#ifndef PCC_FRONTEND_VERIFY_COMPARE_H
#define PCC_FRONTEND_VERIFY_COMPARE_H

#include "ir/ir.h"
#include "runtime/files/safetensors.h"

typedef struct ComparedTensor {
    const char *name; /* as in the files: "grad/fc.weight"; "grad" is all gradients as one vector */
    double error, tolerance;
    const char *problem; /* instead of an error: "missing", "unexpected", "of other dims"; or NULL */
    double unit, norm;   /* what the error was divided by; the 2-norm of the reference */
    bool cancels;        /* the reference is 0 but for rounding: error and tolerance are absolute */
    bool undecided;      /* off by more than is allowed, but rounding alone changes it as much */
    bool not_finite;     /* the reference has elements that are not: only the others were compared */
} ComparedTensor;

typedef struct Comparison {
    ComparedTensor *rows; /* the worst first, by error in units of its tolerance */
    int count, failed;
    int undecided, not_finite; /* accepted, but not known to be right: by the first of these fields that is set */
} Comparison;

/* Compares `dump` (--probe --dump) with a reference file, within what `precision` allows. */
Comparison compare_dump(Arena *arena, const PccSafetensors *dump, const PccSafetensors *reference,
                        const char *precision);
/* Half an ulp of 1 in what `precision` stores. */
double unit_roundoff(const char *precision);
double gradient_error_of(const Comparison *comparison); /* of all gradients as one vector */
/* Lets tensors that fail err by what `noise` does, several times over: a comparison with the same reference of what
 * float64 makes where every result is rounded by `roundoff`. of_steps: only what follows optimizer steps. The gradient
 * may err by no more than what flipping signs of activations explains in this precision, and no tensor by its own size,
 * but where its terms cancel: where nothing but rounding is left of it in float64. */
void allow_noise(Arena *arena, Comparison *comparison, const Comparison *noise, double roundoff, bool of_steps,
                 const char *precision);
/* A row a tensor: all that fail or are open, and of the others the `most` worst. */
void print_comparison(FILE *stream, const Comparison *comparison, int most);

#endif
