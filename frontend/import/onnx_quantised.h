/* onnx_quantised.h: weights that are stored as integers, and how they become floats: what its files share. */
#ifndef PCC_FRONTEND_ONNX_QUANTISED_H
#define PCC_FRONTEND_ONNX_QUANTISED_H

#include "frontend/import/onnx_model.h"

typedef struct QuantisedWeight QuantisedWeight;
typedef struct MovedIntegers MovedIntegers;

/* How a DequantizeLinear or a MatMulNBits reads a weight, in the dims that the file stores or, of packed integers, in
 * those of the matrix. */
typedef struct Reading {
    Node *node;
    const MovedIntegers *moved; /* what it reads, where that is not the integers as stored */
    Value *scale, *zero;
    int64_t axis, block;
    int64_t packed_type; /* TensorProto.DataType of integers that are packed in bytes; 0: as the file says */
    Type type;           /* of the floats */
} Reading;

/* Integers that these may read. */
struct QuantisedWeight {
    Value *integers;
    const char *name;
    Reading first;       /* node: NULL where there is none */
    Value *param;        /* NULL: it stays a constant */
    Value *on_grid;      /* what QuantizeLinear makes of the parameter, for those that read the integers as stored */
    bool has_other;      /* something reads the integers as such, or on another grid: */
    Origin other_reader; /* no names: the graph's outputs */
    Reading *later;      /* of the parameter, that take its floats when all nodes are there */
    int later_count;
};

/* ---- onnx_stored_integers.c ---- */

/* The entry of a tensor that the file stores; NULL for other values. */
QuantisedWeight *stored_weight(Import *import, Value *value);
void note_other_reader(QuantisedWeight *weight, Origin origin);

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
/* The weight's floats moved as its integers were. */
Value *move_floats(Graph *graph, const Reading *reading, Value *floats);

/* ---- onnx_packed.c ---- */

bool is_block_product(const Node *node); /* MatMulNBits */
/* False where its grid is not stored, or is none of integers. */
bool find_packed_reading(Import *import, Node *node, Reading *reading);
const Value *unpacked_integers(Import *import, const Reading *reading);
/* Its result from the weight's floats. */
Value *multiply_floats(Graph *graph, const Reading *reading, Value *floats);

#endif
