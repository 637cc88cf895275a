/* explain.c: warnings in full sentences. */
#include "frontend/cli/explain.h"

#include <string.h>

static const struct {
    const char *code, *meaning;
} warnings[] = {
    {"batch-not-first",
     "The model calls an axis of an input batch, batch_size or N that is not its first. The program is fed sample by\n"
     "sample, on the first axis of each input, so that time steps of one batch would be taken for samples. Export the\n"
     "model with inputs [batch, ...] (batch_first=True in PyTorch), or with a Transpose in front; what the model "
     "computes\n"
     "inside and its outputs may lie as they like.\n"},
    {"batchnorm-statistics-16-bit",
     "A rule lowers a running mean or variance of BatchNormalization. Each step moves it by momentum times the\n"
     "difference to the batch, which soon is less than half an ulp of 16 bits: the statistic would freeze at what\n"
     "early batches were. pcc keeps it in float32; the batches themselves are lowered as the rules say.\n"},
    {"bf16-constant-overflow",
     "bfloat16 has float32's exponents but ends at 3.39e38, a little below float32's largest, 3.40e38, which models\n"
     "write as a mask: it rounds to infinity. A mask of -inf does no harm as long as no row is masked whole: softmax\n"
     "of nothing but -inf is NaN. Keep the node with --keep-fp32 node:NAME, or export the model with masks of -1e9.\n"},
    {"f16-constant-overflow",
     "float16 ends at 65504; larger constants round to infinity. A mask of -1e9 becomes -inf, which does no harm as\n"
     "long as no row is masked whole: softmax of nothing but -inf is NaN. Use --precision bf16-mixed, whose range is "
     "nearly\n"
     "that of float32, keep the node with --keep-fp32 node:NAME, or export the model with masks of -1e4.\n"},
    {"f16-constant-vanishes",
     "float16 rounds what is not above 2^-25 (3e-8) to zero. An epsilon of 1e-8 that guards a division or a logarithm\n"
     "is lost, and the division by zero that it was to prevent happens. Keep the node with --keep-fp32 node:NAME, use\n"
     "--precision bf16-mixed, or export the model with an epsilon of at least 1e-6.\n"},
    {"loss-of-probabilities",
     "The cross-entropies and bce-with-logits take logits, any numbers, and normalise them themselves. This output is\n"
     "made by Softmax, LogSoftmax or Sigmoid: it would be normalised twice, and the loss hardly falls (with three\n"
     "classes never below 0.55). Where the activation is the one that goes with the loss, pcc reads what is in front "
     "of "
     "it;\n"
     "here it is another, or is normalised over another axis than the classes'. Choose the --loss that goes with it, "
     "or\n"
     "name the logits with --output, which takes any value of the graph.\n"},
    {"model-casts-ignored",
     "The model has Casts between floating-point types, often left over from how it was trained. --precision and\n"
     "--policy decide which values have 16 bits, so those Casts do nothing. With --honour-casts they are kept, and "
     "the\n"
     "policy decides around them.\n"},
    {"moments-vanish-in-f16",
     "Adam divides by the root of its second moment plus an epsilon of 1e-8. In float16 the second moment of a\n"
     "gradient below 2e-4 rounds to zero, so that its step is 1e8 times the first moment: weights fly off, and the\n"
     "loss is NaN within steps. 16-true keeps moments in float32; without loss scaling (--loss-scale none, or a\n"
     "policy that has none) it does as PyTorch does with model.half(), to show what becomes of it. --moments f32\n"
     "trains without loss scaling, too.\n"},
    {"moments-without-effect",
     "--moments chooses the dtype of the optimizer's moments where weights have 16 bits: 16-true and bf16-true. Wider\n"
     "weights have moments of their own dtype, and --optimizer adamw8bit has its own 8-bit format.\n"},
    {"no-export",
     "The program will train, but its --export will refuse: the trained model would pass the 2 GiB that one protobuf\n"
     "message can hold, or its template does not fit into memory. --save still writes every tensor under its ONNX\n"
     "name, as safetensors.\n"},
    {"parameter-per-sample",
     "A tensor that trains has the batch as its first axis: an exporter with a static batch has repeated a parameter,\n"
     "such as a class token, once a sample, or folded a constant that looks like a parameter. Each place in the batch\n"
     "then learns a row of its own, though the same sample may stand anywhere. Export the model with a dynamic batch\n"
     "axis, or --freeze the tensor.\n"},
    {"policy-without-effect",
     "32-true and 64-true have one dtype for everything. A policy, --keep-fp32 and --lower choose between float32 and\n"
     "16 bits; give a --precision that has both, such as bf16-mixed.\n"},
    {"rule-matches-nothing",
     "No operator, node or tensor of the model has the name of a rule, so the rule does nothing. op: names an\n"
     "operator as --explain-precision shows it: one that an exporter has decomposed is one again, and a Softmax\n"
     "between two products is a part of Attention, where it is computed in float32. node: and tensor: are names of "
     "the\n"
     "ONNX model. All three are globs, where * also matches slashes, and [ ] ? need a backslash to stand for\n"
     "themselves.\n"},
    {"scatter-without-reduction",
     "Below opset 16 ScatterElements and ScatterND have no reduction: where indices repeat, one of the updates wins.\n"
     "Exporters wrote such a node for a scatter_add too, and so lost its sum. If the indices never repeat, all is "
     "well;\n"
     "else export the model at opset 16 or newer, where the node says reduction=add.\n"},
    {"sum-of-many-16-bit", "The sum is accumulated in float32, but stored in 16 bits: 8 significant bits of bfloat16, "
                           "11 of float16. When it\n"
                           "has more summands than 2^8 or 2^11, one of them is less than half an ulp of the result, "
                           "and float16 overflows at\n"
                           "65504. Keep the node with --keep-fp32 node:NAME, or use a mean.\n"},
    {"trainable-statistic",
     "--trainable names a running mean or variance of BatchNormalization. These follow the batches with the node's\n"
     "momentum in training mode, and stay as they are in inference mode; no gradient moves them.\n"},
    {"trainable-without-gradient",
     "--trainable names a tensor that the loss does not depend on, or only through operators that have no derivative,\n"
     "such as ArgMax or the class weights of a loss. It keeps its value. --print trainable lists what has a "
     "gradient.\n"},
    {"update-nearest-too-small",
     "A 16-bit weight that takes its update by rounding to nearest does not move when the update is less than half an\n"
     "ulp: in bfloat16 a weight of 1 ignores steps below 0.002 for ever, however many there are. The warning counts "
     "the\n"
     "weights that a step of the default learning rate cannot move. --update stochastic rounds up or down at random,\n"
     "and is right on average; kahan and master keep what rounding loses.\n"},
    {"update-without-effect",
     "--update says how a 16-bit weight takes its update. In this precision weights have 32 or 64 bits and take every\n"
     "update; 16-true and bf16-true have weights of 16 bits.\n"},
};

void explain_warning(Compilation *c, FILE *stream)
{
    enum { COUNT = sizeof warnings / sizeof *warnings };
    const char *codes[COUNT], *code = c->line.explain;
    if (strncmp(code, "-W", 2) == 0)
        code += 2;
    for (int i = 0; i < COUNT; i++) {
        if (strcmp(warnings[i].code, code) == 0) {
            fputs(warnings[i].meaning, stream);
            return;
        }
        codes[i] = warnings[i].code;
    }
    const char *near = did_you_mean(code, codes, COUNT);
    fatal(&c->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--explain: no warning has the code '%s'%s%s%s", code,
          near ? "; did you mean '" : "; codes stand in brackets behind warnings, as in [-Wno-export]",
          near ? near : "", near ? "'?" : "");
}
