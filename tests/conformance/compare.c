/* compare.c: computed and expected tensors. */
#include <math.h>
#include <string.h>

#include "conformance.h"

static double relative_tolerance(Dtype dtype)
{
    const double runner = 1e-3;
    return dtype == DTYPE_BF16 ? 4 * 0x1p-9 : dtype == DTYPE_F16 ? 4 * 0x1p-11 : runner;
}

static bool is_near(double actual, double expected, double tolerance)
{
    if (isnan(expected) || isinf(expected))
        return isnan(expected) ? isnan(actual) : actual == expected;
    return fabs(actual - expected) <= 1e-7 + tolerance * fabs(expected);
}

bool same_contents(const Tensor *actual, const CaseTensor *expected, Arena *arena, char message[MESSAGE_BYTES])
{
    Tensor wanted = tensor_from_data(arena, &expected->type, expected->data);
    bool both_float = is_float(actual->type.dtype) && is_float(expected->type.dtype);
    if (!same_dims(&actual->type, &expected->type) || (!both_float && actual->type.dtype != expected->type.dtype)) {
        snprintf(message, MESSAGE_BYTES, "output '%s' is %s, expected %s", expected->name,
                 type_text(arena, &actual->type), type_text(arena, &expected->type));
        return false;
    }
    double tolerance = relative_tolerance(expected->type.dtype);
    for (int64_t i = 0, count = element_count(&wanted.type); i < count; i++) {
        bool near = wanted.f ? is_near(actual->f[i], wanted.f[i], tolerance) : actual->i[i] == wanted.i[i];
        if (near)
            continue;
        snprintf(message, MESSAGE_BYTES, "output '%s'[%lld] is %.9g, expected %.9g", expected->name, (long long)i,
                 wanted.f ? actual->f[i] : (double)actual->i[i], wanted.f ? wanted.f[i] : (double)wanted.i[i]);
        return false;
    }
    return true;
}
