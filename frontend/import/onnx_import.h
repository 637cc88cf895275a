/* onnx_import.h: from an ONNX model to a graph. Sections are named after the files that implement them. */
#ifndef PCC_FRONTEND_ONNX_IMPORT_H
#define PCC_FRONTEND_ONNX_IMPORT_H

#include "frontend/onnx/onnx.h"

/* ---- bind_dims.c: from symbolic to static shapes --------------------------------------------------------------- */

typedef struct DimBinding {
    const char *name; /* a dim_param of the graph's inputs */
    int64_t size;
} DimBinding;

typedef struct ShapeBinding {
    const char *input;
    int rank;
    int64_t dims[MAX_RANK];
} ShapeBinding;

/* --bind: an input that becomes a constant. */
typedef struct InputBinding {
    const char *input;
    const char *values; /* "16000", "true", "1,2,3" */
    int64_t count;      /* of values */
} InputBinding;

/* The contents of an input that are known at import: dense little-endian data that outlive the graph. The elements take
 * the dtype that the model declares. */
typedef struct InputConstant {
    const char *input;
    Type type;
    const void *data;
    bool is_fed; /* it stays an input, and only operands that must be constant read the data */
} InputConstant;

typedef struct ImportOptions {
    /* Size of the first axis of every input where that is symbolic or unknown, and of the symbols batch, batch_size
     * and N; 0: unbound. `dims` comes before it, and `shapes` before both. */
    int64_t batch;
    const DimBinding *dims;
    int dim_count;
    const ShapeBinding *shapes;
    int shape_count;
    const InputBinding *bindings;
    int binding_count;
    const InputConstant *constants; /* bindings come before them */
    int constant_count;
    bool any_input;     /* these are all the inputs there are: a sequence has the items that they name */
    const char *output; /* the value that the loss reads, a graph output or one inside; NULL: the first float output */
    const char *labels; /* an input that is kept though nothing that is needed reads it, or NULL */
    bool any_output;    /* there is no loss: every output may be left out, as long as one can be imported */
    bool widen;         /* every float of the model is f64, so that its constants fold in double (64-true) */
    const char *const *trainable; /* globs: quantised weights that train, less those that `freeze` names */
    const char *const *freeze;
    int trainable_count, freeze_count;
} ImportOptions;

/* "NAME=N", "INPUT=1x3x224x224" (an empty list of dims is a scalar) and "INPUT=VALUE,..."; false when the text is not
 * of that form. */
bool parse_input_binding(Arena *arena, const char *text, InputBinding *binding); /* bind_values.c */
bool parse_dim_binding(Arena *arena, const char *text, DimBinding *binding);
bool parse_shape_binding(Arena *arena, const char *text, ShapeBinding *binding);

/* ---- onnx_import.c: the graph ----------------------------------------------------------------------------------- */

/* Float initializers and Constant nodes of several floats become PARAM, other ones CONST, running statistics of a
 * training BatchNormalization STATE. Nodes are upgraded to the rows' opset, inferred and folded in file order;
 * functions are inlined, If, Loop and Scan of static extent unrolled. *model is set as by onnx_read(). */
Graph *onnx_import(Arena *arena, Diagnostics *diagnostics, const char *path, const ImportOptions *options,
                   OnnxModel **model);

/* onnx_branch.c: the place of a branch ("then_branch", "else_branch") of the If whose first output is `output`, in the
 * graph at `outer`: the key of OnnxModel.branches. */
const char *branch_place(Arena *arena, const char *outer, const char *output, const char *branch);

#endif
