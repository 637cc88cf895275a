/* trainable.h: the evidence that pass `trainable` judges a stored float by. */
#ifndef PCC_PASSES_TRAINABLE_H
#define PCC_PASSES_TRAINABLE_H

#include "passes/passes.h"

/* ---- readings.c: what the operators that read a value do with it ---- */

/* A set: bit r for each OperandRole r that a reader gives the value, and what the way behind the reader adds. */
enum {
    READ_BEFORE_ROOT = 1 << 16,    /* added to what a root, a reciprocal, a logarithm or a quotient divides by */
    READ_BEFORE_SOFTMAX = 1 << 17, /* added to what a softmax normalises */
    READ_AS_BIAS = 1 << 18,        /* added to the product of a weight */
    READ_BY_SAMPLE = 1 << 19,      /* its rows meet the samples of the batch, one each */
};
#define READ_AS(role) (1u << ROLE_##role)

const unsigned *collect_readings(const Graph *graph); /* by value id */

/* ---- contents.c: what the numbers look like; the value has data and at least one element ---- */

bool has_one_value(const Value *value, double *which);
bool is_attention_mask(const Value *value); /* nothing but 0 and -inf, or very negative numbers */
bool is_empty_mask(const Value *value);     /* a mask that blocks nothing, by its shape */
bool is_sinusoid_table(const Value *value);
bool is_progression(const Value *value); /* arithmetic or geometric, along some axis */

/* ---- value_names.c: what a name says ---- */

bool has_suffix(const char *name, const char *suffix);
bool is_generated_name(const char *name);      /* by an exporter, for a value that the model has no name for */
bool is_constant_name(const char *name);       /* generated for a constant: Constant_12_output_0 */
bool is_operator_name(const char *name);       /* ones_like, zeros_3: the ATen operator that made it */
bool is_tensorflow_constant(const char *name); /* pow/y:0, Const_21:0: of an operator, or its operand */
bool is_statistic_name(const char *name);      /* running_mean, ... */
bool is_buffer_name(const char *name);

/* ---- verdict.c ---- */

Declaration declaration_of(const Judge *judge, const Value *value); /* the exporter's */
bool is_statistic(const Judge *judge, const Value *value);          /* of BatchNormalization */

#endif
