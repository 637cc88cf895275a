/* onnx_file.h: what the files of the reader share, with the import and the export: the loaded model. */
#ifndef PCC_FRONTEND_ONNX_FILE_H
#define PCC_FRONTEND_ONNX_FILE_H

#include "frontend/onnx/external_data.h"
#include "frontend/onnx/file_view.h"
#include "frontend/onnx/name_table.h"
#include "frontend/onnx/onnx.h"
#include "onnx.pb-c.h"

typedef Onnx__AttributeProto AttributeProto;
typedef Onnx__FunctionProto FunctionProto;
typedef Onnx__GraphProto GraphProto;
typedef Onnx__ModelProto ModelProto;
typedef Onnx__NodeProto NodeProto;
typedef Onnx__SparseTensorProto SparseTensorProto;
typedef Onnx__TensorProto TensorProto;
typedef Onnx__ValueInfoProto ValueInfoProto;

typedef struct ProtoPool ProtoPool;

struct OnnxModel {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *path;
    FileView file;
    ProtoPool *pool; /* holds *proto */
    ModelProto *proto;
    ExternalFiles *external;
    NameTable signature_kinds; /* name -> const char */
    NameTable folded_from;     /* name -> const char: a list in Python's form */
    NameTable grids;           /* name -> OnnxGrid: of the quantised weights that the last import made parameters */
    NameTable branches; /* branch_place() -> const char: the prefix of its names, where the last import read it */
    bool has_signature; /* of the whole module: a name that it lacks is no parameter */
};

static inline const char *text_or_empty(const char *text)
{
    return text ? text : "";
}
const char *onnx_data_type_name(int data_type); /* "FLOAT", ...; "an unknown type" */

/* ---- onnx_declared.c: the exporter's metadata ---- */

void index_declarations(OnnxModel *model);

/* ---- onnx_tensor.c: TensorProto to a dense buffer ---------------------------------------------------------------- */

/* Type of the tensor; false when its data type has no Dtype. Dims that are not valid are fatal. */
bool tensor_type(OnnxModel *model, Origin origin, const TensorProto *tensor, Type *type);
/* Its elements: in the file when they are aligned there, else copied to the arena. Fatal when they are not there. */
const void *tensor_data(OnnxModel *model, Origin origin, const TensorProto *tensor, const Type *type);
bool sparse_tensor_type(OnnxModel *model, Origin origin, const SparseTensorProto *sparse, Type *type);
const void *sparse_tensor_data(OnnxModel *model, Origin origin, const SparseTensorProto *sparse, const Type *type);

#endif
