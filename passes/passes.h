/* passes.h: what the compile was asked for, and the passes, one file each. */
#ifndef PCC_PASSES_H
#define PCC_PASSES_H

#include "ir/ir.h"
#include "ir/target/target.h"

/* A row a loss, in the order of the runtime's PccLoss, which has the same constants: what --loss calls it, and what
 * --help says of it. passes/training/loss.c attaches it. */
#define PCC_LOSSES(ROW)                                                                                      \
    ROW(CROSS_ENTROPY, "cross-entropy", "classes on axis 1")                                                 \
    ROW(TOKEN_CROSS_ENTROPY, "token-cross-entropy", "classes on the last axis, targets of -100 not counted") \
    ROW(CAUSAL_LM, "causal-lm", "the labels are the integer input, shifted by one")                          \
    ROW(MSE, "mse", "mean squared error")                                                                    \
    ROW(BCE_WITH_LOGITS, "bce-with-logits", "binary cross-entropy of logits")                                \
    ROW(OUTPUT, "output", "the graph's own scalar")

typedef enum LossKind {
#define LOSS_ROW(KIND, NAME, HELP) LOSS_##KIND,
    PCC_LOSSES(LOSS_ROW)
#undef LOSS_ROW
        LOSS_COUNT
} LossKind;

extern const char *const loss_names[LOSS_COUNT];

typedef enum RecomputeKind { RECOMPUTE_NONE, RECOMPUTE_FUSED, RECOMPUTE_AUTO, RECOMPUTE_ALL, RECOMPUTE_KINDS } RecomputeKind;

extern const char *const recompute_names[RECOMPUTE_KINDS]; /* as --recompute spells them */

/* What the exporter says of a stored tensor. Implemented by the importer. */
typedef enum DeclaredKind {
    DECLARED_NOTHING, /* as of everything else in the file */
    DECLARED_OTHERS,  /* nothing, but it declares parameters */
    DECLARED_PARAMETER,
    DECLARED_BUFFER,           /* or a constant tensor */
    DECLARED_FOLDED_PARAMETER, /* computed from parameters, of which `source` is one */
    DECLARED_FOLDED_CONSTANT,  /* computed from no parameter */
} DeclaredKind;
typedef struct Declaration {
    DeclaredKind kind;
    const char *source;
} Declaration;
typedef Declaration (*DeclarationLookup)(void *context, const char *tensor);

/* Told of each pass that has run: on which graph ("model", "train", "evaluate"), and how long it took. */
typedef void (*PassObserver)(void *context, const char *pass, const char *which, const Graph *graph, double seconds);
double seconds_now(void); /* by a clock that only runs forward */

typedef struct Options {
    const char *precision;              /* canonical mode name */
    const char *policy;                 /* --policy: a built-in policy's name or a file; NULL: "pcc" */
    const char *const *precision_rules; /* --keep-fp32 RULE as "keep RULE", --lower RULE as "lower RULE", as given */
    int precision_rule_count;
    bool honour_casts;   /* the model's own Casts between floats decide dtypes */
    bool check_numerics; /* the program looks for the first node whose output is not finite */
    double loss_scale;   /* LOSS_SCALE_DYNAMIC, a fixed scale, or 1 for none; 0: the mode's default */
    const char *update;  /* nearest, stochastic, kahan, master; NULL: the mode's default */
    const char *moments; /* f32, weights: of 16-bit weights; NULL: the mode's default */
    LossKind loss;
    bool loss_given;    /* else the importer's graph decides: a scalar output is the loss, else cross-entropy */
    const char *output; /* --output: the graph output that the loss reads; NULL: the only, or the first */
    const char *labels; /* --labels: the integer input that holds the labels; NULL: the only one */
    int64_t head;       /* --head: classes of a new last layer; 0: keep */
    const char *const *trainable; /* --trainable and --freeze globs in the order given */
    const char *const *freeze;
    int trainable_count, freeze_count;
    bool init_random; /* --init random */
    uint64_t seed;
    const char *optimizer; /* "adamw", ... */
    double clip_norm;      /* 0: none */
    int64_t accumulate;    /* micro-batches per update */
    RecomputeKind recompute;
    const Target *target;   /* whose kernels the program will call */
    const char *dump_after; /* pass name or NULL; "all" dumps after each */
    FILE *dump_stream;
    const char *passes;   /* comma-separated: of the optional passes only these run; NULL: all */
    PassObserver observe; /* or NULL */
    void *observe_context;
    bool verify;                /* run the verifier after every pass */
    DeclarationLookup declared; /* or NULL */
    void *declared_context;
} Options;

typedef void Pass(Graph *graph, const Options *options);

typedef struct PassInfo {
    const char *name;
    Pass *run;
    bool training_only; /* not run on the evaluation graph */
    bool optional;      /* makes programs better; --passes may leave it out */
    const char *what;   /* one line for --print passes */
} PassInfo;

/* The pipeline: prepare passes on the imported graph, then the others on the training graph and on its clone, the
 * evaluation graph. */
extern const PassInfo prepare_passes[], pipeline_passes[]; /* ended by a row without a name */
typedef struct Program {
    Graph *train;    /* loss, gradients of every VALUE_PARAM, updates of every VALUE_STATE */
    Graph *evaluate; /* forward and loss in inference mode */
} Program;
Program run_pipeline(Graph *imported, const Options *options);

/* In the order in which they run. */
Pass recognise_statistics; /* running statistics of a BatchNormalization that the exporter decomposed */
Pass recognise;            /* recognises LayerNormalization, GELU, attention, ... that exporters decomposed */
Pass replace_head;         /* --head N */
Pass trainable;            /* decides which initializers learn: the others become VALUE_CONST */
Pass initialise;           /* --init random */
Pass attach_loss;          /* graph->target, graph->loss */
Pass inference;            /* evaluation graph only: BatchNormalization and Dropout in inference mode */
Pass precision;            /* the dtype of every value, by --precision */
Pass expand_stored;        /* decomposes those that do it once */
Pass expand;               /* decomposes operators into those with gradients, before differentiation */
Pass relu_after_pool;      /* MaxPool before ReLU instead of after it */
Pass count_samples;        /* which rows belong to a sample, for losses and BatchNormalization */
Pass bind_states;          /* graph->updates */
Pass channels_last;        /* convolutional regions in N..C order */
Pass split_slices;         /* slices that partition an axis become one Split */
Pass grad;                 /* reverse-mode differentiation: graph->gradients */
Pass zero_sums;            /* gradients that are zero in exact arithmetic */
Pass accumulate_gradients; /* --accumulate */
Pass expand_kernels;       /* decomposes those that have a gradient but no kernel, after it */
Pass simplify;             /* common subexpressions, dead code, algebra */
Pass normalise_in_pool;    /* BatchNormalization in the loads of a maximum pool */
Pass recompute;            /* --recompute: activations that the backward pass computes again */
Pass fuse;                 /* elementwise groups; epilogues of matrix products and convolutions */
Pass layout;               /* views instead of copies */
Pass schedule;             /* the order of execution */
Pass apply_gradients;      /* gradients applied during the backward pass */

/* verdict.c: also for `--print trainable`. */
typedef struct Verdict {
    bool learns;
    const char *reason;
} Verdict;
typedef struct Judge {
    const Graph *graph;
    const Options *options;
    const unsigned *readings; /* by value id: see trainable.h */
} Judge;
Judge make_judge(const Graph *graph, const Options *options);
Verdict judge_tensor(const Judge *judge, const Value *stored); /* of a VALUE_PARAM of the judge's graph */
/* trainable.c: warns of what --trainable names in vain: a parameter of `before`, none after differentiation. */
void warn_unreached(const Graph *before, const Graph *after, const Options *options);

/* loss.c */
LossKind default_loss(const Graph *graph, const Options *options); /* what --loss is when it is not given */
/* Index of the output that --output names, else of the first that is floating-point; -1: there is none. */
int scored_output(const Graph *graph, const Options *options);
int64_t graph_batch(const Graph *graph);                           /* batch.c: samples of a step */
int label_input_index(const Graph *graph, const Options *options); /* the input that holds integer labels, -1: none */

/* memory_plan.c: where everything of one step lies in the arena. */
typedef struct MemoryPlan {
    int64_t *offset;           /* by value id, bytes; -1: not in the arena. Views: their base's */
    int64_t *scratch_offset;   /* by node id, bytes; -1: none */
    int *first_use, *last_use; /* by value id: positions in the schedule */
    /* The graph's outputs lie at the start of the arena, in their order. */
    int64_t outputs_bytes;
    int outputs_made; /* the position behind whose node they are complete and the backward pass has not begun to
                       * overwrite them; -1: they stay until the end */
    int64_t arena_bytes;
    int fullest;        /* the position at which most bytes are live */
    int64_t live_bytes; /* and how many: the lower bound of arena_bytes */
} MemoryPlan;
MemoryPlan plan_memory(Graph *graph, const Target *target);

#endif
