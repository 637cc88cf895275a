/* embed.c: --embed-weights: bytes as one string literal, which compilers read far faster than a list of numbers. */
#include <string.h>

#include "codegen/emit.h"

enum { BYTES_A_LINE = 64 };

/* Octal escapes are at most three digits and hence end themselves, when the next character is no digit or there are
 * three. A question mark is escaped because of trigraphs (C11 5.2.1.1). */
static char *print_byte(char *out, unsigned char byte, unsigned char next)
{
    if (byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\' && byte != '?') {
        *out++ = (char)byte;
        return out;
    }
    const bool full = next >= '0' && next <= '7';
    *out++ = '\\';
    if (full || byte >= 0100)
        *out++ = (char)('0' + (byte >> 6));
    if (full || byte >= 010)
        *out++ = (char)('0' + (byte >> 3 & 7));
    *out++ = (char)('0' + (byte & 7));
    return out;
}

/* With room for the literal's final NUL, which C++ wants. Aligned like a mapped file, because the reader hands out
 * pointers into it. */
void print_embedded_weights(Emitter *e, Text *text)
{
    const unsigned char *bytes = e->emit->embedded_weights;
    const size_t size = e->emit->embedded_bytes;
    if (!bytes)
        return;
    line(text, "/* The weights file. */");
    line(text, "static const unsigned char embedded_weights[%zu] __attribute__((aligned(64))) =", size + 1);
    for (size_t start = 0; start < size; start += BYTES_A_LINE) {
        char buffer[4 * BYTES_A_LINE + 8], *out = buffer;
        size_t end = start + BYTES_A_LINE < size ? start + BYTES_A_LINE : size;
        out = memcpy(out, "    \"", 5);
        out += 5;
        for (size_t i = start; i < end; i++)
            out = print_byte(out, bytes[i], i + 1 < end ? bytes[i + 1] : 0);
        *out++ = '"';
        if (end == size)
            *out++ = ';';
        *out++ = '\n';
        append_bytes(text, buffer, (size_t)(out - buffer));
    }
    blank(text);
}
