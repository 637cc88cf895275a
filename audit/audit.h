/* audit.h: what `--audit` checks in an emitted C file. The implementation is a module of its own, pcc-audit.so, which
 * alone links libclang and is loaded when it is asked for.
 *
 * Rules, beyond a parse without any diagnostic under -Wall -Wextra:
 *   promotion     no implicit conversion of float to double, in the emitted file and in the runtime's headers
 *   double        no arithmetic in double in the emitted file's functions, unless the program is 64-true; headers keep
 *                 double accumulators, which they spell out
 *   libm          no call of a libm function in double from a function that computes in float: those of the emitted
 *                 file, and those of the headers whose names end in _f32
 *   half          no arithmetic on 16-bit floats but in conversions, functions named *_from_* or *_to_* */
#ifndef PCC_AUDIT_H
#define PCC_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

#define PCC_AUDIT_ENTRY "pcc_audit"

typedef struct AuditOptions {
    const char *source_name; /* for messages: "train.c" */
    const char *include;     /* the folder that holds pcc/pcc.h */
    const char *march;       /* of -march; NULL: x86-64-v3 on x86-64, else the compiler's default */
    bool wide;               /* a 64-true program: arithmetic in double is what it is for */
} AuditOptions;

typedef struct AuditFinding {
    const char *rule; /* "parse", "promotion", "double", "libm", "half" */
    const char *file; /* of the finding; strings live until the callback returns */
    unsigned line, column;
    const char *function; /* the one it is in, or "" */
    const char *message;
} AuditFinding;

typedef void AuditReport(void *context, const AuditFinding *finding);

/* Parses and walks the text; report is called for each finding, once a place. Returns their number, -1 when libclang
 * could not parse at all. */
int pcc_audit(const char *text, size_t length, const AuditOptions *options, AuditReport *report, void *context);
typedef int AuditFunction(const char *text, size_t length, const AuditOptions *options, AuditReport *report,
                          void *context);

#endif
