/* json.c: a strict JSON cursor. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

PccJson pcc_json(const char *text, size_t size)
{
    return (PccJson){.begin = text, .at = text, .end = text + size};
}

bool pcc_json_fail(PccJson *json, const char *problem)
{
    if (!json->problem)
        json->problem = problem;
    return false;
}

char pcc_json_peek(PccJson *json)
{
    while (json->at < json->end && strchr(" \t\r\n", *json->at) && *json->at)
        json->at++;
    return json->at < json->end && !json->problem ? *json->at : '\0';
}

static bool json_take(PccJson *json, char c, const char *problem)
{
    if (pcc_json_peek(json) != c)
        return pcc_json_fail(json, problem);
    json->at++;
    return true;
}

bool pcc_json_begin(PccJson *json, char open)
{
    if (!json_take(json, open, open == '{' ? "expected an object" : "expected an array"))
        return false;
    if (++json->depth > PCC_JSON_MAX_DEPTH)
        return pcc_json_fail(json, "nested too deep");
    if (pcc_json_peek(json) != (open == '{' ? '}' : ']'))
        return !json->problem;
    json->at++;
    json->depth--;
    return false;
}

bool pcc_json_more(PccJson *json, char close)
{
    char next = pcc_json_peek(json);
    if (next == ',') {
        json->at++;
        return true;
    }
    json->depth--;
    return json_take(json, close, "expected ',' or the end of the container") && false;
}

static int json_hex4(PccJson *json)
{
    int value = 0;
    for (int i = 0; i < 4; i++, json->at++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = json->at < json->end && *json->at ? strchr(digits, *json->at) : NULL;
        if (!digit) {
            pcc_json_fail(json, "bad \\u escape");
            return 0;
        }
        value = value * 16 + (int)((digit - digits) % 16);
    }
    return value;
}

/* The code point after "\u", joining a surrogate pair. */
static uint32_t json_code_point(PccJson *json)
{
    uint32_t high = (uint32_t)json_hex4(json);
    if (high == 0)
        pcc_json_fail(json, "NUL in a string");
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u') {
        pcc_json_fail(json, "lone surrogate");
        return 0;
    }
    json->at += 2;
    uint32_t low = (uint32_t)json_hex4(json);
    if (low < 0xdc00 || low > 0xdfff)
        pcc_json_fail(json, "lone surrogate");
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *json_put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    int extra = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    *out++ = (char)((0xff << (7 - extra) & 0xff) | c >> 6 * extra);
    while (extra--)
        *out++ = (char)(0x80 | (c >> 6 * extra & 0x3f));
    return out;
}

static char *json_escape(PccJson *json, char *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = json->at < json->end ? *json->at++ : '\0';
    if (c == 'u')
        return json_put_utf8(out, json_code_point(json));
    const char *name = c ? strchr(names, c) : NULL;
    if (!name) {
        pcc_json_fail(json, "unknown escape");
        return out;
    }
    *out = values[name - names];
    return out + 1;
}

/* Well-formed UTF-8 (Unicode 15, table 3-7): copies one multi-byte character. */
static char *json_copy_utf8(PccJson *json, char *out)
{
    const unsigned char *s = (const unsigned char *)json->at;
    int extra = s[0] >= 0xc2 && s[0] <= 0xdf   ? 1
                : s[0] >= 0xe0 && s[0] <= 0xef ? 2
                : s[0] >= 0xf0 && s[0] <= 0xf4 ? 3
                                               : 0;
    bool good = extra > 0 && json->end - json->at > extra;
    for (int i = 1; good && i <= extra; i++)
        good = (s[i] & 0xc0) == 0x80;
    if (!good || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f)) {
        pcc_json_fail(json, "not UTF-8");
        return out;
    }
    for (int i = 0; i <= extra; i++)
        *out++ = *json->at++;
    return out;
}

char *pcc_json_string(PccJson *json)
{
    if (!json_take(json, '"', "expected a string"))
        return NULL;
    const char *close = json->at;
    while (close < json->end && *close != '"')
        close += *close == '\\' && json->end - close > 1 ? 2 : 1;
    if (close >= json->end) {
        pcc_json_fail(json, "unterminated string");
        return NULL;
    }
    char *text = malloc((size_t)(close - json->at) + 1), *out = text; /* no escape decodes to more bytes than it has */
    if (!text)
        pcc_json_fail(json, "out of memory");
    while (!json->problem && json->at < close) {
        unsigned char c = (unsigned char)*json->at;
        if (c < 0x20) {
            pcc_json_fail(json, "control character in a string");
        } else if (c == '\\') {
            json->at++;
            out = json_escape(json, out);
        } else if (c >= 0x80) {
            out = json_copy_utf8(json, out);
        } else {
            *out++ = *json->at++;
        }
    }
    if (json->problem) {
        free(text);
        return NULL;
    }
    *out = '\0';
    json->at = close + 1;
    return text;
}

char *pcc_json_key(PccJson *json)
{
    char *key = pcc_json_string(json);
    if (key && !json_take(json, ':', "expected ':'")) {
        free(key);
        return NULL;
    }
    return key;
}

uint64_t pcc_json_integer(PccJson *json)
{
    char first = pcc_json_peek(json);
    if (first < '0' || first > '9') {
        pcc_json_fail(json, "expected a non-negative integer");
        return 0;
    }
    uint64_t value = 0;
    const char *start = json->at;
    for (; json->at < json->end && *json->at >= '0' && *json->at <= '9'; json->at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*json->at - '0'), &value)) {
            pcc_json_fail(json, "integer too large");
            return 0;
        }
    }
    bool leading_zero = first == '0' && json->at - start > 1;
    if (leading_zero || (json->at < json->end && *json->at && strchr(".eE", *json->at)))
        pcc_json_fail(json, "expected a non-negative integer");
    return json->problem ? 0 : value;
}

static void json_digits(PccJson *json)
{
    const char *start = json->at;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    if (json->at == start)
        pcc_json_fail(json, "expected a digit");
}

double pcc_json_number(PccJson *json)
{
    pcc_json_peek(json);
    const char *start = json->at;
    if (json->at < json->end && *json->at == '-')
        json->at++;
    if (json->at < json->end && *json->at == '0')
        json->at++;
    else
        json_digits(json);
    if (json->at < json->end && *json->at == '.') {
        json->at++;
        json_digits(json);
    }
    if (json->at < json->end && (*json->at == 'e' || *json->at == 'E')) {
        json->at++;
        if (json->at < json->end && (*json->at == '+' || *json->at == '-'))
            json->at++;
        json_digits(json);
    }
    char text[64];
    size_t length = (size_t)(json->at - start);
    if (length >= sizeof text)
        pcc_json_fail(json, "number too long");
    if (json->problem)
        return 0;
    memcpy(text, start, length);
    text[length] = '\0';
    return strtod(text, NULL);
}

static void json_skip_container(PccJson *json, char open, char close)
{
    for (bool more = pcc_json_begin(json, open); more; more = pcc_json_more(json, close)) {
        if (open == '{')
            free(pcc_json_key(json));
        pcc_json_skip(json);
    }
}

/* Recursion is bounded by PCC_JSON_MAX_DEPTH. */
void pcc_json_skip(PccJson *json)
{
    static const char *const words[] = {"true", "false", "null"};
    char next = pcc_json_peek(json);
    if (next == '{' || next == '[') {
        json_skip_container(json, next, next == '{' ? '}' : ']');
        return;
    }
    if (next == '"') {
        free(pcc_json_string(json));
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (!json->problem && (size_t)(json->end - json->at) >= length && memcmp(json->at, words[i], length) == 0) {
            json->at += length;
            return;
        }
    }
    pcc_json_number(json);
}

bool pcc_json_finish(PccJson *json)
{
    pcc_json_peek(json);
    if (!json->problem && json->at < json->end)
        pcc_json_fail(json, "text after the value");
    return !json->problem;
}

void pcc_json_write_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20)
            fprintf(file, "\\u%04x", c);
        else
            fprintf(file, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    fputc('"', file);
}

void pcc_json_write_number(FILE *file, double value)
{
    if (!isfinite(value)) {
        fputs("null", file);
        return;
    }
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, file);
}
