/* command_compile.c: `pcc MODEL.onnx [options] -o FILE`. */
#include "frontend/commands/command_compile.h"

#include <string.h>
#include <sys/stat.h>

#include "frontend/commands/depfile.h"
#include "frontend/commands/driver.h"
#include "frontend/report/emit_dot.h"
#include "frontend/cli/explain.h"
#include "ir/target/gpu.h"
#include "frontend/commands/print.h"
#include "frontend/report/report.h"
#include "frontend/commands/standalone.h"
#include "frontend/commands/toolchain.h"

typedef enum Emit { EMIT_NOTHING, EMIT_SOURCE, EMIT_EXE, EMIT_LIB, EMIT_IR, EMIT_DOT, EMIT_REPORT } Emit;

/* clang-format off */
static const struct EmitRow {
    const char *name, *suffix;
    Emit emit;
    const Target *target; /* EMIT_SOURCE: whose; NULL: the one that --target says */
} emits[] = {
#define TARGET_ROW(NAME, SUFFIX, LANGUAGE, HELP) {#NAME, SUFFIX, EMIT_SOURCE, &target_##NAME},
    PCC_TARGETS(TARGET_ROW)
#undef TARGET_ROW
    {"exe", "", EMIT_EXE, NULL},
    {"lib", ".a", EMIT_LIB, NULL},
    {"lib", ".so", EMIT_LIB, NULL},
    {"ir", ".ir", EMIT_IR, NULL},
    {"dot", ".dot", EMIT_DOT, NULL},
    {"dot", ".gv", EMIT_DOT, NULL},
    {"report", ".html", EMIT_REPORT, NULL},
    {"report", ".htm", EMIT_REPORT, NULL}};
/* clang-format on */
enum { EMIT_ROWS = sizeof emits / sizeof *emits };

#define usage(c, ...) fatal(&(c)->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, __VA_ARGS__)

/* The target whose source files have the output's suffix; NULL: none has. */
static const Target *target_by_suffix(const char *path)
{
    for (int i = 0; path && i < EMIT_ROWS; i++)
        if (emits[i].target && path_has_suffix(path, emits[i].suffix))
            return emits[i].target;
    return NULL;
}

/* The row's kind, and its target: the row's own, else that of the output's suffix, else that of --target. */
static Emit emit_of(Compilation *c, const struct EmitRow *row)
{
    const Target *wanted = target_of(&c->line);
    const Target *own = row->target ? row->target : target_by_suffix(c->line.output_file);
    if (own && c->line.target && own != wanted)
        usage(c, "--target %s, but %s is of target %s", c->line.target,
              row->target && c->line.emit ? arena_printf(c->arena, "--emit %s", c->line.emit) : c->line.output_file,
              own->name);
    c->target = own ? own : wanted;
    return row->emit;
}

static Emit emit_by_suffix(Compilation *c, const char *path)
{
    const char *suffix = suffix_of(path), *suffixes[EMIT_ROWS];
    for (int i = 0; i < EMIT_ROWS; i++) {
        if (strcmp(emits[i].suffix, suffix) == 0)
            return emit_of(c, &emits[i]);
        suffixes[i] = emits[i].suffix;
    }
    const char *near = did_you_mean(suffix, suffixes, EMIT_ROWS);
    usage(c, "-o %s: the suffix '%s' does not say what to write%s%s%s", path, suffix,
          near ? "; did you mean '" : "; give --emit KIND", near ? near : "", near ? "'?" : "");
}

/* What to write. Nothing needs to be where something is printed. */
static Emit choose_emit(Compilation *c)
{
    const CommandLine *line = &c->line;
    if (line->output_file && line->output_file[0] == '\0')
        usage(c, "-o needs a file name");
    if (!line->emit && !line->output_file) {
        if (line->dump_after || line->explain_precision)
            return EMIT_NOTHING;
        usage(c, "no output: give -o FILE, as in -o train.c");
    }
    if (!line->emit)
        return emit_by_suffix(c, line->output_file);
    for (int i = 0; i < EMIT_ROWS; i++)
        if (strcmp(emits[i].name, line->emit) == 0)
            return emit_of(c, &emits[i]);
    internal_error(&c->diagnostics, NO_ORIGIN, "--emit %s has no row", line->emit);
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void check_request(Compilation *c, Emit emit)
{
    const CommandLine *line = &c->line;
    const bool writes_c = emit == EMIT_SOURCE || emit == EMIT_EXE || emit == EMIT_LIB;
    if ((line->standalone || line->embed_weights || line->name) && !writes_c)
        usage(c, "%s is for programs: give -o FILE.c or FILE.cu",
              line->standalone      ? "--standalone"
              : line->embed_weights ? "--embed-weights"
                                    : "--name");
    if (!line->depfile && (line->depfile_path || line->depfile_target))
        usage(c, "%s needs -MD", line->depfile_path ? "-MF" : "-MT");
    if (line->depfile && !line->output_file)
        usage(c, "-MD needs -o FILE, the rule's target");
    if (!line->output_file && emit != EMIT_NOTHING && emit != EMIT_IR && emit != EMIT_DOT)
        usage(c, "--emit %s needs -o FILE", line->emit);
    const bool to_stdout = line->output_file && strcmp(line->output_file, "-") == 0;
    if (to_stdout && (emit == EMIT_EXE || emit == EMIT_LIB || line->depfile))
        usage(c, "-o - writes text only, and no depfile");
    if (to_stdout && emit == EMIT_SOURCE && line->standalone && c->target == &target_cuda)
        usage(c, "-o - has no place for the runtime's file: give -o FILE.cu");
    if (to_stdout && emit == EMIT_SOURCE && !line->embed_weights)
        usage(c, "-o - has no place for the weights file: give --embed-weights, or a file");
    if (line->output_file && same_file(line->output_file, line->model))
        usage(c, "-o %s would overwrite the model", line->output_file);
}

/* ---- the C program ---------------------------------------------------------------------------------------------- */

static const char *source_suffix(const Compilation *c)
{
    const struct EmitRow *row = emits;
    while (row->target != c->target)
        row++;
    return row->suffix;
}

/* The bytes of the weights file, for the source itself. */
static void embed_weights(Compilation *c, EmitOptions *emit)
{
    const char *path = temporary_file(c, "weights.safetensors");
    write_weights(&c->program, &c->options, emit, path);
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (!file || fstat(fileno(file), &status))
        fatal(&c->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot read '%s' back", path);
    size_t size = (size_t)status.st_size;
    void *bytes = arena_alloc(c->arena, size);
    size_t got = fread(bytes, 1, size, file);
    fclose(file);
    if (got != size)
        fatal(&c->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot read '%s' back", path);
    emit->embedded_weights = bytes;
    emit->embedded_bytes = size;
}

static const char *runtime_path(Compilation *c)
{
    return with_suffix(c->arena, c->line.output_file, ".runtime.c");
}

/* Renames of the staged weights and source happen together in outputs_commit(). */
static ProgramSource make_source(Compilation *c, Emit kind, const char *output)
{
    EmitOptions emit = {.source_name = kind == EMIT_SOURCE ? base_name(output)
                                                           : base_name(with_suffix(c->arena, output, source_suffix(c))),
                        .standalone = c->line.standalone,
                        .runtime_name = base_name(runtime_path(c)),
                        .name = c->line.name,
                        .library = c->line.emit && strcmp(c->line.emit, "lib") == 0};
    emit.library |= kind == EMIT_LIB;
    attach_export_template(c, &emit);
    if (c->line.embed_weights) {
        embed_weights(c, &emit);
    } else {
        const char *weights = with_suffix(c->arena, output, ".safetensors");
        if (same_file(weights, c->line.model))
            usage(c, "the weights file %s would overwrite the model", weights);
        emit.weights_name = base_name(weights);
        write_weights(&c->program, &c->options, &emit, outputs_stage(&c->outputs, weights));
    }
    Emitted emitted = emit_source(c, &emit);
    return c->line.standalone ? make_standalone(c->arena, &c->diagnostics, c->target, &emit, emitted)
                              : (ProgramSource){.program = emitted};
}

static Product product_of(Emit emit, const char *output)
{
    return emit == EMIT_EXE ? PRODUCT_EXECUTABLE : path_has_suffix(output, ".so") ? PRODUCT_SHARED : PRODUCT_ARCHIVE;
}

/* The source files of an executable or library lie in the temporary folder. */
static const char *temporary_source(Compilation *c, const char *name, const char *text, size_t length)
{
    const char *path = temporary_file(c, base_name(name));
    FILE *file = fopen(path, "w");
    bool written = file && fwrite(text, 1, length, file) == length;
    if (!file || fclose(file) || !written)
        fatal(&c->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot write '%s'", path);
    return path;
}

static void write_sources(Compilation *c, const char *path, const ProgramSource *source)
{
    outputs_write(&c->outputs, path, source->program.text, source->program.length);
    if (source->runtime)
        outputs_write(&c->outputs, runtime_path(c), source->runtime, source->runtime_length);
}

static void make_binary(Compilation *c, Emit emit, const ProgramSource *source)
{
    const char *output = c->line.output_file, *kept = with_suffix(c->arena, output, source_suffix(c));
    if (c->line.save_temps)
        write_sources(c, kept, source);
    BuildRequest request = {.source = temporary_source(c, kept, source->program.text, source->program.length),
                            .product = product_of(emit, output),
                            .standalone = c->line.standalone,
                            .verbose = c->line.verbose,
                            .cuda = c->target == &target_cuda,
                            .gpu_arch = c->line.gpu_arch ? c->line.gpu_arch
                                        : c->gpu         ? c->gpu->architecture
                                                         : NULL,
                            .libraries = source->program.libraries};
    if (source->runtime)
        request.runtime_source = temporary_source(c, runtime_path(c), source->runtime, source->runtime_length);
    const char *staged = outputs_stage(&c->outputs, output);
    request.output = staged;
    build_program(c->arena, &c->diagnostics, &request);
    if (request.product != PRODUCT_ARCHIVE)
        outputs_make_executable(&c->outputs, staged);
}

/* ---- text ------------------------------------------------------------------------------------------------------- */

static void write_ir(Compilation *c, FILE *stream)
{
    const int64_t inline_elements = 64;
    graph_print(c->program.train, stream, inline_elements);
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

static void emit_output(Compilation *c, Emit emit)
{
    const char *text_output = c->line.output_file ? c->line.output_file : "-";
    switch (emit) {
    case EMIT_SOURCE:
    case EMIT_EXE:
    case EMIT_LIB: {
        ProgramSource source = make_source(c, emit, c->line.output_file);
        if (emit == EMIT_SOURCE || path_has_suffix(c->line.output_file, source_suffix(c)))
            write_sources(c, c->line.output_file, &source);
        else
            make_binary(c, emit, &source);
        break;
    }
    case EMIT_IR:
        write_text(c, text_output, write_ir);
        break;
    case EMIT_DOT:
        write_text(c, text_output, write_dot);
        break;
    case EMIT_REPORT:
        write_text(c, text_output, write_report);
        break;
    case EMIT_NOTHING:
        break;
    }
}

static void compile(Compilation *c)
{
    Emit emit = choose_emit(c);
    check_request(c, emit);
    import_model(c);
    if (emit != EMIT_DOT || c->line.dump_after || c->line.explain_precision)
        run_passes(c);
    if (c->line.explain_precision)
        explain_precision(c, stdout);
    emit_output(c, emit);
    if (c->line.depfile)
        write_depfile(c);
    outputs_commit(&c->outputs);
    if (c->line.time_report)
        print_times(c, stderr);
}

static void compile_or_print(Compilation *c)
{
    parse_command_line(c->arena, &c->diagnostics, COMMAND_COMPILE, c->argc, c->argv, &c->line);
    if (c->line.help)
        print_help(stdout, COMMAND_COMPILE);
    else if (c->line.version)
        print_version(stdout);
    else if (c->line.explain)
        explain_warning(c, stdout);
    else if (c->line.print && !print_needs_model(c->line.print))
        print_fact(c, stdout);
    else {
        need_model(&c->diagnostics, &c->line);
        if (c->line.print)
            print_about_model(c, stdout);
        else
            compile(c);
    }
}

int command_compile(int argc, char **argv)
{
    Compilation c = {.argc = argc, .argv = argv};
    return run_compilation(&c, compile_or_print);
}
