/* value_names.c: what the name of a stored tensor says: whether a person gave it, or which exporter, and for what. */
#include <ctype.h>
#include <string.h>

#include "passes/training/trainable.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

bool has_suffix(const char *name, const char *suffix)
{
    const size_t length = strlen(name), end = strlen(suffix);
    return length >= end && strcmp(name + length - end, suffix) == 0;
}

static const char *last_component(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static size_t trailing_digits(const char *name, size_t length)
{
    size_t digits = 0;
    while (digits < length && isdigit((unsigned char)name[length - 1 - digits]))
        digits++;
    return digits;
}

/* Is it `word`, or `word`_3? */
static bool is_numbered(const char *name, size_t length, const char *word)
{
    const size_t own = strlen(word), digits = trailing_digits(name, length);
    return length >= own && memcmp(name, word, own) == 0 &&
           (length == own || (digits > 0 && length == own + 1 + digits && name[own] == '_'));
}

static bool is_listed(const char *name, size_t length, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_numbered(name, length, words[i]))
            return true;
    return false;
}

/* The dynamo exporter names a folded value after the operator that made it. */
bool is_operator_name(const char *name)
{
    static const char *const operators[] = {
        "ones",   "ones_like", "zeros",       "zeros_like", "full",      "full_like", "new_zeros", "new_ones",
        "arange", "linspace",  "clamp",       "clamp_min",  "clamp_max", "repeat",    "expand",    "unsqueeze",
        "select", "slice",     "cat",         "stack",      "mul",       "add",       "sub",       "div",
        "where",  "mean",      "masked_fill", "_to_copy",   "permute",   "transpose", "view",      "new_full",
        "cos",    "sin",       "tril",        "triu",       "eye",       "cumsum",    "neg",       "embedding",
    };
    return is_listed(name, strlen(name), operators, COUNT(operators));
}

/* TensorFlow's NODE:OUTPUT: variables are read by ReadVariableOp, or named as their layer names them; every other node
 * is an operator or its operand (pow/y:0, Const_21:0, rescaling/Cast/x:0). */
bool is_tensorflow_constant(const char *name)
{
    static const char *const variables[] = {
        "ReadVariableOp",
        "resource",
        "kernel",
        "bias",
        "gamma",
        "beta",
        "alpha",
        "embeddings",
        "recurrent_kernel",
        "weight",
        "weights",
        "scale",
        "depthwise_kernel",
        "pointwise_kernel",
        "depthwise_weights",
        "biases",
        "variable",
        "Variable",
    };
    const size_t whole = strlen(name), digits = trailing_digits(name, whole);
    if (digits == 0 || digits == whole || name[whole - 1 - digits] != ':')
        return false;
    const char *last = last_component(name);
    const size_t length = whole - 1 - digits - (size_t)(last - name);
    return !is_listed(last, length, variables, COUNT(variables));
}

/* The namespaces of TorchScript: onnx::Mul_123, also below the folder of a function. */
static bool is_torchscript_value(const char *name)
{
    const char *last = last_component(name);
    return strncmp(last, "onnx::", 6) == 0 || strncmp(last, "aten::", 6) == 0 || strncmp(last, "prim::", 6) == 0;
}

bool is_constant_name(const char *name)
{
    const char *last = last_component(name);
    return strncmp(last, "Constant", 8) == 0 && !islower((unsigned char)last[8]) && !isupper((unsigned char)last[8]);
}

/* onnx::Mul_123, val_17, unsqueeze_14, scalar_tensor_default, const_fold_opt__211, pow/y:0, 42. */
bool is_generated_name(const char *name)
{
    const size_t length = strlen(name), digits = trailing_digits(name, length);
    if (is_torchscript_value(name) || strstr(name, "Constant") || strstr(name, "_default") || digits == length ||
        is_tensorflow_constant(name) || is_operator_name(name))
        return true;
    return digits > 0 && name[length - 1 - digits] == '_' && !strchr(name, '.');
}

/* The names that PyTorch and Keras give to running statistics, which a graph may read in any way. */
bool is_statistic_name(const char *name)
{
    static const char *const suffixes[] = {"running_mean", "running_var", "moving_mean", "moving_variance"};
    for (size_t i = 0; i < COUNT(suffixes); i++)
        if (has_suffix(name, suffixes[i]))
            return true;
    return strstr(name, "/moving_mean/") || strstr(name, "/moving_variance/"); /* .../Read/ReadVariableOp:0 */
}

bool is_buffer_name(const char *name)
{
    return has_suffix(name, "_buffer");
}
