/* narrow.h: ONNX's data types of less than a byte, and its floats of one byte. pcc computes with their numbers, held in
 * f32 or in integers of 8 bits: what such a tensor stores is rounded to the format, and a gradient passes straight
 * through the rounding. */
#ifndef PCC_IR_NARROW_H
#define PCC_IR_NARROW_H

#include "ir/ir.h"

typedef struct NarrowFormat {
    int onnx; /* TensorProto.DataType */
    int bits; /* of an element in a file: 8, 4 or 2 */
    bool is_float, is_signed;
    int exponent_bits, fraction_bits, bias; /* of a float */
    bool has_infinity, one_zero;            /* FNUZ formats have one zero, and NaN where -0 would be */
    double most;                            /* the greatest finite number */
} NarrowFormat;

enum { ONNX_FLOAT8E8M0 = 24 };

const NarrowFormat *narrow_format(int64_t onnx); /* NULL: no format of these */
Dtype held_dtype(const NarrowFormat *format);
/* The dtype in which pcc holds tensors of an ONNX data type: its own, or that of a narrow format. */
bool held_dtype_from_onnx(int64_t onnx, Dtype *dtype);
double narrow_value(const NarrowFormat *format, unsigned bits);
/* Elements that a file packs, the first in the lowest bits, as a dense buffer of the format's held dtype. */
int64_t narrow_bytes(const NarrowFormat *format, int64_t count);
void *narrow_unpack(Arena *arena, const NarrowFormat *format, int64_t count, const uint8_t *packed);
/* The same of integers, into memory of `count` bytes. */
void narrow_unpack_ints(const NarrowFormat *format, int64_t count, const uint8_t *packed, int8_t *ints);

#endif
