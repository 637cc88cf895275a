/* program.h: the parts of an emitted program, and the argument of its step functions.
 *
 * An emitted train.c defines one `static const PccProgram` and hands it to pcc_main() (or, as a library, exposes it).
 * The program owns no memory. The runtime allocates two blocks, both 64-byte aligned and zeroed:
 *   weights  lives as long as the program: parameters, states, constants, moments, mostly gradients; offsets below are
 *            bytes
 *   arena    lives for one step: activations, cotangents, kernel scratch; planned by the compiler
 * Every name is the ONNX name. */
#ifndef PCC_PROGRAM_H
#define PCC_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCC_PROGRAM_ABI 7
#define PCC_MAX_RANK 8
#define PCC_COUNT(array) ((int64_t)(sizeof(array) / sizeof(*(array))))
#define PCC_NONE SIZE_MAX /* an offset that does not exist */

typedef enum PccDtype {
    PCC_F32,
    PCC_F64,
    PCC_F16,
    PCC_BF16,
    PCC_I64,
    PCC_I32,
    PCC_I16,
    PCC_I8,
    PCC_U64,
    PCC_U32,
    PCC_U16,
    PCC_U8,
    PCC_BOOL,
} PccDtype;

/* A named dense row-major tensor at a byte offset of the block that its owner tells. */
typedef struct PccTensor {
    const char *name;
    PccDtype dtype;
    int rank;
    int64_t dims[PCC_MAX_RANK];
    size_t offset;
} PccTensor;

/* How a 16-bit weight is updated: what happens to the part below the weight's last place. */
typedef enum PccRounding {
    PCC_NEAREST,    /* rounded to nearest even, and so mostly lost, as in PyTorch. Also for f32 and f64 values */
    PCC_STOCHASTIC, /* rounded up with a probability equal to it: stochastic rounding */
    PCC_KAHAN,      /* kept in a compensation of the value's dtype, `extra`: the weight is their sum */
    PCC_MASTER,     /* kept in an f32 master weight, `extra`, of which the value is the rounding */
    PCC_REMAINDER,  /* kept in 16 further bits, `extra`, which with the bf16 value are an exact f32 weight */
} PccRounding;

/* A copy of a parameter rounded to 16 bits, to nearest even, for the nodes that read it in 16 bits: rewritten by every
 * update. */
typedef struct PccCopy {
    PccDtype dtype;
    size_t offset;
} PccCopy;

#define PCC_MAX_COPIES 2
#define PCC_MOMENT_BLOCK 256 /* elements of an 8-bit moment (PCC_U8) that share a scale: their largest magnitude */

/* A trainable parameter. Everything is in the weights block, with the value's dims; an offset of PCC_NONE means absent.
 * 16-bit moments are rounded to nearest where the value is (PCC_NEAREST), else stochastically. */
typedef struct PccParam {
    PccTensor value;
    size_t gradient; /* in PccStep.gradients */
    size_t made;     /* where in the arena the gradient lies that step() applies (PccStep.at_once) */
    size_t moment1;  /* sgd: momentum buffer; adam, lion: m */
    size_t moment2;  /* adam: v */
    PccDtype gradient_dtype;
    PccDtype moment_dtype;
    PccRounding rounding;
    size_t extra;            /* kahan: compensation; master: the f32 weight; else nothing */
    size_t absmax1, absmax2; /* scales of 8-bit moments: f32, one for each PCC_MOMENT_BLOCK elements */
    PccCopy copies[PCC_MAX_COPIES];
    int copy_count;
} PccParam;

typedef enum PccLoss {
    PCC_LOSS_CROSS_ENTROPY,       /* logits [N, C, ...], target i64 [N, ...] */
    PCC_LOSS_TOKEN_CROSS_ENTROPY, /* logits [B, T, C], target i64 [B, T], -100 is not counted */
    PCC_LOSS_CAUSAL_LM,           /* logits [B, T, V], labels are input label_input [B, T], shifted by one */
    PCC_LOSS_MSE,                 /* output and target of equal dims */
    PCC_LOSS_BCE_WITH_LOGITS,     /* output and target of equal dims */
    PCC_LOSS_OUTPUT,              /* the graph's own scalar; its labels, if any, are input label_input */
} PccLoss;

/* As in PyTorch. */
typedef struct PccHyper {
    double lr, weight_decay, beta1, beta2, eps, momentum;
} PccHyper;

/* The result of update(). */
typedef struct PccUpdate {
    double gradient_norm;   /* global 2-norm, unscaled, before clipping; 0 when it was not needed */
    int64_t first_overflow; /* index of the first parameter whose gradient is not finite: nothing was updated.
                             * -1: none, or not checked */
    int64_t rounded;        /* elements of 16-bit weights without a master whose update was not zero */
    int64_t lost;           /* those of them whose bits are unchanged */
} PccUpdate;

/* The elements of a node's result, as --check-numerics counts them. */
typedef struct PccSeen {
    int64_t count, infinite, nan;
    double low, high; /* over the finite ones */
} PccSeen;

/* The loss scale and its state. */
typedef struct PccLossScale {
    double scale;        /* 1 without loss scaling */
    int64_t clean_steps; /* updates without overflow since the scale last changed */
    int64_t skipped;     /* updates skipped because a gradient was not finite, in the whole run */
} PccLossScale;

/* The context of a step: set by the runtime, read by step(), evaluate(), update() and the kernels; fields marked "out"
 * are set by these. */
typedef struct PccStep {
    char *weights;             /* program->weights_bytes */
    char *arena;               /* program->arena_bytes */
    const void *const *inputs; /* [input_count], each dense, of its PccTensor's dtype and dims */
    const void *target;        /* of program->target's dtype and dims; NULL where the loss needs none */
    int64_t valid;             /* the first `valid` samples of the batch count, the rest are padding; 1 … batch */
    uint64_t seed;  /* of the run; with `update` and an element's index it keys the counter-based generator */
    uint64_t micro; /* micro-batch within the update, 0 … accumulate - 1; > 0: step() adds to the gradients */
    /* step() is an update too: it applies each gradient once nothing reads its parameter any more. Gradients are then
     * made in the arena, and `gradients` is not used. */
    bool at_once;
    /* All gradients, where they are kept: the weights block, or program->gradient_bytes, which are allocated when they
     * are first needed; until then NULL. */
    char *gradients;
    bool deterministic;   /* Dropout is the identity (--probe) */
    bool check_gradients; /* a gradient that is not finite skips the update, even if the norm is not needed */
    double clip_norm;     /* > 0: clip the gradients' global 2-norm to this */
    PccHyper hyper;       /* lr is already scheduled */
    /* On a device: updates that were under way when this function began, 0 or 1; and the learning rate instead of
     * hyper.lr where that one was skipped, so that the schedule did not advance. */
    uint64_t ahead;
    double lr_if_skipped;
    char *outputs; /* where step() copies its outputs before the backward pass overwrites them, as they lie at the
                    * start of the arena: program->outputs_bytes; NULL: nobody wants them */
    char *thread_scratch; /* threads x PCC_THREAD_SCRATCH bytes; index with pcc_thread_scratch() */

    double loss;    /* out: of step() and evaluate(): unscaled, averaged over `counted` */
    double counted; /* out: targets that the loss averaged over (valid samples, tokens, or elements) */

    /* On a device (device.h), where weights, arena, inputs and target are in its memory; NULL on the CPU. */
    struct PccStep *mirror; /* this struct in the device's memory, as kernels read it, and where results are written */
    const struct PccParam *params; /* program->params in its memory */
    void *stream;                  /* the stream on which work is enqueued */
    void *device;                  /* the state created by PccDevice.open() */
    char *failure; /* PCC_FAILURE_ROOM bytes: the message of the first call that failed; "": none failed */
    /* out, with --check-numerics: the first node of the function whose result is not finite; a count of 0: none. */
    int64_t seen_node;
    PccSeen seen;

    /* From here on what an update changes: on a device update() does, and the host follows when it learns of the
     * result; elsewhere the runtime does. */
    uint64_t update;   /* optimizer updates applied so far; update() uses update + 1 for bias correction */
    double loss_scale; /* multiplies the loss before differentiation; 1 without loss scaling */
    PccLossScale loss_scaling;
    PccUpdate done; /* out: of update() */
} PccStep;

#define PCC_FAILURE_ROOM 512

/* Scratch that every kernel may use privately in each of its threads. */
#define PCC_THREAD_SCRATCH ((size_t)4 << 20)

/* Loss scaling: the loss is multiplied by a scale before differentiation and the gradients are divided by it, so that
 * small ones do not underflow in 16 bits; an update whose gradients overflow is skipped. All zero: none. */
typedef struct PccScaling {
    double initial; /* the scale, a power of two for exactness */
    bool dynamic;   /* halved by an overflow, doubled after `interval` updates in a row without; else constant */
    int64_t interval;
    double most; /* the scale does not grow beyond this; 0: 2^127 */
} PccScaling;

typedef struct PccProgram {
    int abi;               /* PCC_PROGRAM_ABI */
    const char *name;      /* the model's, for logs */
    const char *precision; /* canonical mode name */
    const char *optimizer; /* sgd adam adamw adamw8bit lion */
    uint64_t fingerprint;  /* hash of parameters, precision and optimizer: a checkpoint of another model is refused */
    int64_t batch;
    int64_t accumulate; /* micro-batches per update, >= 1 */
    double clip_norm;   /* 0: none */
    PccScaling scaling;
    size_t weights_bytes, arena_bytes;
    /* Of all gradients, if step() can apply them (PccStep.at_once); 0: they are in the weights block. */
    size_t gradient_bytes;
    size_t outputs_bytes; /* at the start of the arena; 0: step() leaves its outputs in the arena, as evaluate() does */
    const PccParam *params;
    int64_t param_count;
    const PccTensor *states; /* BatchNormalization running statistics, in the weights block; written by step() */
    int64_t state_count;
    const PccTensor *constants; /* frozen initializers too large for the source text, in the weights block */
    int64_t constant_count;
    const PccTensor *inputs; /* offset is unused */
    int64_t input_count;
    const PccTensor *outputs; /* in the arena, valid after evaluate() until the next call; after step() see above */
    int64_t output_count;
    PccLoss loss;
    int64_t loss_output;      /* index in `outputs` of what the loss reads: logits or prediction, samples first, or the
                               * scalar itself; output_count: an entry after them, which is no output of the model */
    int64_t label_input;      /* index of the input that holds integer labels, or -1 */
    PccTensor target;         /* rank -1: the loss takes no target */
    PccHyper hyper;           /* defaults for the command line */
    void (*step)(PccStep *s); /* forward and backward: s->loss */
    void (*evaluate)(PccStep *s);          /* forward in inference mode: s->loss */
    void (*update)(PccStep *s);            /* unscale, check, clip, update every parameter: s->done */
    const struct PccDevice *device;        /* the device on which they run (device.h); NULL: the CPU */
    const char *weights_file;              /* initial weights: a file name beside the executable or the source */
    const unsigned char *embedded_weights; /* or the file's bytes (--embed-weights) */
    size_t embedded_bytes;
} PccProgram;

#endif
