/* lex.c: see lex.h. */
#include "ir/text/lex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NUMBER = 63 };

const char *lex_place(const Lexer *lexer)
{
    return arena_printf(lexer->arena, "%s:%d", lexer->file ? lexer->file : "text", lexer->line);
}

void lex_error(Lexer *lexer, ExitStatus status, const char *format, ...)
{
    if (lexer->failed)
        return;
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t size = (size_t)vsnprintf(NULL, 0, format, arguments) + 1;
    char *message = arena_alloc(lexer->arena, size);
    vsnprintf(message, size, format, again);
    va_end(again);
    va_end(arguments);
    const char *file = lexer->diagnostics->file;
    lexer->diagnostics->file = lex_place(lexer);
    error(lexer->diagnostics, status, NO_ORIGIN, "%s", message);
    lexer->diagnostics->file = file;
    lex_stop(lexer);
}

void lex_stop(Lexer *lexer)
{
    lexer->failed = true;
    lexer->position = lexer->end;
}

static void skip_space(Lexer *lexer)
{
    bool in_comment = false;
    for (; lexer->position < lexer->end; lexer->position++) {
        char c = *lexer->position;
        in_comment = (in_comment || c == '#') && c != '\n';
        if (!in_comment && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return;
        lexer->line += c == '\n';
    }
}

char lex_peek(Lexer *lexer)
{
    skip_space(lexer);
    return lexer->position < lexer->end ? *lexer->position : '\0';
}

bool lex_at_end(Lexer *lexer)
{
    skip_space(lexer);
    return lexer->position == lexer->end;
}

bool lex_accept(Lexer *lexer, char punctuation)
{
    if (lex_at_end(lexer) || *lexer->position != punctuation)
        return false;
    lexer->position++;
    return true;
}

/* What stands at the position, for messages. */
static const char *found(Lexer *lexer)
{
    if (lex_at_end(lexer))
        return "the end of the text";
    size_t length = 0, rest = (size_t)(lexer->end - lexer->position);
    while (length < rest && length < 20 && lexer->position[length] != '\n')
        length++;
    return arena_printf(lexer->arena, "'%s'", arena_strndup(lexer->arena, lexer->position, length));
}

void lex_expect(Lexer *lexer, char punctuation)
{
    if (!lex_accept(lexer, punctuation))
        lex_error(lexer, EXIT_STATUS_INPUT, "expected '%c', found %s", punctuation, found(lexer));
}

/* ---- words and strings ----------------------------------------------------------------------------------------- */

static bool is_word_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static size_t word_length(Lexer *lexer)
{
    skip_space(lexer);
    size_t length = 0, rest = (size_t)(lexer->end - lexer->position);
    while (length < rest && is_word_character(lexer->position[length]))
        length++;
    return length;
}

bool lex_accept_word(Lexer *lexer, const char *word)
{
    size_t length = word_length(lexer);
    if (length != strlen(word) || memcmp(lexer->position, word, length) != 0)
        return false;
    lexer->position += length;
    return true;
}

const char *lex_word(Lexer *lexer, const char *what)
{
    size_t length = word_length(lexer);
    if (length == 0 || (*lexer->position >= '0' && *lexer->position <= '9')) {
        lex_error(lexer, EXIT_STATUS_INPUT, "expected %s, found %s", what, found(lexer));
        return "";
    }
    lexer->position += length;
    return arena_strndup(lexer->arena, lexer->position - length, length);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The character that the escape at the position stands for, behind the backslash; 0 when there is no such escape. */
static char unescape(Lexer *lexer)
{
    const char *s = lexer->position;
    if (lexer->end - s >= 1 && (*s == '"' || *s == '\\' || *s == 'n')) {
        lexer->position++;
        return *s == 'n' ? '\n' : *s;
    }
    if (lexer->end - s < 3 || *s != 'x' || hex_digit(s[1]) < 0 || hex_digit(s[2]) < 0)
        return '\0';
    lexer->position += 3;
    return (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
}

const char *lex_string(Lexer *lexer)
{
    lex_expect(lexer, '"');
    const char *close = lexer->position;
    while (close < lexer->end && *close != '"' && *close != '\n')
        close += *close == '\\' && close + 1 < lexer->end ? 2 : 1;
    char *text = arena_alloc(lexer->arena, (size_t)(close - lexer->position) + 1), *out = text;
    while (lexer->position < close) {
        char c = *lexer->position++;
        if (c == '\\')
            c = unescape(lexer);
        if (c == '\0') {
            lex_error(lexer, EXIT_STATUS_INPUT, "the string has a zero byte or an unknown escape");
            return "";
        }
        *out++ = c;
    }
    if (close < lexer->end && *close == '"')
        lexer->position++;
    else
        lex_error(lexer, EXIT_STATUS_INPUT, "the string has no closing quote");
    return text;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

static bool is_number_character(char c)
{
    return (is_word_character(c) && c != '_') || c == '+' || c == '-';
}

const char *lex_number(Lexer *lexer)
{
    skip_space(lexer);
    size_t length = 0, rest = (size_t)(lexer->end - lexer->position);
    while (length < rest && is_number_character(lexer->position[length]))
        length++;
    if (length == 0 || length > LONGEST_NUMBER) {
        lex_error(lexer, EXIT_STATUS_INPUT, "expected a number, found %s", found(lexer));
        return "";
    }
    lexer->position += length;
    return arena_strndup(lexer->arena, lexer->position - length, length);
}

int64_t lex_int(Lexer *lexer)
{
    const char *text = lex_number(lexer);
    char *rest;
    errno = 0;
    long long value = strtoll(text, &rest, 10);
    if (*rest || errno || rest == text) {
        lex_error(lexer, EXIT_STATUS_INPUT, "'%s' is not a 64-bit integer", text);
        return 0;
    }
    return value;
}

int64_t lex_u64(Lexer *lexer)
{
    const char *text = lex_number(lexer);
    char *rest;
    errno = 0;
    unsigned long long value = strtoull(text, &rest, 10);
    if (*rest || errno || rest == text || *text == '-') {
        lex_error(lexer, EXIT_STATUS_INPUT, "'%s' is not an unsigned 64-bit integer", text);
        return 0;
    }
    return (int64_t)value;
}

double lex_float(Lexer *lexer)
{
    const char *text = lex_number(lexer);
    char *rest;
    double value = strtod(text, &rest);
    if (*rest || rest == text) {
        lex_error(lexer, EXIT_STATUS_INPUT, "'%s' is not a number", text);
        return 0;
    }
    return value;
}

/* Ids index arrays: a bound keeps a hostile text from claiming memory. */
enum { MAX_ID = (1 << 22) - 1 };

int lex_id(Lexer *lexer)
{
    lex_expect(lexer, '%');
    int64_t id = lex_int(lexer);
    if (id < 0 || id > MAX_ID) {
        lex_error(lexer, EXIT_STATUS_INPUT, "%%%lld is not a value's number: they are 0 to %d", (long long)id, MAX_ID);
        return 0;
    }
    return (int)id;
}
