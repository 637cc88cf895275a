/* cli_options.c: the table of options. */
#include "frontend/cli/cli_options.h"

#include "codegen/codegen.h"
#include "ir/target/gpu.h"
#include "ir/optimizer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *const section_titles[SECTION_COUNT] = {
    [SECTION_OUTPUT] = "Output",          [SECTION_PRECISION] = "Precision",
    [SECTION_OBJECTIVE] = "Objective",    [SECTION_SHAPES] = "Shapes",
    [SECTION_FINETUNE] = "What learns",   [SECTION_OPTIMIZER] = "Optimizer",
    [SECTION_MEMORY] = "Memory",          [SECTION_RUN] = "Data",
    [SECTION_INSPECT] = "Looking inside", [SECTION_MESSAGES] = "Messages",
};

const Choice emit_choices[] = {
/* clang-format off */
#define TARGET_ROW(NAME, SUFFIX, LANGUAGE, HELP) {#NAME, NULL, true, "the " LANGUAGE " source of the training program"},
    PCC_TARGETS(TARGET_ROW)
#undef TARGET_ROW
    /* clang-format on */
    {"exe", NULL, true, "the executable, built with the system's C compiler"},
    {"lib", NULL, true, "a library without main(): source, .a or .so by the suffix"},
    {"ir", NULL, true, "the scheduled training graph as text"},
    {"dot", NULL, true, "the imported graph for Graphviz"},
    {"report", NULL, true, "an HTML page: nodes, memory plan, passes"},
    {0},
};

static const Choice target_choices[] = {
#define TARGET_ROW(NAME, SUFFIX, LANGUAGE, HELP) {#NAME, NULL, true, HELP},
    PCC_TARGETS(TARGET_ROW)
#undef TARGET_ROW
        {0},
};

static const Choice gpu_choices[] = {
#define GPU_ROW(NAME, ARCHITECTURE, GIB, GBPS, F64, F32, TF32, F16, BF16, HELP) {NAME, NULL, true, HELP},
    PCC_GPUS(GPU_ROW)
#undef GPU_ROW
        {0},
};

static const Choice library_choices[] = {
#define LIBRARY_ROW(NAME, LIBRARIES, HELP) {NAME, NULL, true, HELP},
    PCC_LIBRARIES(LIBRARY_ROW)
#undef LIBRARY_ROW
        {0},
};

const Choice precision_choices[] = {
    {"64-true", NULL, true, "everything in float64"},
    {"32-true", NULL, true, "everything in float32"},
    {"16-mixed", NULL, true, "float16 products, float32 weights"},
    {"bf16-mixed", NULL, true, "bfloat16 products, float32 weights"},
    {"16-true", NULL, true, "everything in float16"},
    {"bf16-true", NULL, true, "everything in bfloat16"},
    {"64", "64-true", true, NULL},
    {"32", "32-true", true, NULL},
    {"16", "16-mixed", true, NULL},
    {"bf16", "bf16-mixed", true, NULL},
    {0},
};

const Choice print_choices[] = {
    {"supported-ops", NULL, true, "every operator that pcc imports, and the targets that run it"},
    {"precisions", NULL, true, "the precision modes"},
    {"passes", NULL, true, "the pipeline in order"},
    {"trainable", NULL, true, "each initializer of MODEL: does it learn, and why"},
    {"memory", NULL, true, "where everything of a step of MODEL lies"},
    {"roofline", NULL, true, "the least time that a step of MODEL takes on --gpu"},
    {"host", NULL, true, "this machine"},
    {"man", NULL, true, "the manual page"},
    {"completion", NULL, true, "completion for bash: eval \"$(pcc --print completion)\""},
    {0},
};

static const Choice policy_choices[] = {
    {"pcc", NULL, true, "products in 16 bits; softmax, norms, exp and log, sums, losses in float32"},
    {"torch-cuda", NULL, true, "the lists of PyTorch's autocast for CUDA"},
    {"torch-cpu", NULL, true, "the lists of PyTorch's autocast for the CPU"},
    {"apex-O0", NULL, true, "everything in float32"},
    {"apex-O1", NULL, true, "the functions that Apex patches"},
    {"apex-O2", NULL, true, "everything in 16 bits but BatchNormalization; float32 master weights"},
    {"apex-O3", NULL, true, "everything in 16 bits"},
    {0},
};

static const Choice loss_choices[] = {
#define LOSS_ROW(KIND, NAME, HELP) {NAME, NULL, true, HELP},
    PCC_LOSSES(LOSS_ROW)
#undef LOSS_ROW
        {0},
};

static const Choice optimizer_choices[] = {
#define ROW(NAME, MOMENTS, NORMALISED, BLOCKS8, STEP, HELP, ...) {NAME, NULL, true, HELP},
    PCC_OPTIMIZERS(ROW)
#undef ROW
        {0},
};

static const Choice init_choices[] = {{"keep", NULL, true, NULL}, {"random", NULL, true, NULL}, {0}};
static const Choice json_choices[] = {{"json", NULL, true, NULL}, {0}};
static const Choice format_choices[] = {{"json", NULL, true, NULL}, {"text", NULL, true, NULL}, {0}};
static const Choice recompute_choices[] = {
    {"none", NULL, true, NULL},
    {"fused", NULL, true, "what loops and epilogues of the backward pass make on their way, such as GELU of its input"},
    {"auto", NULL, true, "what costs no product: elementwise operators, norms, pools"},
    {"all", NULL, true, "all but what segments of the model hand on"},
    {0}};
static const Choice update_choices[] = {
    {"nearest", NULL, true, "rounded to nearest: updates below half an ulp are lost"},
    {"stochastic", NULL, true, "rounded up or down at random, right on average"},
    {"kahan", NULL, true, "what rounding loses is kept in 16 more bits a weight"},
    {"master", NULL, true, "of a float32 copy of each weight"},
    {0},
};
static const Choice moments_choices[] = {
    {"f32", NULL, true, NULL},
    {"weights", NULL, true, "of the weights' dtype"},
    {0},
};
static const Choice loss_scale_choices[] = {
    {"dynamic", NULL, true, "halved at overflow, doubled after 2000 steps without"},
    {"NUMBER", NULL, true, "this one, from 2^-126 to 2^126"},
    {"none", NULL, true, NULL},
    {0},
};

/* op:Softmax, node:/encoder/ *, tensor:logits */
static bool is_rule(const char *value)
{
    const char *colon = strchr(value, ':');
    if (!colon || !colon[1])
        return false;
    size_t length = (size_t)(colon - value);
    return (length == 2 && !memcmp(value, "op", 2)) || (length == 4 && !memcmp(value, "node", 4)) ||
           (length == 6 && !memcmp(value, "tensor", 6));
}

double size_in_bytes(const char *value)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},         {"B", 1},    {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
                 {"TiB", 0x1p40}, {"KB", 1e3}, {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
    char *end;
    const double number = isdigit((unsigned char)*value) ? strtod(value, &end) : 0;
    for (size_t i = 0; number > 0 && i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].name) == 0)
            return number * units[i].bytes;
    return 0;
}

/* What may follow pcc_program_ in an identifier of C. */
static bool is_symbol_part(const char *value)
{
    const char *const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return *value && value[strspn(value, letters)] == '\0';
}

static bool is_size(const char *value)
{
    return size_in_bytes(value) > 0;
}

/* "sm_80,sm_90a" */
static bool is_architecture_list(const char *value)
{
    for (;; value++) {
        if (strncmp(value, "sm_", 3) != 0 || !isdigit((unsigned char)value[3]))
            return false;
        value += 3 + strspn(value + 3, "0123456789");
        value += *value >= 'a' && *value <= 'z';
        if (*value != ',')
            return *value == 0;
    }
}

#define FIELD(name) offsetof(CommandLine, name)
#define EVERY (COMMAND_COMPILE | COMMAND_VERIFY | COMMAND_RUN)
#define TRAINING (COMMAND_COMPILE | COMMAND_VERIFY)

const CliOption cli_options[] = {
    {"-o", "FILE", OPTION_PATH, SECTION_OUTPUT, COMMAND_COMPILE, FIELD(output_file),
     .help = "write FILE; the suffix "
             "picks what: .c, .cu, .ir, .dot, .html; none: an executable"},
    {"--emit", "KIND", OPTION_TEXT, SECTION_OUTPUT, COMMAND_COMPILE, FIELD(emit), .choices = emit_choices,
     .help = "the kind of output when the suffix does not say"},
    {"--target", "NAME", OPTION_TEXT, SECTION_OUTPUT, TRAINING, FIELD(target), .choices = target_choices,
     .help = "what the program runs on, where the output does not say (c)"},
    {"--gpu-arch", "LIST", OPTION_TEXT, SECTION_OUTPUT, COMMAND_COMPILE, FIELD(gpu_arch), .check = is_architecture_list,
     .help = "architectures that nvcc builds for, separated by commas (that of --gpu, else sm_90)"},
    {"--gpu", "NAME|FILE", OPTION_TEXT, SECTION_OUTPUT, TRAINING, FIELD(gpu), .choices = gpu_choices,
     .help = "the GPU that a CUDA program is for, or a JSON file that describes one"},
    {"--libraries", "NAME", OPTION_TEXT, SECTION_OUTPUT, TRAINING, FIELD(libraries), .choices = library_choices,
     .help = "what CUDA programs may call besides their own kernels (cublaslt)"},
    {"--deterministic", NULL, OPTION_FLAG, SECTION_OUTPUT, TRAINING, FIELD(deterministic),
     .help = "the same bits from run to run from libraries too; own kernels and C programs always give them"},
    {"--standalone", NULL, OPTION_FLAG, SECTION_OUTPUT, COMMAND_COMPILE, FIELD(standalone),
     .help = "the runtime is part of the .c, or a C file beside the .cu; needs only -lz -lm"},
    {"--embed-weights", NULL, OPTION_FLAG, SECTION_OUTPUT, COMMAND_COMPILE, FIELD(embed_weights),
     .help = "the initial weights inside the source instead of beside it"},
    {"--name", "NAME", OPTION_TEXT, SECTION_OUTPUT, COMMAND_COMPILE, FIELD(name), .check = is_symbol_part,
     .help = "the program's symbol is pcc_program_NAME: letters, digits and _ (pcc_program)"},
    {"--audit", NULL, OPTION_FLAG, SECTION_OUTPUT, TRAINING, FIELD(audit),
     .help = "parse and audit the emitted file with libclang before it is written"},
    {"--save-temps", NULL, OPTION_FLAG, SECTION_OUTPUT, TRAINING, FIELD(save_temps),
     .help = "keep the source of an executable or library"},
    {"-MD", NULL, OPTION_FLAG, SECTION_OUTPUT, COMMAND_COMPILE, FIELD(depfile),
     .help = "write a Makefile rule with every file that was read"},
    {"-MF", "FILE", OPTION_PATH, SECTION_OUTPUT, COMMAND_COMPILE, FIELD(depfile_path),
     .help = "where -MD writes (the output's name with the suffix .d)"},
    {"-MT", "TARGET", OPTION_TEXT, SECTION_OUTPUT, COMMAND_COMPILE, FIELD(depfile_target),
     .help = "the rule's target (the output's name)"},

    {"--precision", "P", OPTION_TEXT, SECTION_PRECISION, TRAINING, FIELD(precision), .choices = precision_choices,
     .help = "dtypes of weights and arithmetic (32-true)"},
    {"--policy", "NAME|FILE", OPTION_TEXT, SECTION_PRECISION, TRAINING, FIELD(policy), .choices = policy_choices,
     .help = "which operators 16 bits are good for, or a file of rules (pcc)"},
    {"--keep-fp32", "RULE", OPTION_LIST, SECTION_PRECISION, TRAINING, FIELD(precision_rules), .check = is_rule,
     .prefix = "keep ", .help = "op:Softmax, node:/encoder/*, tensor:logits; repeatable, later wins"},
    {"--lower", "RULE", OPTION_LIST, SECTION_PRECISION, TRAINING, FIELD(precision_rules), .check = is_rule,
     .prefix = "lower ", .help = "the opposite of --keep-fp32"},
    {"--honour-casts", NULL, OPTION_FLAG, SECTION_PRECISION, TRAINING, FIELD(honour_casts),
     .help = "the model's own Casts between floats decide, not the policy"},
    {"--tf32", NULL, OPTION_FLAG, SECTION_PRECISION, COMMAND_COMPILE, FIELD(tf32),
     .help = "CUDA's libraries may round operands of float32 to TF32, 10 bits of fraction"},
    {"--check-numerics", NULL, OPTION_FLAG, SECTION_PRECISION, TRAINING, FIELD(check_numerics),
     .help = "the program names the first node whose result is not finite"},
    {"--explain-precision", "json", OPTION_MAYBE, SECTION_PRECISION, COMMAND_COMPILE, FIELD(explain_precision),
     FIELD(explain_precision_format), json_choices,
     .help = "per node: dtypes in, compute, out, the rule that decided, casts"},

    {"--loss", "KIND", OPTION_TEXT, SECTION_OBJECTIVE, TRAINING, FIELD(loss), .choices = loss_choices,
     .help = "what is minimised (output for a scalar output, else cross-entropy)"},
    {"--output", "NAME", OPTION_TEXT, SECTION_OBJECTIVE, TRAINING, FIELD(output),
     .help = "the value that the loss reads, an output of the graph or one inside (the first output)"},
    {"--labels", "INPUT", OPTION_TEXT, SECTION_OBJECTIVE, TRAINING, FIELD(labels),
     .help = "the integer input that holds the labels (the only one)"},

    {"--batch", "N", OPTION_COUNT, SECTION_SHAPES, EVERY, FIELD(batch),
     .help = "the size of the inputs' first axis where the model leaves it open"},
    {"--dim", "NAME=N", OPTION_LIST, SECTION_SHAPES, EVERY, FIELD(dims),
     .help = "bind a symbolic dimension; repeatable"},
    {"--shape", "INPUT=DIMS", OPTION_LIST, SECTION_SHAPES, EVERY, FIELD(shapes),
     .help = "bind an input's dims, as in x=1x3x224x224; repeatable"},
    {"--bind", "INPUT=VALUE", OPTION_LIST, SECTION_SHAPES, EVERY, FIELD(bindings),
     .help = "make an input a constant: a number, true, false, or a list as in 1,2; repeatable"},

    {"--head", "N", OPTION_COUNT, SECTION_FINETUNE, TRAINING, FIELD(head), .help = "a new last layer of N classes"},
    {"--trainable", "GLOB", OPTION_LIST, SECTION_FINETUNE, TRAINING, FIELD(trainable),
     .help = "only initializers of these names learn; repeatable"},
    {"--freeze", "GLOB", OPTION_LIST, SECTION_FINETUNE, TRAINING, FIELD(freeze),
     .help = "initializers of these names do not learn; repeatable"},
    {"--init", "KIND", OPTION_TEXT, SECTION_FINETUNE, TRAINING, FIELD(init), .choices = init_choices,
     .help = "start from the file's weights or afresh (keep)"},
    {"--seed", "N", OPTION_NATURAL, SECTION_FINETUNE, TRAINING, FIELD(seed), .help = "of fresh weights (0)"},

    {"--optimizer", "KIND", OPTION_TEXT, SECTION_OPTIMIZER, TRAINING, FIELD(optimizer), .choices = optimizer_choices,
     .help = "its numbers are options of the emitted program (adamw)"},
    {"--update", "KIND", OPTION_TEXT, SECTION_OPTIMIZER, TRAINING, FIELD(update), .choices = update_choices,
     .help = "how a 16-bit weight takes its update; follows the precision"},
    {"--moments", "DTYPE", OPTION_TEXT, SECTION_OPTIMIZER, TRAINING, FIELD(moments), .choices = moments_choices,
     .help = "of the optimizer's moments of 16-bit weights; follows the precision and the loss scale"},
    {"--loss-scale", "SCALE", OPTION_TEXT, SECTION_OPTIMIZER, TRAINING, FIELD(loss_scale),
     .choices = loss_scale_choices, .help = "of 16-bit gradients; follows the precision"},
    {"--clip-norm", "X", OPTION_POSITIVE, SECTION_OPTIMIZER, TRAINING, FIELD(clip_norm),
     .help = "clip the gradient to this 2-norm (no clipping)"},
    {"--accumulate", "N", OPTION_COUNT, SECTION_OPTIMIZER, TRAINING, FIELD(accumulate),
     .help = "micro-batches per step (1)"},

    {"--recompute", "KIND", OPTION_TEXT, SECTION_MEMORY, TRAINING, FIELD(recompute), .choices = recompute_choices,
     .help = "trade time for activation memory (fused)"},
    {"--memory-budget", "SIZE", OPTION_TEXT, SECTION_MEMORY, TRAINING, FIELD(memory_budget), .check = is_size,
     .help = "recompute as little as makes weights and arena fit, as in 2GiB"},

    {"--inputs", "FILE", OPTION_PATH, SECTION_RUN, COMMAND_RUN, FIELD(inputs),
     .help = "safetensors file of the inputs by their ONNX names"},
    {"--dump", "FILE", OPTION_PATH, SECTION_RUN, COMMAND_RUN, FIELD(dump),
     .help = "where the outputs go, as float64 and int64"},
    {"--reference", "FILE", OPTION_PATH, SECTION_RUN, COMMAND_VERIFY, FIELD(reference),
     .help = "compare with this file (with the reference evaluator)"},

    {"--print", "WHAT", OPTION_TEXT, SECTION_INSPECT, COMMAND_COMPILE, FIELD(print), .choices = print_choices,
     .help = "print and exit"},
    {"--dump-after", "PASS", OPTION_TEXT, SECTION_INSPECT, COMMAND_COMPILE, FIELD(dump_after),
     .help = "print the graphs after PASS, or after all"},
    {"--passes", "LIST", OPTION_TEXT, SECTION_INSPECT, TRAINING, FIELD(passes),
     .help = "of the optional passes only these, as in recognise,split; \"\": none"},
    {"--explain", "CODE", OPTION_TEXT, SECTION_INSPECT, COMMAND_COMPILE, FIELD(explain),
     .help = "what the warning of this code means"},

    {"-v", NULL, OPTION_FLAG, SECTION_MESSAGES, EVERY, FIELD(verbose), .help = "say what is done, pass by pass"},
    {"-Werror", NULL, OPTION_FLAG, SECTION_MESSAGES, EVERY, FIELD(werror), .help = "make warnings errors"},
    {"--diagnostics", "FORMAT", OPTION_TEXT, SECTION_MESSAGES, EVERY, FIELD(diagnostics_format),
     .choices = format_choices, .help = "messages one JSON object a line, or text (text)"},
    {"--time-report", NULL, OPTION_FLAG, SECTION_MESSAGES, TRAINING, FIELD(time_report),
     .help = "where the time of the compile went"},
    {"--help", NULL, OPTION_FLAG, SECTION_MESSAGES, EVERY, FIELD(help), .help = "print this and exit"},
    {"--version", NULL, OPTION_FLAG, SECTION_MESSAGES, EVERY, FIELD(version), .help = "print the version and exit"},
};
const int cli_option_count = sizeof cli_options / sizeof *cli_options;
