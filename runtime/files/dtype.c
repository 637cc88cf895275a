/* dtype.c: element types. Every host that the programs build for (x86-64, arm64) is little-endian, as the files are. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dtype.h"

static const struct {
    const char *name;
    size_t size;
} dtype_table[] = {
    [PCC_F32] = {"F32", 4},   [PCC_F64] = {"F64", 8}, [PCC_F16] = {"F16", 2}, [PCC_BF16] = {"BF16", 2},
    [PCC_I64] = {"I64", 8},   [PCC_I32] = {"I32", 4}, [PCC_I16] = {"I16", 2}, [PCC_I8] = {"I8", 1},
    [PCC_U64] = {"U64", 8},   [PCC_U32] = {"U32", 4}, [PCC_U16] = {"U16", 2}, [PCC_U8] = {"U8", 1},
    [PCC_BOOL] = {"BOOL", 1},
};

size_t pcc_dtype_size(PccDtype dtype)
{
    return dtype_table[dtype].size;
}

const char *pcc_dtype_name(PccDtype dtype)
{
    return dtype_table[dtype].name;
}

bool pcc_dtype_parse(const char *name, PccDtype *dtype)
{
    for (int64_t i = 0; i < PCC_COUNT(dtype_table); i++) {
        if (strcmp(name, dtype_table[i].name) == 0) {
            *dtype = (PccDtype)i;
            return true;
        }
    }
    return false;
}

bool pcc_dtype_is_float(PccDtype dtype)
{
    return dtype == PCC_F32 || dtype == PCC_F64 || dtype == PCC_F16 || dtype == PCC_BF16;
}

int64_t pcc_element_count(int rank, const int64_t *dims)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0 || __builtin_mul_overflow(count, dims[i], &count))
            return -1;
    return count;
}

const char *pcc_tensor_describe(char *text, size_t size, const char *name, PccDtype dtype, int rank,
                                const int64_t *dims)
{
    int used = snprintf(text, size, "%s%s%s [", name ? name : "", name ? " " : "", pcc_dtype_name(dtype));
    for (int i = 0; i < rank && used > 0 && (size_t)used < size; i++)
        used += snprintf(text + used, size - (size_t)used, "%s%lld", i ? "," : "", (long long)dims[i]);
    if (used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, "]");
    return text;
}

/* IEEE 754 binary16, widened exactly. */
static double dtype_widen_half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude;
    if (exponent == 31)
        magnitude = fraction ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(fraction, -24);
    else
        magnitude = ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

/* A double to a 16-bit float of `mantissa` stored bits and exponent bias `bias`, to nearest even in one rounding
 * (through float there would be two). */
static uint16_t dtype_narrow(double value, int mantissa, int bias)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    int infinity = (2 * bias + 1) << mantissa;
    if (isnan(value))
        return (uint16_t)(sign | infinity | 1 << (mantissa - 1));
    if (isinf(value))
        return (uint16_t)(sign | infinity);
    int exponent;
    double magnitude = fabs(value), smallest_normal = ldexp(1, 1 - bias);
    frexp(fmax(magnitude, smallest_normal), &exponent);
    exponent--; /* of the leading bit; frexp's fraction is below 1 */
    if (exponent > bias)
        return (uint16_t)(sign | infinity);
    /* In units of the last place: below 2^mantissa a subnormal; rounding up to a power of two carries into the
     * exponent. */
    int units = (int)nearbyint(ldexp(magnitude, mantissa - exponent));
    int bits = ((exponent + bias - 1) << mantissa) + units;
    return (uint16_t)(sign | (bits > infinity ? infinity : bits));
}

/* The bits of element i; data need not be aligned, as in a mapped file. */
static uint64_t dtype_bits(const void *data, size_t size, int64_t i)
{
    uint64_t bits = 0;
    memcpy(&bits, (const char *)data + (size_t)i * size, size); /* little-endian */
    return bits;
}

static double dtype_float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

size_t pcc_tensor_bytes(const PccTensor *tensor)
{
    return (size_t)pcc_element_count(tensor->rank, tensor->dims) * pcc_dtype_size(tensor->dtype);
}

double pcc_dtype_load(const void *data, PccDtype dtype, int64_t i)
{
    uint64_t bits = dtype_bits(data, pcc_dtype_size(dtype), i);
    double value;
    switch (dtype) {
    case PCC_F32:
        return dtype_float_of((uint32_t)bits);
    case PCC_F64:
        memcpy(&value, &bits, sizeof value);
        return value;
    case PCC_F16:
        return dtype_widen_half((uint16_t)bits);
    case PCC_BF16:
        return dtype_float_of((uint32_t)bits << 16);
    case PCC_U64:
        return (double)bits;
    default:
        return (double)pcc_dtype_load_integer(data, dtype, i);
    }
}

int64_t pcc_dtype_load_integer(const void *data, PccDtype dtype, int64_t i)
{
    uint64_t bits = dtype_bits(data, pcc_dtype_size(dtype), i);
    switch (dtype) {
    case PCC_I64:
        return (int64_t)bits;
    case PCC_I32:
        return (int32_t)(uint32_t)bits;
    case PCC_I16:
        return (int16_t)(uint16_t)bits;
    case PCC_I8:
        return (int8_t)(uint8_t)bits;
    case PCC_U64:
        return bits > INT64_MAX ? INT64_MAX : (int64_t)bits;
    case PCC_U32:
    case PCC_U16:
    case PCC_U8:
    case PCC_BOOL:
        return (int64_t)bits;
    default:
        return (int64_t)pcc_dtype_load(data, dtype, i);
    }
}

static void dtype_store_integer(void *data, PccDtype dtype, int64_t i, int64_t value)
{
    switch (pcc_dtype_size(dtype)) {
    case 1:
        ((uint8_t *)data)[i] = dtype == PCC_BOOL ? value != 0 : (uint8_t)value;
        break;
    case 2:
        ((uint16_t *)data)[i] = (uint16_t)value;
        break;
    case 4:
        ((uint32_t *)data)[i] = (uint32_t)value;
        break;
    default:
        ((uint64_t *)data)[i] = (uint64_t)value;
    }
}

void pcc_dtype_store(void *data, PccDtype dtype, int64_t i, double value)
{
    switch (dtype) {
    case PCC_F32:
        ((float *)data)[i] = (float)value;
        break;
    case PCC_F64:
        ((double *)data)[i] = value;
        break;
    case PCC_F16:
        ((uint16_t *)data)[i] = dtype_narrow(value, 10, 15);
        break;
    case PCC_BF16:
        ((uint16_t *)data)[i] = dtype_narrow(value, 7, 127);
        break;
    default:
        dtype_store_integer(data, dtype, i, (int64_t)value);
    }
}

void pcc_dtype_convert(void *to, PccDtype to_dtype, const void *from, PccDtype from_dtype, int64_t count)
{
    if (to_dtype == from_dtype) {
        memcpy(to, from, (size_t)count * pcc_dtype_size(to_dtype));
    } else if (!pcc_dtype_is_float(to_dtype) && !pcc_dtype_is_float(from_dtype)) {
        for (int64_t i = 0; i < count; i++)
            dtype_store_integer(to, to_dtype, i, pcc_dtype_load_integer(from, from_dtype, i));
    } else {
        for (int64_t i = 0; i < count; i++)
            pcc_dtype_store(to, to_dtype, i, pcc_dtype_load(from, from_dtype, i));
    }
}
