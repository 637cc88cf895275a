/* audit.c: parses an emitted file with libclang and hands its functions to the rules. */
#include "audit/audit.h"

#include "audit/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGUMENTS = 16, MAX_FILE_NAME = 4096 };

static void report_diagnostics(Audit *audit, CXTranslationUnit unit)
{
    for (unsigned i = 0; i < clang_getNumDiagnostics(unit); i++) {
        CXDiagnostic diagnostic = clang_getDiagnostic(unit, i);
        CXString text = clang_getDiagnosticSpelling(diagnostic);
        if (clang_getDiagnosticSeverity(diagnostic) >= CXDiagnostic_Warning)
            audit_report(audit, clang_getDiagnosticLocation(diagnostic), "parse", clang_getCString(text));
        clang_disposeString(text);
        clang_disposeDiagnostic(diagnostic);
    }
}

/* What the runtime calls of OpenMP, where the machine has no omp.h for clang. */
static const char openmp_header[] = "int omp_get_thread_num(void);\n"
                                    "int omp_get_num_threads(void);\n"
                                    "int omp_get_max_threads(void);\n";

/* ---- the file ------------------------------------------------------------------------------------------------------
 */

static enum CXChildVisitResult visit_declaration(CXCursor cursor, CXCursor parent, CXClientData data)
{
    Audit *audit = data;
    (void)parent;
    if (clang_getCursorKind(cursor) != CXCursor_FunctionDecl || !clang_isCursorDefinition(cursor) ||
        clang_Location_isInSystemHeader(clang_getCursorLocation(cursor)))
        return CXChildVisit_Continue;
    CXString name = clang_getCursorSpelling(cursor);
    audit->function = clang_getCString(name);
    audit->emitted = clang_Location_isFromMainFile(clang_getCursorLocation(cursor));
    audit_function(audit, cursor);
    audit->function = "";
    clang_disposeString(name);
    return CXChildVisit_Continue;
}

static int list_arguments(const AuditOptions *options, char include[MAX_FILE_NAME], char march[64],
                          const char *arguments[MAX_ARGUMENTS])
{
    int count = 0;
    const char *fixed[] = {"-std=gnu11", "-Wall", "-Wextra", "-fopenmp", "-resource-dir", PCC_CLANG_RESOURCE_DIR};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        arguments[count++] = fixed[i];
    snprintf(include, MAX_FILE_NAME, "-I%s", options->include);
    arguments[count++] = include;
    const char *level = options->march;
#ifdef __x86_64__
    level = level ? level : "x86-64-v3";
#endif
    snprintf(march, 64, "-march=%s", level ? level : "");
    if (level)
        arguments[count++] = march;
    return count;
}

int pcc_audit(const char *text, size_t length, const AuditOptions *options, AuditReport *report, void *context)
{
    char include[MAX_FILE_NAME], march[64];
    const char *arguments[MAX_ARGUMENTS];
    int argument_count = list_arguments(options, include, march, arguments);
    struct CXUnsavedFile files[] = {
        {options->source_name, text, length},
        {PCC_CLANG_RESOURCE_DIR "/include/omp.h", openmp_header, sizeof openmp_header - 1},
    };
    CXIndex index = clang_createIndex(0, 0);
    CXTranslationUnit unit = NULL;
    enum CXErrorCode failure = clang_parseTranslationUnit2(index, options->source_name, arguments, argument_count,
                                                           files, 2, CXTranslationUnit_None, &unit);
    Audit audit = {.options = options, .report = report, .context = context, .function = ""};
    if (!failure) {
        report_diagnostics(&audit, unit);
        clang_visitChildren(clang_getTranslationUnitCursor(unit), visit_declaration, &audit);
        clang_disposeTranslationUnit(unit);
    }
    clang_disposeIndex(index);
    free(audit.places);
    return failure ? -1 : audit.count;
}
