/* onnx_model.h: what the files of the import share: the loaded model and the import in progress. */
#ifndef PCC_FRONTEND_ONNX_MODEL_H
#define PCC_FRONTEND_ONNX_MODEL_H

#include "frontend/import/onnx_import.h"
#include "frontend/onnx/onnx_file.h"

/* "" for NULL and for "ai.onnx". */
const char *normal_domain(const char *domain);

/* ---- the import ------------------------------------------------------------------------------------------------- */

/* The names that a graph or subgraph sees; outer scopes are visible in inner ones. */
typedef struct Scope {
    struct Scope *outer;
    NameTable values; /* name -> Value */
    NameTable needed; /* the names that its results depend on: only what defines these is imported */
    NodeProto *const *nodes;
    size_t node_count;
} Scope;

/* The body that nodes are read from: the model's graph, a subgraph of it, or a function's with opsets and attributes
 * of its own. */
typedef struct Body {
    const struct Body *caller; /* of a function; NULL: the model's graph */
    const FunctionProto *function;
    const NodeProto *call;
    int depth;          /* of function calls and subgraphs */
    int opset;          /* of the default domain; 0: not imported */
    bool repeated;      /* a function's or a loop's, which may be read several times: what it stores does not learn */
    const char *prefix; /* of the names of nodes and values, so that those of two calls differ; "" in the main graph */
    const char *place;  /* in the file: branch_place() of an If's branch, "" of the main graph; unless `repeated` */
} Body;

typedef struct Refusal Refusal; /* onnx_refuse.c */
typedef struct Rebatch Rebatch; /* onnx_batch.c */

typedef struct Import Import;
struct Import {
    Arena *arena;
    Diagnostics *diagnostics;
    OnnxModel *model;
    const ImportOptions *options;
    Graph *graph;
    /* Those nodes that the scope needs: call need_nodes() first. For the bodies that nodes have, in other files than
     * onnx_import.c. */
    void (*import_nodes)(Import *import, const Body *body, Scope *scope, size_t count, NodeProto *const *nodes);
    NameTable latent; /* Constant nodes of one float, and what ConstantOfShape makes of a shape that the file stores:
                       * parameters once a reader shows that they are weights; name -> Value */
    NameTable folded_views;             /* what only moves latent values, folded: name -> FoldedView of onnx_latent.c */
    NameTable stored_integers;          /* initializers and Constant nodes, which may be shapes: name -> Value */
    struct QuantisedWeight **quantised; /* those of them that DequantizeLinear may read (onnx_quantised.c) */
    int quantised_count;
    NameTable quantised_by_name;
    struct MovedIntegers **moved; /* what nodes that only move make of them (onnx_moved.c) */
    int moved_count;
    struct MovedIntegers **moved_by_id; /* by value id: NULL for other values */
    int moved_capacity;
    Value absent; /* an optional formal input of a function that a call leaves out */
    NameTable functions;
    NameTable taken;      /* once one is asked for: the main graph's names, and those that the import has made */
    int name_number;      /* the last that told such a name from a taken one */
    NameTable read;       /* the names that some node of the graph reads, needed or not */
    const char **results; /* the names of the values that the import is for */
    int result_count;
    Rebatch *rebatch;       /* of a file with a fixed batch that is read with another; or NULL */
    int node_budget;        /* nodes that may still be imported: functions and loops multiply */
    int64_t large_elements; /* folded so far, see MAX_LARGE_ELEMENTS */
    Refusal *refusals;
    int refusal_count, refusal_searches;
    const char **operators; /* that pcc has, for did_you_mean(); NULL until one is wanted */
    int operator_count;
};

enum {
    MAX_BODY_DEPTH = 100,
    MAX_FUNCTIONS = 10000,
    MAX_IMPORTED_NODES = 1000000,
    MAX_TENSOR_OPERANDS = 8,
    MAX_LARGE_ELEMENTS = 1 << 28, /* of results above 64 MiB that must fold, in all */
};

/* ---- onnx_scope.c: names ---------------------------------------------------------------------------------------- */

Origin node_origin(Import *import, const Body *body, const NodeProto *node);
/* The value of a name, looked up through the scopes; NULL when it is not defined. */
Value *find_value(const Scope *scope, const char *name);
/* Fatal when the name is visible already: ONNX is in SSA form, without shadowing. */
void define_value(Import *import, Scope *scope, Origin origin, const char *name, Value *value);
/* Input i of a node: NULL when it is absent, fatal when its name is not defined. */
Value *node_input(Import *import, const Scope *scope, Origin origin, const NodeProto *node, size_t i);
/* The name of output i, NULL when it is not used. */
const char *node_output(const NodeProto *node, size_t i);
/* Defines output i of a call, If or loop as a value of its body, which takes the output's name. */
void define_result(Import *import, const Body *body, Scope *scope, const NodeProto *node, size_t i, Value *value);
/* Defines the node's outputs as a value poisoned by the refusals from `first` on, its inputs, and `causes`. */
void poison_outputs(Import *import, const Body *body, Scope *scope, const NodeProto *node, int first, size_t count,
                    Value *const *causes);

/* ---- onnx_taken.c: names that are taken ------------------------------------------------------------------------ */

/* What a graph defines without its subgraphs, "" where an output is left out. */
const char **defined_names(Import *import, const GraphProto *graph, size_t *count);
void take_names(Import *import, size_t count, const char *const *names);
bool is_taken(Import *import, const char *name);           /* the main graph's names are */
const char *free_name(Import *import, const char *wanted); /* or with a number behind it; takes it */

/* ---- onnx_refuse.c: what cannot be imported --------------------------------------------------------------------- */

/* Notes that a node is an operator, or of a form, that pcc does not have. */
void unsupported(Import *import, Origin origin, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Likewise an input or initializer of such a type; returns the poisoned value to define. */
Value *unsupported_type(Import *import, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Errors that may turn out not to matter. */
typedef struct WithheldError {
    Origin origin;
    ExitStatus status;
    const char *text;
} WithheldError;

typedef struct WithheldErrors {
    Arena *arena;
    WithheldError *items;
    int count;
} WithheldErrors;

/* Between the two, error() only notes a refusal. end_attempt() is true when nothing was refused in between. */
typedef struct Attempt {
    WithheldErrors *errors;
    int error_count, first; /* errors and refusals before it */
} Attempt;
Attempt begin_attempt(Import *import);
bool end_attempt(Import *import, const Attempt *attempt);

/* A poisoned value stands for a result that cannot be imported: because of the refusals from `first` on, or because it
 * is computed from those of `causes` that are poisoned (others are ignored, and so is NULL). Nothing that is computed
 * from it may be imported. */
bool is_poisoned(const Value *value);
Value *poison(Import *import, int first, size_t count, Value *const *causes);

/* Errors for all the refusals that these poisoned values depend on: operators that pcc does not have in one list. */
void report_refusals(Import *import, size_t count, Value *const *values);
const char *last_refusal(const Import *import); /* the text of the newest */
/* The first of them in words: "node 'a' (Foo, domain ai.onnx) is not supported". */
const char *refusal_summary(Import *import, Value *poisoned);

/* ---- onnx_standard.c ---- */

bool is_standard_operator(const char *name); /* of ONNX's default domain, in any opset */

/* ---- onnx_needed.c: what need not be imported ------------------------------------------------------------------- */

void need(Import *import, NameTable *needed, const char *name); /* "" and NULL name nothing */
bool is_needed(const NameTable *needed, const char *name);
bool node_is_needed(const NameTable *needed, const NodeProto *node); /* one of its outputs is */
/* All that a node reads, captures of its subgraphs included; and all that the names needed so far depend on, through
 * nodes in topological order. */
void need_operands(Import *import, NameTable *needed, const NodeProto *node);
void need_nodes(Import *import, NameTable *needed, size_t count, NodeProto *const *nodes);

/* ---- onnx_widen.c: ImportOptions.widen; nothing without it ---- */

void widen_type(const Import *import, Type *type);
void widen_tensor(Import *import, Type *type, const void **data);
void widen_attributes(Import *import, Node *node); /* Cast's `to` and its like */

/* ---- onnx_initializers.c ---------------------------------------------------------------------------------------- */

void import_initializers(Import *import, const Body *body, Scope *scope, const GraphProto *graph);

/* ---- onnx_outputs.c: the results of the graph ------------------------------------------------------------------- */

void need_outputs(Import *import, Scope *scope); /* fills import->results and scope->needed */
bool is_cut_input(const Import *import, const NameTable *needed, const char *name); /* only nodes not needed read it */
/* Makes what could be imported outputs of the graph, and leaves out the others with a note, and with them inputs that
 * only they read. Errors that matter end the import. */
void import_outputs(Import *import, const Scope *scope);

/* ---- onnx_attributes.c ------------------------------------------------------------------------------------------ */

/* The node's attribute of that name, or what it refers to in the function call; NULL when absent. */
const AttributeProto *node_attribute(const Body *body, const NodeProto *node, const char *name);
/* Tensor attributes are operands of pcc's rows (ConstantOfShape's `value`). Sets these and returns how many operands
 * the node has at least. */
int tensor_operands(Import *import, const Body *body, Origin origin, const NodeProto *from, const Op *op,
                    Value *operands[MAX_TENSOR_OPERANDS]);
/* The other attributes; false after an error or unsupported(). */
bool import_attributes(Import *import, const Body *body, const NodeProto *from, Node *to);
/* The value of a Constant node; NULL after error() or unsupported(). */
Value *import_constant(Import *import, const Body *body, const NodeProto *node);

/* ---- onnx_fold.c ------------------------------------------------------------------------------------------------ */

bool can_fold(const Node *node);
/* The node's outputs as constants, with their names; the node is removed. */
void fold_node(Import *import, Node *node, Value **constants);
/* The same of a node of the file; false when it does not fold, or its results are too large. */
bool fold_results(Import *import, Node *node, Value **constants);
/* A value just built, as a constant where that is possible. */
Value *fold_value(Import *import, Value *value);
/* The value as a constant, computed from initializers where need be; NULL when data reach it. */
Value *known_constant(Import *import, Value *value);
/* Folds what `node` needs: helpers that an upgrade put between `after` and it, and the values that its static operands
 * are computed from. */
void fold_helpers(Import *import, Node *after, Node *node);
void fold_static_operands(Import *import, Node *node);

/* ---- onnx_functions.c ------------------------------------------------------------------------------------------- */

void index_functions(Import *import);
const FunctionProto *find_function(Import *import, const NodeProto *node);
void inline_function(Import *import, const Body *body, Scope *scope, const NodeProto *node,
                     const FunctionProto *function);
/* The highest version of the default domain; 0 when it is not imported. Fatal when pcc does not know that version. */
int default_opset(Import *import, size_t count, Onnx__OperatorSetIdProto *const *opsets);

/* ---- onnx_stand_in.c: values that are none of the graph's ------------------------------------------------------- */

Value *sequence_create(Import *import, int count, Value *const *items);
Value *nothing_create(Import *import); /* an optional without contents */
bool is_sequence(const Value *value);
bool is_nothing(const Value *value);
bool is_tensor(const Value *value); /* neither of these */
int sequence_items(Value *value, Value ***items);

/* ---- onnx_control.c --------------------------------------------------------------------------------------------- */

/* If, Loop and Scan, FlexAttention, sequences and optionals; false when the node is none of them. */
bool import_control(Import *import, const Body *body, Scope *scope, const NodeProto *node);

/* The N that a file's fixed batch of 1 is to be read as; 0: as it stands. */
int64_t wanted_batch(const OnnxModel *model, const ImportOptions *options);
/* The options of an import of the file with its own batch. */
ImportOptions file_batch_options(Arena *arena, const ImportOptions *options);

/* ---- onnx_batch.c: a fixed batch read as another; nothing without import->rebatch ------------------------------- */

Rebatch *rebatch_create(Arena *arena, int64_t batch); /* for an import with the file's batch, which it records */
void rebatch_begin(Rebatch *rebatch);                 /* what follows is the import with `batch` */
int64_t rebatch_size(const Rebatch *rebatch);         /* N in that one; 0 before, or without */
void rebatch_input(Import *import, const Value *value);
/* Before a node's types are inferred, and when its results are there. Fatal when samples might mix. */
void rebatch_operands(Import *import, const Body *body, const NodeProto *from, Node *node);
void rebatch_results(Import *import, const Body *body, const NodeProto *from, const Node *node, Value *const *results);
void rebatch_shared(Import *import,
                    const Value *value); /* computed from stored tensors alone, by no node of the file */
void rebatch_output(Import *import, const char *name, const Value *value);
_Noreturn void rebatch_refuse(Import *import, Origin origin, const char *why);
bool rebatch_knew(Import *import, const Body *body, const NodeProto *from); /* the recorded import had its results */

/* ---- bind_values.c ---- */

/* The values of a binding as data of that type; one value fills it. Fatal when they do not fit. */
const void *bound_data(const Import *import, const InputBinding *binding, const Type *type);

/* ---- bind_dims.c, onnx_latent.c, onnx_quantised.c, onnx_moved.c, onnx_packed.c, onnx_states.c ------------------- */

/* Defines the graph's inputs that are no initializers. */
void bind_inputs(Import *import, Scope *scope);

/* Makes latent floats parameters where the node reads a weight or a statistic. */
void mark_weights(Import *import, Node *node);
/* Notes what the node has folded to as latent when it is a ConstantOfShape that stands for a stored tensor. */
void note_filling(Import *import, const Body *body, const Node *node, Value *result);
/* Notes what the node has folded to when it moves a latent value: a weight's place may read it. */
void note_folded_view(Import *import, const Body *body, const Node *node, Value *result);
/* Makes the latent floats parameters that a weight's place reads through such nodes, which come back. After all nodes.
 */
void unfold_weights(Import *import);

/* Notes the node as a reader of stored integers that are no quantised weights to it. */
void note_integer_readers(Import *import, const Node *node);
/* Notes what the node has made of stored integers that it only moves. */
void note_moved_integers(Import *import, const Node *node, Value *result);
/* Where the node dequantises stored integers that --trainable names, they become a parameter; false after error(). */
bool train_integers(Import *import, Node *node);
/* Does it dequantise such integers where they are moved or packed, so that the node must stay for finish_integers()? */
bool reads_trained_integers(Import *import, const Node *node);
/* Fatal where such integers have another reader; graph->quantised. After all nodes and outputs. */
void finish_integers(Import *import);

/* graph->declared: what the file calls the axes of inputs, outputs and the value that --output names. */
void declare_axes(Import *import, const GraphProto *graph);

/* Makes the running statistics of a BatchNormalization in training mode states. */
void mark_states(Import *import, Node *node);
/* Exporters store tensors of equal contents once: a statistic that is also a fresh scale or bias becomes a tensor of
 * its own. After all nodes. */
void separate_statistics(Import *import);

#endif
