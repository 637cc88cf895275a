/* diagnostics.c: messages in the manner of a C compiler, or one JSON object a line for --diagnostics=json.
 *
 * Names and messages can hold any bytes of a hostile model; what is not printable UTF-8 is shown as \xHH, so that no
 * terminal escape and no invalid JSON gets out. */
#include "ir/ir.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum Severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR } Severity;

static const struct {
    const char *name, *color;
} severities[] = {
    [SEVERITY_NOTE] = {"note", "\033[1;36m"},
    [SEVERITY_WARNING] = {"warning", "\033[1;35m"},
    [SEVERITY_ERROR] = {"error", "\033[1;31m"},
};

void diagnostics_init(Diagnostics *d, FILE *stream)
{
    const char *no_color = getenv("NO_COLOR"); /* https://no-color.org: any non-empty value */
    memset(d, 0, sizeof *d);
    d->stream = stream;
    d->color = !(no_color && *no_color) && fileno(stream) >= 0 && isatty(fileno(stream));
}

Hush diagnostics_hush(Diagnostics *d)
{
    const Hush before = {d->quiet, d->werror, d->warning_count};
    d->quiet = true;
    d->werror = false;
    return before;
}

void diagnostics_restore(Diagnostics *d, Hush before)
{
    d->quiet = before.quiet;
    d->werror = before.werror;
    d->warning_count = before.warning_count;
}

/* Bytes of the printable UTF-8 character at `s` (RFC 3629); 0 for a control character or an invalid sequence. */
static int utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    int length = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
    uint32_t code = s[0] & (0x7fu >> length);
    for (int i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    bool forbidden = code < 0xa0 || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff;
    return overlong || forbidden ? 0 : length;
}

static void print_escaped(FILE *stream, const char *text, bool keep_newlines)
{
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int length = utf8_length(s);
        if (length) {
            fwrite(s, 1, (size_t)length, stream);
            s += length;
        } else if (*s == '\n' && keep_newlines) {
            fputc(*s++, stream);
        } else {
            fprintf(stream, "\\x%02x", *s++);
        }
    }
}

static void print_json_string(FILE *stream, const char *key, const char *text)
{
    fprintf(stream, "\"%s\":", key);
    if (!text) {
        fputs("null", stream);
        return;
    }
    fputc('"', stream);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int length = utf8_length(s);
        if (*s == '"' || *s == '\\') {
            fprintf(stream, "\\%c", *s++);
        } else if (length) {
            fwrite(s, 1, (size_t)length, stream);
            s += length;
        } else if (*s < 0x80) {
            fprintf(stream, "\\u%04x", *s++);
        } else {
            fprintf(stream, "\\\\x%02x", *s++);
        }
    }
    fputc('"', stream);
}

static const char *status_code(ExitStatus status)
{
    switch (status) {
    case EXIT_STATUS_OK:
        break;
    case EXIT_STATUS_INPUT:
        return "bad-input";
    case EXIT_STATUS_USAGE:
        return "usage";
    case EXIT_STATUS_UNSUPPORTED:
        return "unsupported";
    case EXIT_STATUS_IO:
        return "io";
    case EXIT_STATUS_INTERNAL:
        return "internal";
    }
    return NULL;
}

static void report_json(Diagnostics *d, Severity severity, Origin origin, const char *code, const char *message)
{
    const struct {
        const char *key, *text;
    } fields[] = {{"file", d->file}, {"severity", severities[severity].name},
                  {"code", code},    {"node", origin.node},
                  {"op", origin.op}, {"message", message}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        fputc(i ? ',' : '{', d->stream);
        print_json_string(d->stream, fields[i].key, fields[i].text);
    }
    fputs("}\n", d->stream);
}

static void report_text(Diagnostics *d, Severity severity, Origin origin, const char *code, const char *message)
{
    print_escaped(d->stream, d->file ? d->file : "pcc", false);
    fprintf(d->stream, ": %s%s:%s ", d->color ? severities[severity].color : "", severities[severity].name,
            d->color ? "\033[0m" : "");
    if (origin.node) {
        fputs("node '", d->stream);
        print_escaped(d->stream, origin.node, false);
        fputc('\'', d->stream);
    }
    if (origin.op) {
        fputs(origin.node ? " (" : "operator ", d->stream);
        print_escaped(d->stream, origin.op, false);
        fputs(origin.node ? ")" : "", d->stream);
    }
    fputs(origin.node || origin.op ? ": " : "", d->stream);
    print_escaped(d->stream, message, true);
    if (code)
        fprintf(d->stream, " [%s%s]", severity == SEVERITY_ERROR ? "-Werror=" : "-W", code);
    fputc('\n', d->stream);
}

static void report(Diagnostics *d, Severity severity, Origin origin, const char *code, ExitStatus status,
                   const char *format, va_list arguments) __attribute__((format(printf, 6, 0)));

/* status: of an error; EXIT_STATUS_OK otherwise. code: of a warning, or NULL. */
static void report(Diagnostics *d, Severity severity, Origin origin, const char *code, ExitStatus status,
                   const char *format, va_list arguments)
{
    if (severity == SEVERITY_ERROR) {
        d->status = d->error_count ? d->status : status;
        d->error_count++;
    } else if (d->quiet) {
        return;
    }
    if (d->muted)
        return;
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    const char *text = message ? message : format;
    if (d->json)
        report_json(d, severity, origin, code ? code : status_code(status), text);
    else
        report_text(d, severity, origin, code, text);
    free(message);
}

void note(Diagnostics *d, Origin origin, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(d, SEVERITY_NOTE, origin, NULL, EXIT_STATUS_OK, format, arguments);
    va_end(arguments);
}

void warning(Diagnostics *d, Origin origin, const char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    d->warning_count++;
    if (d->werror)
        report(d, SEVERITY_ERROR, origin, code, EXIT_STATUS_INPUT, format, arguments);
    else
        report(d, SEVERITY_WARNING, origin, code, EXIT_STATUS_OK, format, arguments);
    va_end(arguments);
}

static void withhold(Diagnostics *d, ExitStatus status, Origin origin, const char *format, va_list arguments)
    __attribute__((format(printf, 4, 0)));

static void withhold(Diagnostics *d, ExitStatus status, Origin origin, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    d->withhold(d->withhold_context, origin, status, text ? text : format);
    free(text);
}

void error(Diagnostics *d, ExitStatus status, Origin origin, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (d->withhold) {
        withhold(d, status, origin, format, arguments);
        d->error_count++;
    } else {
        report(d, SEVERITY_ERROR, origin, NULL, status, format, arguments);
    }
    va_end(arguments);
}

void fatal(Diagnostics *d, ExitStatus status, Origin origin, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(d, SEVERITY_ERROR, origin, NULL, status, format, arguments);
    va_end(arguments);
    leave(d);
}

void leave(Diagnostics *d)
{
    if (d->can_recover)
        longjmp(d->recover, 1);
    exit(d->status ? d->status : EXIT_STATUS_INTERNAL);
}

enum { LONGEST_WORD = 63 };

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance (Damerau-Levenshtein without a second edit of a transposed pair), ignoring case.
 * Words are at most LONGEST_WORD long. */
static int edit_distance(const char *a, int a_length, const char *b, int b_length)
{
    int rows[3][LONGEST_WORD + 1]; /* of i - 2, i - 1 and i, modulo 3 */
    for (int j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (int i = 1; i <= a_length; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = min_int(min_int(row[j - 1], above[j]) + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = min_int(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *did_you_mean(const char *word, const char *const *candidates, int count)
{
    size_t length = strlen(word);
    if (length == 0 || length > LONGEST_WORD)
        return NULL;
    const char *nearest = NULL;
    int limit = length < 8 ? 1 : (int)length / 4; /* one slip of the finger in four letters */
    for (int i = 0; i < count; i++) {
        size_t candidate_length = strlen(candidates[i]);
        if (candidate_length > LONGEST_WORD || strcmp(word, candidates[i]) == 0)
            continue;
        int distance = edit_distance(word, (int)length, candidates[i], (int)candidate_length);
        if (distance <= limit && distance < (int)length) {
            nearest = candidates[i];
            limit = distance - 1;
        }
    }
    return nearest;
}
