/* literal.c: literals of kernel calls as C. */
#include "codegen/c/print.h"

#include <math.h>

/* C has no literal of the least int64_t: -9223372036854775808 is an operator and a literal too large. */
static void append_int(Text *text, int64_t value)
{
    if (value == INT64_MIN)
        append(text, "INT64_MIN");
    else
        append(text, "%lld", (long long)value);
}

/* Kernels take attributes as double (docs/kernels.md), whatever the suffix. */
static void append_float(Text *text, double value)
{
    if (isnan(value))
        append(text, "__builtin_nan(\"\")");
    else if (isinf(value))
        append(text, "%s__builtin_inf()", value < 0 ? "-" : "");
    else
        append(text, "%a", value);
}

static void append_dims(Text *text, const Argument *dims)
{
    append(text, "{");
    for (int i = 0; i < dims->count; i++)
        append(text, "%s%lld", i ? ", " : "", (long long)dims->dims[i]);
    append(text, dims->count ? "}" : "0}"); /* an empty initializer is not C11: no dims are one that is not read */
}

static void append_field(Text *text, const Argument *field)
{
    append(text, ".%s = ", field->name);
    if (field->kind == ARGUMENT_DIMS)
        append_dims(text, field);
    else if (field->kind == ARGUMENT_FLOAT)
        append_float(text, field->f);
    else
        append_int(text, field->i);
}

void append_literal(Text *text, const Argument *literal)
{
    switch (literal->kind) {
    case ARGUMENT_FLOAT:
        append_float(text, literal->f);
        break;
    case ARGUMENT_DIMS:
        append(text, "(const int64_t[])");
        append_dims(text, literal);
        break;
    case ARGUMENT_STRUCT:
        append(text, "(%s){", literal->name);
        for (int i = 0; i < literal->count; i++) {
            append(text, "%s", i ? ", " : "");
            append_field(text, &literal->fields[i]);
        }
        append(text, "}");
        break;
    default:
        append_int(text, literal->i);
        break;
    }
}
