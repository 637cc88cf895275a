/* print.c: what pcc knows of itself, of this machine and of a model, as plain tables. */
#include "frontend/commands/print.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "frontend/commands/print_memory.h"
#include "frontend/commands/print_roofline.h"
#include "frontend/commands/print_trainable.h"
#include "frontend/commands/toolchain.h"
#include "runtime/pcc.h"

void print_version(FILE *stream)
{
    fprintf(stream, "pcc %s\nONNX opsets %d to %d, IR version up to %d\n", PCC_VERSION, ONNX_MIN_OPSET, ONNX_MAX_OPSET,
            ONNX_MAX_IR_VERSION);
}

/* ---- pcc itself ------------------------------------------------------------------------------------------------- */

static const char *how(const Op *op)
{
    static const char *const kinds[] = {
        [OP_KERNEL] = "kernel", [OP_ELEMENTWISE] = "expression", [OP_EXPAND] = "expansion", [OP_VIEW] = "view",
        [OP_LOOP] = "loop",     [OP_UPDATE] = "update", [OP_STATIC] = "at compile time"};
    return kinds[op->kind];
}

/* Expansions are differentiated through what they expand to. */
static bool is_differentiable(const Op *op)
{
    return op->gradient || (op->kind == OP_EXPAND && !op->expands_after_gradient);
}

/* An operator of kind OP_KERNEL needs a row of the target; what it expands to is listed by itself. */
static bool runs_on(const Target *target, const Op *op)
{
    return op->kind != OP_KERNEL || target_has_kernel(target, op->name);
}

/* "c cuda"; "-": none. */
static const char *targets_of(Arena *arena, const Op *op)
{
    const char *names = "";
    for (const Target *const *target = targets; *target; target++)
        if (runs_on(*target, op))
            names = arena_printf(arena, "%s%s%s", names, *names ? " " : "", (*target)->name);
    return *names ? names : "-";
}

/* As its domain calls it: rows of com.microsoft that share a name with one of ONNX's say whose they are. */
static const char *known_name(const Op *op)
{
    static const char prefix[] = "Microsoft";
    const size_t length = sizeof prefix - 1;
    return op->domain && strncmp(op->name, prefix, length) == 0 ? op->name + length : op->name;
}

static void print_supported_ops(Compilation *c, FILE *stream)
{
    fprintf(stream, "%-28s %-7s %-9s %-16s %-7s %s\n", "operator", "opsets", "gradient", "how", "targets",
            "inputs -> outputs");
    for (int i = 0; i < op_count(); i++) {
        const Op *op = op_at(i);
        if (op->internal)
            continue;
        int from = op->upgrade || op->since < ONNX_MIN_OPSET ? ONNX_MIN_OPSET : op->since;
        const char *domain = op->domain ? op->domain : "", *dot = op->domain ? "." : "";
        const char *name = arena_printf(c->arena, "%s%s%s", domain, dot, known_name(op));
        fprintf(stream, "%-28s %2d-%-4d %-9s %-16s %-7s %s -> %s\n", name, from, op->until ? op->until : ONNX_MAX_OPSET,
                is_differentiable(op) ? "yes" : "-", how(op), targets_of(c->arena, op), op->inputs, op->outputs);
    }
}

static void print_precision_modes(Compilation *c, FILE *stream)
{
    (void)c;
    print_precisions(stream);
}

static void print_passes(Compilation *c, FILE *stream)
{
    (void)c;
    const PassInfo *const tables[] = {prepare_passes, pipeline_passes};
    static const char *const titles[] = {"on the imported graph:", "on the training and the evaluation graph:"};
    for (int table = 0; table < 2; table++) {
        fprintf(stream, "%s\n", titles[table]);
        for (const PassInfo *pass = tables[table]; pass->name; pass++)
            fprintf(stream, "  %-18s %-9s %-14s %s\n", pass->name, pass->optional ? "optional" : "",
                    pass->training_only ? "training only" : "", pass->what);
    }
}

/* ---- this machine ----------------------------------------------------------------------------------------------- */

static void print_cpu_model(FILE *stream)
{
    char line[256];
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info && fgets(line, sizeof line, info)) {
        const char *colon = strchr(line, ':');
        if (colon && strncmp(line, "model name", 10) == 0) {
            fprintf(stream, "cpu       %s", colon + 2);
            break;
        }
    }
    if (info)
        fclose(info);
}

/* The instruction sets for which the kernels have code of their own. */
static void print_cpu_features(FILE *stream)
{
    fputs("features ", stream);
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2"))
        fputs(" avx2", stream);
    if (__builtin_cpu_supports("fma"))
        fputs(" fma", stream);
    if (__builtin_cpu_supports("avx512f"))
        fputs(" avx512f", stream);
    if (__builtin_cpu_supports("avx512bf16"))
        fputs(" avx512bf16", stream);
#elif defined(__aarch64__)
    fputs(" neon", stream);
#endif
    fputc('\n', stream);
}

static void print_host(Compilation *c, FILE *stream)
{
    struct utsname name;
    RuntimeFiles files = find_runtime(c->arena);
    const char *compiler = getenv("CC");
    if (uname(&name) == 0)
        fprintf(stream, "system    %s %s\n", name.sysname, name.machine);
    print_cpu_model(stream);
    print_cpu_features(stream);
    fprintf(stream, "threads   %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
    fprintf(stream, "memory    %.1f GiB\n",
            (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (double)(1 << 30));
    fprintf(stream, "compiler  %s\n", compiler && *compiler ? compiler : "cc");
    fprintf(stream, "runtime   %s\n", files.library ? files.library : "by pkg-config");
}

/* ---- the choice of --print -------------------------------------------------------------------------------------- */

static void print_manual_page(Compilation *c, FILE *stream)
{
    (void)c;
    print_manual(stream);
}

static void print_bash_completion(Compilation *c, FILE *stream)
{
    (void)c;
    print_completion(stream);
}

static const struct {
    const char *what;
    bool needs_model;
    void (*print)(Compilation *c, FILE *stream);
} facts[] = {
    {"supported-ops", false, print_supported_ops},
    {"precisions", false, print_precision_modes},
    {"passes", false, print_passes},
    {"trainable", true, print_trainable},
    {"memory", true, print_memory},
    {"roofline", true, print_roofline},
    {"host", false, print_host},
    {"man", false, print_manual_page},
    {"completion", false, print_bash_completion},
};

static int find_fact(const char *what)
{
    int i = 0;
    while (strcmp(facts[i].what, what) != 0) /* the option table lets no other name in */
        i++;
    return i;
}

bool print_needs_model(const char *what)
{
    return facts[find_fact(what)].needs_model;
}

void print_fact(Compilation *c, FILE *stream)
{
    facts[find_fact(c->line.print)].print(c, stream);
}

void print_about_model(Compilation *c, FILE *stream)
{
    import_model(c);
    print_fact(c, stream);
}

/* Passes that ran more than once are summed, in the order of their first run. */
void print_times(const Compilation *c, FILE *stream)
{
    double total = 0;
    for (int i = 0; i < c->record_count; i++)
        total += c->records[i].seconds;
    fprintf(stream, "%10s %6s  %s\n", "ms", "share", "pass");
    for (int i = 0; i < c->record_count; i++) {
        double sum = 0;
        bool first = true;
        for (int j = 0; j < c->record_count; j++)
            if (strcmp(c->records[i].pass, c->records[j].pass) == 0) {
                first &= j >= i;
                sum += c->records[j].seconds;
            }
        if (first)
            fprintf(stream, "%10.2f %5.1f%%  %s\n", 1e3 * sum, 100 * sum / total, c->records[i].pass);
    }
    fprintf(stream, "%10.2f 100.0%%  total\n", 1e3 * total);
}
