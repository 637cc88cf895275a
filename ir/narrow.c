/* narrow.c: see narrow.h. The floats are those of the OCP 8-bit and microscaling specifications, and the FNUZ variants
 * of Noune et al. 2022. */
#include "ir/narrow.h"

#include <math.h>

static const NarrowFormat formats[] = {
    {.onnx = 17, .bits = 8, .is_float = true, .exponent_bits = 4, .fraction_bits = 3, .bias = 7, .most = 448},
    {.onnx = 18,
     .bits = 8,
     .is_float = true,
     .exponent_bits = 4,
     .fraction_bits = 3,
     .bias = 8,
     .one_zero = true,
     .most = 240},
    {.onnx = 19,
     .bits = 8,
     .is_float = true,
     .exponent_bits = 5,
     .fraction_bits = 2,
     .bias = 15,
     .has_infinity = true,
     .most = 57344},
    {.onnx = 20,
     .bits = 8,
     .is_float = true,
     .exponent_bits = 5,
     .fraction_bits = 2,
     .bias = 16,
     .one_zero = true,
     .most = 57344},
    {.onnx = 21, .bits = 4},
    {.onnx = 22, .bits = 4, .is_signed = true},
    {.onnx = 23, .bits = 4, .is_float = true, .exponent_bits = 2, .fraction_bits = 1, .bias = 1, .most = 6},
    {.onnx = ONNX_FLOAT8E8M0, .bits = 8, .is_float = true, .exponent_bits = 8, .bias = 127, .most = 0x1p127},
    {.onnx = 25, .bits = 2},
    {.onnx = 26, .bits = 2, .is_signed = true},
};

const NarrowFormat *narrow_format(int64_t onnx)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].onnx == onnx)
            return &formats[i];
    return NULL;
}

Dtype held_dtype(const NarrowFormat *format)
{
    return format->is_float ? DTYPE_F32 : format->is_signed ? DTYPE_I8 : DTYPE_U8;
}

bool held_dtype_from_onnx(int64_t onnx, Dtype *dtype)
{
    const NarrowFormat *format = narrow_format(onnx);
    if (!format)
        return dtype_from_onnx(onnx, dtype);
    *dtype = held_dtype(format);
    return true;
}

static double narrow_int(const NarrowFormat *format, unsigned bits)
{
    const unsigned sign = 1u << (format->bits - 1);
    return format->is_signed ? (double)(int)(bits ^ sign) - (double)sign : (double)bits;
}

/* FLOAT8E8M0 has neither sign nor fraction: a power of two, and NaN for all ones. */
static double narrow_float(const NarrowFormat *format, unsigned bits)
{
    if (format->onnx == ONNX_FLOAT8E8M0)
        return bits == 0xff ? (double)NAN : ldexp(1, (int)bits - format->bias);
    const int exponent = (int)(bits >> format->fraction_bits) & ((1 << format->exponent_bits) - 1);
    const int fraction = (int)bits & ((1 << format->fraction_bits) - 1);
    const bool negative = bits >> (format->bits - 1) & 1;
    const int least = 1 - format->bias - format->fraction_bits;
    double magnitude =
        exponent ? ldexp(fraction | 1 << format->fraction_bits, exponent - 1 + least) : ldexp(fraction, least);
    if (format->one_zero && magnitude == 0 && negative)
        return (double)NAN;
    if (magnitude > format->most)
        magnitude = format->has_infinity && fraction == 0 ? (double)INFINITY : (double)NAN;
    return negative ? -magnitude : magnitude;
}

double narrow_value(const NarrowFormat *format, unsigned bits)
{
    return format->is_float ? narrow_float(format, bits) : narrow_int(format, bits);
}

int64_t narrow_bytes(const NarrowFormat *format, int64_t count)
{
    const int64_t each = 8 / format->bits;
    return (count + each - 1) / each;
}

static unsigned bits_at(const NarrowFormat *format, const uint8_t *packed, int64_t i)
{
    const int64_t bit = i * format->bits;
    return packed[bit / 8] >> bit % 8 & ((1u << format->bits) - 1);
}

void narrow_unpack_ints(const NarrowFormat *format, int64_t count, const uint8_t *packed, int8_t *ints)
{
    const int unused = 8 - format->bits; /* a signed number's sign, moved to the top, comes back with the shift */
    for (int64_t i = 0; i < count; i++) {
        const unsigned bits = bits_at(format, packed, i);
        ints[i] = format->is_signed ? (int8_t)((int8_t)(bits << unused) >> unused) : (int8_t)bits;
    }
}

void *narrow_unpack(Arena *arena, const NarrowFormat *format, int64_t count, const uint8_t *packed)
{
    if (!format->is_float) {
        int8_t *ints = NEW_ARRAY(arena, int8_t, count + 1);
        narrow_unpack_ints(format, count, packed, ints);
        return ints;
    }
    float *floats = NEW_ARRAY(arena, float, count + 1);
    for (int64_t i = 0; i < count; i++)
        floats[i] = (float)narrow_value(format, bits_at(format, packed, i));
    return floats;
}
