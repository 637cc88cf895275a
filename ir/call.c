/* call.c: the literals of kernel calls, as C text. */
#include "ir/ir.h"

#include <math.h>
#include <string.h>

static void append_literal(KernelCall *call, const char *literal)
{
    APPEND(call->arena, call->literals, call->literal_count, literal);
}

void call_int(KernelCall *call, int64_t value)
{
    /* C has no literal of the least int64_t: -9223372036854775808 is an operator and a literal too large. */
    append_literal(call, value == INT64_MIN ? "INT64_MIN" : arena_printf(call->arena, "%lld", (long long)value));
}

/* Kernels take attributes as double (docs/kernels.md), whatever the suffix. */
void call_float(KernelCall *call, double value)
{
    const char *infinity = value < 0 ? "-__builtin_inf()" : "__builtin_inf()";
    append_literal(call, isnan(value)   ? "__builtin_nan(\"\")"
                         : isinf(value) ? infinity
                                        : arena_printf(call->arena, "%a", value));
}

void call_dims(KernelCall *call, int count, const int64_t *values)
{
    const char *list = "";
    for (int i = 0; i < count; i++)
        list = arena_printf(call->arena, "%s%s%lld", list, i ? ", " : "", (long long)values[i]);
    /* An empty initializer is not C11: no dims are one that is not read. */
    append_literal(call, arena_printf(call->arena, "(const int64_t[]){%s}", count ? list : "0"));
}

static const char *formatted(Arena *arena, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

static const char *formatted(Arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    size_t size = (size_t)vsnprintf(NULL, 0, format, arguments) + 1;
    char *text = arena_alloc(arena, size);
    vsnprintf(text, size, format, again);
    va_end(again);
    return text;
}

void call_text(KernelCall *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_literal(call, formatted(call->arena, format, arguments));
    va_end(arguments);
}

void call_after_input(KernelCall *call, int input, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    call->after_input[input] = formatted(call->arena, format, arguments);
    va_end(arguments);
}

void operand_strides(const Value *operand, int64_t strides[MAX_RANK])
{
    if (operand->view.base)
        memcpy(strides, operand->view.strides, sizeof operand->view.strides);
    else
        dense_strides(&operand->type, strides);
}
