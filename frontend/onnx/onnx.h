/* onnx.h: ONNX models in (import) and back out (export template). The writer of new models is onnx_write.h.
 *
 * Wrong input never gets past the diagnostics: errors are reported with the file, the node and what to do, and the
 * compile leaves through d->recover. Sections are named after the files that implement them. */
#ifndef PCC_FRONTEND_ONNX_H
#define PCC_FRONTEND_ONNX_H

#include "ir/ir.h"

typedef struct OnnxModel OnnxModel;

enum {
    ONNX_MIN_OPSET = 7,
    ONNX_MAX_OPSET = 28,
    ONNX_MAX_IR_VERSION = 14,
};

/* ---- onnx_read.c: the file ----------------------------------------------------------------------------------- */

/* Maps the model and unpacks it; *model is set as soon as there is something to close, even when the call leaves
 * through the diagnostics. Tensor data lie in the mapped file: close the model after their last use. */
void onnx_read(Arena *arena, Diagnostics *diagnostics, const char *path, OnnxModel **model);
void onnx_close(OnnxModel *model); /* NULL is fine */

/* Reads one serialized TensorProto (the .pb files of ONNX test suites) into the arena. */
void onnx_read_tensor(Arena *arena, Diagnostics *diagnostics, const char *path, Type *type, const void **data,
                      const char **name);

/* Paths of the external data files that were read, as far as the import has come: for depfiles. */
int onnx_external_files(const OnnxModel *model, const char *const **paths);

/* ---- onnx_declared.c: what the exporter says in metadata ----------------------------------------------------- */

/* What PyTorch's dynamo exporter says of a value in metadata (InputSpec.kind): "PARAMETER", "BUFFER",
 * "CONSTANT_TENSOR", "USER_INPUT", ...; NULL when it says nothing. */
const char *onnx_signature_kind(const OnnxModel *model, const char *name);
bool onnx_has_signature(const OnnxModel *model); /* of any value */

/* Where the exporter says that it computed a tensor from others: is a parameter among them? That is *source. */
typedef enum OnnxFolding { ONNX_NOT_FOLDED, ONNX_FOLDED_PARAMETER, ONNX_FOLDED_CONSTANT } OnnxFolding;
OnnxFolding onnx_folding(OnnxModel *model, const char *name, const char **source);

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

/* ---- export_template.c: the way back ----------------------------------------------------------------------------- */

/* A tensor of the emitted program that replaces an initializer of the model. */
typedef struct OnnxTrained {
    const char *name;
    int kind;      /* 0: a parameter, 1: a state */
    int64_t index; /* among the program's parameters or states */
    Type type;     /* only its dims are used: the file's element type stays */
} OnnxTrained;

/* A value whose dims are no longer those that the file declares (--head). */
typedef struct OnnxReshaped {
    const char *name;
    Type from, to; /* of one rank */
} OnnxReshaped;

typedef struct OnnxGridEntry {
    double scale, zero;
} OnnxGridEntry;

/* Where the numbers of a quantised weight lie: scale · (integer - zero). One entry for all has extent 1; else an axis
 * of `extent` positions, each of `inner` elements, has one for each position (block 0), or the rows along it, which
 * every element of a position has of its own, have one for each `block` positions. */
typedef struct OnnxGrid {
    int64_t extent, inner, block;
    int64_t
        packed_type; /* data type of integers that the file packs in bytes, whose dims it keeps; 0: as the file says */
    int64_t entry_count;
    OnnxGridEntry *entries; /* pairs of f64, as pcc.export.steps has them */
} OnnxGrid;

/* Where a payload goes: before the template's byte `offset`. In this layout for pcc.export.splices (i64 [n, 4]). */
typedef struct OnnxSplice {
    int64_t offset;
    int64_t kind, index; /* OnnxTrained's, or 2 and a row of `grids` */
    int64_t data_type; /* TensorProto.DataType of the payload: FLOAT 1, FLOAT16 10, DOUBLE 11, BFLOAT16 16; integers on
                        * a grid: 8, 16 or 32 bits, UINT4 21, INT4 22, UINT2 25, INT2 26 */
} OnnxSplice;

/* A parameter that goes back to its grid, whose entries begin at `first`: a row of pcc.export.grids (i64 [n, 5]). */
typedef struct OnnxGridRow {
    int64_t param, first, extent, inner, block;
} OnnxGridRow;

typedef struct OnnxTemplate {
    uint8_t *bytes; /* the ModelProto less the payloads */
    size_t size;
    OnnxSplice *splices; /* by ascending offset */
    int splice_count;
    OnnxGridRow *grids;
    int grid_count;
    OnnxGridEntry *entries; /* of all grids: pcc.export.steps (f64 [n, 2]) */
    int64_t entry_count;
} OnnxTemplate;

/* Everything but the trained tensors' data and the declared dims of reshaped values is copied from the file byte for
 * byte, fields that pcc does not know included; typed, external and sparse initializers become raw ones. Entries that
 * the file does not have are left out. False, after a warning, for a model that would pass protobuf's 2 GiB. Free the
 * template with onnx_template_free(). */
bool onnx_export_template(const OnnxModel *model, Arena *arena, int trained_count, const OnnxTrained *trained,
                          int reshaped_count, const OnnxReshaped *reshaped, OnnxTemplate *result);
void onnx_template_free(OnnxTemplate *result);

#endif
