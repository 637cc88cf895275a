/* emit.h: inside the code generator: from two scheduled graphs to the text of a program. */
#ifndef PCC_CODEGEN_EMIT_H
#define PCC_CODEGEN_EMIT_H

#include "codegen/codegen.h"
#include "codegen/text.h"
#include "ir/schema.h"
#include "runtime/program.h"

/* One emitted function, shared by all nodes that need the same text. */
typedef struct Instance {
    const char *name, *text; /* text has its own name in it */
    uint64_t hash;           /* of the text before it was named */
    const char *unnamed;
} Instance;

typedef struct Instances {
    Instance *items;
    int count, capacity;
} Instances;

/* A tensor in the weights block. */
typedef struct Stored {
    const Value *value;
    const char *name;
    int64_t offset; /* -1: a constant that is a part of the text */
} Stored;

/* What the optimizer keeps of a parameter: offsets in the weights block, or of gradients in their own, -1: none. */
typedef struct ParamState {
    int64_t gradient, extra, moment1, moment2, absmax1, absmax2;
    int64_t made; /* where in the arena a step makes the gradient that applies it; -1: none does */
    Dtype gradient_dtype, moment_dtype;
    PccRounding rounding;
} ParamState;

enum { COPY_DTYPES = 2 }; /* f16, bf16 */

/* The weights block: parameters, copies, states, constants, masters and compensations, moments, gradients, in this
 * order. Gradients that step() may apply are a block of their own. */
typedef struct Weights {
    Stored *params, *states, *constants;
    Stored *copies; /* of parameters in 16 bits, behind the parameters: one for each dtype that a graph reads */
    int param_count, state_count, constant_count, copy_count;
    int (*copy_of_param)[COPY_DTYPES]; /* by parameter index: 1 + the index of its copy in that dtype, or 0 */
    int placed_constants;              /* those of constants that the block has room for */
    ParamState *param_states;          /* by parameter index */
    int64_t bytes;
    int64_t param_bytes, copy_bytes, state_bytes, constant_bytes, gradient_bytes, extra_bytes, moment_bytes;
} Weights;

typedef struct Emitter {
    Arena *arena;
    const Options *options;
    const EmitOptions *emit;
    Graph *graph; /* the one being emitted */
    MemoryPlan plan;
    Weights *weights;
    Instances *instances;
    Text *buffers;  /* the enumerators of arena offsets */
    Text *literals; /* small constant tensors */
    Text *function; /* function_text() */
    Text *watched;  /* rows of a table of nodes, where a target has one (--check-numerics) */
    int literal_count, watched_count;
    const char **literal_names; /* by value id of `graph` */
    const char **buffer_names;  /* likewise: name_buffers() */
    bool *named;                /* likewise: the function that is printed names the buffer */
    int64_t update_scratch;     /* where in the arena update() has its scratch, behind everything else */
    const int64_t *bound;       /* likewise: where in the weights block a gradient or new state goes; -1: elsewhere */
    const int *applied;         /* likewise: 1 + the index of the parameter whose gradient step() applies; 0: none */
} Emitter;

/* weights_plan.c */
Weights plan_weights(Graph *train, Graph *evaluate, const Options *options, Arena *arena);
/* weights.c */
const Stored *find_constant(const Weights *weights, const Value *value); /* by type and contents */
int *copy_slot(const Weights *weights, const Value *copy);
const Stored *find_copy(const Weights *weights, const Value *copy); /* by its parameter's id and its dtype */
int64_t place_weights(Weights *weights, int64_t bytes);             /* appends to the block; returns the offset */
/* param_state.c */
void place_param_states(Weights *weights, const Graph *train, const Options *options);
/* Where step() makes the gradients that it applies, and so that they are not in the weights block; and does it apply
 * them? All or none. */
void place_made_gradients(Weights *weights, const Graph *train, const MemoryPlan *plan);
bool applies_gradients(const Weights *weights);
bool updates_narrow(const Weights *weights, const Options *options); /* is anything stored in 16 or 8 bits? */
const char *rounding_constant(PccRounding rounding);
/* applications.c: the calls of an ApplyGradients node, and the function that they call */
void print_application(Emitter *e, Text *text, const Node *node, int position);
void print_apply(Emitter *e, Text *text);
/* addresses.c */
const int64_t *bound_offsets(const Emitter *e);
const int *applied_params(const Emitter *e);
const char **name_buffers(const Emitter *e);
void print_buffers(Emitter *e);                              /* one enumerator for each buffer of the arena */
int param_index(const Weights *weights, const Value *param); /* by id, -1 */
int state_index(const Weights *weights, const Value *state);

/* missing_kernels.c: fatal where the target has no kernel of an operator. */
void refuse_missing_kernels(const Program *program, const Target *target);

/* instances.c: an empty text for a function, in the memory of the one before. */
Text *function_text(Emitter *e);
/* `text` spells its own name as @@. Returns the function's final name; `stem` is the readable part. */
const char *intern_function(Emitter *e, const char *stem, const char *text);

/* body.c: the statements of a scalar program. operands[i] and results[i] are C expressions of elements in memory, but
 * for the first `in_registers` operands. */
void print_body(Emitter *e, Text *text, const Graph *body, int in_registers, const char *const *operands,
                const char *const *results);
/* `computed`, an f32 where the value has 16 bits, as the value is stored. */
const char *stored_expression(Arena *arena, const Value *value, const char *computed);

/* numerics.c, for --check-numerics, else nothing: after a node's call; after one element of the `member`th node of the
 * body that is printed. */
void print_watched(Emitter *e, Text *text, const Node *node);
void print_watched_element(Emitter *e, Text *text, int member, const Value *value, const char *expression);

/* Where an epilogue is named: as a parameter of the function that calls the kernel, and as an argument of the kernel.
 */
typedef enum StorePlace { STORE_PARAMETER, STORE_ARGUMENT } StorePlace;

/* program.c: the program's PccScaling in braces; "": none */
const char *scaling_text(Emitter *e);

/* What a target prints its own way; the rest of the file is the targets' common one (program.c). */
typedef struct Printers {
    /* Includes and macros; `narrow`: something is stored in 16 or 8 bits. */
    void (*prologue)(Emitter *e, Text *text, const Program *program, bool narrow);
    const char *(*note)(Emitter *e, const Program *program); /* a line of the header comment; NULL: none */
    /* What the program is linked with besides the runtime, known when all functions are emitted; NULL: nothing. */
    const char *(*libraries)(const Emitter *e);
    const char *(*build_line)(Emitter *e); /* of the header comment: the command that makes a program of the file */
    /* The statement that runs a node of kind OP_LOOP; its function is interned. */
    const char *(*run_loop)(Emitter *e, const Node *node);
    /* Kernel calls (kernel_call.c): the function that is called; a literal; an operand that the emitted function has as
     * parameter `name`; one that is absent, of float type where the call is narrow. */
    const char *(*callee)(const Node *node, const Kernel *kernel, const KernelCall *call);
    void (*literal)(Text *text, const Argument *literal);
    void (*operand)(Text *text, const KernelCall *call, const Value *value, const char *name, bool is_input);
    const char *(*absent)(const KernelCall *call, bool may_be_float, bool is_input);
    /* Epilogues: makes the functions that take the finished results of a product, which products of equal epilogues
     * share, and returns what their names begin with; `compute` is the dtype of finished results. */
    const char *(*emit_store)(Emitter *e, const Node *node, Dtype compute);
    void (*store)(Text *text, StorePlace place, const char *name);
    void (*store_value)(Emitter *e, Text *text, const Node *node, const char *name); /* with its operands in braces */
    /* The ends of step() and evaluate(), whose loss lies at `address`, and the body of update(). */
    void (*loss)(Emitter *e, Text *text, const char *address);
    void (*update)(Emitter *e, Text *text);
    /* The body of apply(s, first, count), which applies the gradients of `count` parameters from index `first`, and of
     * begin_apply(s), which runs before the first of them; NULL: there is none. */
    void (*apply)(Emitter *e, Text *text);
    void (*begin_apply)(Emitter *e, Text *text);
    /* --check-numerics: the statement before the first node; behind a node that a kernel computed, and behind one with
     * a body. `watched` are initialisers of PccWatched: a result; all nodes that the body computes, then its stores. */
    const char *watch_begin;
    void (*watch_tensor)(Emitter *e, Text *text, const char *watched, Value *value);
    void (*watch_loop)(Emitter *e, Text *text, const char *const *watched, int count);
    /* Bytes of scratch in the arena that update() takes; NULL: none. */
    int64_t (*update_scratch)(const Weights *weights);
    const char *device; /* the PccDevice that the program runs on; NULL: none, it runs on the CPU */
} Printers;

/* kernel_call.c: the statement that runs a node of kind OP_KERNEL, whose function it makes. */
const char *run_kernel(Emitter *e, const Node *node);
/* Kernels that move integers, or the bits of 16-bit floats, do so by their width: the dtype that stands for those of a
 * width, and the cast of an operand to it, "" where it needs none. The other sign may be read through it (C11 6.5p7).
 */
Dtype moved_dtype(Dtype dtype);
const char *moved_pointer(Arena *arena, const KernelCall *call, Dtype dtype, bool is_const);

/* Axes of a loop nest after dropping those of size 1 and merging those that every operand walks as one. */
typedef struct LoopNest {
    int rank;
    int64_t dims[MAX_RANK];
    int operand_count;
    int64_t (*strides)[MAX_RANK]; /* [operand][axis] */
} LoopNest;

/* nest.c. Operands are aligned to `loop` from the right, with stride 0 where they broadcast. The last `fixed` axes are
 * kept as they are. */
LoopNest make_nest(Arena *arena, const Type *loop, Value *const *operands, int operand_count, int fixed);
int64_t nest_elements(const LoopNest *nest);
int64_t last_stride(const LoopNest *nest, int i); /* of operand i along the last axis; 0 where there is none */
/* Index variables i0, i1 ... of the leading axes from the flat number of a row; whether any operand needs them, or that
 * of the last axis; where operand i's row begins, " + i0 * 544 + i1"; what a stride adds to it, " + i * 3". */
void print_row_indices(Text *text, const LoopNest *nest, const char *type, const char *row);
bool uses_row_index(const LoopNest *nest);
bool uses_column_index(const LoopNest *nest);
const char *row_offset(Arena *arena, const LoopNest *nest, int i);
const char *index_term(Arena *arena, const char *index, int64_t stride);

/* stem.c: what functions are called: a loop's, "add_relu_4x64"; an epilogue's, "plain", "add_geluerf". */
const char *loop_stem(Arena *arena, const Node *node);
const char *epilogue_stem(Arena *arena, const Node *node);

/* What a loop, or a product's epilogue, is over: operands that it reads, then those that it writes. */
typedef struct BodyOperands {
    int reads, count;
    Value **values;
    LoopNest nest; /* of `values`; an epilogue's is [rows..., columns] */
} BodyOperands;

/* operands.c */
BodyOperands loop_operands(Arena *arena, const Node *node);
BodyOperands epilogue_operands(Arena *arena, const Node *node);
const char *operand_name(Arena *arena, const BodyOperands *operands, int i);        /* "x0", "y1" */
const char *operand_declaration(Arena *arena, const BodyOperands *operands, int i); /* "const float *x0" */
const char *operand_declarations(Arena *arena, const BodyOperands *operands);       /* with commas between them */
/* The places of what a node's body reads, and of what it writes, with commas between them. */
void append_addresses(Emitter *e, Text *text, const Node *node);

/* literal.c: of a kernel call: an integer or float; "{1, 2}"; "{.n = 4, .in = {1, 28}}". */
void append_number(Text *text, const Argument *literal);
void append_dims(Text *text, const Argument *dims);
void append_fields(Text *text, const Argument *structure);

/* addresses.c: the C expression of an operand's first element, typed. */
const char *operand_address(Emitter *e, Value *value);
const char *value_c_type(const Value *value);

/* embed.c: the weights file as a C array, where EmitOptions has one. */
void print_embedded_weights(Emitter *e, Text *text);

#endif
