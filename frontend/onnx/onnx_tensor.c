/* onnx_tensor.c: the elements of a TensorProto, whichever way they are stored. */
#include <inttypes.h>
#include <string.h>

#include "frontend/onnx/onnx_file.h"
#include "frontend/onnx/wire_scan.h"
#include "ir/narrow.h"

const char *onnx_data_type_name(int data_type)
{
    static const char *const names[] = {"UNDEFINED",      "FLOAT",    "UINT8",        "INT8",           "UINT16",
                                        "INT16",          "INT32",    "INT64",        "STRING",         "BOOL",
                                        "FLOAT16",        "DOUBLE",   "UINT32",       "UINT64",         "COMPLEX64",
                                        "COMPLEX128",     "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2",
                                        "FLOAT8E5M2FNUZ", "UINT4",    "INT4",         "FLOAT4E2M1",     "FLOAT8E8M0",
                                        "UINT2",          "INT2",     "FLOAT6E2M3",   "FLOAT6E3M2"};
    bool known = data_type >= 0 && data_type < (int)(sizeof names / sizeof *names);
    return known ? names[data_type] : "an unknown type";
}

static bool checked_type(OnnxModel *model, Origin origin, const char *name, int data_type, size_t rank,
                         const int64_t *dims, Type *type)
{
    Dtype dtype;
    if (!held_dtype_from_onnx(data_type, &dtype)) {
        return false;
    }
    if (rank > MAX_RANK) {
        fatal(model->diagnostics, EXIT_STATUS_UNSUPPORTED, origin, "tensor '%s' has rank %zu; pcc goes up to %d", name,
              rank, MAX_RANK);
    }
    *type = (Type){.dtype = dtype, .rank = (int)rank};
    for (size_t i = 0; i < rank; i++) {
        type->dims[i] = dims[i];
    }
    if (!type_is_valid(type)) {
        fatal(model->diagnostics, EXIT_STATUS_INPUT, origin,
              "tensor '%s' has dimensions that are negative or too large", name);
    }
    return true;
}

bool tensor_type(OnnxModel *model, Origin origin, const TensorProto *tensor, Type *type)
{
    return checked_type(model, origin, text_or_empty(tensor->name), tensor->data_type, tensor->n_dims, tensor->dims,
                        type);
}

bool sparse_tensor_type(OnnxModel *model, Origin origin, const SparseTensorProto *sparse, Type *type)
{
    return sparse->values && checked_type(model, origin, text_or_empty(sparse->values->name), sparse->values->data_type,
                                          sparse->n_dims, sparse->dims, type);
}

static _Noreturn void wrong_size(OnnxModel *model, Origin origin, const TensorProto *tensor, const Type *type,
                                 size_t found, const char *unit, int64_t wanted)
{
    fatal(model->diagnostics, EXIT_STATUS_INPUT, origin,
          "tensor '%s' has %zu %s of data, but its type %s needs %" PRId64, text_or_empty(tensor->name), found, unit,
          type_text(model->arena, type), wanted);
}

/* Widths that typed fields are narrowed to; int32 and int64 keep the low bytes (two's complement, little-endian). */
static void narrow(const void *wide, size_t wide_bytes, size_t count, size_t bytes, uint8_t *out)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * bytes, (const uint8_t *)wide + i * wide_bytes, bytes);
    }
}

/* The typed field that holds the elements of a data type (onnx.proto, TensorProto). */
static size_t typed_field(const TensorProto *tensor, Dtype dtype, const void **elements, size_t *element_bytes)
{
    switch (dtype) {
    case DTYPE_F32:
        *elements = tensor->float_data;
        *element_bytes = 4;
        return tensor->n_float_data;
    case DTYPE_F64:
        *elements = tensor->double_data;
        *element_bytes = 8;
        return tensor->n_double_data;
    case DTYPE_I64:
        *elements = tensor->int64_data;
        *element_bytes = 8;
        return tensor->n_int64_data;
    case DTYPE_U32:
    case DTYPE_U64:
        *elements = tensor->uint64_data;
        *element_bytes = 8;
        return tensor->n_uint64_data;
    default:
        *elements = tensor->int32_data;
        *element_bytes = 4;
        return tensor->n_int32_data;
    }
}

static void *arena_bytes(Arena *arena, size_t size)
{
    return arena_alloc(arena, size > 64 ? size : 64);
}

/* Bool of any nonzero byte is 1: C reads other bytes as a trap representation. */
static void normalise_bool(const Type *type, uint8_t *bytes)
{
    if (type->dtype == DTYPE_BOOL) {
        for (int64_t i = 0; i < element_count(type); i++) {
            bytes[i] = bytes[i] != 0;
        }
    }
}

static const void *typed_data(OnnxModel *model, Origin origin, const TensorProto *tensor, const Type *type)
{
    const void *elements;
    size_t element_bytes;
    size_t count = typed_field(tensor, type->dtype, &elements, &element_bytes);
    if (count != (size_t)element_count(type)) {
        wrong_size(model, origin, tensor, type, count, "elements", element_count(type));
    }
    uint8_t *bytes = arena_bytes(model->arena, (size_t)type_bytes(type));
    narrow(elements, element_bytes, count, (size_t)dtype_info[type->dtype].bytes, bytes);
    normalise_bool(type, bytes);
    return bytes;
}

static const void *raw_data(OnnxModel *model, Origin origin, const TensorProto *tensor, const Type *type)
{
    const uint8_t *bytes = tensor->raw_data.data;
    size_t size = tensor->raw_data.len;
    if (size == sizeof(WireLocator)) {
        WireLocator locator;
        memcpy(&locator, bytes, sizeof locator);
        bytes = model->file.bytes + locator.offset;
        size = locator.length;
    }
    if (size != (size_t)type_bytes(type)) {
        wrong_size(model, origin, tensor, type, size, "bytes", type_bytes(type));
    }
    return bytes;
}

/* The bytes where they are, when they are aligned for their type; weights then stay in the mapped file. */
static const void *aligned(OnnxModel *model, const Type *type, const uint8_t *bytes)
{
    size_t size = (size_t)type_bytes(type);
    size_t alignment = (size_t)dtype_info[type->dtype].bytes;
    if (size >= 4096 && type->dtype != DTYPE_BOOL && (uintptr_t)bytes % alignment == 0) {
        return bytes;
    }
    uint8_t *copy = arena_bytes(model->arena, size);
    if (size) {
        memcpy(copy, bytes, size);
    }
    normalise_bool(type, copy);
    return copy;
}

/* Elements narrower than pcc holds them: packed bytes, or one byte of them in each int32. */
static const void *narrow_data(OnnxModel *model, Origin origin, const TensorProto *tensor, const Type *type,
                               const NarrowFormat *format)
{
    const Type packed = make_type(DTYPE_U8, 1, &(int64_t){narrow_bytes(format, element_count(type))});
    TensorProto bytes = *tensor;
    bytes.data_type = dtype_info[DTYPE_U8].onnx;
    return narrow_unpack(model->arena, format, element_count(type), tensor_data(model, origin, &bytes, &packed));
}

const void *tensor_data(OnnxModel *model, Origin origin, const TensorProto *tensor, const Type *type)
{
    const NarrowFormat *format = narrow_format(tensor->data_type);
    if (format) {
        return narrow_data(model, origin, tensor, type, format);
    }
    if (tensor->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        return aligned(model, type, external_payload(model->external, origin, tensor, (size_t)type_bytes(type)));
    }
    if (tensor->has_raw_data && (tensor->raw_data.len > 0 || element_count(type) == 0)) {
        return aligned(model, type, raw_data(model, origin, tensor, type));
    }
    return typed_data(model, origin, tensor, type);
}

/* The linear index of the i-th stored element; -1 when it lies outside. */
static int64_t sparse_index(const Type *type, const Type *indices, const int64_t *data, int64_t i)
{
    if (indices->rank == 1) {
        return data[i] >= 0 && data[i] < element_count(type) ? data[i] : -1;
    }
    int64_t linear = 0;
    for (int axis = 0; axis < type->rank; axis++) {
        int64_t coordinate = data[i * type->rank + axis];
        if (coordinate < 0 || coordinate >= type->dims[axis]) {
            return -1;
        }
        linear = linear * type->dims[axis] + coordinate;
    }
    return linear;
}

const void *sparse_tensor_data(OnnxModel *model, Origin origin, const SparseTensorProto *sparse, const Type *type)
{
    Type values, indices = {0};
    const char *name = text_or_empty(sparse->values->name);
    bool typed = tensor_type(model, origin, sparse->values, &values) && sparse->indices &&
                 tensor_type(model, origin, sparse->indices, &indices);
    bool coordinates = typed && indices.rank == 2 && indices.dims[1] == type->rank;
    if (!typed || values.rank != 1 || indices.dtype != DTYPE_I64 || !(indices.rank == 1 || coordinates) ||
        indices.dims[0] != values.dims[0]) {
        fatal(model->diagnostics, EXIT_STATUS_INPUT, origin,
              "sparse tensor '%s' needs values [NNZ] and int64 indices [NNZ] or [NNZ, %d]", name, type->rank);
    }
    const uint8_t *from = tensor_data(model, origin, sparse->values, &values);
    const int64_t *at = tensor_data(model, origin, sparse->indices, &indices);
    size_t width = (size_t)dtype_info[type->dtype].bytes;
    uint8_t *dense = arena_bytes(model->arena, (size_t)type_bytes(type));
    for (int64_t i = 0; i < values.dims[0]; i++) {
        int64_t linear = sparse_index(type, &indices, at, i);
        if (linear < 0) {
            fatal(model->diagnostics, EXIT_STATUS_INPUT, origin, "sparse tensor '%s' has an index out of range", name);
        }
        memcpy(dense + (size_t)linear * width, from + (size_t)i * width, width);
    }
    return dense;
}
