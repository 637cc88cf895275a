/* findings.c: what breaks a rule, told once. */
#include "audit/rules.h"

#include <stdlib.h>

static bool is_known(const Audit *audit, unsigned long place)
{
    for (int i = 0; i < audit->place_count; i++)
        if (audit->places[i] == place)
            return true;
    return false;
}

/* A macro or an OpenMP directive shows one place more than once. */
static bool is_new(Audit *audit, CXSourceLocation location, const char *rule)
{
    CXFile file;
    unsigned line, column, offset;
    clang_getExpansionLocation(location, &file, &line, &column, &offset);
    unsigned long place = 5381;
    for (const char *at = rule; *at; at++)
        place = place * 33 + (unsigned char)*at;
    place = (place * 33 + (unsigned long)(size_t)file) * 1000003 + offset;
    if (is_known(audit, place))
        return false;
    unsigned long *grown = realloc(audit->places, sizeof *grown * (size_t)(audit->place_count + 1));
    if (!grown)
        return false;
    audit->places = grown;
    audit->places[audit->place_count++] = place;
    return true;
}

void audit_report(Audit *audit, CXSourceLocation location, const char *rule, const char *message)
{
    if (!is_new(audit, location, rule))
        return;
    CXFile file;
    AuditFinding finding = {.rule = rule, .message = message, .function = audit->function};
    clang_getExpansionLocation(location, &file, &finding.line, &finding.column, NULL);
    CXString name = clang_getFileName(file);
    const char *text = clang_getCString(name);
    finding.file = text ? text : "";
    audit->count++;
    audit->report(audit->context, &finding);
    clang_disposeString(name);
}
