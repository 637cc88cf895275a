/* export_piece.h: what the files of the export template share: messages in pieces, and the tensors in them. */
#ifndef PCC_FRONTEND_EXPORT_PIECE_H
#define PCC_FRONTEND_EXPORT_PIECE_H

#include "frontend/export/onnx_export.h"
#include "frontend/onnx/onnx_file.h"
#include "frontend/onnx/wire.h"

/* Field numbers of the public IR format that are rewritten (onnx.proto). */
enum {
    MODEL_GRAPH = 7,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_VALUE_INFO = 13,
    GRAPH_SPARSE_INITIALIZER = 15,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_OP_TYPE = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_TENSOR = 5,
    ATTRIBUTE_GRAPH = 6,
    ATTRIBUTE_FLOATS = 7,
    ATTRIBUTE_TYPE = 20,
    ATTRIBUTE_SPARSE_TENSOR = 22,
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_TYPE_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1,
    SPARSE_VALUES = 1,
    TENSOR_DIMS = 1,
    TENSOR_DATA_TYPE = 2,
    TENSOR_FLOAT_DATA = 4,
    TENSOR_INT32_DATA = 5,
    TENSOR_STRING_DATA = 6,
    TENSOR_INT64_DATA = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA = 9,
    TENSOR_DOUBLE_DATA = 10,
    TENSOR_UINT64_DATA = 11,
    TENSOR_EXTERNAL_DATA = 13,
    TENSOR_DATA_LOCATION = 14,
};

/* A message less its payloads; splice offsets count from its start. */
typedef struct Piece {
    WireBuffer bytes;
    OnnxSplice *splices;
    int splice_count, splice_capacity;
    uint64_t payload_bytes; /* of all its splices */
} Piece;

typedef struct Exporter {
    Arena *arena;
    Diagnostics *diagnostics;
    const OnnxModel *model;
    const char *place;      /* of the graph being copied: branch_place(), "" of the main graph */
    const char *prefix;     /* of the names in it, as the import gives them to branches */
    bool trained_branches;  /* some trained name has a prefix */
    NameTable trained;      /* name -> const OnnxTrained */
    NameTable reshaped;     /* name -> const OnnxReshaped */
    const NameTable *grids; /* name -> const OnnxGrid */
    NameTable grid_rows;    /* name -> OnnxGridRow of result->grids, once it is there */
    OnnxTemplate *result;   /* has room for the grids of all that is trained */
} Exporter;

typedef struct TensorHead {
    const OnnxTrained *trained; /* NULL: the tensor stays as it is */
    int64_t data_type;
    uint64_t raw_bytes; /* of raw_data; 0 when the data are elsewhere */
    Type type;          /* the file's dims */
} TensorHead;

/* ---- export_tensor.c ---- */

/* Appends `inner` as a field and frees its bytes. */
void add_message(Exporter *exporter, Piece *piece, uint32_t number, Piece *inner);
/* The file passed the scan, so its fields are well formed. */
bool next_field(const uint8_t **cursor, const uint8_t *end, WireField *field);
const char *field_text(const Exporter *exporter, const WireField *field);
/* What is trained of that name in the graph being copied, or NULL. */
const OnnxTrained *find_trained(const Exporter *exporter, const char *name);
TensorHead read_head(Exporter *exporter, const WireField *tensor);
void add_dims(Piece *piece, const Type *type);
void add_payload(Exporter *exporter, Piece *piece, const TensorHead *head);
/* The tensor without its data; raw data keep their place among the fields. Dims that --head changed are rewritten. */
void copy_tensor(Exporter *exporter, const WireField *tensor, const TensorHead *head, const Type *dims, Piece *piece);
/* A sparse tensor's values as a dense one, when they are trained: their name, with the dims of the whole. `trained`
 * says so of an attribute, the name (NULL) of an initializer. */
bool copy_sparse(Exporter *exporter, const WireField *sparse, const OnnxTrained *trained, Piece *piece);

#endif
