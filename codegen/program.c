/* program.c: the whole file, in the order in which a reader wants it: what it is, tables, functions, step, main. */
#include <stdlib.h>
#include <string.h>

#include "codegen/emit.h"
#include "ir/optimizer.h"
#include "passes/precision/policy.h"
#include "passes/view.h"
#include "runtime/kernels/common/scratch.h"

/* Of the products; everything else is small beside them. */
static double graph_flops(const Graph *graph)
{
    double sum = 0;
    for (const Node *node = graph->first; node; node = node->next)
        sum += node_flops(node);
    return sum;
}

/* In the weights block. */
static int64_t kept_gradient_bytes(const Weights *w)
{
    return applies_gradients(w) ? 0 : w->gradient_bytes;
}

static void print_header(Emitter *e, Text *text, const Program *program, int64_t arena_bytes)
{
    const double mib = 1024.0 * 1024.0;
    const Weights *w = e->weights;
    int64_t parameters = 0;
    for (int i = 0; i < w->param_count; i++)
        parameters += element_count(&w->params[i].value->type);
    line(text, "/* %s: trains %s. Written by pcc; edit the model or the options, not this file.", e->emit->source_name,
         comment_text(e->arena, e->emit->model_path));
    line(text, " *");
    line(text, " *   pcc %s", comment_text(e->arena, e->emit->command_line));
    line(text, " *   %s", e->options->target->printers->build_line(e));
    line(text, " *");
    line(text, " *   precision   %s", e->options->precision);
    line(text, " *   parameters  %s in %d tensors; %s", with_commas(e->arena, parameters), w->param_count,
         e->options->optimizer);
    const char *note = e->options->target->printers->note ? e->options->target->printers->note(e, program) : NULL;
    if (note)
        line(text, " *   %s", note);
    line(text, " *   step        %.1f MFLOP in products, forward and backward", graph_flops(program->train) / 1e6);
    line(
        text,
        " *   memory      weights %.2f MiB = parameters %.2f + states %.2f + constants %.2f + gradients %.2f + moments "
        "%.2f",
        (double)w->bytes / mib, (double)w->param_bytes / mib, (double)w->state_bytes / mib,
        (double)w->constant_bytes / mib, (double)kept_gradient_bytes(w) / mib, (double)w->moment_bytes / mib);
    if (w->copy_bytes + w->extra_bytes > 0)
        line(text, " *                       + 16-bit copies %.2f + masters or compensations %.2f",
             (double)w->copy_bytes / mib, (double)w->extra_bytes / mib);
    line(text, " *               arena   %.2f MiB", (double)arena_bytes / mib);
    if (applies_gradients(w))
        line(text, " *               gradients are applied during the backward pass; %.2f MiB more where all are kept",
             (double)w->gradient_bytes / mib);
    line(text, " */");
}

static bool stores_16_bits(const Graph *graph)
{
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        if (value && is_narrow(value->type.dtype))
            return true;
    }
    return false;
}

static const char *dims_text(Arena *arena, const Type *type)
{
    Text *text = text_create(arena);
    append(text, "{");
    for (int i = 0; i < type->rank; i++)
        append(text, "%s%lld", i ? ", " : "", (long long)type->dims[i]);
    append(text, type->rank ? "}" : "0}");
    return text->data;
}

static const char *tensor_text(Arena *arena, const char *name, const Type *type, const char *offset)
{
    return arena_printf(arena, "{%s, %s, %d, %s, %s}", c_string(arena, name), dtype_info[type->dtype].runtime,
                        type->rank, dims_text(arena, type), offset);
}

static const char *offset_text(Arena *arena, int64_t offset)
{
    return offset < 0 ? "PCC_NONE" : arena_printf(arena, "0x%llx", (unsigned long long)offset);
}

/* ", .NAME = OFFSET" where there is one. */
static void append_offset(Text *text, const char *name, int64_t offset)
{
    if (offset >= 0)
        append(text, ", .%s = 0x%llx", name, (unsigned long long)offset);
}

static void append_copies(Text *text, const Weights *w, const Value *param)
{
    int count = 0;
    for (int i = 0; i < w->copy_count; i++) {
        const Value *copy = w->copies[i].value;
        if (copy->copy_of->id == param->id)
            append(text, "%s{%s, 0x%llx}", count++ ? ", " : ", .copies = {", dtype_info[copy->type.dtype].runtime,
                   (unsigned long long)w->copies[i].offset);
    }
    if (count > 0)
        append(text, "}, .copy_count = %d", count);
}

static void print_params(Emitter *e, Text *text)
{
    const Weights *w = e->weights;
    line(text, "/* Parameters by their ONNX names, and what the optimizer keeps of each: byte offsets of the weights "
               "block. */");
    line(text, "static const PccParam params[] = {");
    for (int i = 0; i < w->param_count; i++) {
        const Stored *param = &w->params[i];
        const ParamState *state = &w->param_states[i];
        Text *fields = text_create(e->arena);
        append(fields, "{.value = %s, .gradient = %s",
               tensor_text(e->arena, param->name, &param->value->type, offset_text(e->arena, param->offset)),
               offset_text(e->arena, state->gradient));
        append_offset(fields, "made", state->made);
        append(fields, ", .moment1 = %s, .moment2 = %s, .gradient_dtype = %s, .moment_dtype = %s",
               offset_text(e->arena, state->moment1), offset_text(e->arena, state->moment2),
               dtype_info[state->gradient_dtype].runtime, dtype_info[state->moment_dtype].runtime);
        if (state->rounding != PCC_NEAREST)
            append(fields, ", .rounding = %s", rounding_constant(state->rounding));
        append_offset(fields, "extra", state->extra);
        append_offset(fields, "absmax1", state->absmax1);
        append_offset(fields, "absmax2", state->absmax2);
        append_copies(fields, w, param->value);
        line(text, "%s},", fields->data);
    }
    line(text, "};");
    blank(text);
}

static void print_stored(Emitter *e, Text *text, const char *table, const Stored *stored, int count)
{
    if (count == 0)
        return;
    line(text, "static const PccTensor %s[] = {", table);
    for (int i = 0; i < count; i++)
        if (stored[i].offset >= 0)
            line(
                text, "%s,",
                tensor_text(e->arena, stored[i].name, &stored[i].value->type, offset_text(e->arena, stored[i].offset)));
    line(text, "};");
    blank(text);
}

/* The last of the graph's outputs may be the loss's own (passes/training/loss.c): it has no name. */
static int count_outputs(const Graph *train)
{
    int last = train->output_count - 1;
    return train->loss_output == last && last >= 0 && !train->output_names[last] ? last : train->output_count;
}

static void print_interface(Emitter *e, Text *text, Graph *train, const MemoryPlan *plan)
{
    if (train->input_count > 0) {
        line(text, "static const PccTensor inputs[] = {");
        for (int i = 0; i < train->input_count; i++)
            line(text, "%s,", tensor_text(e->arena, train->inputs[i]->name, &train->inputs[i]->type, "0"));
        line(text, "};");
        blank(text);
    }
    line(text, "static const PccTensor outputs[] = {");
    for (int i = 0; i < train->output_count; i++) {
        View window = window_of(train->outputs[i]);
        const char *name = train->output_names[i] ? train->output_names[i] : train->outputs[i]->name;
        line(text, "%s,%s",
             tensor_text(e->arena, name ? name : "output", &train->outputs[i]->type,
                         offset_text(e->arena, plan->offset[window.base->id])),
             i < count_outputs(train) ? "" : " /* what the loss reads */");
    }
    line(text, "};");
    blank(text);
}

/* The call with its ONNX name: behind it where that fits, else above it. */
static void print_node(Emitter *e, Text *text, const Node *node, int position)
{
    enum { FITS = 112 };
    if (node->op->kind == OP_UPDATE) {
        print_application(e, text, node, position);
        return;
    }
    const char *name = node->origin.node ? node->origin.node : node->op->name;
    const Printers *printers = e->options->target->printers;
    const char *call = node->op->kind == OP_LOOP ? printers->run_loop(e, node) : run_kernel(e, node);
    const char *what = comment_text(e->arena, name);
    if (strlen(call) + strlen(what) < FITS) {
        line(text, "%s /* %d %s */", call, position, what);
    } else {
        line(text, "/* %d %s */", position, what);
        line(text, "%s", call);
    }
}

/* Compilers take more than linear time for a function: longer ones are printed in parts of so many nodes. */
enum { NODES_OF_A_PART = 1000 };

static void begin_function(Emitter *e, Graph *graph, MemoryPlan plan)
{
    e->graph = graph;
    e->plan = plan;
    e->literal_names = NEW_ARRAY(e->arena, const char *, graph->value_count + 1);
    e->buffer_names = name_buffers(e);
    e->bound = bound_offsets(e);
    e->applied = applied_params(e);
    e->named = NEW_ARRAY(e->arena, bool, graph->value_count + 1);
}

/* The calls of at most `most` nodes from `node` on, whose position is *position; returns the node behind them. */
static const Node *print_calls(Emitter *e, Text *calls, const Node *node, int *position, int most)
{
    const Graph *graph = e->graph;
    for (; node && most > 0; node = node->next, ++*position, most--) {
        if (node->op->kind != OP_VIEW) {
            print_node(e, calls, node, *position);
            print_watched(e, calls, node);
        }
        if (*position == e->plan.outputs_made)
            line(calls, "pcc_copy_outputs(s, 0x%llx);", (unsigned long long)e->plan.outputs_bytes);
        if (graph->gradient_count > 0 && node == graph->loss->producer) {
            blank(calls);
            line(calls, "/* backward */");
        }
    }
    return node;
}

/* A function of these statements, with the buffers that they name as enumerators. */
static void print_whole(Emitter *e, Text *text, const char *linkage, const char *name, const Text *statements)
{
    e->buffers = text_create(e->arena);
    e->buffers->depth = 2;
    print_buffers(e);
    line(text, "%s void %s(PccStep *s)", linkage, name);
    line(text, "{");
    if (e->buffers->length > 0) {
        line(text, "enum {");
        append_text(text, e->buffers->data);
        line(text, "};");
    }
    line(text, "char *const a = s->arena, *const w = s->weights;");
    line(text, "(void)a, (void)w;");
    append_text(text, statements->data);
    line(text, "}");
    blank(text);
}

static Text *begin_statements(Emitter *e)
{
    Text *statements = text_create(e->arena);
    statements->depth = 1;
    memset(e->named, 0, (size_t)e->graph->value_count * sizeof *e->named);
    return statements;
}

/* NAME_part1(), NAME_part2(), ... into `text`, and their calls into `calls`. Buffers' names end in _NUMBER. */
static void print_parts(Emitter *e, Text *text, Text *calls, const char *name)
{
    const Node *node = e->graph->first;
    for (int part = 1, position = 0; node; part++) {
        Text *statements = begin_statements(e);
        const char *own = arena_printf(e->arena, "%s_part%d", name, part);
        blank(statements);
        node = print_calls(e, statements, node, &position, NODES_OF_A_PART);
        print_whole(e, text, "PCC_NODE_FUNCTION", own, statements);
        line(calls, "%s(s);", own);
    }
}

/* step() or evaluate(): the calls of a graph, in order, with its buffers as enumerators. */
static Text *print_function(Emitter *e, Graph *graph, MemoryPlan plan, const char *name)
{
    begin_function(e, graph, plan);
    Text *text = text_create(e->arena), *calls = text_create(e->arena);
    const bool has_parts = graph->linked_nodes > NODES_OF_A_PART;
    calls->depth = 1;
    if (has_parts)
        print_parts(e, text, calls, name);
    Text *statements = begin_statements(e);
    if (e->options->check_numerics)
        line(statements, "%s", e->options->target->printers->watch_begin);
    blank(statements);
    append_text(statements, calls->data);
    if (!has_parts)
        print_calls(e, statements, graph->first, &(int){0}, graph->linked_nodes);
    blank(statements);
    e->options->target->printers->loss(e, statements, operand_address(e, graph->loss));
    print_whole(e, text, "static", name, statements);
    return text;
}

/* Of names, dims, precision and optimizer. */
static uint64_t fingerprint(const Emitter *e)
{
    Text *text = text_create(e->arena);
    append(text, "%s;%s;", e->options->precision, e->options->optimizer);
    for (int i = 0; i < e->weights->param_count; i++)
        append(text, "%s%s;", e->weights->params[i].name, type_text(e->arena, &e->weights->params[i].value->type));
    for (int i = 0; i < e->weights->state_count; i++)
        append(text, "%s%s;", e->weights->states[i].name, type_text(e->arena, &e->weights->states[i].value->type));
    return hash_text(text->data);
}

static const char *const loss_constants[LOSS_COUNT] = {
#define LOSS_ROW(KIND, NAME, HELP) "PCC_LOSS_" #KIND,
    PCC_LOSSES(LOSS_ROW)
#undef LOSS_ROW
};

/* The least digits that read back as the same number, as 1e-3 where that is no longer than 0.001. */
static const char *decimal_text(Arena *arena, double value)
{
    for (int digits = 1; digits <= 17; digits++) {
        const char *plain = arena_printf(arena, "%.*g", digits, value);
        char *exponential = arena_printf(arena, "%.*e", digits - 1, value), *at = strchr(exponential, 'e');
        if (strtod(plain, NULL) != value)
            continue;
        exponential = arena_printf(arena, "%.*se%d", (int)(at - exponential), exponential, atoi(at + 1));
        return strlen(exponential) <= strlen(plain) ? exponential : plain;
    }
    return arena_printf(arena, "%.17g", value);
}

/* What the command line starts from. */
static void print_hyper(Emitter *e, Text *text)
{
    const OptimizerHyper *hyper = &find_optimizer(e->options->optimizer)->defaults;
    const struct {
        const char *field;
        double value;
    } fields[] = {{"lr", hyper->lr},       {"weight_decay", hyper->weight_decay},
                  {"beta1", hyper->beta1}, {"beta2", hyper->beta2},
                  {"eps", hyper->eps},     {"momentum", hyper->momentum}};
    Text *defaults = text_create(e->arena);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value != 0)
            append(defaults, "%s.%s = %s", defaults->length ? ", " : "", fields[i].field,
                   decimal_text(e->arena, fields[i].value));
    line(text, ".hyper = {%s},", defaults->data);
}

/* The window of torch.amp.GradScaler and of Apex, which also bounds the scale. */
const char *scaling_text(Emitter *e)
{
    const double scale = policy_loss_scale(e->options);
    const bool dynamic = scale == LOSS_SCALE_DYNAMIC;
    const bool apex = e->options->policy && strncmp(e->options->policy, "apex-", 5) == 0;
    if (dynamic)
        return arena_printf(e->arena, "{.initial = 0x1p+16, .dynamic = true, .interval = 2000, .most = %s}",
                            apex ? "0x1p+24" : "0");
    return scale == 1 ? "" : arena_printf(e->arena, "{.initial = %s}", c_float(e->arena, scale, DTYPE_F64));
}

static void print_scaling(Emitter *e, Text *text)
{
    const char *scaling = scaling_text(e);
    if (*scaling)
        line(text, ".scaling = %s,", scaling);
}

static const char *table_symbol(const Emitter *e)
{
    if (e->emit->name)
        return arena_printf(e->arena, "pcc_program_%s", e->emit->name);
    return e->emit->library ? "pcc_program" : "program";
}

static void print_table(Emitter *e, Text *text, Graph *train, const MemoryPlan *plan, int64_t arena_bytes)
{
    const Weights *w = e->weights;
    const char *linkage = !e->emit->library ? "static " : e->options->target->printers->device ? "extern \"C\" " : "";
    line(text, "%sconst PccProgram %s = {", linkage, table_symbol(e));
    line(text, ".abi = PCC_PROGRAM_ABI,");
    line(text, ".name = %s,", c_string(e->arena, train->name ? train->name : "model"));
    line(text, ".precision = %s,", c_string(e->arena, e->options->precision));
    line(text, ".optimizer = %s,", c_string(e->arena, e->options->optimizer));
    line(text, ".fingerprint = 0x%llxu,", (unsigned long long)fingerprint(e));
    line(text, ".batch = %lld,", (long long)graph_batch(train));
    line(text, ".accumulate = %lld,", (long long)e->options->accumulate);
    line(text, ".clip_norm = %s,", c_float(e->arena, e->options->clip_norm, DTYPE_F64));
    print_scaling(e, text);
    line(text, ".weights_bytes = 0x%llx,", (unsigned long long)w->bytes);
    line(text, ".arena_bytes = 0x%llx,", (unsigned long long)arena_bytes);
    if (applies_gradients(w))
        line(text, ".gradient_bytes = 0x%llx,", (unsigned long long)w->gradient_bytes);
    if (plan->outputs_made >= 0)
        line(text, ".outputs_bytes = 0x%llx,", (unsigned long long)plan->outputs_bytes);
    line(text, ".params = params,");
    line(text, ".param_count = PCC_COUNT(params),");
    if (w->state_count > 0)
        line(text, ".states = states, .state_count = PCC_COUNT(states),");
    if (w->placed_constants > 0)
        line(text, ".constants = constants, .constant_count = PCC_COUNT(constants),");
    if (train->input_count > 0)
        line(text, ".inputs = inputs, .input_count = PCC_COUNT(inputs),");
    line(text, ".outputs = outputs,");
    line(text, ".output_count = PCC_COUNT(outputs)%s,", count_outputs(train) < train->output_count ? " - 1" : "");
    line(text, ".loss = %s,", loss_constants[e->options->loss]);
    line(text, ".loss_output = %d,", train->loss_output);
    line(text, ".label_input = %d,", label_input_index(train, e->options));
    if (train->target)
        line(text, ".target = %s,", tensor_text(e->arena, "target", &train->target->type, "0"));
    else
        line(text, ".target = {.rank = -1},");
    print_hyper(e, text);
    line(text, ".step = step,");
    line(text, ".evaluate = evaluate,");
    line(text, ".update = update,");
    if (e->options->target->printers->device)
        line(text, ".device = &%s,", e->options->target->printers->device);
    if (e->emit->embedded_weights)
        line(text, ".embedded_weights = embedded_weights, .embedded_bytes = %zu,", e->emit->embedded_bytes);
    else
        line(text, ".weights_file = %s,", c_string(e->arena, e->emit->weights_name));
    line(text, "};");
}

static void print_main(Emitter *e, Text *text)
{
    if (e->emit->library)
        return;
    blank(text);
    line(text, "int main(int argc, char **argv)");
    line(text, "{");
    line(text, "return pcc_main(&%s, argc, argv);", table_symbol(e));
    line(text, "}");
}

static void print_functions(Emitter *e, Text *text, const Text *step, const Text *evaluate)
{
    append_text(text, e->literals->data);
    if (e->literals->length > 0)
        blank(text);
    for (int i = 0; i < e->instances->count; i++) {
        append_text(text, e->instances->items[i].text);
        blank(text);
    }
    print_apply(e, text);
    if (e->watched_count > 0) {
        line(text, "/* Nodes by number: what --check-numerics calls them. */");
        line(text, "static const PccWatched watched[] = {");
        append_text(text, e->watched->data);
        line(text, "};");
        blank(text);
    }
    line(text, "/* One training step on the batch in s->inputs: forward and backward. */");
    append_text(text, step->data);
    line(text, "/* The loss of the batch in inference mode. */");
    append_text(text, evaluate->data);
}

static void print_update(Emitter *e, Text *text)
{
    line(text, "static void update(PccStep *s)");
    line(text, "{");
    e->options->target->printers->update(e, text);
    line(text, "}");
    blank(text);
}

static Emitted emitted(const Text *text, const Weights *w, const char *libraries, int64_t arena_bytes,
                       int64_t update_bytes)
{
    const int64_t kept = kept_gradient_bytes(w);
    return (Emitted){.text = text->data,
                     .length = text->length,
                     .weights_bytes = w->bytes,
                     .arena_bytes = arena_bytes,
                     .update_scratch_bytes = update_bytes,
                     .unapplied_bytes = w->gradient_bytes - kept,
                     .libraries = libraries,
                     .weights = {w->param_bytes, w->copy_bytes, w->state_bytes, w->constant_bytes, kept, w->extra_bytes,
                                 w->moment_bytes}};
}

Emitted emit_program(const Program *program, const Options *options, const EmitOptions *emit)
{
    Graph *train = program->train;
    Arena *arena = train->arena;
    const Printers *printers = options->target->printers;
    refuse_missing_kernels(program, options->target);
    Weights weights = plan_weights(train, program->evaluate, options, arena);
    Instances instances = {0};
    MemoryPlan train_plan = plan_memory(train, options->target);
    MemoryPlan evaluate_plan = plan_memory(program->evaluate, options->target);
    place_made_gradients(&weights, train, &train_plan);
    /* Of both plans: a multiple of the target's alignment. */
    const int64_t activation_bytes = pcc_max_i64(train_plan.arena_bytes, evaluate_plan.arena_bytes);
    const int64_t update_bytes = printers->update_scratch ? printers->update_scratch(&weights) : 0;
    const int64_t arena_bytes = activation_bytes + update_bytes;
    Emitter e = {.arena = arena,
                 .options = options,
                 .emit = emit,
                 .graph = train,
                 .weights = &weights,
                 .instances = &instances,
                 .update_scratch = activation_bytes,
                 .literals = text_create(arena),
                 .watched = text_create(arena),
                 .function = text_create(arena)};
    e.watched->depth = 1;
    Text *step = print_function(&e, train, train_plan, "step");
    Text *evaluate = print_function(&e, program->evaluate, evaluate_plan, "evaluate");

    Text *text = text_create(arena);
    e.graph = train;
    print_header(&e, text, program, arena_bytes);
    bool narrow = stores_16_bits(train) || stores_16_bits(program->evaluate) || updates_narrow(&weights, options);
    printers->prologue(&e, text, program, narrow);
    print_params(&e, text);
    print_stored(&e, text, "states", weights.states, weights.state_count);
    print_stored(&e, text, "constants", weights.constants, weights.placed_constants ? weights.constant_count : 0);
    print_interface(&e, text, train, &train_plan);
    print_functions(&e, text, step, evaluate);
    print_update(&e, text);
    print_embedded_weights(&e, text);
    print_table(&e, text, train, &train_plan, arena_bytes);
    print_main(&e, text);
    return emitted(text, &weights, printers->libraries ? printers->libraries(&e) : "", arena_bytes, update_bytes);
}
