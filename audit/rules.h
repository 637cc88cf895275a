/* rules.h: the walk over one function's body. */
#ifndef PCC_AUDIT_RULES_H
#define PCC_AUDIT_RULES_H

#include <clang-c/Index.h>

#include "audit/audit.h"

typedef struct Audit {
    const AuditOptions *options;
    AuditReport *report;
    void *context;
    const char *function; /* the one being walked, or "" */
    bool emitted;         /* it stands in the emitted file, not in a header */
    int count;            /* findings */
    unsigned long *places;
    int place_count;
} Audit;

/* findings.c */
void audit_report(Audit *audit, CXSourceLocation location, const char *rule, const char *message);
/* rules.c: a function's definition. */
void audit_function(Audit *audit, CXCursor function);

#endif
