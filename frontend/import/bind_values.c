/* bind_values.c: --bind INPUT=VALUE: inputs that are constants of the compile. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/import/onnx_model.h"

enum { MOST_BOUND_ELEMENTS = 1 << 20 };

/* Inputs may have '=' in their names; values have none. */
bool parse_input_binding(Arena *arena, const char *text, InputBinding *binding)
{
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text || !equals[1]) {
        return false;
    }
    *binding = (InputBinding){arena_strndup(arena, text, (size_t)(equals - text)), equals + 1, 1};
    for (const char *c = binding->values; *c; c++) {
        binding->count += *c == ',';
    }
    return true;
}

static bool in_range(Dtype dtype, long long value)
{
    const int bits = 8 * dtype_info[dtype].bytes;
    if (dtype == DTYPE_BOOL) {
        return value == 0 || value == 1;
    }
    if (!dtype_info[dtype].is_signed) {
        return value >= 0 && (bits == 64 || value < 1LL << bits);
    }
    return bits == 64 || (value >= -(1LL << (bits - 1)) && value < 1LL << (bits - 1));
}

/* As the type stores it: 1e39 is infinite in f32. */
static bool is_finite_in(Dtype dtype, double value)
{
    switch (dtype) {
    case DTYPE_F32:
        return isfinite((float)value);
    case DTYPE_F16:
        return isfinite(f64_from_f16(f16_from_f64(value)));
    case DTYPE_BF16:
        return isfinite(f64_from_bf16(bf16_from_f64(value)));
    default:
        return isfinite(value);
    }
}

/* A number that is read as infinite, as 1e400 is; `inf` itself is meant. */
static bool overflows(Dtype dtype, double value, int error)
{
    return (isfinite(value) || error == ERANGE) && !is_finite_in(dtype, value);
}

/* Element i of a tensor from a word. NULL, or why it cannot be. */
static const char *read_element(const Tensor *tensor, int64_t i, const char *word)
{
    const char *no_value = "is no value of its type";
    char *end;
    errno = 0;
    if (tensor->f) {
        tensor->f[i] = strtod(word, &end);
        if (end == word || *end) {
            return no_value;
        }
        return overflows(tensor->type.dtype, tensor->f[i], errno) ? "is beyond the range of its type" : NULL;
    }
    const bool is_true = strcmp(word, "true") == 0;
    if (tensor->type.dtype == DTYPE_BOOL && (is_true || strcmp(word, "false") == 0)) {
        tensor->i[i] = is_true;
        return NULL;
    }
    tensor->i[i] = strtoll(word, &end, 10);
    return end != word && !*end && !errno && in_range(tensor->type.dtype, tensor->i[i]) ? NULL : no_value;
}

static _Noreturn void refuse(const Import *import, const InputBinding *binding, const char *what, const Type *type)
{
    fatal(import->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--bind %s=%s: %s; the input is %s", binding->input,
          binding->values, what, type_text(import->arena, type));
}

const void *bound_data(const Import *import, const InputBinding *binding, const Type *type)
{
    const int64_t count = element_count(type);
    if (count > MOST_BOUND_ELEMENTS) {
        refuse(import, binding, "that many elements cannot be bound", type);
    }
    if (binding->count != 1 && binding->count != count) {
        refuse(import, binding, "give one value, or as many as there are elements", type);
    }
    Tensor tensor = tensor_alloc(import->arena, *type);
    const char *at = binding->values;
    for (int64_t i = 0; i < count; i++) {
        const size_t length = strcspn(at, ",");
        const char *word = arena_strndup(import->arena, at, length);
        const char *fault = read_element(&tensor, i, word);
        if (fault) {
            refuse(import, binding, arena_printf(import->arena, "'%s' %s", word, fault), type);
        }
        at += binding->count > 1 ? length + (at[length] == ',') : 0;
    }
    return tensor_to_data(import->arena, &tensor);
}
