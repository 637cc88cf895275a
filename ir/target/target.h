/* target.h: how a target runs operators: the typed arguments of a kernel call, kernel rows, and what passes may ask.
 *
 * A row of meaning (ir/ops/) says what an operator is; a kernel row says how one target runs it. Passes reach kernel
 * rows through the Target that they were given, so that none knows a target by name; the rows live in codegen/TARGET.
 */
#ifndef PCC_IR_TARGET_H
#define PCC_IR_TARGET_H

#include "ir/ir.h"

/* ---- call.c: the typed arguments of a kernel call --------------------------------------------------------------- */

typedef struct Kernel Kernel;
typedef struct Target Target;

typedef enum ArgumentKind {
    ARGUMENT_INT,
    ARGUMENT_FLOAT,   /* double, whatever the kernel computes in */
    ARGUMENT_DIMS,    /* int64_t[count] */
    ARGUMENT_STRUCT,  /* of literals, passed by value */
    ARGUMENT_INPUT,   /* the node's input `operand`; absent ones are passed as nothing */
    ARGUMENT_OUTPUT,  /* the node's output `operand` */
    ARGUMENT_SCRATCH, /* `i` bytes for this call alone; 0: nothing */
    ARGUMENT_STORE,   /* the epilogue: a store function, called with finished results, and its operands */
    ARGUMENT_STEP,    /* the step's context */
} ArgumentKind;

typedef struct Argument {
    ArgumentKind kind;
    const char *name; /* STRUCT: its type; a literal inside one: the field's name */
    int64_t i;
    double f;
    int operand; /* an absent optional one may lie beyond the node's count */
    int count;   /* of dims or fields */
    const int64_t *dims;
    struct Argument *fields;
} Argument;

/* A kernel row's `call` gives the literals and says what else the kernel takes; the operands are appended from the
 * operator's signature. The order is that of docs/kernels.md: literals, inputs in order without the static ones, each
 * with the literals that follow it, outputs or the store function, scratch, step. */
typedef struct KernelCall {
    Arena *arena;
    const Target *target;
    const char *kernel; /* preset to the kernel row's */
    Dtype suffix;       /* preset to the compute dtype of the float operands, else to the first operand's dtype */
    bool narrow;        /* some float operand is stored in 16 bits: suffix is f32. A row whose kernel only moves bits
                         * clears it and sets suffix to DTYPE_I16 */
    Argument *arguments;
    int argument_count, literal_count; /* the literals come first */
    Argument *following;               /* literals behind an input, in order: `operand` says which */
    int following_count;
    bool needs_step;
    uint32_t dropped_inputs; /* bit i: input i is not passed (static, or merged into a literal) */
} KernelCall;

void call_int(KernelCall *call, int64_t value);
void call_float(KernelCall *call, double value);
void call_dims(KernelCall *call, int count, const int64_t *values);
/* A struct whose fields follow by struct_*: valid until the next argument is appended. */
Argument *call_struct(KernelCall *call, const char *type);
void struct_int(KernelCall *call, Argument *structure, const char *field, int64_t value);
void struct_float(KernelCall *call, Argument *structure, const char *field, double value);
void struct_dims(KernelCall *call, Argument *structure, const char *field, int count, const int64_t *values);
/* A literal behind input `operand`, such as its leading dimension. */
void call_following(KernelCall *call, int operand, int64_t value);
/* Behind the literals: the node's operands, from its operator's signature, and what else the call takes. */
void call_operands(KernelCall *call, const Node *node, const Kernel *kernel);

/* ---- target.c: kernel rows ------------------------------------------------------------------------------------------
 */

/* How a kernel may read or write an operand that is a View. */
typedef enum Striding {
    STRIDING_DENSE,  /* needs dense row-major */
    STRIDING_ROWS,   /* any strides, but the last dim's is 1 */
    STRIDING_MATRIX, /* one matrix [rows, columns] likewise; operands of other ranks are dense */
    STRIDING_ANY,
} Striding;

/* How a target runs an operator of kind OP_KERNEL: one call. */
struct Kernel {
    const char *op;
    const char *kernel; /* "layer_norm": what it calls, unless `call` says otherwise */
    const char *header; /* "norm/norm.h": where, in runtime/kernels/; NULL: what all of the target's programs include */
    void (*call)(const Node *node, KernelCall *call);
    /* Bytes for one call, from its literals: 0: it is passed nothing. NULL: the kernel takes none. */
    int64_t (*scratch)(const Node *node, const KernelCall *call);
    /* Which of the kernel's forms serves the node, as the target's text spells it; NULL: it has one. */
    const char *(*form)(const Node *node, const KernelCall *call);
    /* Nodes that it takes; the others expand, before differentiation, by their row. NULL: all. */
    bool (*takes)(const Node *node);
    bool stored16; /* it reads and writes operands of 16 bits; else pass `legalise` puts Casts around */
    bool stores;   /* it hands its only result to a store function: the output and the node's body are its business */
    /* By operand position; dense beyond. */
    Striding input_striding[MAX_ROW_OPERANDS], output_striding[MAX_ROW_OPERANDS];
    int aliases; /* 1 + i: output 0 may take input i's buffer when that input dies here; 0: never */
};

struct Target {
    const char *name;      /* "c": of --target */
    int64_t alignment;     /* of everything in the arena, bytes: a power of two */
    int64_t literal_bytes; /* constants up to this size are a part of the text; the others are in memory */
    bool splits_masters;   /* f32 masters of bf16 weights are kept as the 16 bits that the weights leave of them */
    bool passes_step;      /* to every kernel, as the last argument */
    const Kernel *const *kernels;    /* tables ended by a row without a name; ended by NULL */
    const struct Printers *printers; /* of the code generator (codegen/emit.h) */
    /* What options say of programs for a GPU, in a copy of the target (gpu.h); NULL: the target is for none. */
    const struct GpuBuild *gpu_build;
};

/* NULL: the target has no kernel of the node's operator, and needs none or cannot run it. */
const Kernel *find_kernel(const Target *target, const Node *node);
bool target_has_kernel(const Target *target, const char *op); /* by the operator's name: of some node */
/* An OP_KERNEL node without a kernel is taken: its absence is reported where it is called. */
bool kernel_takes(const Target *target, const Node *node);
bool kernel_is_stored16(const Target *target, const Node *node);
/* Does the node hand its results to a store function, so that they may go anywhere? */
bool stores_through_epilogue(const Target *target, const Node *node);
Striding input_striding(const Target *target, const Node *node, int i);
Striding output_striding(const Target *target, const Node *node, int i);
/* May output 0 take the buffer of input i? */
bool kernel_aliases(const Target *target, const Node *node, int i);
/* The whole call of an OP_KERNEL node; internal error where the target has no kernel. */
KernelCall kernel_call(const Target *target, const Node *node);
/* Bytes of scratch that the call asks for; <= 0: none. */
int64_t call_scratch_bytes(const KernelCall *call);
int64_t node_scratch_bytes(const Target *target, const Node *node);

#endif
