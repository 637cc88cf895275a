/* driver.c: the steps of a compile and their order. */
#include "frontend/commands/driver.h"

#include "frontend/commands/audit_module.h"
#include "frontend/cli/explain.h"
#include "frontend/files/interrupt.h"
#include "frontend/onnx/name_table.h"
#include "frontend/commands/gpu_file.h"
#include "frontend/commands/recompute_kind.h"
#include "ir/target/gpu.h"
#include "codegen/cuda/convolution_plans.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *suffix_of(const char *path)
{
    const char *name = base_name(path), *dot = strrchr(name, '.');
    return dot && dot != name ? dot : "";
}

bool path_has_suffix(const char *path, const char *suffix)
{
    return strcmp(suffix_of(path), suffix) == 0;
}

const char *with_suffix(Arena *arena, const char *path, const char *suffix)
{
    const char *name = base_name(path), *dot = strrchr(name, '.');
    size_t stem = dot && dot != name ? (size_t)(dot - path) : strlen(path);
    return arena_printf(arena, "%.*s%s", (int)stem, path, suffix);
}

/* ---- the frame of a compile ------------------------------------------------------------------------------------- */

const char *temporary_file(Compilation *c, const char *name)
{
    const char *parent = getenv("TMPDIR");
    if (!c->temporary_folder) {
        char *folder = arena_printf(c->arena, "%s/pcc-XXXXXX", parent && *parent ? parent : "/tmp");
        if (!interrupt_make_folder(folder))
            fatal(&c->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot create the folder '%s': %s", folder,
                  strerror(errno));
        c->temporary_folder = folder;
    }
    const char *path = arena_printf(c->arena, "%s/%s", c->temporary_folder, name);
    interrupt_remove(path);
    return path;
}

static void remove_temporary_folder(Compilation *c)
{
    DIR *folder = c->temporary_folder ? opendir(c->temporary_folder) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0); /* . and .. refuse */
    if (folder)
        closedir(folder);
    if (c->temporary_folder)
        rmdir(c->temporary_folder);
}

/* A function of its own: no local variable lives across the jump back. */
static void run_body(Compilation *c, void (*body)(Compilation *c))
{
    c->diagnostics.can_recover = true;
    if (setjmp(c->diagnostics.recover) == 0)
        body(c);
    c->diagnostics.can_recover = false;
}

int run_compilation(Compilation *c, void (*body)(Compilation *c))
{
    const size_t most_memory = (size_t)1 << 40; /* malloc finds the true limit */
    diagnostics_init(&c->diagnostics, stderr);
    c->arena = arena_create(most_memory, &c->diagnostics);
    c->outputs = (Outputs){.arena = c->arena, .diagnostics = &c->diagnostics};
    run_body(c, body);
    outputs_abandon(&c->outputs);
    remove_temporary_folder(c);
    interrupt_forget();
    onnx_template_free(&c->export_template);
    onnx_close(c->model);
    if (c->tensors)
        pcc_st_close(c->tensors);
    close_convolution_plans(c->convolution_plans);
    arena_destroy(c->arena);
    if (fflush(stdout) && c->diagnostics.error_count == 0) {
        fprintf(stderr, "pcc: error: cannot write the standard output: %s\n", strerror(errno));
        return EXIT_STATUS_IO;
    }
    return (int)c->diagnostics.status;
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

/* A model that is not there: which file of that folder did the user mean? */
void check_model_exists(Compilation *c)
{
    const char *path = c->line.model, *name = base_name(path), *near = NULL;
    const char **names = NULL;
    int count = 0;
    if (access(path, R_OK) == 0)
        return;
    int status = errno;
    const char *folder_path = arena_strndup(c->arena, path, (size_t)(name - path));
    DIR *folder = opendir(*folder_path ? folder_path : ".");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        APPEND(c->arena, names, count, arena_strndup(c->arena, entry->d_name, strlen(entry->d_name)));
    if (folder) {
        closedir(folder);
        near = did_you_mean(name, names, count);
    }
    fatal(&c->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot read '%s': %s%s%s%s%s", path, strerror(status),
          near ? "; did you mean '" : "", near ? folder_path : "", near ? near : "", near ? "'?" : "");
}

/* A clone keeps its values' ids. */
static void list_reshaped(Compilation *c, const Graph *before, const Graph *after)
{
    for (int i = 0; i < before->value_count; i++) {
        const Value *from = before->values[i], *to = after->values[i];
        if (from && to && to->name && from->type.rank == to->type.rank && !same_dims(&from->type, &to->type))
            APPEND(c->arena, c->reshaped, c->reshaped_count, ((OnnxReshaped){to->name, from->type, to->type}));
    }
}

static void observe_pass(void *context, const char *pass, const char *which, const Graph *graph, double seconds)
{
    Compilation *c = context;
    const int nodes = graph->linked_nodes;
    if (c->line.verbose)
        fprintf(stderr, "pcc: %-8s %-14s %6d nodes %8.2f ms\n", which, pass, nodes, 1e3 * seconds);
    PassRecord record = {pass, which, nodes, seconds};
    APPEND(c->arena, c->records, c->record_count, record);
    if (c->before_head && strcmp(pass, "head") == 0)
        list_reshaped(c, c->before_head, graph);
    if (c->line.explain_precision && strcmp(pass, "autocast") == 0)
        keep_precision_report(c, graph);
}

static Declaration declaration_of(void *context, const char *name)
{
    Declaration declared = {DECLARED_NOTHING, NULL};
    const char *kind = onnx_signature_kind(context, name);
    if (kind)
        declared.kind = strcmp(kind, "PARAMETER") == 0 ? DECLARED_PARAMETER : DECLARED_BUFFER;
    else if (onnx_has_signature(context))
        switch (onnx_folding(context, name, &declared.source)) {
        case ONNX_FOLDED_PARAMETER:
            declared.kind = DECLARED_FOLDED_PARAMETER;
            break;
        case ONNX_FOLDED_CONSTANT:
            declared.kind = DECLARED_FOLDED_CONSTANT;
            break;
        case ONNX_NOT_FOLDED:
            declared.kind = DECLARED_OTHERS;
        }
    return declared;
}

/* --dump-after and --passes name passes of the pipeline; what has to run cannot be left out, nor be chosen. */
static void check_pass_name(Compilation *c, const char *option, const char *name, bool only_optional)
{
    const char *names[64];
    int count = 0;
    const PassInfo *const tables[] = {prepare_passes, pipeline_passes};
    for (int table = 0; table < 2; table++)
        for (const PassInfo *pass = tables[table]; pass->name; pass++) {
            if (strcmp(pass->name, name) == 0 && only_optional && !pass->optional)
                fatal(&c->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
                      "%s: '%s' always runs; list optional passes only (pcc --print passes)", option, name);
            if (strcmp(pass->name, name) == 0)
                return;
            names[count++] = pass->name;
        }
    const char *near = did_you_mean(name, names, count);
    fatal(&c->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "%s: unknown pass '%s'%s%s%s", option, name,
          near ? "; did you mean '" : "; see pcc --print passes", near ? near : "", near ? "'?" : "");
}

static void check_passes(Compilation *c)
{
    const char *dump = c->line.dump_after;
    if (dump && strcmp(dump, "all") != 0)
        check_pass_name(c, "--dump-after", dump, false);
    for (const char *at = c->line.passes; at && *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        check_pass_name(c, "--passes", arena_strndup(c->arena, at, length), true);
        at += length;
    }
}

void import_with(Compilation *c, const ImportOptions *import)
{
    check_passes(c);
    check_model_exists(c);
    double start = seconds_now();
    c->diagnostics.file = c->line.model;
    c->imported = onnx_import(c->arena, &c->diagnostics, c->line.model, import, &c->model);
    observe_pass(c, "import", "model", c->imported, seconds_now() - start);
}

void import_model(Compilation *c)
{
    ImportOptions import = import_options(c->arena, &c->diagnostics, &c->line);
    import_with(c, &import);
}

const Target *target_of(const CommandLine *line)
{
    const Target *const *target = targets;
    while (line->target && strcmp((*target)->name, line->target) != 0)
        target++;
    return *target;
}

bool is_cuda(const Target *target)
{
    return strcmp(target->name, target_cuda.name) == 0;
}

/* What a target does not have is refused, never left out without a word. */
static void check_target(Compilation *c)
{
    const CommandLine *line = &c->line;
    if (line->audit && is_cuda(c->options.target))
        fatal(&c->diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN,
              "--audit is not supported for --target cuda by this version; leave it out, or compile for --target c");
    const struct {
        bool given;
        const char *option;
    } of_cuda[] = {
        {line->gpu_arch, "--gpu-arch"}, {line->gpu, "--gpu"}, {line->libraries, "--libraries"}, {line->tf32, "--tf32"}};
    for (size_t i = 0; i < sizeof of_cuda / sizeof *of_cuda; i++)
        if (of_cuda[i].given && !is_cuda(c->options.target))
            fatal(&c->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
                  "%s is for CUDA programs: give --target cuda, or -o FILE.cu", of_cuda[i].option);
    if (line->tf32 && !find_libraries(line->libraries))
        fatal(&c->diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN,
              "--tf32 is not supported with --libraries none by this version: own kernels multiply float32 as it is; "
              "leave one of both out");
    if ((find_libraries(line->libraries) & LIBRARY_CUDNN) && line->gpu_arch && strchr(line->gpu_arch, ','))
        fatal(&c->diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN,
              "--libraries %s is not supported for several architectures (--gpu-arch %s): cuDNN's plans hold for one "
              "GPU; "
              "name one, or leave cudnn out",
              line->libraries, line->gpu_arch);
}

/* Once for a compile: loading cuDNN takes a second. */
static ConvolutionPlans *open_plans(Compilation *c, const GpuBuild *build)
{
    const PlanRules rules = {.tf32 = build->tf32, .deterministic = build->deterministic};
    if (!c->convolution_plans)
        c->convolution_plans = open_convolution_plans(c->arena, &c->diagnostics, c->gpu, build->architecture, rules);
    return c->convolution_plans;
}

/* The target as the options want it. */
static const Target *chosen_target(Compilation *c)
{
    const CommandLine *line = &c->line;
    const Target *base = c->target ? c->target : target_of(line);
    if (!base->gpu_build)
        return base;
    GpuBuild *build = NEW(c->arena, GpuBuild);
    *build = *base->gpu_build;
    build->libraries = find_libraries(line->libraries);
    build->tf32 = line->tf32;
    build->deterministic = line->deterministic;
    const char *architecture = c->gpu ? c->gpu->architecture : line->gpu_arch; /* the first of a list */
    if (architecture)
        build->architecture = atoi(architecture + strlen("sm_"));
    if (build->libraries & LIBRARY_CUDNN)
        build->convolution_plans = open_plans(c, build);
    Target *chosen = NEW(c->arena, Target);
    *chosen = *base;
    chosen->gpu_build = build;
    return chosen;
}

void prepare_options(Compilation *c)
{
    c->options = pass_options(&c->line);
    c->options.target = c->target ? c->target : target_of(&c->line);
    check_target(c);
    c->gpu = c->line.gpu ? read_gpu(c->arena, &c->diagnostics, c->line.gpu) : NULL;
    c->options.target = chosen_target(c);
    c->options.declared = declaration_of;
    c->options.declared_context = c->model;
    c->options.observe = observe_pass;
    c->options.observe_context = c;
    c->options.verify = c->line.audit;
#ifndef NDEBUG
    c->options.verify = true;
#endif
    if (!c->options.loss_given)
        c->options.loss = default_loss(c->imported, &c->options);
}

void run_passes(Compilation *c)
{
    prepare_options(c);
    choose_recompute(c);
    if (c->options.head)
        c->before_head = graph_clone(c->imported);
    c->program = run_pipeline(c->imported, &c->options);
}

/* ---- the export template ---------------------------------------------------------------------------------------- */

/* The values of that kind, by name. */
static NameTable stored_values(const Graph *graph, ValueKind kind)
{
    NameTable table = {0};
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (value && value->kind == kind && value->name)
            name_table_set(&table, graph->arena, value->name, value);
    }
    return table;
}

static int add_trained(const Graph *graph, ValueKind kind, const char *const *names, int count, OnnxTrained *trained)
{
    const NameTable stored = stored_values(graph, kind);
    int added = 0;
    for (int i = 0; i < count; i++) {
        const Value *value = name_table_find(&stored, names[i]);
        if (value)
            trained[added++] =
                (OnnxTrained){.name = names[i], .kind = kind == VALUE_STATE, .index = i, .type = value->type};
    }
    return added;
}

void attach_export_template(Compilation *c, EmitOptions *emit)
{
    const char **params, **states;
    int param_count, state_count;
    list_stored(&c->program, &c->options, &params, &param_count, &states, &state_count);
    OnnxTrained *trained = NEW_ARRAY(c->arena, OnnxTrained, param_count + state_count + 1);
    int count = add_trained(c->program.train, VALUE_PARAM, params, param_count, trained);
    count += add_trained(c->program.train, VALUE_STATE, states, state_count, trained + count);
    if (!onnx_export_template(c->model, c->arena, count, trained, c->reshaped_count, c->reshaped, &c->export_template))
        return;
    emit->export_template = c->export_template.bytes;
    emit->export_template_bytes = c->export_template.size;
    if (c->export_template.splice_count > 0)
        emit->export_splices = &c->export_template.splices->offset; /* four int64 each */
    emit->splice_count = c->export_template.splice_count;
    if (c->export_template.grid_count > 0) {
        emit->export_grids = &c->export_template.grids->param; /* five int64 each */
        emit->export_steps = &c->export_template.entries->scale;
    }
    emit->grid_count = c->export_template.grid_count;
    emit->step_count = c->export_template.entry_count;
}

Emitted emit_source(Compilation *c, EmitOptions *emit)
{
    emit->model_path = base_name(c->line.model);
    emit->command_line = c->line.summary;
    double start = seconds_now();
    Emitted emitted = emit_program(&c->program, &c->options, emit);
    observe_pass(c, "emit", "program", c->program.train, seconds_now() - start);
    if (c->line.audit)
        audit_source(c->arena, &c->diagnostics, &emitted, emit->source_name, c->options.precision);
    return emitted;
}

void write_text(Compilation *c, const char *path, void (*writer)(Compilation *c, FILE *stream))
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        fatal(&c->diagnostics, EXIT_STATUS_INTERNAL, NO_ORIGIN, "out of memory");
    writer(c, stream);
    fclose(stream);
    const char *kept = arena_strndup(c->arena, text, length);
    free(text);
    outputs_write(&c->outputs, path, kept, length);
}
