/* print_roofline.c: the least time of a step: each call takes as long as its products at the GPU's peak, or as reading
 * its operands and writing its results once at the bandwidth of its memory, whichever is longer.
 *
 * What caches save between calls, and what a kernel reads twice or keeps in its workspace, are left out; so is the time
 * of a launch. Products of other dtypes than the operands' do not occur: 16 bits are multiplied in 16, f32 in f32. */
#include "frontend/commands/print_roofline.h"

#include <string.h>

#include "ir/ops/shared/recurrence.h"
#include "ir/target/gpu.h"
#include "ir/schema.h"
#include "passes/precision/policy.h"

/* ---- one call --------------------------------------------------------------------------------------------------- */

typedef struct Work {
    int64_t calls;
    double flops, read, written; /* of products; bytes */
    double seconds;              /* the bound */
    double arithmetic;           /* what of it FLOPs bound */
    double tf32;                 /* the bound with f32 products in TF32 */
} Work;

static void add_work(Work *sum, const Work *work, double times)
{
    sum->calls += (int64_t)((double)work->calls * times);
    sum->flops += work->flops * times;
    sum->read += work->read * times;
    sum->written += work->written * times;
    sum->seconds += work->seconds * times;
    sum->arithmetic += work->arithmetic * times;
    sum->tf32 += work->tf32 * times;
}

/* Half of what a causal mask makes zero need not be computed. */
static double needed_flops(const Node *node)
{
    const bool is_causal = has_attr(node, "is_causal") && attr_int(node, "is_causal");
    return node_flops(node) * (is_causal ? 0.5 : 1);
}

static bool is_recurrence_grad(const Node *node)
{
    return strstr(node->op->name, "RecurrenceGrad") != NULL;
}

/* Of the operands: 16 bits where both factors are stored so. The gradient of a recurrence multiplies what it makes. */
static Dtype product_dtype(const Node *node)
{
    const bool is_made = is_recurrence_grad(node);
    const Value *left = is_made ? node->outputs[RECURRENCE_GRAD_DG] : node->inputs[0];
    const Value *right = node->inputs[is_made ? RECURRENCE_GRAD_R : 1];
    const Dtype a = left->type.dtype, b = right->type.dtype;
    return is_narrow(a) && a == b ? a : a == DTYPE_F64 || b == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
}

/* A lookup reads as many elements as it returns. */
static bool reads_by_index(const Node *node)
{
    return strcmp(node->op->name, "Gather") == 0 || strcmp(node->op->name, "GatherElements") == 0 ||
           strcmp(node->op->name, "GatherND") == 0;
}

static double bytes_read(const Node *node)
{
    double sum = 0;
    for (int i = 0; i < node->input_count; i++) {
        const Value *value = node->inputs[i];
        bool again = !value || is_literal(value);
        for (int k = 0; k < i && !again; k++)
            again = node->inputs[k] == value;
        if (!again)
            sum += (double)type_bytes(i == 0 && reads_by_index(node) ? &node->outputs[0]->type : &value->type);
    }
    return sum;
}

static double bytes_written(const Node *node)
{
    double sum = 0;
    for (int i = 0; i < node->output_count; i++)
        sum += node->outputs[i] ? (double)type_bytes(&node->outputs[i]->type) : 0;
    return sum;
}

/* The bound of work whose products take `product` seconds, and `tf32` in TF32. */
static Work bounded(Work work, const Gpu *gpu, double product, double tf32)
{
    const double moved = (work.read + work.written) / gpu->bandwidth;
    work.seconds = product > moved ? product : moved;
    work.arithmetic = product > moved ? product : 0;
    work.tf32 = tf32 > moved ? tf32 : moved;
    return work;
}

static Work node_work(const Node *node, const Gpu *gpu)
{
    Work work = {.calls = 1, .flops = needed_flops(node), .read = bytes_read(node), .written = bytes_written(node)};
    const Dtype dtype = work.flops > 0 ? product_dtype(node) : DTYPE_F32;
    const double product = work.flops > 0 ? work.flops / gpu_product_rate(gpu, dtype) : 0;
    const bool may_be_tf32 = dtype == DTYPE_F32 && gpu->tf32 > 0;
    return bounded(work, gpu, product, may_be_tf32 ? work.flops / gpu->tf32 : product);
}

/* The optimizer: every parameter with what is kept of it, read and written once, and its gradient read: a second time
 * where their norm, or whether they are finite, decides first. */
static Work update_work(const Compilation *c, const Emitted *emitted)
{
    const WeightsBytes *w = &emitted->weights;
    const double gradients = (double)(w->gradients + emitted->unapplied_bytes);
    const bool looks_first = c->options.clip_norm > 0 || policy_loss_scale(&c->options) != 1;
    const double kept = (double)(w->params + w->moments + w->extras);
    const Work work = {
        .calls = 1, .read = kept + gradients * (looks_first ? 2 : 1), .written = kept + (double)w->copies};
    return bounded(work, c->gpu, 0, 0);
}

/* A batch is copied from where it was uploaded to where the step reads it. */
static Work batch_work(const Compilation *c)
{
    const Graph *graph = c->program.train;
    Work work = {.calls = graph->input_count + (graph->target != NULL)};
    work.read = graph->target ? (double)type_bytes(&graph->target->type) : 0;
    for (int i = 0; i < graph->input_count; i++)
        work.read += (double)type_bytes(&graph->inputs[i]->type);
    work.written = work.read;
    return bounded(work, c->gpu, 0, 0);
}

/* ---- groups of calls -------------------------------------------------------------------------------------------- */

typedef enum Group {
    GROUP_BATCH,
    GROUP_PRODUCTS,
    GROUP_CONVOLUTIONS,
    GROUP_ATTENTION,
    GROUP_RECURRENCES,
    GROUP_NORMS,
    GROUP_LOOPS,
    GROUP_REDUCTIONS,
    GROUP_LOOKUPS,
    GROUP_LOSS,
    GROUP_OTHER,
    GROUP_OPTIMIZER,
    GROUP_COUNT
} Group;

static const char *const group_names[GROUP_COUNT] = {
    [GROUP_BATCH] = "batch",
    [GROUP_PRODUCTS] = "matrix products",
    [GROUP_CONVOLUTIONS] = "convolutions",
    [GROUP_ATTENTION] = "attention",
    [GROUP_RECURRENCES] = "recurrences",
    [GROUP_NORMS] = "norms and softmax",
    [GROUP_LOOPS] = "elementwise loops",
    [GROUP_REDUCTIONS] = "reductions",
    [GROUP_LOOKUPS] = "lookups",
    [GROUP_LOSS] = "loss",
    [GROUP_OTHER] = "other kernels",
    [GROUP_OPTIMIZER] = "optimizer",
};

static Group group_of(const Node *node)
{
    static const struct {
        const char *prefix; /* of the operator's name, its gradient's too */
        Group group;
    } groups[] = {{"MatMul", GROUP_PRODUCTS},
                  {"Convolution", GROUP_CONVOLUTIONS},
                  {"ScaledDotProductAttention", GROUP_ATTENTION},
                  {"LstmRecurrence", GROUP_RECURRENCES},
                  {"GruRecurrence", GROUP_RECURRENCES},
                  {"RnnRecurrence", GROUP_RECURRENCES},
                  {"BatchNormalization", GROUP_NORMS},
                  {"LayerNormalization", GROUP_NORMS},
                  {"RMSNormalization", GROUP_NORMS},
                  {"Softmax", GROUP_NORMS},
                  {"LogSoftmax", GROUP_NORMS},
                  {"SumOver", GROUP_REDUCTIONS},
                  {"MeanOver", GROUP_REDUCTIONS},
                  {"MaxOver", GROUP_REDUCTIONS},
                  {"MinOver", GROUP_REDUCTIONS},
                  {"ProdOver", GROUP_REDUCTIONS},
                  {"Gather", GROUP_LOOKUPS},
                  {"Scatter", GROUP_LOOKUPS},
                  {"CrossEntropy", GROUP_LOSS},
                  {"MeanSquaredError", GROUP_LOSS},
                  {"BceWithLogits", GROUP_LOSS}};
    if (node->op->kind == OP_LOOP)
        return GROUP_LOOPS;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strncmp(node->op->name, groups[i].prefix, strlen(groups[i].prefix)) == 0)
            return groups[i].group;
    return GROUP_OTHER;
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static void print_head(FILE *stream, const Gpu *gpu)
{
    fprintf(stream, "%s (%s): %.0f GB/s; TFLOP/s of products: f64 %g, f32 %g, f16 %g, bf16 %g\n", gpu->name,
            gpu->architecture, gpu->bandwidth / 1e9, gpu_product_rate(gpu, DTYPE_F64) / 1e12,
            gpu_product_rate(gpu, DTYPE_F32) / 1e12, gpu_product_rate(gpu, DTYPE_F16) / 1e12,
            gpu_product_rate(gpu, DTYPE_BF16) / 1e12);
    fprintf(stream, "%-18s %6s %10s %10s %10s %10s %6s  %s\n", "", "calls", "GFLOP", "GB read", "written", "bound ms",
            "share", "bound by");
}

static void print_work(FILE *stream, const char *name, const Work *work, double seconds)
{
    const double arithmetic = work->arithmetic / work->seconds;
    fprintf(stream, "%-18s %6lld %10.6g %10.4g %10.4g %10.4g %5.1f%%  ", name, (long long)work->calls,
            work->flops / 1e9, work->read / 1e9, work->written / 1e9, 1e3 * work->seconds,
            100 * work->seconds / seconds);
    if (arithmetic > 0.005 && arithmetic < 0.995)
        fprintf(stream, "FLOPs %.0f%%, bytes\n", 100 * arithmetic);
    else
        fprintf(stream, "%s\n", arithmetic > 0.5 ? "FLOPs" : "bytes");
}

static void print_rate(FILE *stream, const Compilation *c, const char *how, double seconds)
{
    const double samples = (double)c->program.train->batch * (double)c->options.accumulate;
    fprintf(stream, "at most %.1f samples/s%s: %.0f in %.4g ms\n", samples / seconds, how, samples, 1e3 * seconds);
}

static void sum_groups(const Compilation *c, const Emitted *emitted, Work groups[GROUP_COUNT])
{
    const double micro = (double)c->options.accumulate;
    for (const Node *node = c->program.train->first; node; node = node->next)
        if (node->op->kind != OP_VIEW && node->op->kind != OP_UPDATE) {
            const Work work = node_work(node, c->gpu);
            add_work(&groups[group_of(node)], &work, micro);
        }
    const Work batch = batch_work(c), update = update_work(c, emitted);
    add_work(&groups[GROUP_BATCH], &batch, micro);
    add_work(&groups[GROUP_OPTIMIZER], &update, 1);
}

void print_roofline(Compilation *c, FILE *stream)
{
    Work groups[GROUP_COUNT] = {0}, all = {0};
    if (!c->line.gpu)
        fatal(&c->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
              "--print roofline needs --target cuda --gpu NAME, as in --gpu h200");
    run_passes(c);
    EmitOptions emit = {.source_name = "", .weights_name = ""};
    const Emitted emitted = emit_source(c, &emit);
    sum_groups(c, &emitted, groups);
    for (int i = 0; i < GROUP_COUNT; i++)
        add_work(&all, &groups[i], 1);
    print_head(stream, c->gpu);
    for (int i = 0; i < GROUP_COUNT; i++)
        if (groups[i].calls > 0)
            print_work(stream, group_names[i], &groups[i], all.seconds);
    print_work(stream, c->options.accumulate > 1 ? "all micro-batches" : "step", &all, all.seconds);
    print_rate(stream, c, "", all.seconds);
    if (all.tf32 < all.seconds)
        print_rate(stream, c, " if f32 products ran in TF32, which this version does not offer", all.tf32);
}
