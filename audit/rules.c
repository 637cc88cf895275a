/* rules.c: what is looked for in a function.
 *
 * libclang shows an implicit conversion as an unexposed expression around its operand; parentheses and explicit casts
 * have kinds of their own. */
#include "audit/rules.h"

#include <stdio.h>
#include <string.h>

static enum CXTypeKind kind_of(CXCursor cursor)
{
    return clang_getCanonicalType(clang_getCursorType(cursor)).kind;
}

static bool is_half(enum CXTypeKind kind)
{
    return kind == CXType_Half || kind == CXType_Float16 || kind == CXType_BFloat16;
}

/* ---- operands ------------------------------------------------------------------------------------------------------
 */

typedef struct Operands {
    CXCursor first;
    int count;
    bool half, wide; /* is any a 16-bit float, a double? */
} Operands;

/* An operand as it is written, below the conversions that C adds. */
static enum CXChildVisitResult keep_first(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    *(CXCursor *)data = cursor;
    return CXChildVisit_Break;
}

static CXCursor below_conversions(CXCursor cursor)
{
    while (clang_getCursorKind(cursor) == CXCursor_UnexposedExpr || clang_getCursorKind(cursor) == CXCursor_ParenExpr) {
        CXCursor inner = clang_getNullCursor();
        clang_visitChildren(cursor, keep_first, &inner);
        if (clang_Cursor_isNull(inner))
            break;
        cursor = inner;
    }
    return cursor;
}

static enum CXChildVisitResult add_operand(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    Operands *operands = data;
    if (operands->count++ == 0)
        operands->first = cursor;
    operands->half |= is_half(kind_of(below_conversions(cursor)));
    operands->wide |= kind_of(cursor) == CXType_Double;
    return CXChildVisit_Continue;
}

static Operands operands_of(CXCursor cursor)
{
    Operands operands = {.first = clang_getNullCursor()};
    clang_visitChildren(cursor, add_operand, &operands);
    return operands;
}

/* ---- rules ---------------------------------------------------------------------------------------------------------
 */

static void check_promotion(Audit *audit, CXCursor cursor)
{
    Operands operands = operands_of(cursor);
    if (kind_of(cursor) == CXType_Double && operands.count == 1 && kind_of(operands.first) == CXType_Float)
        audit_report(audit, clang_getCursorLocation(cursor), "promotion", "float becomes double without a cast");
}

static bool is_negative_literal(CXCursor cursor)
{
    enum CXCursorKind operand = clang_getCursorKind(operands_of(cursor).first);
    return clang_getCursorUnaryOperatorKind(cursor) == CXUnaryOperator_Minus &&
           (operand == CXCursor_FloatingLiteral || operand == CXCursor_IntegerLiteral);
}

/* Arithmetic: operators whose result, or for comparisons whose operands, are numbers; not assignments or commas. */
static bool is_arithmetic(CXCursor cursor)
{
    enum CXCursorKind kind = clang_getCursorKind(cursor);
    if (kind == CXCursor_CompoundAssignOperator)
        return true;
    if (kind == CXCursor_UnaryOperator && is_negative_literal(cursor))
        return false;
    if (kind == CXCursor_UnaryOperator) {
        enum CXUnaryOperatorKind operator= clang_getCursorUnaryOperatorKind(cursor);
        return operator!= CXUnaryOperator_AddrOf && operator!= CXUnaryOperator_Deref && operator!=
            CXUnaryOperator_Extension;
    }
    enum CXBinaryOperatorKind operator= clang_getCursorBinaryOperatorKind(cursor);
    return kind == CXCursor_BinaryOperator && operator!= CXBinaryOperator_Assign && operator!= CXBinaryOperator_Comma;
}

static bool is_conversion_helper(const Audit *audit)
{
    return strstr(audit->function, "_from_") || strstr(audit->function, "_to_");
}

static void check_arithmetic(Audit *audit, CXCursor cursor)
{
    Operands operands = operands_of(cursor);
    CXSourceLocation location = clang_getCursorLocation(cursor);
    if (operands.half && !is_conversion_helper(audit))
        audit_report(audit, location, "half", "arithmetic on 16-bit floats");
    if (audit->emitted && !audit->options->wide && operands.wide)
        audit_report(audit, location, "double", "arithmetic in double");
}

/* libm's functions in double, as declared by math.h or known to the compiler. */
static bool is_libm(const char *name)
{
    static const char *const names[] = {"acos", "acosh", "asin",  "asinh", "atan",      "atan2",  "atanh", "cbrt",
                                        "ceil", "cos",   "cosh",  "erf",   "erfc",      "exp",    "exp2",  "expm1",
                                        "fabs", "floor", "fma",   "fmax",  "fmin",      "fmod",   "hypot", "lgamma",
                                        "log",  "log10", "log1p", "log2",  "nearbyint", "pow",    "rint",  "round",
                                        "sin",  "sinh",  "sqrt",  "tan",   "tanh",      "tgamma", "trunc"};
    static const char builtin[] = "__builtin_";
    if (strncmp(name, builtin, strlen(builtin)) == 0)
        name += strlen(builtin);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Does the function being walked promise to compute in float? */
static bool computes_in_float(const Audit *audit)
{
    size_t length = strlen(audit->function);
    bool named_f32 = length > 4 && strcmp(audit->function + length - 4, "_f32") == 0;
    return audit->emitted ? !audit->options->wide : named_f32;
}

static void check_call(Audit *audit, CXCursor cursor)
{
    CXString name = clang_getCursorSpelling(cursor);
    char message[128];
    if (computes_in_float(audit) && is_libm(clang_getCString(name))) {
        snprintf(message, sizeof message, "calls %s(), which computes in double", clang_getCString(name));
        audit_report(audit, clang_getCursorLocation(cursor), "libm", message);
    }
    clang_disposeString(name);
}

/* ---- the walk --------------------------------------------------------------------------------------------------- */

static enum CXChildVisitResult visit(CXCursor cursor, CXCursor parent, CXClientData data)
{
    Audit *audit = data;
    (void)parent;
    enum CXCursorKind kind = clang_getCursorKind(cursor);
    if (kind == CXCursor_UnexposedExpr)
        check_promotion(audit, cursor);
    else if (kind == CXCursor_CallExpr)
        check_call(audit, cursor);
    else if (is_arithmetic(cursor))
        check_arithmetic(audit, cursor);
    return CXChildVisit_Recurse;
}

void audit_function(Audit *audit, CXCursor function)
{
    clang_visitChildren(function, visit, audit);
}
