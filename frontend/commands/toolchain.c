/* toolchain.c: finds the runtime, runs the C compiler. */
#include "frontend/commands/toolchain.h"

#include "frontend/files/interrupt.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- pcc's own files -------------------------------------------------------------------------------------------- */

static const char *own_folder(Arena *arena)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    while (length > 0 && path[length - 1] != '/')
        length--;
    return length > 0 ? arena_strndup(arena, path, (size_t)length) : "./";
}

/* The first of own_folder/candidates[i] that holds `file`; with the file itself when `whole`. */
static const char *find_in(Arena *arena, const char *const *candidates, int count, const char *file, bool whole)
{
    const char *folder = own_folder(arena);
    for (int i = 0; i < count; i++) {
        const char *path = arena_printf(arena, "%s%s/%s", folder, candidates[i], file);
        if (access(path, R_OK) == 0)
            return whole ? path : arena_printf(arena, "%s%s", folder, candidates[i]);
    }
    return NULL;
}

RuntimeFiles find_runtime(Arena *arena)
{
    static const char *const includes[] = {"include", "../include"};
    static const char *const libraries[] = {"runtime", ("../" PCC_LIBDIR), "../lib"};
    static const char *const sources[] = {"include/pcc", "../share/pcc/runtime"};
    return (RuntimeFiles){
        .include = find_in(arena, includes, 2, "pcc/pcc.h", false),
        .library = find_in(arena, libraries, 3, "libpcc-runtime.a", true),
        .sources = find_in(arena, sources, 2, "main.c", false),
    };
}

/* ---- running commands ------------------------------------------------------------------------------------------- */

typedef struct Arguments {
    Arena *arena;
    const char **items;
    int count;
} Arguments;

static void add(Arguments *arguments, const char *argument)
{
    APPEND(arguments->arena, arguments->items, arguments->count, argument);
}

static void add_words(Arguments *arguments, const char *text)
{
    const char *space = " \t\n";
    for (text += strspn(text, space); *text; text += strspn(text, space)) {
        size_t length = strcspn(text, space);
        add(arguments, arena_strndup(arguments->arena, text, length));
        text += length;
    }
}

static int run_arguments(Arguments *arguments, bool verbose)
{
    for (int i = 0; verbose && i < arguments->count; i++)
        fprintf(stderr, "%s%s", arguments->items[i], i + 1 < arguments->count ? " " : "\n");
    add(arguments, NULL);
    return interrupt_run(arguments->items);
}

/* ---- building --------------------------------------------------------------------------------------------------- */

static const char *pkg_config(Arena *arena, Diagnostics *diagnostics, const char *what)
{
    const char *command = arena_printf(arena, "pkg-config %s pcc-runtime 2>/dev/null", what);
    char buffer[4096];
    FILE *pipe = popen(command, "r");
    size_t length = pipe ? fread(buffer, 1, sizeof buffer - 1, pipe) : 0;
    if (!pipe || pclose(pipe) != 0)
        fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN,
              "cannot find the runtime: neither beside pcc nor by 'pkg-config pcc-runtime'; install pcc whole, or set "
              "PKG_CONFIG_PATH");
    return arena_strndup(arena, buffer, length);
}

/* Where $CUDNN_PATH says that cuDNN is, as --libraries reads it; else the compiler knows. */
static void add_cudnn_path(Arguments *arguments, const BuildRequest *request)
{
    const char *path = getenv("CUDNN_PATH");
    if (!request->libraries || !strstr(request->libraries, "cudnn") || !path || !*path)
        return;
    add(arguments, arena_printf(arguments->arena, "-I%s/include", path));
    add(arguments, arena_printf(arguments->arena, "-L%s/lib", path));
    add(arguments, arena_printf(arguments->arena, "-L%s/lib64", path));
}

static void add_runtime(Arguments *arguments, Diagnostics *diagnostics, const BuildRequest *request, bool link)
{
    RuntimeFiles files = find_runtime(arguments->arena);
    if (!request->standalone && !files.include)
        add_words(arguments, pkg_config(arguments->arena, diagnostics, "--cflags"));
    else if (!request->standalone)
        add(arguments, arena_printf(arguments->arena, "-I%s", files.include));
    add_cudnn_path(arguments, request);
    if (!link)
        return;
    if (!request->standalone && !files.library)
        add_words(arguments, pkg_config(arguments->arena, diagnostics, "--libs"));
    else if (!request->standalone)
        add(arguments, files.library);
    add_words(arguments, "-lz -lm");
    add_words(arguments, request->libraries ? request->libraries : "");
}

static void run_tool(Diagnostics *diagnostics, Arguments *arguments, bool verbose, bool cuda)
{
    const char *tool = arguments->items[0];
    int status = run_arguments(arguments, verbose);
    if (status == 127)
        fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot run '%s': install %s", tool,
              cuda ? "the CUDA toolkit, or set NVCC" : "a C compiler, or set CC");
    if (status != 0)
        fatal(diagnostics, EXIT_STATUS_INTERNAL, NO_ORIGIN, "'%s' failed on the emitted source with status %d", tool,
              status);
}

/* One binary for each architecture of the list, and the last one's PTX for later GPUs. */
static void add_architectures(Arguments *arguments, const char *list)
{
    for (const char *at = list ? list : "sm_90"; *at; at += *at == ',') {
        const size_t length = strcspn(at, ",");
        const int digits = length > 3 ? (int)length - 3 : 0;
        const char *also = at[length] ? "" : arena_printf(arguments->arena, ",compute_%.*s", digits, at + 3);
        add_words(arguments, arena_printf(arguments->arena, "-gencode arch=compute_%.*s,code=[%.*s%s]", digits, at + 3,
                                          (int)length, at, also));
        at += length;
    }
}

static void add_compiler(Arguments *arguments, const BuildRequest *request)
{
    const char *tool = getenv(request->cuda ? "NVCC" : "CC"), *flags = getenv(request->cuda ? "NVCCFLAGS" : "CFLAGS");
    add_words(arguments, tool && *tool ? tool : request->cuda ? "nvcc" : "cc");
    if (request->cuda) {
        add_words(arguments, "-O3 -std=c++17 -Xcompiler -fopenmp");
        add_architectures(arguments, request->gpu_arch);
    } else {
        add_words(arguments, "-O3 -march=native -fopenmp");
    }
    add_words(arguments, flags ? flags : ""); /* the last -O and -march win */
    if (request->product != PRODUCT_EXECUTABLE)
        add_words(arguments, request->cuda ? "-Xcompiler -fPIC" : "-fPIC");
}

/* The script that builds .cu files for the CPU: of a build tree, which it is told, or installed. */
static void build_emulated(Arena *arena, Diagnostics *diagnostics, const BuildRequest *request)
{
    static const char *const built[] = {"."}, *const installed[] = {"../share/pcc/emulator"};
    const char *own = find_in(arena, built, 1, "emulate", true);
    const char *script = own ? own : find_in(arena, installed, 1, "emulate", true);
    Arguments arguments = {.arena = arena};
    if (!script)
        fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot find the emulator of CUDA programs: install pcc whole");
    add(&arguments, script);
    if (own) {
        add_words(&arguments, "--runtime");
        add(&arguments, own_folder(arena));
    }
    add(&arguments, request->source);
    add_words(&arguments, "-o");
    add(&arguments, request->output);
    run_tool(diagnostics, &arguments, request->verbose, true);
}

static void compile_object(Arena *arena, Diagnostics *diagnostics, const BuildRequest *request, const char *source,
                           const char *object)
{
    Arguments arguments = {.arena = arena};
    add_compiler(&arguments, request);
    add_words(&arguments, "-c");
    add(&arguments, source);
    add_words(&arguments, "-o");
    add(&arguments, object);
    interrupt_remove(object);
    add_runtime(&arguments, diagnostics, request, false);
    run_tool(diagnostics, &arguments, request->verbose, request->cuda);
}

static void build_archive(Arena *arena, Diagnostics *diagnostics, const BuildRequest *request)
{
    const char *const sources[] = {request->source, request->runtime_source};
    const char *tool = getenv("AR"), *objects[2];
    const int count = request->runtime_source ? 2 : 1;
    Arguments arguments = {.arena = arena};
    unlink(request->output); /* ar adds to what is there */
    add_words(&arguments, tool && *tool ? tool : "ar");
    add_words(&arguments, "rcsD");
    add(&arguments, request->output);
    for (int i = 0; i < count; i++) {
        objects[i] = arena_printf(arena, "%s.o", sources[i]);
        compile_object(arena, diagnostics, request, sources[i], objects[i]);
        add(&arguments, objects[i]);
    }
    run_tool(diagnostics, &arguments, request->verbose, request->cuda);
    for (int i = 0; i < count; i++)
        unlink(objects[i]);
}

static void build_linked(Arena *arena, Diagnostics *diagnostics, const BuildRequest *request)
{
    Arguments arguments = {.arena = arena};
    add_compiler(&arguments, request);
    add_words(&arguments, request->product == PRODUCT_SHARED ? "-shared" : "");
    add(&arguments, request->source);
    if (request->runtime_source)
        add(&arguments, request->runtime_source);
    add_words(&arguments, "-o");
    add(&arguments, request->output);
    add_runtime(&arguments, diagnostics, request, true);
    run_tool(diagnostics, &arguments, request->verbose, request->cuda);
}

void build_program(Arena *arena, Diagnostics *diagnostics, const BuildRequest *request)
{
    if (request->emulated)
        build_emulated(arena, diagnostics, request);
    else if (request->product == PRODUCT_ARCHIVE)
        build_archive(arena, diagnostics, request);
    else
        build_linked(arena, diagnostics, request);
}
