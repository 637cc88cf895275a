/* command_verify.c: `pcc verify`: does the program that pcc writes compute what it should? */
#include "frontend/commands/command_verify.h"

#include <math.h>
#include <string.h>

#include "frontend/commands/driver.h"
#include "frontend/files/interrupt.h"
#include "frontend/verify/reference_run.h"
#include "frontend/commands/toolchain.h"
#include "frontend/verify/verify_compare.h"

typedef struct Verification {
    Compilation compilation; /* first: the body of run_compilation() is given its address */
    int argc;
    char **argv;
    Graph *imported; /* before any pass; NULL with a reference file */
    PccSafetensors reference, dump;
    bool differs;
} Verification;

static void open_tensors(Compilation *c, PccSafetensors *file, const char *path)
{
    PccError error = {0};
    int status = pcc_st_open(file, path, &error);
    if (status != PCC_OK)
        fatal(&c->diagnostics, (ExitStatus)status, NO_ORIGIN, "%s", error.message);
}

/* ---- what the reference file says of the options ---------------------------------------------------------------- */

static void default_from(const PccSafetensors *reference, const char **option, const char *key)
{
    if (!*option)
        *option = pcc_st_metadata(reference, key);
}

/* Unless the command line binds shapes, inputs have the dims of the file's. */
static void bind_reference_shapes(Verification *v)
{
    Arena *arena = v->compilation.arena;
    TextList *shapes = &v->compilation.line.shapes;
    if (shapes->count > 0)
        return;
    for (int64_t i = 0; i < v->reference.count; i++) {
        const PccStTensor *tensor = &v->reference.tensors[i];
        if (strncmp(tensor->name, "input/", strlen("input/")) != 0 || tensor->rank == 0)
            continue;
        const char *text = arena_printf(arena, "%s=", tensor->name + strlen("input/"));
        for (int k = 0; k < tensor->rank; k++)
            text = arena_printf(arena, "%s%s%lld", text, k ? "x" : "", (long long)tensor->dims[k]);
        APPEND(arena, shapes->items, shapes->count, text);
    }
}

static void read_reference(Verification *v)
{
    CommandLine *line = &v->compilation.line;
    open_tensors(&v->compilation, &v->reference, line->reference);
    default_from(&v->reference, &line->loss, "loss");
    default_from(&v->reference, &line->output, "output");
    default_from(&v->reference, &line->labels, "labels");
    bind_reference_shapes(v);
}

/* ---- the program ------------------------------------------------------------------------------------------------ */

static void write_source(Compilation *c, const Emitted *source, const char *path)
{
    FILE *file = fopen(path, "w");
    bool written = file && fwrite(source->text, 1, source->length, file) == source->length;
    if (!file || fclose(file) || !written)
        fatal(&c->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot write '%s'", path);
}

/* A reference of our own, or what it would be if parameters and inputs had been rounded. */
static const char *evaluate_reference(Verification *v, Perturbation perturbation, const char *name)
{
    Compilation *c = &v->compilation;
    const char *path = temporary_file(c, name);
    Hush before = diagnostics_hush(&c->diagnostics); /* the compile has given the warnings */
    write_reference(graph_clone(v->imported), &c->options, (uint64_t)c->line.seed, perturbation, path);
    diagnostics_restore(&c->diagnostics, before);
    return path;
}

/* The program and, without a reference file, one of our own. */
static void compile(Verification *v)
{
    Compilation *c = &v->compilation;
    import_model(c);
    v->imported = c->line.reference ? NULL : graph_clone(c->imported);
    run_passes(c);
    if (v->imported)
        evaluate_reference(v, (Perturbation){0}, "reference.safetensors");
    const bool cuda = is_cuda(c->options.target);
    EmitOptions emit = {.source_name = cuda ? "train.cu" : "train.c", .weights_name = "train.safetensors"};
    write_weights(&c->program, &c->options, &emit, temporary_file(c, "train.safetensors"));
    Emitted source = emit_source(c, &emit);
    const char *path = temporary_file(c, emit.source_name);
    write_source(c, &source, path);
    BuildRequest request = {.source = path,
                            .output = temporary_file(c, "train"),
                            .product = PRODUCT_EXECUTABLE,
                            .verbose = c->line.verbose,
                            .cuda = cuda,
                            .emulated = cuda};
    build_program(c->arena, &c->diagnostics, &request);
}

/* Three steps of the program on the reference's batch, with the reference's hyperparameters. */
static void probe(Compilation *c, const char *reference, const char *dump)
{
    const OptimizerHyper *hyper = &reference_hyper;
    const struct {
        const char *option;
        double value;
    } numbers[] = {{"--lr", hyper->lr},         {"--weight-decay", hyper->weight_decay},
                   {"--beta1", hyper->beta1},   {"--beta2", hyper->beta2},
                   {"--eps", hyper->eps},       {"--momentum", hyper->momentum},
                   {"--steps", REFERENCE_STEPS}};
    const char *command[32] = {temporary_file(c, "train"), "--probe", reference, "--dump", dump};
    int count = 5;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        command[count++] = numbers[i].option;
        command[count++] = arena_printf(c->arena, "%.17g", numbers[i].value);
    }
    int status = interrupt_run(command);
    if (status != 0)
        fatal(&c->diagnostics, EXIT_STATUS_INTERNAL, NO_ORIGIN, "the program's --probe ended with status %d", status);
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

/* Would it do to allow for rounding? Not where a tensor is missing. */
static bool may_be_noise(const Verification *v, const Comparison *comparison)
{
    for (int i = 0; i < comparison->count; i++)
        if (comparison->rows[i].problem)
            return false;
    return v->imported && comparison->failed > 0;
}

/* Adam amplifies rounding: where a gradient is near zero, the sign of the step depends on it, and deep networks
 * propagate the difference. To measure it, without a reference file, the evaluator runs again in float64 and rounds
 * every result. For what follows the optimizer's steps, it rounds by so much that the first gradient errs as the
 * program's does, which has been judged by then. Returns the number of these runs. */
static int measure_noise(Verification *v, Comparison *comparison)
{
    enum { MOST_RUNS = 3, MOST_TIMES = 64 };
    Compilation *c = &v->compilation;
    const double error = gradient_error_of(comparison);
    double roundoff = fmax(unit_roundoff(c->line.precision), 0x1p-52); /* 1 + 0x1p-53 is 1 */
    int runs = 0;
    while (runs < MOST_RUNS && may_be_noise(v, comparison)) {
        PccSafetensors rounded = {0};
        runs++;
        open_tensors(c, &rounded,
                     evaluate_reference(v, (Perturbation){roundoff, (uint64_t)runs}, "rounded.safetensors"));
        Comparison noise = compare_dump(c->arena, &rounded, &v->reference, c->line.precision);
        pcc_st_close(&rounded);
        allow_noise(c->arena, comparison, &noise, roundoff, runs > 1, c->line.precision);
        if (runs == 1)
            roundoff *= fmax(1, fmin(MOST_TIMES, error / fmax(gradient_error_of(&noise), 1e-300)));
    }
    return runs;
}

static void report(Verification *v)
{
    enum { WORST = 8, ALL = 1 << 30 };
    Compilation *c = &v->compilation;
    Comparison comparison = compare_dump(c->arena, &v->dump, &v->reference, c->line.precision);
    if (measure_noise(v, &comparison) > 0)
        printf("  tolerances: 32 times what rounding every operator's result does in float64, where that is more\n");
    print_comparison(stdout, &comparison, c->line.verbose ? ALL : WORST);
    if (comparison.undecided > 0)
        printf("note: %d tensors cannot be told right from wrong at %s, where rounding alone changes them as much; "
               "%sa larger --batch can\n",
               comparison.undecided, c->line.precision,
               strcmp(c->line.precision, "64-true") == 0 ? "" : "--precision 64-true or ");
    if (comparison.not_finite > 0)
        printf("note: of %d tensors the reference is not finite, so only the finite elements have been compared; the "
               "model overflows or divides by zero on these inputs: other ones, as in a --reference file, tell more\n",
               comparison.not_finite);
    const char *with = c->line.reference ? c->line.reference : "the reference evaluator";
    v->differs = comparison.failed > 0;
    if (v->differs)
        printf("FAIL: %d of %d tensors of %s differ from %s at %s\n", comparison.failed, comparison.count,
               c->line.model, with, c->line.precision);
    else
        printf("ok: %d tensors of %s agree with %s at %s\n",
               comparison.count - comparison.undecided - comparison.not_finite, c->line.model, with, c->line.precision);
}

static void verify(Compilation *c)
{
    Verification *v = (Verification *)c;
    parse_command_line(c->arena, &c->diagnostics, COMMAND_VERIFY, v->argc, v->argv, &c->line);
    if (c->line.help) {
        print_help(stdout, COMMAND_VERIFY);
        return;
    }
    need_model(&c->diagnostics, &c->line);
    if (c->line.reference)
        read_reference(v);
    compile(v);
    const char *reference = c->line.reference ? c->line.reference : temporary_file(c, "reference.safetensors");
    const char *dump = temporary_file(c, "dump.safetensors");
    probe(c, reference, dump);
    if (!c->line.reference)
        open_tensors(c, &v->reference, reference);
    open_tensors(c, &v->dump, dump);
    report(v);
    if (c->line.save_temps) {
        printf("kept %s\n", c->temporary_folder);
        c->temporary_folder = NULL; /* what it names is removed at the end */
    }
}

int command_verify(int argc, char **argv)
{
    Verification v = {.argc = argc, .argv = argv};
    int status = run_compilation(&v.compilation, verify);
    pcc_st_close(&v.reference);
    pcc_st_close(&v.dump);
    return status == EXIT_STATUS_OK && v.differs ? EXIT_STATUS_INPUT : status;
}
