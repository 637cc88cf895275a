/* explain_precision.c: --explain-precision: which dtype each node computes in and why, what is converted where, and
 * what that saves against 32-true. */
#include "frontend/cli/explain.h"

#include <string.h>

#include "passes/precision/autocast.h"
#include "ir/target/gpu.h"
#include "passes/precision/policy.h"
#include "runtime/files/json.h"

/* Bytes of a training step, by what they hold. */
enum { PARAMETERS, GRADIENTS, MOMENTS, ACTIVATIONS, HELD_KINDS };
static const char *const held_names[HELD_KINDS] = {"parameters", "gradients", "moments", "activations"};
typedef struct Footprint {
    int64_t bytes[HELD_KINDS];
} Footprint;

/* ---- decisions of the uniform modes --------------------------------------------------------------------------- */

/* A uniform mode has one rule and converts nothing: autocast has nothing to decide. */
static PrecisionReport *uniform_report(Compilation *c, const Graph *graph)
{
    PrecisionReport *report = NEW(c->arena, PrecisionReport);
    const Dtype dtype = find_precision_mode(c->options.precision)->wide;
    const char *rule = arena_printf(c->arena, "%s: everything is %s", c->options.precision, dtype_info[dtype].name);
    for (const Node *node = graph->first; node; node = node->next) {
        PrecisionDecision decision = {node->origin.node, node->op->name, 0, {0}, dtype, dtype, rule};
        for (int i = 0; i < node->input_count && decision.input_count < MAX_REPORTED_INPUTS; i++)
            if (node->inputs[i] && is_float(node->inputs[i]->type.dtype) && !operand_is_static(node->op, i))
                decision.inputs[decision.input_count++] = node->inputs[i]->type.dtype;
        if (decision.input_count == 0 || !node->outputs[0])
            continue;
        decision.output = node->outputs[0]->type.dtype;
        APPEND(c->arena, report->decisions, report->decision_count, decision);
    }
    return report;
}

void keep_precision_report(Compilation *c, const Graph *graph)
{
    c->precision_report = graph->precision ? graph->precision : uniform_report(c, graph);
}

/* ---- footprints ------------------------------------------------------------------------------------------------- */

static Footprint footprint_of(const Program *program, const Options *options)
{
    EmitOptions emit = {.model_path = "", .command_line = "", .source_name = "", .weights_name = ""};
    const Emitted emitted = emit_program(program, options, &emit);
    const WeightsBytes *weights = &emitted.weights;
    return (Footprint){{[PARAMETERS] = weights->params + weights->copies + weights->extras,
                        [GRADIENTS] = weights->gradients,
                        [MOMENTS] = weights->moments,
                        [ACTIVATIONS] = emitted.arena_bytes}};
}

/* The same model and options, compiled in 32-true. Its messages would be the first compile's again. */
static Footprint footprint_in_32_true(Compilation *c)
{
    const Hush before = diagnostics_hush(&c->diagnostics);
    OnnxModel *model;
    Options options = c->options;
    ImportOptions import = import_options(c->arena, &c->diagnostics, &c->line);
    import.widen = false;
    Graph *graph = onnx_import(c->arena, &c->diagnostics, c->line.model, &import, &model);
    options.precision = "32-true";
    options.policy = options.update = options.dump_after = NULL;
    options.precision_rule_count = 0;
    options.loss_scale = 0;
    options.observe = NULL;
    options.declared_context = model;
    const Program program = run_pipeline(graph, &options);
    const Footprint footprint = footprint_of(&program, &options);
    onnx_close(model);
    diagnostics_restore(&c->diagnostics, before);
    return footprint;
}

/* ---- as a table ------------------------------------------------------------------------------------------------- */

static const char *text_or_dash(const char *text)
{
    return text ? text : "-";
}

static const char *input_list(Arena *arena, const PrecisionDecision *decision)
{
    const char *list = "";
    for (int i = 0; i < decision->input_count; i++)
        list = arena_printf(arena, "%s%s%s", list, i ? "," : "", dtype_info[decision->inputs[i]].name);
    return list;
}

static int wider(int width, const char *text)
{
    const int length = (int)strlen(text);
    return length > width ? length : width;
}

static void print_decisions(Arena *arena, const PrecisionReport *report, FILE *stream)
{
    int node = 4, op = 8, in = 2;
    for (int i = 0; i < report->decision_count; i++) {
        const PrecisionDecision *d = &report->decisions[i];
        node = wider(node, text_or_dash(d->node));
        op = wider(op, d->op);
        in = wider(in, input_list(arena, d));
    }
    fprintf(stream, "%-*s  %-*s  %-*s  %-7s  %-4s  %s\n", node, "node", op, "operator", in, "in", "compute", "out",
            "why");
    for (int i = 0; i < report->decision_count; i++) {
        const PrecisionDecision *d = &report->decisions[i];
        fprintf(stream, "%-*s  %-*s  %-*s  %-7s  %-4s  %s\n", node, text_or_dash(d->node), op, d->op, in,
                input_list(arena, d), dtype_info[d->compute].name, dtype_info[d->output].name, d->rule);
    }
}

static void print_casts(const PrecisionReport *report, FILE *stream)
{
    int value = 5, passes = 0;
    int64_t bytes = 0;
    for (int i = 0; i < report->cast_count; i++)
        value = wider(value, text_or_dash(report->casts[i].value));
    if (report->cast_count > 0)
        fprintf(stream, "\n%-*s  %-4s  %-4s  %14s  %s\n", value, "cast", "from", "to", "bytes a step", "where");
    for (int i = 0; i < report->cast_count; i++) {
        const PrecisionCast *cast = &report->casts[i];
        fprintf(stream, "%-*s  %-4s  %-4s  %14lld  %s\n", value, text_or_dash(cast->value), dtype_info[cast->from].name,
                dtype_info[cast->to].name, (long long)cast->bytes, cast->where);
        passes += strcmp(cast->where, "pass") == 0;
        bytes += cast->bytes;
    }
    fprintf(stream, "%s%d casts, %d of them passes of their own; together %lld bytes a step\n",
            report->cast_count > 0 ? "" : "\n", report->cast_count, passes, (long long)bytes);
}

static void print_row(FILE *stream, const char *name, const int64_t *bytes)
{
    int64_t total = 0;
    fprintf(stream, "%-10s", name);
    for (int i = 0; i < HELD_KINDS; i++) {
        fprintf(stream, "  %14lld", (long long)bytes[i]);
        total += bytes[i];
    }
    fprintf(stream, "  %14lld\n", (long long)total);
}

static void print_totals(const char *precision, const Footprint *here, const Footprint *single, FILE *stream)
{
    Footprint saved;
    fprintf(stream, "\n%-10s", "bytes");
    for (int i = 0; i < HELD_KINDS; i++) {
        saved.bytes[i] = single->bytes[i] - here->bytes[i];
        fprintf(stream, "  %14s", held_names[i]);
    }
    fprintf(stream, "  %14s\n", "total");
    print_row(stream, precision, here->bytes);
    if (strcmp(precision, "32-true") == 0)
        return;
    print_row(stream, "32-true", single->bytes);
    print_row(stream, "saved", saved.bytes);
}

static const char *loss_scale_text(Arena *arena, const Options *options)
{
    const double scale = policy_loss_scale(options);
    return scale == LOSS_SCALE_DYNAMIC ? "dynamic" : scale == 1 ? "none" : arena_printf(arena, "%g", scale);
}

/* The libraries whose operands --tf32 lets be rounded, bits of Library; 0: none. */
static unsigned rounding_libraries(const Target *target)
{
    return target->gpu_build && target->gpu_build->tf32 ? target->gpu_build->libraries : 0;
}

static const char *rounded_text(unsigned libraries)
{
    return libraries == (LIBRARY_CUBLASLT | LIBRARY_CUDNN) ? "cuBLASLt's products and cuDNN's convolutions"
           : libraries == LIBRARY_CUDNN                    ? "cuDNN's convolutions"
                                                           : "cuBLASLt's products";
}

static void print_text(Compilation *c, const Footprint *here, const Footprint *single, FILE *stream)
{
    const char *update = policy_update(&c->options), *policy = c->options.policy ? c->options.policy : "pcc";
    const unsigned rounding = rounding_libraries(c->options.target);
    fprintf(stream, "precision %s, policy %s, loss scale %s%s%s\n\n", c->options.precision, policy,
            loss_scale_text(c->arena, &c->options), update ? ", update " : "", update ? update : "");
    if (rounding)
        fprintf(stream, "float32 operands of %s are rounded to TF32 (--tf32)\n\n", rounded_text(rounding));
    print_decisions(c->arena, c->precision_report, stream);
    print_casts(c->precision_report, stream);
    print_totals(c->options.precision, here, single, stream);
}

/* ---- as JSON ---------------------------------------------------------------------------------------------------- */

/* ,"key":"text", or null; the comma not before the first. */
static void member(FILE *stream, const char *key, const char *text)
{
    fprintf(stream, "\"%s\":", key);
    if (text)
        pcc_json_write_string(stream, text);
    else
        fputs("null", stream);
}

static void json_decision(const PrecisionDecision *d, FILE *stream)
{
    fputc('{', stream);
    member(stream, "node", d->node);
    fputc(',', stream);
    member(stream, "op", d->op);
    fputs(",\"in\":[", stream);
    for (int i = 0; i < d->input_count; i++)
        fprintf(stream, "%s\"%s\"", i ? "," : "", dtype_info[d->inputs[i]].name);
    fprintf(stream, "],\"compute\":\"%s\",\"out\":\"%s\",", dtype_info[d->compute].name, dtype_info[d->output].name);
    member(stream, "rule", d->rule);
    fputc('}', stream);
}

static void json_cast(const PrecisionCast *cast, FILE *stream)
{
    fputc('{', stream);
    member(stream, "value", cast->value);
    fprintf(stream, ",\"from\":\"%s\",\"to\":\"%s\",\"bytes\":%lld,", dtype_info[cast->from].name,
            dtype_info[cast->to].name, (long long)cast->bytes);
    member(stream, "where", cast->where);
    fputc('}', stream);
}

static void json_footprint(const char *key, const Footprint *footprint, FILE *stream)
{
    fprintf(stream, ",\n\"%s\":{", key);
    for (int i = 0; i < HELD_KINDS; i++)
        fprintf(stream, "%s\"%s\":%lld", i ? "," : "", held_names[i], (long long)footprint->bytes[i]);
    fputc('}', stream);
}

static void print_json(Compilation *c, const Footprint *here, const Footprint *single, FILE *stream)
{
    const PrecisionReport *report = c->precision_report;
    const unsigned rounding = rounding_libraries(c->options.target);
    const struct {
        const char *key, *text;
    } settings[] = {{"precision", c->options.precision},
                    {"policy", c->options.policy ? c->options.policy : "pcc"},
                    {"loss_scale", loss_scale_text(c->arena, &c->options)},
                    {"update", policy_update(&c->options)},
                    {"tf32", libraries_name(rounding)}};
    const size_t count = sizeof settings / sizeof *settings - !rounding;
    for (size_t i = 0; i < count; i++) {
        fputc(i ? ',' : '{', stream);
        member(stream, settings[i].key, settings[i].text);
    }
    fputs(",\n\"nodes\":[", stream);
    for (int i = 0; i < report->decision_count; i++) {
        fputs(i ? ",\n" : "\n", stream);
        json_decision(&report->decisions[i], stream);
    }
    fputs("],\n\"casts\":[", stream);
    for (int i = 0; i < report->cast_count; i++) {
        fputs(i ? ",\n" : "\n", stream);
        json_cast(&report->casts[i], stream);
    }
    fputc(']', stream);
    json_footprint("bytes", here, stream);
    json_footprint("bytes_32_true", single, stream);
    fputs("}\n", stream);
}

void explain_precision(Compilation *c, FILE *stream)
{
    const Footprint here = footprint_of(&c->program, &c->options);
    const bool is_single = strcmp(c->options.precision, "32-true") == 0;
    const Footprint single = is_single ? here : footprint_in_32_true(c);
    (c->line.explain_precision_format ? print_json : print_text)(c, &here, &single, stream);
}
