/* onnx.h: the files of ONNX models, read. What becomes of them is in frontend/import/onnx_import.h, the way back in
 * frontend/export/onnx_export.h; the writer of new models is onnx_write.h.
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

/* ---- quantised weights, which the import finds and the export writes ------------------------------------------ */

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

#endif
