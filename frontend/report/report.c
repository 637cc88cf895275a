/* report.c: one self-contained HTML page: totals, the memory plan as a picture, every node of the step, the passes. */
#include "frontend/report/report.h"

#include <string.h>

enum { PICTURE_WIDTH = 1000, PICTURE_HEIGHT = 400 };

static void print_text(FILE *stream, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '<')
            fputs("&lt;", stream);
        else if (c == '>')
            fputs("&gt;", stream);
        else if (c == '&')
            fputs("&amp;", stream);
        else if (c == '"')
            fputs("&quot;", stream);
        else
            fputc(c < 0x20 || c == 0x7f ? '?' : c, stream);
    }
}

static void print_head(Compilation *c, FILE *stream)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>", stream);
    print_text(stream, base_name(c->line.model));
    fputs("</title>\n<style>\nbody { font: 14px sans-serif; margin: 2em; }\n"
          "table { border-collapse: collapse; }\n"
          "td, th { padding: 2px 8px; border-bottom: 1px solid #ddd; text-align: left; }\n"
          "td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }\n"
          "svg { border: 1px solid #ccc; background: #fafafa; }\nrect { stroke: #fff; stroke-width: 0.3; }\n"
          "</style>\n</head>\n<body>\n<h1>",
          stream);
    print_text(stream, base_name(c->line.model));
    fputs("</h1>\n<p><code>pcc ", stream);
    print_text(stream, c->line.summary);
    fputs("</code></p>\n", stream);
}

static void print_total(FILE *stream, const char *what, double value, const char *unit)
{
    fprintf(stream, "<tr><td>%s</td><td class=\"n\">%.3f</td><td>%s</td></tr>\n", what, value, unit);
}

static void print_totals(Compilation *c, FILE *stream, const Emitted *emitted, const MemoryPlan *plan)
{
    const double mib = 1024.0 * 1024.0;
    const WeightsBytes *w = &emitted->weights;
    double flops = 0;
    for (const Node *node = c->program.train->first; node; node = node->next)
        flops += node_flops(node);
    fputs("<h2>Totals</h2>\n<table>\n", stream);
    print_total(stream, "products of a step, forward and backward", flops / 1e6, "MFLOP");
    print_total(stream, "weights block", (double)emitted->weights_bytes / mib, "MiB");
    print_total(stream, "&nbsp; parameters", (double)w->params / mib, "MiB");
    if (w->copies > 0)
        print_total(stream, "&nbsp; 16-bit copies of parameters", (double)w->copies / mib, "MiB");
    print_total(stream, "&nbsp; states", (double)w->states / mib, "MiB");
    print_total(stream, "&nbsp; constants", (double)w->constants / mib, "MiB");
    print_total(stream, "&nbsp; gradients", (double)w->gradients / mib, "MiB");
    if (w->extras > 0)
        print_total(stream, "&nbsp; masters or compensations", (double)w->extras / mib, "MiB");
    print_total(stream, "&nbsp; moments", (double)w->moments / mib, "MiB");
    print_total(stream, "arena", (double)emitted->arena_bytes / mib, "MiB");
    print_total(stream, "&nbsp; most that is live at once, in a training step", (double)plan->live_bytes / mib, "MiB");
    fputs("</table>\n", stream);
}

/* One colour an operator, from the hue circle by a hash of its name. */
static int hue_of(const char *op)
{
    unsigned hash = 5381;
    for (; *op; op++)
        hash = hash * 33 + (unsigned char)*op;
    return (int)(hash % 360);
}

/* x: the schedule, y: the arena; a rectangle is a buffer from its first to its last use. */
static void print_memory_picture(Compilation *c, FILE *stream, const MemoryPlan *plan)
{
    const Graph *graph = c->program.train;
    int steps = 0;
    for (const Node *node = graph->first; node; node = node->next)
        steps++;
    if (plan->arena_bytes == 0 || steps == 0)
        return;
    const double x_scale = (double)PICTURE_WIDTH / steps, y_scale = PICTURE_HEIGHT / (double)plan->arena_bytes;
    fprintf(stream,
            "<h2>Arena of a training step</h2>\n<p>%d nodes from left to right, %lld bytes from top to bottom; the "
            "red line is where most is live.</p>\n<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n",
            steps, (long long)plan->arena_bytes, PICTURE_WIDTH, PICTURE_HEIGHT, PICTURE_WIDTH, PICTURE_HEIGHT);
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (!value || value->kind != VALUE_TEMP || value->view.base || plan->offset[i] < 0)
            continue;
        fprintf(stream, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"hsl(%d,55%%,60%%)\"><title>",
                plan->first_use[i] * x_scale, (double)plan->offset[i] * y_scale,
                (plan->last_use[i] - plan->first_use[i] + 1) * x_scale, (double)type_bytes(&value->type) * y_scale,
                hue_of(value->producer->op->name));
        print_text(stream, value->name ? value->name : value->producer->op->name);
        fprintf(stream, " %s, %lld bytes</title></rect>\n", type_text(c->arena, &value->type),
                (long long)type_bytes(&value->type));
    }
    fprintf(stream, "<line x1=\"%.2f\" x2=\"%.2f\" y1=\"0\" y2=\"%d\" stroke=\"red\" />\n</svg>\n",
            (plan->fullest + 0.5) * x_scale, (plan->fullest + 0.5) * x_scale, PICTURE_HEIGHT);
}

static void print_types(Compilation *c, FILE *stream, Value *const *values, int count)
{
    fputs("<td>", stream);
    for (int i = 0, printed = 0; i < count; i++)
        if (values[i])
            fprintf(stream, "%s%s", printed++ ? ", " : "", type_text(c->arena, &values[i]->type));
    fputs("</td>", stream);
}

static int64_t bytes_of(Value *const *values, int count)
{
    int64_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += values[i] ? type_bytes(&values[i]->type) : 0;
    return bytes;
}

/* "MatMul + Add, Relu": the epilogue or the members of a fused loop. */
static void print_operator(FILE *stream, const Node *node)
{
    fputs(node->op->name, stream);
    for (const Node *member = node->body ? node->body->first : NULL; member; member = member->next)
        fprintf(stream, "%s%s", member == node->body->first ? " + " : ", ", member->op->name);
}

static void print_nodes(Compilation *c, FILE *stream)
{
    int position = 0;
    fputs("<h2>Nodes of a training step</h2>\n<table>\n<tr><th class=\"n\">#</th><th>ONNX node</th><th>operator</th>"
          "<th>in</th><th>out</th><th class=\"n\">bytes</th><th class=\"n\">MFLOP</th></tr>\n",
          stream);
    for (const Node *node = c->program.train->first; node; node = node->next, position++) {
        fprintf(stream, "<tr><td class=\"n\">%d</td><td>", position);
        print_text(stream, node->origin.node ? node->origin.node : "");
        fputs("</td><td>", stream);
        print_operator(stream, node);
        fputs("</td>", stream);
        print_types(c, stream, node->inputs, node->input_count);
        print_types(c, stream, node->outputs, node->output_count);
        fprintf(stream, "<td class=\"n\">%lld</td><td class=\"n\">%.3f</td></tr>\n",
                (long long)(bytes_of(node->inputs, node->input_count) + bytes_of(node->outputs, node->output_count)),
                node_flops(node) / 1e6);
    }
    fputs("</table>\n", stream);
}

/* Times are not in the report: the same command gives the same bytes. */
static void print_pipeline(Compilation *c, FILE *stream)
{
    fputs("<h2>Passes</h2>\n<table>\n<tr><th>graph</th><th>pass</th><th class=\"n\">nodes after it</th></tr>\n",
          stream);
    for (int i = 0; i < c->record_count; i++)
        fprintf(stream, "<tr><td>%s</td><td>%s</td><td class=\"n\">%d</td></tr>\n", c->records[i].graph,
                c->records[i].pass, c->records[i].nodes);
    fputs("</table>\n</body>\n</html>\n", stream);
}

void write_report(Compilation *c, FILE *stream)
{
    EmitOptions emit = {.source_name = "", .weights_name = ""};
    Emitted emitted = emit_source(c, &emit);
    MemoryPlan plan = plan_memory(c->program.train, c->options.target);
    print_head(c, stream);
    print_totals(c, stream, &emitted, &plan);
    print_memory_picture(c, stream, &plan);
    print_nodes(c, stream);
    print_pipeline(c, stream);
}
