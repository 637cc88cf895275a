/* literal.c: the parts of kernel calls' literals that C and C++ spell alike. */
#include <math.h>

#include "codegen/emit.h"

/* There is no literal of the least int64_t: -9223372036854775808 is an operator and a literal too large. */
static void append_int(Text *text, int64_t value)
{
    if (value == INT64_MIN)
        append(text, "INT64_MIN");
    else
        append(text, "%lld", (long long)value);
}

/* Kernels take attributes as double (docs/kernels.md), whatever they compute in. */
static void append_float(Text *text, double value)
{
    if (isnan(value))
        append(text, "__builtin_nan(\"\")");
    else if (isinf(value))
        append(text, "%s__builtin_inf()", value < 0 ? "-" : "");
    else
        append(text, "%a", value);
}

void append_number(Text *text, const Argument *literal)
{
    if (literal->kind == ARGUMENT_FLOAT)
        append_float(text, literal->f);
    else
        append_int(text, literal->i);
}

void append_dims(Text *text, const Argument *dims)
{
    append(text, "{");
    for (int i = 0; i < dims->count; i++)
        append(text, "%s%lld", i ? ", " : "", (long long)dims->dims[i]);
    append(text, dims->count ? "}" : "0}"); /* an empty initializer is not C11: no dims are one that is not read */
}

void append_fields(Text *text, const Argument *structure)
{
    append(text, "{");
    for (int i = 0; i < structure->count; i++) {
        const Argument *field = &structure->fields[i];
        append(text, "%s.%s = ", i ? ", " : "", field->name);
        if (field->kind == ARGUMENT_DIMS)
            append_dims(text, field);
        else
            append_number(text, field);
    }
    append(text, "}");
}
