/* audit_module.c: loads the module that parses emitted files with libclang. */
#include "frontend/commands/audit_module.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "frontend/commands/toolchain.h"

/* Beside the executable in the build tree, or under its prefix. */
static void *open_module(Arena *arena, Diagnostics *diagnostics)
{
    static const char *const places[] = {"audit", ("../" PCC_LIBDIR "/pcc"), "../lib/pcc"};
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    while (length > 0 && path[length - 1] != '/')
        length--;
    for (size_t i = 0; length > 0 && i < sizeof places / sizeof *places; i++) {
        const char *file = arena_printf(arena, "%.*s%s/pcc-audit.so", (int)length, path, places[i]);
        void *module = access(file, R_OK) == 0 ? dlopen(file, RTLD_NOW | RTLD_LOCAL) : NULL;
        if (module)
            return module;
    }
    const char *why = dlerror();
    fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "--audit: pcc-audit.so is not installed%s%s; it needs libclang 19",
          why ? ": " : "", why ? why : "");
}

static AuditFunction *find_entry(Diagnostics *diagnostics, void *module)
{
    AuditFunction *entry = NULL;
    void *symbol = dlsym(module, PCC_AUDIT_ENTRY);
    if (!symbol)
        internal_error(diagnostics, NO_ORIGIN, "--audit: pcc-audit.so has no %s()", PCC_AUDIT_ENTRY);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from an object to a function pointer */
    return entry;
}

static void report_finding(void *context, const AuditFinding *finding)
{
    error(context, EXIT_STATUS_INTERNAL, NO_ORIGIN, "--audit: %s:%u:%u: %s%s%s [%s]", finding->file, finding->line,
          finding->column, *finding->function ? finding->function : "", *finding->function ? ": " : "",
          finding->message, finding->rule);
}

void audit_source(Arena *arena, Diagnostics *diagnostics, const Emitted *source, const char *source_name,
                  const char *precision)
{
    RuntimeFiles runtime = find_runtime(arena);
    if (!runtime.include)
        fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "--audit: the runtime's headers are not beside pcc");
    AuditOptions options = {
        .source_name = source_name, .include = runtime.include, .wide = strcmp(precision, "64-true") == 0};
    AuditFunction *audit = find_entry(diagnostics, open_module(arena, diagnostics));
    if (audit(source->text, source->length, &options, report_finding, diagnostics) < 0)
        internal_error(diagnostics, NO_ORIGIN, "--audit: libclang cannot parse %s", source_name);
    if (diagnostics->error_count > 0)
        leave(diagnostics);
}
