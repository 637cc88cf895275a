/* format.c: vsnprintf() for the conversions that emitted text is made of.
 *
 * A compile formats most of a million short texts, of words and whole numbers. libc's machinery of streams takes longer
 * over one of them than writing it does: it was a third of the compile of a graph of 10,000 nodes. */
#include "ir/ir.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef struct Writer {
    va_list arguments;
    char *buffer;
    size_t room, length; /* length: of the whole text, which may not fit */
} Writer;

static void write_bytes(Writer *writer, const char *bytes, size_t count)
{
    if (writer->length < writer->room) {
        const size_t left = writer->room - writer->length;
        memcpy(writer->buffer + writer->length, bytes, count < left ? count : left);
    }
    writer->length += count;
}

static void write_number(Writer *writer, uint64_t number, unsigned base, bool is_negative)
{
    char digits[24], *first = digits + sizeof digits;
    do {
        *--first = "0123456789abcdef"[number % base];
    } while (number /= base);
    if (is_negative)
        *--first = '-';
    write_bytes(writer, first, (size_t)(digits + sizeof digits - first));
}

static void write_signed(Writer *writer, int64_t number)
{
    write_number(writer, number < 0 ? -(uint64_t)number : (uint64_t)number, 10, number < 0);
}

static bool write_string(Writer *writer)
{
    const char *string = va_arg(writer->arguments, const char *);
    if (string)
        write_bytes(writer, string, strlen(string));
    return string;
}

/* %.*s */
static bool write_part(Writer *writer)
{
    const int most = va_arg(writer->arguments, int);
    const char *string = va_arg(writer->arguments, const char *);
    if (!string || most < 0)
        return false;
    write_bytes(writer, string, strnlen(string, (size_t)most));
    return true;
}

static bool begins_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* The length of the conversion behind a %, whose argument is written; 0: it is another one. */
static size_t write_conversion(Writer *writer, const char *conversion)
{
    if (*conversion == 's')
        return write_string(writer) ? 1 : 0;
    if (*conversion == 'd') {
        write_signed(writer, va_arg(writer->arguments, int));
        return 1;
    }
    if (begins_with(conversion, "lld")) {
        write_signed(writer, va_arg(writer->arguments, long long));
        return 3;
    }
    if (begins_with(conversion, "llx")) {
        write_number(writer, va_arg(writer->arguments, unsigned long long), 16, false);
        return 3;
    }
    return begins_with(conversion, ".*s") && write_part(writer) ? 3 : 0;
}

/* False where a conversion is another one. */
static bool write_text(Writer *writer, const char *format)
{
    for (const char *mark; (mark = strchr(format, '%'));) {
        write_bytes(writer, format, (size_t)(mark - format));
        const size_t length = write_conversion(writer, mark + 1);
        if (length == 0)
            return false;
        format = mark + 1 + length;
    }
    write_bytes(writer, format, strlen(format));
    return true;
}

int format_into(char *buffer, size_t room, const char *format, va_list arguments)
{
    Writer writer = {.buffer = buffer, .room = room};
    va_copy(writer.arguments, arguments);
    const bool is_written = write_text(&writer, format) && writer.length <= INT_MAX;
    va_end(writer.arguments);
    if (!is_written)
        return vsnprintf(buffer, room, format, arguments);
    if (room > 0)
        buffer[writer.length < room ? writer.length : room - 1] = '\0';
    return (int)writer.length;
}
