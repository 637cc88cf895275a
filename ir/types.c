/* types.c: dtypes, static shapes, and tensors of the reference evaluator. */
#include "ir/ir.h"

#include <math.h>
#include <string.h>

const DtypeInfo dtype_info[DTYPE_COUNT] = {
    [DTYPE_F32] = {"f32", "float", "PCC_F32", 4, true, true, 1},
    [DTYPE_F64] = {"f64", "double", "PCC_F64", 8, true, true, 11},
    [DTYPE_F16] = {"f16", "PccF16", "PCC_F16", 2, true, true, 10},
    [DTYPE_BF16] = {"bf16", "PccBf16", "PCC_BF16", 2, true, true, 16},
    [DTYPE_I64] = {"i64", "int64_t", "PCC_I64", 8, false, true, 7},
    [DTYPE_I32] = {"i32", "int32_t", "PCC_I32", 4, false, true, 6},
    [DTYPE_I16] = {"i16", "int16_t", "PCC_I16", 2, false, true, 5},
    [DTYPE_I8] = {"i8", "int8_t", "PCC_I8", 1, false, true, 3},
    [DTYPE_U64] = {"u64", "uint64_t", "PCC_U64", 8, false, false, 13},
    [DTYPE_U32] = {"u32", "uint32_t", "PCC_U32", 4, false, false, 12},
    [DTYPE_U16] = {"u16", "uint16_t", "PCC_U16", 2, false, false, 4},
    [DTYPE_U8] = {"u8", "uint8_t", "PCC_U8", 1, false, false, 2},
    [DTYPE_BOOL] = {"bool", "uint8_t", "PCC_BOOL", 1, false, false, 9},
};

bool is_float(Dtype dtype)
{
    return dtype_info[dtype].is_float;
}

bool is_narrow(Dtype dtype)
{
    return is_float(dtype) && dtype_info[dtype].bytes == 2;
}

Dtype wide_dtype(Dtype dtype)
{
    return dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
}

bool dtype_from_onnx(int64_t onnx, Dtype *dtype)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (dtype_info[i].onnx == onnx) {
            *dtype = (Dtype)i;
            return true;
        }
    return false;
}

bool dtype_from_name(const char *name, size_t length, Dtype *dtype)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strlen(dtype_info[i].name) == length && memcmp(dtype_info[i].name, name, length) == 0) {
            *dtype = (Dtype)i;
            return true;
        }
    return false;
}

/* ---- shapes -------------------------------------------------------------------------------------------------- */

int64_t dims_product(const Type *type, int first, int last)
{
    int64_t product = 1;
    for (int i = first; i < last; i++)
        product *= type->dims[i];
    return product;
}

int64_t element_count(const Type *type)
{
    return dims_product(type, 0, type->rank);
}

int64_t type_bytes(const Type *type)
{
    return element_count(type) * dtype_info[type->dtype].bytes;
}

bool same_dims(const Type *a, const Type *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

bool same_type(const Type *a, const Type *b)
{
    return a->dtype == b->dtype && same_dims(a, b);
}

Type make_type(Dtype dtype, int rank, const int64_t *dims)
{
    Type type = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank; i++)
        type.dims[i] = dims[i];
    return type;
}

Type scalar_type(Dtype dtype)
{
    return (Type){.dtype = dtype};
}

/* Dimensions of zero count as one: the product of any of the dims must not overflow either. */
bool type_is_valid(const Type *type)
{
    if ((unsigned)type->dtype >= DTYPE_COUNT || type->rank < 0 || type->rank > MAX_RANK)
        return false;
    int64_t bytes = dtype_info[type->dtype].bytes;
    for (int i = 0; i < type->rank; i++) {
        int64_t dim = type->dims[i];
        if (dim < 0 || __builtin_mul_overflow(bytes, dim ? dim : 1, &bytes) || bytes > (int64_t)1 << 46)
            return false;
    }
    return true;
}

bool broadcast_dims(const Type *a, const Type *b, Type *result)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    Type out = {.dtype = a->dtype, .rank = rank};
    for (int i = 1; i <= rank; i++) { /* from the last dim */
        int64_t x = i <= a->rank ? a->dims[a->rank - i] : 1;
        int64_t y = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        out.dims[rank - i] = x == 1 ? y : x;
    }
    *result = out;
    return true;
}

void dense_strides(const Type *type, int64_t strides[MAX_RANK])
{
    int64_t stride = 1;
    for (int i = type->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= type->dims[i];
    }
}

const char *type_text(Arena *arena, const Type *type)
{
    char text[16 + MAX_RANK * 21];
    int length = snprintf(text, sizeof text, "%s[", dtype_info[type->dtype].name);
    for (int i = 0; i < type->rank; i++)
        length +=
            snprintf(text + length, sizeof text - (size_t)length, "%s%lld", i ? "," : "", (long long)type->dims[i]);
    return arena_printf(arena, "%s]", text);
}

/* ---- 16-bit floats --------------------------------------------------------------------------------------------- */

/* Rounds a double to the nearest IEEE-style format, ties to even (IEEE 754-2019, 4.3.1): directly from the 52-bit
 * fraction, since a detour over float would round twice. */
static uint16_t narrow(double value, int exponent_bits, int fraction_bits)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 63 << 15);
    uint16_t infinity = (uint16_t)(((1u << exponent_bits) - 1) << fraction_bits);
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    if (isnan(value))
        return (uint16_t)(sign | infinity | 1u << (fraction_bits - 1) | fraction >> (52 - fraction_bits));
    if (exponent > bias)
        return sign | infinity;
    int below = 1 - bias - exponent; /* > 0: the result is subnormal */
    int shift = 52 - fraction_bits + (below > 0 ? below : 0);
    if (shift > 53)
        return sign; /* less than half of the least subnormal */
    uint64_t significand = fraction | UINT64_C(1) << 52;
    uint64_t quotient = significand >> shift;
    uint64_t remainder = significand & ((UINT64_C(1) << shift) - 1), half = UINT64_C(1) << (shift - 1);
    quotient += remainder > half || (remainder == half && (quotient & 1));
    /* The implicit bit of a normal quotient adds the last 1 to the exponent; so does a carry. */
    uint64_t magnitude = below > 0 ? quotient : ((uint64_t)(exponent + bias - 1) << fraction_bits) + quotient;
    return (uint16_t)(sign | magnitude);
}

static double widen(uint16_t bits, int exponent_bits, int fraction_bits)
{
    int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
    int fraction = bits & ((1 << fraction_bits) - 1);
    int bias = (1 << (exponent_bits - 1)) - 1;
    double magnitude;
    if (exponent == (1 << exponent_bits) - 1)
        magnitude = fraction ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(fraction, 1 - bias - fraction_bits);
    else
        magnitude = ldexp(fraction | 1 << fraction_bits, exponent - bias - fraction_bits);
    return bits >> 15 ? -magnitude : magnitude;
}

uint16_t f16_from_f64(double value)
{
    return narrow(value, 5, 10);
}

double f64_from_f16(uint16_t bits)
{
    return widen(bits, 5, 10);
}

uint16_t bf16_from_f64(double value)
{
    return narrow(value, 8, 7);
}

double f64_from_bf16(uint16_t bits)
{
    return widen(bits, 8, 7);
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */

Tensor tensor_alloc(Arena *arena, Type type)
{
    Tensor tensor = {.type = type};
    size_t count = (size_t)element_count(&type);
    if (is_float(type.dtype))
        tensor.f = NEW_ARRAY(arena, double, count);
    else
        tensor.i = NEW_ARRAY(arena, int64_t, count);
    return tensor;
}

/* The data of a model may lie at any address of a mapped file: they are copied out element by element. */
#define LOAD(c_type, destination, convert)                                                 \
    for (int64_t k = 0; k < count; k++) {                                                  \
        c_type element;                                                                    \
        memcpy(&element, (const char *)data + (size_t)k * sizeof element, sizeof element); \
        (destination)[k] = convert(element);                                               \
    }                                                                                      \
    break

Tensor tensor_from_data(Arena *arena, const Type *type, const void *data)
{
    Tensor tensor = tensor_alloc(arena, *type);
    int64_t count = element_count(type);
    switch (type->dtype) {
    case DTYPE_F32:
        LOAD(float, tensor.f, (double));
    case DTYPE_F64:
        LOAD(double, tensor.f, );
    case DTYPE_F16:
        LOAD(uint16_t, tensor.f, f64_from_f16);
    case DTYPE_BF16:
        LOAD(uint16_t, tensor.f, f64_from_bf16);
    case DTYPE_I64:
        LOAD(int64_t, tensor.i, );
    case DTYPE_I32:
        LOAD(int32_t, tensor.i, );
    case DTYPE_I16:
        LOAD(int16_t, tensor.i, );
    case DTYPE_I8:
        LOAD(int8_t, tensor.i, );
    case DTYPE_U64:
        LOAD(uint64_t, tensor.i, (int64_t));
    case DTYPE_U32:
        LOAD(uint32_t, tensor.i, );
    case DTYPE_U16:
        LOAD(uint16_t, tensor.i, );
    case DTYPE_U8:
        LOAD(uint8_t, tensor.i, );
    case DTYPE_BOOL:
        LOAD(uint8_t, tensor.i, !!);
    case DTYPE_COUNT:
        break;
    }
    return tensor;
}
#undef LOAD

#define STORE(c_type, source, convert)                      \
    for (int64_t k = 0; k < count; k++)                     \
        ((c_type *)data)[k] = (c_type)convert((source)[k]); \
    break

void tensor_store(const Tensor *tensor, void *data)
{
    int64_t count = element_count(&tensor->type);
    switch (tensor->type.dtype) {
    case DTYPE_F32:
        STORE(float, tensor->f, );
    case DTYPE_F64:
        STORE(double, tensor->f, );
    case DTYPE_F16:
        STORE(uint16_t, tensor->f, f16_from_f64);
    case DTYPE_BF16:
        STORE(uint16_t, tensor->f, bf16_from_f64);
    case DTYPE_I64:
        STORE(int64_t, tensor->i, );
    case DTYPE_I32:
        STORE(int32_t, tensor->i, );
    case DTYPE_I16:
        STORE(int16_t, tensor->i, );
    case DTYPE_I8:
        STORE(int8_t, tensor->i, );
    case DTYPE_U64:
        STORE(uint64_t, tensor->i, );
    case DTYPE_U32:
        STORE(uint32_t, tensor->i, );
    case DTYPE_U16:
        STORE(uint16_t, tensor->i, );
    case DTYPE_U8:
        STORE(uint8_t, tensor->i, );
    case DTYPE_BOOL:
        STORE(uint8_t, tensor->i, !!);
    case DTYPE_COUNT:
        break;
    }
}
#undef STORE

void *tensor_to_data(Arena *arena, const Tensor *tensor)
{
    void *data = arena_alloc(arena, (size_t)type_bytes(&tensor->type));
    tensor_store(tensor, data);
    return data;
}
