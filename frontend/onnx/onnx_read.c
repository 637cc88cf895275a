/* onnx_read.c: from a file to a checked ModelProto. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/onnx/onnx_file.h"
#include "frontend/onnx/wire_scan.h"

/* Real exports have some 50 messages a node; 20,000 nodes are a large language model. */
static const WireLimits limits = {.depth = WIRE_MAX_DEPTH, .messages = 2000000, .fields = 16000000};

/* ---- protobuf-c's memory: a pool with a cap, released as a whole --------------------------------------------- */

typedef struct PoolBlock {
    struct PoolBlock *next;
    size_t used, size;
    _Alignas(16) uint8_t bytes[];
} PoolBlock;

struct ProtoPool {
    ProtobufCAllocator allocator;
    PoolBlock *blocks;
    size_t left; /* bytes that may still be taken from the system */
};

static void *pool_alloc(void *context, size_t size)
{
    ProtoPool *pool = context;
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded < size) {
        return NULL;
    }
    if (!pool->blocks || rounded > pool->blocks->size - pool->blocks->used) {
        size_t block_size = rounded > (size_t)1 << 18 ? rounded : (size_t)1 << 18;
        PoolBlock *block = block_size > pool->left ? NULL : malloc(sizeof *block + block_size);
        if (!block) {
            return NULL;
        }
        pool->left -= block_size;
        *block = (PoolBlock){.next = pool->blocks, .size = block_size};
        pool->blocks = block;
    }
    void *result = pool->blocks->bytes + pool->blocks->used;
    pool->blocks->used += rounded;
    return result;
}

static void pool_free(void *context, void *pointer)
{
    (void)context;
    (void)pointer;
}

static ProtoPool *pool_create(Arena *arena, size_t capacity)
{
    ProtoPool *pool = NEW(arena, ProtoPool);
    *pool = (ProtoPool){.left = capacity};
    pool->allocator = (ProtobufCAllocator){pool_alloc, pool_free, pool};
    return pool;
}

static void pool_destroy(ProtoPool *pool)
{
    while (pool->blocks) {
        PoolBlock *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static OnnxModel *model_create(Arena *arena, Diagnostics *diagnostics, const char *path)
{
    OnnxModel *model = NEW(arena, OnnxModel);
    *model = (OnnxModel){.arena = arena, .diagnostics = diagnostics};
    model->path = arena_strndup(arena, path, strlen(path));
    if (!diagnostics->file) {
        diagnostics->file = model->path;
    }
    model->external = external_files_create(arena, diagnostics, path);
    return model;
}

static void open_file(OnnxModel *model)
{
    int descriptor = open(model->path, O_RDONLY | O_CLOEXEC);
    int failure = descriptor < 0 ? errno : file_view_open(descriptor, &model->file);
    if (descriptor >= 0) {
        close(descriptor);
    }
    if (failure) {
        fatal(model->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "cannot read '%s': %s", model->path, strerror(failure));
    }
    if (model->file.size == 0) {
        fatal(model->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "the file is empty");
    }
}

/* Scans and unpacks the file as `root`. */
static ProtobufCMessage *unpack(OnnxModel *model, const ProtobufCMessageDescriptor *root)
{
    const ProtobufCFieldDescriptor *payload =
        protobuf_c_message_descriptor_get_field_by_name(&onnx__tensor_proto__descriptor, "raw_data");
    WireBuffer skeleton = {0};
    WireError error = {0};
    if (!wire_scan(model->file.bytes, model->file.size, root, payload, &limits, &skeleton, &error)) {
        wire_free(&skeleton);
        fatal(model->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "this is not a whole ONNX file: at byte %zu %s; export or download it again", error.offset, error.what);
    }
    /* Typed data take up to eight times their packed size: a one-byte varint is an int64. */
    model->pool = pool_create(model->arena, ((size_t)256 << 20) + 8 * skeleton.size);
    ProtobufCMessage *message = protobuf_c_message_unpack(root, &model->pool->allocator, skeleton.size, skeleton.bytes);
    wire_free(&skeleton);
    if (!message) {
        fatal(model->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "this is not an ONNX file: its fields do not have the types of ONNX's (or need too much memory)");
    }
    return message;
}

static void check_version(OnnxModel *model)
{
    const ModelProto *proto = model->proto;
    if (!proto->graph) {
        fatal(model->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "this is not an ONNX model: it has no graph");
    }
    if (!proto->has_ir_version || proto->ir_version < 1 || proto->ir_version > ONNX_MAX_IR_VERSION) {
        fatal(model->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "the model has IR version %" PRId64 "; pcc reads versions 1 to %d", proto->ir_version,
              ONNX_MAX_IR_VERSION);
    }
}

void onnx_read(Arena *arena, Diagnostics *diagnostics, const char *path, OnnxModel **result)
{
    OnnxModel *model = *result = model_create(arena, diagnostics, path);
    open_file(model);
    model->proto = (ModelProto *)unpack(model, &onnx__model_proto__descriptor);
    check_version(model);
    index_declarations(model);
}

void onnx_close(OnnxModel *model)
{
    if (!model) {
        return;
    }
    if (model->pool) {
        pool_destroy(model->pool);
    }
    external_files_close(model->external);
    file_view_close(&model->file);
    model->proto = NULL;
}

int onnx_external_files(const OnnxModel *model, const char *const **paths)
{
    return external_files_list(model->external, paths);
}

void onnx_read_tensor(Arena *arena, Diagnostics *diagnostics, const char *path, Type *type, const void **data,
                      const char **name)
{
    OnnxModel *model = model_create(arena, diagnostics, path);
    open_file(model);
    const TensorProto *tensor = (const TensorProto *)unpack(model, &onnx__tensor_proto__descriptor);
    if (!tensor_type(model, NO_ORIGIN, tensor, type)) {
        fatal(diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN, "the tensor has the data type %s",
              onnx_data_type_name(tensor->data_type));
    }
    const void *bytes = tensor_data(model, NO_ORIGIN, tensor, type);
    size_t size = (size_t)type_bytes(type);
    void *copy = arena_alloc(arena, size ? size : 1);
    memcpy(copy, bytes, size);
    *data = copy;
    *name = arena_strndup(arena, text_or_empty(tensor->name), strlen(text_or_empty(tensor->name)));
    onnx_close(model);
}
