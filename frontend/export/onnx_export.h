/* onnx_export.h: the trained model back in the original's form (export_template.c). */
#ifndef PCC_FRONTEND_ONNX_EXPORT_H
#define PCC_FRONTEND_ONNX_EXPORT_H

#include "frontend/onnx/onnx.h"

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
