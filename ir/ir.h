/* ir.h: pcc's intermediate representation, sectioned by the file that implements each part.
 *
 * A Graph is static-shape typed SSA: Nodes in topological order over Values. Everything of one compile lives in one
 * Arena and is freed with it. Values and Nodes have dense ids, so that a pass keeps what it learns in arrays of its
 * own. The text form (text/) prints and parses back to the same graph at every stage. */
#ifndef PCC_IR_H
#define PCC_IR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Arena Arena;
typedef struct Diagnostics Diagnostics;
typedef struct Graph Graph;
typedef struct KernelSlot KernelSlot;
typedef struct Node Node;
typedef struct Op Op;
typedef struct Value Value;

enum {
    MAX_RANK = 8,
    MAX_ROW_OPERANDS = 8, /* inputs, or outputs, that rows say something of by position */
};

/* ---- arena.c: memory of one compile ------------------------------------------------------------------------- */

/* capacity bounds the sum of all allocations in bytes; one past it ends the compile through the diagnostics. */
Arena *arena_create(size_t capacity, Diagnostics *diagnostics);
void arena_destroy(Arena *arena);
void *arena_alloc(Arena *arena, size_t bytes);                             /* zeroed, 64-byte aligned if >= 64 bytes */
void *arena_alloc_array(Arena *arena, size_t count, size_t element_bytes); /* checks the multiplication */
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* vsnprintf(), faster (format.c). */
int format_into(char *buffer, size_t room, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));
const char *arena_strndup(Arena *arena, const char *text, size_t length);
size_t arena_used(const Arena *arena);

/* Makes the allocation of `bytes` at `memory` longer where it lies; false where it is not the last one, or no room is
 * left behind it. */
bool arena_extend(Arena *arena, const void *memory, size_t bytes, size_t more);

/* Room for one more element behind `count`: a list's storage doubles at counts that are powers of two. */
void *arena_grown(Arena *arena, void *elements, int count, size_t element_bytes);

#define APPEND(arena, list, count, element)                              \
    do {                                                                 \
        (list) = arena_grown((arena), (list), (count), sizeof(*(list))); \
        (list)[(count)++] = (element);                                   \
    } while (0)
#define NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define NEW_ARRAY(arena, type, count) ((type *)arena_alloc_array((arena), (size_t)(count), sizeof(type)))

/* ---- diagnostics.c: every message of the compiler ------------------------------------------------------------ */

typedef enum ExitStatus {
    EXIT_STATUS_OK = 0,
    EXIT_STATUS_INPUT = 1,       /* bad model or data */
    EXIT_STATUS_USAGE = 2,       /* bad command line */
    EXIT_STATUS_UNSUPPORTED = 3, /* an operator or attribute that pcc does not have */
    EXIT_STATUS_IO = 4,
    EXIT_STATUS_INTERNAL = 70,
} ExitStatus;

/* Where in the model something came from; either name may be NULL. */
typedef struct Origin {
    const char *node; /* the ONNX node's name */
    const char *op;   /* the ONNX operator it was, e.g. "Gemm" */
} Origin;

/* Messages go to `stream` (or are kept for --diagnostics=json) as
 *     FILE: error: node 'NAME' (OP): attribute 'axis' is 7, but the input has rank 4; ...
 * Errors are counted and the first error's status becomes the compile's; fatal() also leaves through `recover`. */
struct Diagnostics {
    FILE *stream;
    const char *file; /* the model's path, for messages */
    bool json, color, werror;
    bool quiet; /* no notes and warnings */
    bool muted; /* errors are counted, not told: something is only tried */
    /* Gets what error() would tell, for the time of the call; the error counts all the same. NULL: it is told. */
    void (*withhold)(void *context, Origin origin, ExitStatus status, const char *text);
    void *withhold_context;
    int error_count, warning_count;
    ExitStatus status; /* of the first error */
    jmp_buf recover;   /* set by the caller of the compile; fatal() jumps here */
    bool can_recover;  /* otherwise fatal() exits the process */
};

void diagnostics_init(Diagnostics *d, FILE *stream);

/* Silences a compile that another one repeats: its warnings are not printed, not counted, and never errors. */
typedef struct Hush {
    bool quiet, werror;
    int warning_count;
} Hush;
Hush diagnostics_hush(Diagnostics *d);
void diagnostics_restore(Diagnostics *d, Hush before);

void note(Diagnostics *d, Origin origin, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* code is a stable kebab-case name such as "f16-constant-overflow"; `pcc --explain CODE` describes it. */
void warning(Diagnostics *d, Origin origin, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void error(Diagnostics *d, ExitStatus status, Origin origin, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void fatal(Diagnostics *d, ExitStatus status, Origin origin, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void leave(Diagnostics *d); /* after errors: to `recover`, with d->status */
/* The candidate nearest to `word` by edit distance, or NULL when none is near. */
const char *did_you_mean(const char *word, const char *const *candidates, int count);

#define NO_ORIGIN ((Origin){NULL, NULL})
/* A broken promise of pcc's own code. */
#define internal_error(d, origin, ...) fatal((d), EXIT_STATUS_INTERNAL, (origin), __VA_ARGS__)

/* ---- types.c: dtypes, shapes, tensors ------------------------------------------------------------------------ */

typedef enum Dtype {
    DTYPE_F32,
    DTYPE_F64,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_I64,
    DTYPE_I32,
    DTYPE_I16,
    DTYPE_I8,
    DTYPE_U64,
    DTYPE_U32,
    DTYPE_U16,
    DTYPE_U8,
    DTYPE_BOOL,
    DTYPE_COUNT
} Dtype; /* the order of the runtime's PccDtype */

typedef struct DtypeInfo {
    const char *name;    /* "f32": in the text form and in messages */
    const char *c_type;  /* "float": in emitted code */
    const char *runtime; /* "PCC_F32" */
    int bytes;
    bool is_float, is_signed;
    int onnx; /* TensorProto.DataType */
} DtypeInfo;

extern const DtypeInfo dtype_info[DTYPE_COUNT];

typedef struct Type {
    Dtype dtype;
    int rank;
    int64_t dims[MAX_RANK];
} Type;

bool is_float(Dtype dtype);
bool is_narrow(Dtype dtype); /* a float of 16 bits: computed with in f32 */
/* What operands of `dtype` are computed in, and what their statistics and losses are: f64 for f64, else f32. */
Dtype wide_dtype(Dtype dtype);
bool dtype_from_onnx(int64_t onnx, Dtype *dtype);
bool dtype_from_name(const char *name, size_t length, Dtype *dtype);
int64_t element_count(const Type *type); /* checked when the type was made: never overflows */
int64_t type_bytes(const Type *type);
/* The product of dims [first, last). */
int64_t dims_product(const Type *type, int first, int last);
bool same_dims(const Type *a, const Type *b);
bool same_type(const Type *a, const Type *b);
Type make_type(Dtype dtype, int rank, const int64_t *dims);
Type scalar_type(Dtype dtype);
/* False when a dimension is negative or the bytes exceed 2^46. */
bool type_is_valid(const Type *type);
/* Multidirectional broadcasting (ONNX); false when the dims do not agree. */
bool broadcast_dims(const Type *a, const Type *b, Type *result);
void dense_strides(const Type *type, int64_t strides[MAX_RANK]);
const char *type_text(Arena *arena, const Type *type); /* "f32[128,10]" */

/* A tensor of the reference evaluator: floats of every width are held as double, integers and bool as int64_t. */
typedef struct Tensor {
    Type type;
    double *f;  /* when is_float(type.dtype) */
    int64_t *i; /* otherwise */
} Tensor;

Tensor tensor_alloc(Arena *arena, Type type); /* zeros */
/* From and to a dense little-endian buffer of type->dtype; rounds to nearest even, integers wrap. */
Tensor tensor_from_data(Arena *arena, const Type *type, const void *data);
void *tensor_to_data(Arena *arena, const Tensor *tensor);
void tensor_store(const Tensor *tensor, void *data); /* the same into memory of type_bytes() */
uint16_t f16_from_f64(double value);
double f64_from_f16(uint16_t bits);
uint16_t bf16_from_f64(double value);
double f64_from_bf16(uint16_t bits);

/* ---- graph.c: values, nodes, graphs -------------------------------------------------------------------------- */

typedef enum ValueKind {
    VALUE_TEMP,   /* produced by a node */
    VALUE_INPUT,  /* a graph input, fed every step */
    VALUE_TARGET, /* what the loss compares with, fed every step */
    VALUE_PARAM,  /* a float initializer: trainable once pass `trainable` has run */
    VALUE_STATE,  /* BatchNormalization running statistics: written every step */
    VALUE_CONST,  /* never changes */
    VALUE_COPY,   /* a parameter rounded to 16 bits, rewritten by every update: see copy_of */
} ValueKind;

/* Where a value lies. base == NULL: a dense row-major buffer of its own. Otherwise a strided window of base's buffer;
 * base itself has no base. Offset and strides are in elements. Set by pass `layout`. */
typedef struct View {
    Value *base;
    int64_t offset;
    int64_t strides[MAX_RANK];
} View;

struct Value {
    int id;
    ValueKind kind;
    Type type;
    const char *name;       /* the ONNX name, or NULL */
    Node *producer;         /* VALUE_TEMP only */
    const void *data;       /* PARAM, STATE, CONST: dense, little-endian, of type.dtype */
    const float *unrounded; /* PARAM that autocast stores in 16 bits: its contents before, or NULL */
    View view;
    Value *copy_of;  /* VALUE_COPY: the PARAM of the same dims */
    int narrow;      /* the ONNX data type whose numbers it holds in a wider dtype (ir/narrow.h), or 0 */
    bool is_settled; /* PARAM: a node has its numbers as a constant, so that they cannot change */
};

typedef enum AttrKind { ATTR_INT, ATTR_FLOAT, ATTR_STRING, ATTR_INTS, ATTR_FLOATS } AttrKind;

typedef struct Attr {
    const char *name;
    AttrKind kind;
    int64_t i;
    double f;
    const char *s;
    int count; /* of ints or floats */
    const int64_t *ints;
    const double *floats;
} Attr;

struct Node {
    int id;
    Graph *graph; /* its owner */
    const Op *op;
    int input_count, output_count, attr_count;
    Value **inputs;  /* NULL: an absent optional input */
    Value **outputs; /* NULL: an unused optional output */
    Attr *attrs;
    Origin origin;
    Graph *body; /* Fused: the scalar program. MatMul, Conv: the epilogue, whose input 0 is the product. Or NULL */
    Node *previous, *next;
};

/* A pair that leaves the graph: the gradient of a parameter, the new contents of a state. */
typedef struct Binding {
    Value *target; /* the PARAM or STATE */
    Value *value;
} Binding;

/* What the model's file calls the axes of one of its inputs or outputs. */
typedef struct DeclaredAxes {
    const char *name;
    const char *symbols[MAX_RANK]; /* NULL: none, or one that an exporter made up */
} DeclaredAxes;

struct Graph {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *name;
    const char *stage; /* the pass that ran last; the verifier's rules depend on it */
    Node *first, *last;
    Node *cursor;   /* builders insert before this node; NULL: at the end */
    Origin origin;  /* given to nodes that builders make */
    Value **values; /* by id; NULL where a value was removed */
    int value_count, value_capacity;
    int node_count;   /* ids in use are < node_count */
    int linked_nodes; /* from first to last */
    Value **inputs, **outputs;
    const char **output_names; /* as the model calls its outputs, whatever value they have become */
    int input_count, output_count;
    Value *target;                /* or NULL */
    Value *loss;                  /* scalar, or NULL before pass `loss` */
    int64_t batch;                /* samples of a step, 0 before pass `loss`: see passes/training/batch.c */
    int loss_output;              /* index of the output that the loss reads; -1 before pass `loss` */
    const char *batch_symbol;     /* what the model's file calls that axis, or NULL */
    const DeclaredAxes *declared; /* of the model's inputs and outputs, as its importer knows them */
    int declared_count;
    const char **quantised; /* integers that only DequantizeLinear reads: weights once --trainable names them */
    int quantised_count;
    Binding *gradients, *updates;
    int gradient_count, update_count;
    Value **scalars; /* what const_float() made */
    int scalar_count;
    KernelSlot *kernel_slots;          /* what find_kernel() has found (ir/target/target.h), or NULL */
    struct PrecisionReport *precision; /* what pass autocast decided (passes/precision/autocast.h), or NULL */
};

Graph *graph_create(Arena *arena, Diagnostics *diagnostics, const char *name);
/* A deep copy in the same arena; tensor data are shared. Ids are kept. */
Graph *graph_clone(const Graph *graph);
Value *value_create(Graph *graph, ValueKind kind, Type type, const char *name);
Value *const_create(Graph *graph, Type type, const void *data, const char *name);
Value *const_tensor(Graph *graph, const Tensor *tensor);
/* A scalar beside operands of `dtype`, f32 where these have 16 bits; one per (dtype, value). */
Value *const_float(Graph *graph, Dtype dtype, double value);
Value *const_ints(Graph *graph, int count, const int64_t *values); /* i64 [count] */
void graph_add_input(Graph *graph, Value *value);
void graph_add_output(Graph *graph, Value *value);
void graph_add_gradient(Graph *graph, Value *param, Value *gradient);
void graph_add_update(Graph *graph, Value *state, Value *value);
/* Inserts at the cursor. Outputs are made with no type yet: call infer_node(). Unused outputs may be NULLed later. */
Node *node_create(Graph *graph, const Op *op, int input_count, Value *const *inputs, int output_count);
void node_remove(Graph *graph, Node *node);                      /* its outputs must be unused */
void node_move_before(Graph *graph, Node *node, Node *position); /* NULL: to the end */
/* Everywhere: node inputs, outputs, loss, gradients, updates. */
void replace_value(Graph *graph, Value *old, Value *with);
/* Replacements that a pass makes while it walks the nodes in order. Each reader is rewritten when the walk reaches it,
 * so that a replacement does not cost a walk over the graph. Zero-initialised but for `graph`. */
typedef struct Forwarding {
    Graph *graph;
    Value **with; /* by id; NULL: not replaced */
    int capacity;
} Forwarding;
void forward_value(Forwarding *forwarding, const Value *old, Value *with);
void forward_inputs(const Forwarding *forwarding, Node *node); /* before the walk looks at the node */
void forward_results(const Forwarding *forwarding); /* behind the last node: outputs, loss, gradients, updates */
void forward_all(const Forwarding *forwarding);     /* in a walk of its own */
/* Number of uses by id (node inputs, and each of the graph's own uses); arena-allocated, value_count long. */
int *count_uses(const Graph *graph);
/* Removes every node of whose results nothing is used, and then what only those nodes used. */
void remove_dead_nodes(Graph *graph);
/* The nodes that read each value: users[id] is a NULL-terminated array. */
Node ***collect_users(const Graph *graph);
/* Element strides of an operand: its view's, or dense. */
void operand_strides(const Value *operand, int64_t strides[MAX_RANK]);
/* Does the value's window lie inside its base's buffer, with elements as wide as the base's? True without a base. */
bool view_fits(const Value *value);
bool is_graph_result(const Graph *graph, const Value *value); /* an output, the loss, a gradient or an update */
void mark_graph_results(const Graph *graph, bool *marks);     /* all of them: by value id, false elsewhere */

/* An input that the value is computed from; NULL when none is near. (sources.c) */
const Value *feeding_input(const Graph *graph, const Value *value);

/* Attributes. The getters fall back on the default in the op's row; a missing one without default is internal. */
const Attr *find_attr(const Node *node, const char *name);
bool has_attr(const Node *node, const char *name);
int64_t attr_int(const Node *node, const char *name);
double attr_float(const Node *node, const char *name);
const char *attr_string(const Node *node, const char *name);
int attr_ints(const Node *node, const char *name, const int64_t **values); /* 0 when absent */
void set_int(Graph *graph, Node *node, const char *name, int64_t value);
void set_float(Graph *graph, Node *node, const char *name, double value);
void set_string(Graph *graph, Node *node, const char *name, const char *value);
void set_ints(Graph *graph, Node *node, const char *name, int count, const int64_t *values);
void set_floats(Graph *graph, Node *node, const char *name, int count, const double *values);
void remove_attr(Node *node, const char *name);
void copy_attrs(Graph *graph, Node *to, const Node *from);

/* Input i, NULL when absent or beyond the count. */
Value *input(const Node *node, int i);
/* A float constant of rank 0 is a literal of the expression that reads it, computed in f32 beside operands of 16 bits:
 * rounding it to their dtype would lose eps = 1e-8 and the like. */
bool is_literal(const Value *operand);
/* The contents of a CONST operand as int64 (any integer dtype); false when absent or not constant. */
bool const_operand_ints(Graph *graph, const Node *node, int i, int *count, const int64_t **values);
bool const_operand_float(Graph *graph, const Node *node, int i, double *value); /* a one-element float constant */

/* ---- build.c: making nodes in passes and rows ----------------------------------------------------------------- */

/* One node with one output, inferred; inputs may be NULL where optional. */
Value *build(Graph *graph, const char *op, int input_count, Value *const *inputs);
/* Likewise, returning the node so that attributes can be set before build_finish() infers its types. */
Node *build_begin(Graph *graph, const char *op, int input_count, Value *const *inputs, int output_count);
Value *build_finish(Graph *graph, Node *node); /* outputs[0] */

Value *build_unary(Graph *graph, const char *op, Value *x);
Value *build_binary(Graph *graph, const char *op, Value *x, Value *y);
Value *build_add(Graph *graph, Value *x, Value *y);
Value *build_sub(Graph *graph, Value *x, Value *y);
Value *build_mul(Graph *graph, Value *x, Value *y);
Value *build_div(Graph *graph, Value *x, Value *y);
Value *build_neg(Graph *graph, Value *x);
Value *build_scale(Graph *graph, Value *x, double factor); /* x * factor, in x's dtype; x itself for 1 */
Value *build_where(Graph *graph, Value *condition, Value *x, Value *y);
Value *build_cast(Graph *graph, Value *x, Dtype dtype); /* x itself when it is that dtype already */
Value *build_reshape(Graph *graph, Value *x, int rank, const int64_t *dims);
Value *build_transpose(Graph *graph, Value *x, const int *permutation);
Value *build_expand(Graph *graph, Value *x, int rank, const int64_t *dims);
Value *build_reduce_sum(Graph *graph, Value *x, int axis_count, const int64_t *axes, bool keep_dims);
/* Sums x over the axes that broadcasting `to` added or expanded, so that the result has the dims of `to`. */
Value *build_unbroadcast(Graph *graph, Value *x, const Type *to);
/* x[M,K]·y[K,N] with batch dims; trans_x / trans_y read the last two dims swapped. */
Value *build_matmul(Graph *graph, Value *x, bool trans_x, Value *y, bool trans_y);

/* ---- text/text.c, text/parse.c: the text form ----------------------------------------------------------------- */

/* Tensor contents of at most `inline_elements` are printed; larger ones as `= data`, looked up by name or id in
 * the parser's `lookup` (may be NULL: such a value has no data). */
void graph_print(const Graph *graph, FILE *stream, int64_t inline_elements);
typedef const void *(*DataLookup)(void *context, const char *name, const Type *type);
/* Errors carry `file` and the line; NULL is returned after errors. */
Graph *graph_parse(Arena *arena, Diagnostics *diagnostics, const char *file, const char *text, size_t length,
                   DataLookup lookup, void *context);

/* ---- verify.c --------------------------------------------------------------------------------------------------- */

/* Single assignment, topological order, operand counts and attributes against the rows, inferred types equal to the
 * recorded ones, results alive, views inside their bases. Internal error that names the pass and the node. */
void graph_verify(Graph *graph);

/* ---- ops.c and ops/: the operator table -------------------------------------------------------------------------- */

/* What autocast may do with an operator (reference: docs/precision.md). */
typedef enum PrecisionClass {
    CLASS_LOWER,   /* L: 16-bit operands, f32 accumulation: matmul, convolution, attention */
    CLASS_KEEP,    /* K: f32: softmax, norms, exp, losses, sums, scatter */
    CLASS_PROMOTE, /* P: the widest input's dtype */
    CLASS_FOLLOW,  /* F: the input's dtype */
    CLASS_NONE,    /* no float arithmetic: shapes, comparisons, indices */
} PrecisionClass;

typedef struct Differentiator Differentiator;

/* Integer operands are held in 128 bits: no operation on two of 64 bits overflows, and the result wraps. */
__extension__ typedef __int128 WideInt;

/* What an operand is to its operator where that tells parameters from constants (pass `trainable`). */
typedef enum OperandRole {
    ROLE_DATA,
    ROLE_WEIGHT,    /* what models learn: of products, convolutions, normalizations */
    ROLE_TABLE,     /* and embeddings: rows that are looked up by index */
    ROLE_STATISTIC, /* running mean or variance */
    ROLE_SLOPE,     /* of PRelu: learned, and often one number */
    ROLE_GAIN,      /* a scale that exporters fill with ones where the model has none */
    ROLE_SHIFT,     /* a bias that they fill with zeros where it has none */
    ROLE_EXPONENT,
    ROLE_BOUND,     /* of Clip, Max, Min */
    ROLE_CHOICE,    /* a branch of Where: filled in where a condition says so */
    ROLE_SCATTERED, /* written by indices, or what is written over */
    ROLE_FACTOR,
    ROLE_TERM,
} OperandRole;

typedef enum OpKind {
    OP_KERNEL,      /* one call of a kernel of the target (ir/target/target.h) */
    OP_ELEMENTWISE, /* one expression over broadcast operands: `expression` */
    OP_EXPAND,      /* decomposed into other operators by pass `expand`, before or after differentiation: `expand` */
    OP_VIEW,        /* moves no data when layout can help it: Reshape, Transpose, Slice, Split, Concat, Expand, ... */
    OP_LOOP,        /* one loop over broadcast operands: the node's body. Made by pass `fuse` */
    OP_UPDATE,      /* part of the optimizer's update. Made by pass `apply` */
    OP_STATIC,      /* must be folded at compile time: Shape, Size, ConstantOfShape, Range, ... */
} OpKind;

struct Op {
    const char *name; /* the ONNX name, or pcc's own for gradients and fused kernels */
    /* "X, W:float, B?": ? optional, ! static (a compile-time constant), ... variadic: the last; what is not marked
     * :float, :int (of any width) or :bool takes every dtype that the row's own inference accepts. */
    const char *inputs;
    const char *outputs;    /* "Y, Mean?, InvStdDev?" */
    const char *attributes; /* "axis:int=-1, epsilon:float=1e-5, mode:string=linear, pads:ints, k:int!": ! required */
    OperandRole roles[MAX_ROW_OPERANDS]; /* by operand position; all of a variadic one have the first's */
    unsigned as_stored;                  /* bit i: autocast leaves operand i in the dtype that it is stored in */
    /* By output position: 1 + the index of the state (an input) whose new contents the output is; 0: of none. */
    signed char updates[MAX_ROW_OPERANDS];
    int since;              /* the opset whose meaning this row has; newer ones up to `until` agree */
    int until;              /* 0: the newest known (28) */
    bool internal;          /* pcc's own: not importable from ONNX */
    const char *domain;     /* of the operator, as files name it; NULL: ONNX's default */
    const char *stands_for; /* pcc's own: the ONNX operator by whose name policies and rules know it; NULL: its own */
    bool is_random;         /* never folded, never merged */
    bool rearranges;        /* outputs show operand 0's elements, by shapes alone; some may be left out or repeated */
    bool keeps_order;       /* output 0 has operand 0's elements in the same row-major order, as Reshape's */
    unsigned keeps_range;   /* bit i: output 0 is in 0 ... n where operand i is; implied for views */
    bool normalizes;        /* operand 0; of the others, 1 is a scale, which begins as 1, and the rest begin as 0 */
    PrecisionClass precision;
    OpKind kind;
    /* Older opsets (>= 7) to this row's meaning: attributes into operands and so on, before inference. May return
     * false after error(). NULL: they agree. */
    bool (*upgrade)(Graph *graph, Node *node, int opset);
    /* The axis of output 0 that carries axis `axis` of operand i: position p of the one depends on position p of the
     * other alone, and every p is treated alike. -1: none does, or that is not known. Outputs of the same rank have the
     * same axes. Callers drop an axis whose extent changes, so that rows need not check it. NULL: elementwise rows
     * align from the last axis; of others nothing is known. */
    int (*follow_axis)(const Node *node, int i, int axis);
    /* Instead of it in rows whose outputs have axes of their own: the axis of output `output`. */
    int (*follow_axis_to)(const Node *node, int i, int axis, int output);
    /* Operand i holds indices or classes of 0 ... n - 1: n; else -1. NULL: none does, or it is not known. */
    int64_t (*index_count)(const Node *node, int i);
    /* Sets every present output's type; false after error() with the node's origin. */
    bool (*infer)(Graph *graph, Node *node);
    /* Adds to the cotangents of the inputs (see Differentiator below). NULL: the operator propagates no gradient. */
    void (*gradient)(Differentiator *d, Node *node);
    /* The meaning, in double. Outputs are allocated, with their types. NULL for elementwise rows and expansions. */
    void (*evaluate)(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs);
    /* Builds the replacement at the cursor and stores the values that replace outputs[i]: of every OP_EXPAND node, and
     * of an OP_KERNEL node that the target's kernel does not take. */
    void (*expand)(Graph *graph, Node *node, Value **replacements);
    /* Elements of input 0 that one element of output 0 is the sum of. NULL: it is no sum. */
    int64_t (*summands)(const Node *node);
    /* Floating-point operations of a product; NULL: few beside those. */
    double (*flops)(const Node *node);
    bool expands_once;           /* into large constants, which the graphs of training and evaluation share */
    bool expands_after_gradient; /* the row has a gradient of its own; expanded for code generation only */
    /* OP_ELEMENTWISE: C over operands x, y, z, attributes p0, p1, ... in the order of `attributes`, calls of the
     * functions that ops/shared/expression.h lists; literals in any C form. */
    const char *expression;
    double (*scalar)(const double *operands, int count, const double *attributes); /* the same, compiled */
    const char *expression_int;                                                    /* over integers; NULL: the same */
    WideInt (*scalar_int)(const WideInt *operands, int count, const double *attributes); /* NULL: floats only */
    bool returns_bool; /* comparisons: the output is bool whatever the operands */
    /* OP_VIEW. The window in which output `index` appears, given that of input 0; and the one in which input `index`
     * must be written so that output 0 appears in `out`. False where there is none; NULL: never. */
    bool (*view_forward)(const Node *node, int index, const View *in, View *out);
    bool (*view_backward)(const Node *node, int index, const View *out, View *in);
};

/* Of a product; 0 for everything else, which is small beside them. */
double node_flops(const Node *node);
int op_count(void);
const Op *op_at(int index);                         /* sorted by name */
const Op *find_op(const char *name, size_t length); /* NULL when unknown */
bool infer_node(Graph *graph, Node *node);          /* checks operand counts and attributes, then the row's infer */
/* Evaluates one node on reference tensors (elementwise rows included); outputs allocated here. Expansions are
 * evaluated through their expansion. inputs[i].f == inputs[i].i == NULL: absent. */
void evaluate_node(Graph *graph, const Node *node, const Tensor *inputs, Tensor *outputs);
/* Evaluates every node in order. tensors: by value id; the caller sets those of inputs and target (zeroed elsewhere),
 * and may set others instead of their data. */
void evaluate_graph(Graph *graph, Tensor *tensors);
void evaluate_next(Graph *graph, const Node *node, Tensor *tensors); /* one node of that walk */
/* tensors[value->id], read from the value's data when nothing set it. */
Tensor evaluated_tensor(Graph *graph, Tensor *tensors, const Value *value);
/* p0, p1, ... of an elementwise node: its int and float attributes in the row's order; absent without default: 0. */
int expression_attributes(const Node *node, double *values, int capacity);
bool operand_is_static(const Op *op, int input_index);

/* ---- the differentiator's face to the rows; passes/rewrite/grad.c implements it ---- */

struct Differentiator {
    Graph *graph;
    Value *(*cotangent)(Differentiator *d, const Value *value); /* NULL: no gradient reaches it */
    bool (*wanted)(Differentiator *d, const Value *value);      /* does a parameter need it? */
    /* Adds to value's cotangent; un-broadcasts to its dims and casts to its dtype first. */
    void (*contribute)(Differentiator *d, Value *value, Value *gradient);
    void *state;
};

/* The cotangent of output i, NULL when no gradient reaches it. */
static inline Value *dy_of(Differentiator *d, const Node *node, int i)
{
    return i < node->output_count && node->outputs[i] ? d->cotangent(d, node->outputs[i]) : NULL;
}

static inline bool wants(Differentiator *d, const Node *node, int i)
{
    return input(node, i) && d->wanted(d, input(node, i));
}

static inline void contribute(Differentiator *d, const Node *node, int i, Value *gradient)
{
    d->contribute(d, node->inputs[i], gradient);
}

#endif
