/* onnx_quantised.h: weights that are stored as integers, and how they reach DequantizeLinear: what its files share. */
#ifndef PCC_FRONTEND_ONNX_QUANTISED_H
#define PCC_FRONTEND_ONNX_QUANTISED_H

#include "frontend/import/onnx_model.h"

typedef struct QuantisedWeight QuantisedWeight;
typedef struct MovedIntegers MovedIntegers;

/* How a DequantizeLinear reads a weight, in the dims that the file stores. */
typedef struct Reading {
    Node *node;
    const MovedIntegers *moved; /* what it reads, where that is not the integers as stored */
    Value *scale, *zero;
    int64_t axis, block;
    Type type; /* of the floats */
} Reading;

/* Integers that DequantizeLinear may read. */
struct QuantisedWeight {
    Value *integers;
    const char *name;
    Reading first;       /* node: NULL where there is none */
    Value *param;        /* NULL: it stays a constant */
    Value *on_grid;      /* what QuantizeLinear makes of the parameter, for those that read the integers as stored */
    bool has_other;      /* something reads the integers as such, or on another grid: */
    Origin other_reader; /* no names: the graph's outputs */
    Reading *moved;      /* of the parameter */
    int moved_count;
};

/* ---- onnx_quantised.c ---- */

bool is_dequantize(const Node *node);
/* The entry of a tensor that the file stores; NULL for other values. */
QuantisedWeight *stored_weight(Import *import, Value *value);
void note_other_reader(QuantisedWeight *weight, Origin origin);
/* The parameter on the reading's grid, at the cursor. */
Value *build_on_grid(Import *import, const QuantisedWeight *weight, const Reading *reading);

/* ---- onnx_moved.c ---- */

/* Does the node only move operand 0's elements, so that floats could be moved as well? */
bool is_mover(const Node *node);
/* The entry of a value that is moved integers, or NULL. */
MovedIntegers *moved_integers(const Import *import, const Value *value);
QuantisedWeight *weight_of(const MovedIntegers *moved);
/* The reading of moved integers in the dims of the weight; false where its grid is none of the weight's. */
bool trace_reading(const MovedIntegers *moved, Reading *reading);
/* Moved integers among the graph's results have a reader. */
void note_moved_results(Import *import, const bool *is_result);
/* Moves the weight's floats, dequantised, where its moved integers were dequantised. */
void move_floats(Import *import, QuantisedWeight *weight, Forwarding *forwarding);

#endif
