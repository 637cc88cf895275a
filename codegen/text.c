/* text.c: a buffer that grows in the arena, and numbers, strings and names as C writes them. */
#include <math.h>
#include <string.h>

#include "codegen/text.h"

Text *text_create(Arena *arena)
{
    Text *text = NEW(arena, Text);
    text->arena = arena;
    text->capacity = 64; /* most texts are names and operands */
    text->data = arena_alloc(arena, text->capacity);
    return text;
}

static void make_room(Text *text, size_t bytes)
{
    if (bytes <= text->capacity - text->length)
        return;
    const size_t capacity = 2 * (text->length + bytes);
    if (!arena_extend(text->arena, text->data, text->capacity, capacity - text->capacity)) {
        char *data = arena_alloc(text->arena, capacity);
        memcpy(data, text->data, text->length);
        text->data = data;
    }
    text->capacity = capacity;
}

void append_bytes(Text *text, const char *bytes, size_t length)
{
    make_room(text, length + 1);
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = 0;
}

void append_text(Text *text, const char *more)
{
    append_bytes(text, more, strlen(more));
}

enum { PIECE_BYTES = 512 }; /* most pieces fit */

/* The formatted text of *length bytes: in `piece`, or in the arena where it is longer. */
static const char *format_piece(Text *text, char piece[PIECE_BYTES], size_t *length, const char *format,
                                va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    *length = (size_t)format_into(piece, PIECE_BYTES, format, arguments);
    if (*length >= PIECE_BYTES) {
        piece = arena_alloc(text->arena, *length + 1);
        format_into(piece, *length + 1, format, again);
    }
    va_end(again);
    return piece;
}

void append(Text *text, const char *format, ...)
{
    va_list arguments;
    char piece[PIECE_BYTES];
    size_t length;
    va_start(arguments, format);
    const char *bytes = format_piece(text, piece, &length, format, arguments);
    va_end(arguments);
    append_bytes(text, bytes, length);
}

enum { COLUMNS = 118, CONTINUATION = 8 };

/* Returns how many columns are left. */
static size_t indent(Text *text, int spaces)
{
    make_room(text, (size_t)spaces + 1);
    memset(text->data + text->length, ' ', (size_t)spaces);
    text->length += (size_t)spaces;
    return COLUMNS > spaces ? (size_t)(COLUMNS - spaces) : 1;
}

/* Columns of a character; a function's own name is still @@ and will be longer. */
static size_t columns_of(char c)
{
    return c == '@' ? 16 : 1;
}

static bool fits(const char *code, size_t length, size_t room)
{
    if (length > room || !memchr(code, '@', length))
        return length <= room;
    size_t columns = 0;
    for (size_t i = 0; i < length; i++)
        columns += columns_of(code[i]);
    return columns <= room;
}

/* How deep the text is nested, string literals aside. */
typedef struct Nesting {
    int parentheses, braces;
    bool quoted;
} Nesting;

static void nest(Nesting *nesting, const char *at, bool first)
{
    nesting->quoted ^= *at == '"' && (first || at[-1] != '\\');
    if (nesting->quoted)
        return;
    nesting->parentheses += (*at == '(') - (*at == ')');
    nesting->braces += (*at == '{') - (*at == '}');
}

/* Length of the longest piece of `rest` that fits into `room` columns and ends behind a comma that separates the
 * arguments of the outermost call or the fields of its outermost braces; all of it when it fits, or when there is no
 * such place. *nesting goes from the start of `rest` to the end of the piece. */
static size_t wrap_point(const char *rest, size_t room, Nesting *nesting)
{
    Nesting here = *nesting;
    size_t best = 0, column = 0, i = 0;
    for (; rest[i] && (column <= room || best == 0); i++) {
        nest(&here, rest + i, i == 0);
        if (!here.quoted && rest[i] == ' ' && i > 0 && rest[i - 1] == ',' && here.parentheses <= 1 &&
            here.braces <= 1) {
            best = i;
            *nesting = here;
        }
        column += columns_of(rest[i]);
    }
    return column <= room || best == 0 ? i : best;
}

/* One line of code, broken at commas where it would pass the right margin. */
static void append_code(Text *text, const char *code, size_t length)
{
    const int depth = 4 * text->depth;
    const bool wraps = code[0] != '#' && code[0] != '/' && code[0] != ' ';
    Nesting nesting = {0};
    size_t room = indent(text, depth);
    while (wraps && !fits(code, length, room)) {
        const size_t piece = wrap_point(code, room, &nesting);
        if (piece == length)
            break;
        append_bytes(text, code, piece);
        append_bytes(text, "\n", 1);
        room = indent(text, depth + CONTINUATION);
        const size_t passed = piece + (code[piece] == ' ');
        code += passed;
        length -= passed;
    }
    append_bytes(text, code, length);
}

void line(Text *text, const char *format, ...)
{
    va_list arguments;
    char piece[PIECE_BYTES];
    size_t length;
    va_start(arguments, format);
    const char *code = format_piece(text, piece, &length, format, arguments);
    va_end(arguments);
    if (code[0] == '}')
        text->depth--;
    append_code(text, code, length);
    if (length > 0 && code[length - 1] == '{')
        text->depth++;
    append_bytes(text, "\n", 1);
}

void blank(Text *text)
{
    append_bytes(text, "\n", 1);
}

const char *c_string(Arena *arena, const char *name)
{
    size_t length = strlen(name);
    char *spelt = arena_alloc(arena, 4 * length + 3), *out = spelt;
    *out++ = '"';
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c >= ' ' && c < 127 && c != '"' && c != '\\' && c != '?')
            *out++ = (char)c;
        else
            out += sprintf(out, "\\%03o", c);
    }
    *out++ = '"';
    return spelt;
}

const char *comment_text(Arena *arena, const char *name)
{
    char *copy = (char *)arena_strndup(arena, name, strlen(name));
    for (char *c = copy; *c; c++)
        if (*c < ' ' || *c == 127 || *c == '\\' || *c == '?' || (c[0] == '*' && c[1] == '/') ||
            (c[0] == '/' && c[1] == '*') || (c > copy && c[-1] == '*' && c[0] == '/') || (unsigned char)*c > 127)
            *c = '_';
    return copy;
}

const char *identifier(Arena *arena, const char *name, size_t limit)
{
    size_t length = strlen(name);
    if (length > limit) { /* the end of an ONNX name says more than its beginning */
        name += length - limit;
        length = limit;
    }
    char *spelt = arena_alloc(arena, length + 2), *out = spelt;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
        if (letter || (digit && out > spelt))
            *out++ = c;
        else if (out > spelt && out[-1] != '_')
            *out++ = '_';
    }
    while (out > spelt && out[-1] == '_')
        *--out = 0;
    return *spelt ? spelt : "v";
}

const char *c_float(Arena *arena, double value, Dtype dtype)
{
    if (isnan(value))
        return "NAN";
    if (isinf(value))
        return value < 0 ? "-INFINITY" : "INFINITY";
    if (dtype == DTYPE_F64)
        return arena_printf(arena, "%a", value);
    return isinf((float)value) ? (value < 0 ? "-INFINITY" : "INFINITY")
                               : arena_printf(arena, "%af", (double)(float)value);
}

const char *c_integer(Arena *arena, int64_t value, Dtype dtype)
{
    if (dtype == DTYPE_U64)
        return arena_printf(arena, "%lluu", (unsigned long long)value);
    return value == INT64_MIN ? "INT64_MIN" : arena_printf(arena, "%lld", (long long)value);
}

uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

const char *with_commas(Arena *arena, int64_t value)
{
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "%lld", (long long)value), out = 0;
    char *spelt = arena_alloc(arena, 48);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            spelt[out++] = ',';
        spelt[out++] = digits[i];
    }
    return spelt;
}
