/* onnx_write.c: see onnx_write.h. Field numbers are those of the public onnx.proto. */
#include "frontend/onnx/onnx_write.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "frontend/onnx/onnx.h"
#include "onnx.pb-c.h"
#include "frontend/files/output_file.h"
#include "frontend/onnx/wire.h"

enum {
    WRITTEN_IR_VERSION = 8,      /* what opsets up to 20 came with; runtimes refuse newer ones needlessly */
    FILL_BYTES = 1 << 20,        /* of an initializer at a time */
    EXTERNAL_ALIGNMENT = 1 << 12 /* of tensors in the data file, so that they can be mapped */
};

typedef struct Initializer {
    const char *name;
    Type type;
    OnnxFill fill;
    void *context;
    struct Initializer *next;
} Initializer;

struct OnnxWriter {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *graph_name;
    int opset;
    WireBuffer nodes, inputs, outputs, metadata; /* fields of GraphProto, and of ModelProto */
    WireBuffer node;                             /* the last one, still taking attributes */
    Initializer *first, **last;
    void *elements; /* FILL_BYTES of the initializer being written */
};

static const char *copy(OnnxWriter *writer, const char *text)
{
    return arena_strndup(writer->arena, text, strlen(text));
}

OnnxWriter *onnx_writer_create(Arena *arena, Diagnostics *diagnostics, const char *graph_name, int opset)
{
    OnnxWriter *writer = NEW(arena, OnnxWriter);
    *writer = (OnnxWriter){.arena = arena, .diagnostics = diagnostics, .opset = opset};
    writer->elements = arena_alloc(arena, FILL_BYTES);
    writer->graph_name = copy(writer, graph_name);
    writer->last = &writer->first;
    writer->nodes.arena = writer->inputs.arena = writer->outputs.arena = arena;
    writer->metadata.arena = writer->node.arena = arena;
    return writer;
}

/* ---- values and initializers ------------------------------------------------------------------------------------ */

/* ValueInfoProto{name 1, type 2: TypeProto{tensor_type 1: {elem_type 1, shape 2: {dim 1: {dim_value 1, dim_param 2}}}}}
 */
static void add_value_info(WireBuffer *list, uint32_t number, const char *name, Dtype dtype, int rank,
                           const int64_t *dims, const char *const *symbols)
{
    Arena *arena = list->arena;
    WireBuffer shape = {.arena = arena}, tensor = {.arena = arena}, type = {.arena = arena}, info = {.arena = arena};
    for (int i = 0; i < rank; i++) {
        WireBuffer dim = {.arena = arena};
        if (symbols && symbols[i]) {
            wire_string(&dim, 2, symbols[i]);
        } else {
            wire_int(&dim, 1, dims[i]);
        }
        wire_message(&shape, 1, &dim);
    }
    wire_int(&tensor, 1, dtype_info[dtype].onnx);
    wire_message(&tensor, 2, &shape);
    wire_message(&type, 1, &tensor);
    wire_string(&info, 1, name);
    wire_message(&info, 2, &type);
    wire_message(list, number, &info);
}

void onnx_writer_input(OnnxWriter *writer, const char *name, Dtype dtype, int rank, const int64_t *dims,
                       const char *const *symbols)
{
    add_value_info(&writer->inputs, 11, name, dtype, rank, dims, symbols);
}

void onnx_writer_output(OnnxWriter *writer, const char *name, Dtype dtype, int rank, const int64_t *dims,
                        const char *const *symbols)
{
    add_value_info(&writer->outputs, 12, name, dtype, rank, dims, symbols);
}

void onnx_writer_initializer(OnnxWriter *writer, const char *name, Dtype dtype, int rank, const int64_t *dims,
                             OnnxFill fill, void *context)
{
    Initializer *initializer = NEW(writer->arena, Initializer);
    *initializer = (Initializer){copy(writer, name), make_type(dtype, rank, dims), fill, context, NULL};
    *writer->last = initializer;
    writer->last = &initializer->next;
}

/* A tensor that is in memory. */
typedef struct Contents {
    const uint8_t *bytes;
    size_t width; /* of an element */
} Contents;

static void fill_contents(void *context, int64_t first, int64_t count, void *elements)
{
    const Contents *contents = context;
    memcpy(elements, contents->bytes + (size_t)first * contents->width, (size_t)count * contents->width);
}

void onnx_writer_constant(OnnxWriter *writer, const char *name, Dtype dtype, int rank, const int64_t *dims,
                          const void *elements)
{
    Type type = make_type(dtype, rank, dims);
    size_t size = (size_t)type_bytes(&type);
    uint8_t *bytes = arena_alloc(writer->arena, size + 1);
    memcpy(bytes, elements, size);
    Contents *contents = NEW(writer->arena, Contents);
    *contents = (Contents){bytes, (size_t)dtype_info[dtype].bytes};
    onnx_writer_initializer(writer, name, dtype, rank, dims, fill_contents, contents);
}

/* ---- nodes ------------------------------------------------------------------------------------------------------ */

static void finish_node(OnnxWriter *writer)
{
    if (writer->node.size) {
        wire_message(&writer->nodes, 1, &writer->node);
        writer->node.size = 0;
    }
}

void onnx_writer_node(OnnxWriter *writer, const char *op, const char *name, int input_count, const char *const *inputs,
                      int output_count, const char *const *outputs)
{
    finish_node(writer);
    for (int i = 0; i < input_count; i++) {
        wire_string(&writer->node, 1, inputs[i]);
    }
    for (int i = 0; i < output_count; i++) {
        wire_string(&writer->node, 2, outputs[i]);
    }
    wire_string(&writer->node, 3, name);
    wire_string(&writer->node, 4, op);
}

#define ATTRIBUTE_TYPE(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name

/* AttributeProto{name 1, f 2, i 3, s 4, ints 8, type 20}: `value` holds the fields between. */
static void add_attribute(OnnxWriter *writer, const char *name, const WireBuffer *value, int type)
{
    WireBuffer attribute = {.arena = writer->arena};
    wire_string(&attribute, 1, name);
    wire_append(&attribute, value->bytes, value->size);
    wire_int(&attribute, 20, type);
    wire_message(&writer->node, 5, &attribute);
}

void onnx_writer_attr_int(OnnxWriter *writer, const char *name, int64_t value)
{
    WireBuffer field = {.arena = writer->arena};
    wire_int(&field, 3, value);
    add_attribute(writer, name, &field, ATTRIBUTE_TYPE(INT));
}

void onnx_writer_attr_ints(OnnxWriter *writer, const char *name, int count, const int64_t *values)
{
    WireBuffer fields = {.arena = writer->arena};
    for (int i = 0; i < count; i++) {
        wire_int(&fields, 8, values[i]);
    }
    add_attribute(writer, name, &fields, ATTRIBUTE_TYPE(INTS));
}

void onnx_writer_attr_float(OnnxWriter *writer, const char *name, float value)
{
    WireBuffer field = {.arena = writer->arena};
    wire_float(&field, 2, value);
    add_attribute(writer, name, &field, ATTRIBUTE_TYPE(FLOAT));
}

void onnx_writer_attr_string(OnnxWriter *writer, const char *name, const char *value)
{
    WireBuffer field = {.arena = writer->arena};
    wire_string(&field, 4, value);
    add_attribute(writer, name, &field, ATTRIBUTE_TYPE(STRING));
}

/* StringStringEntryProto{key 1, value 2} */
static void add_entry(WireBuffer *list, uint32_t number, const char *key, const char *value)
{
    WireBuffer entry = {.arena = list->arena};
    wire_string(&entry, 1, key);
    wire_string(&entry, 2, value);
    wire_message(list, number, &entry);
}

void onnx_writer_metadata(OnnxWriter *writer, const char *key, const char *value)
{
    add_entry(&writer->metadata, 14, key, value);
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static uint64_t payload_bytes(const Initializer *initializer)
{
    return (uint64_t)type_bytes(&initializer->type);
}

/* TensorProto{dims 1, data_type 2, name 8, raw_data 9}, ending where the payload begins. */
static void tensor_head(const Initializer *initializer, WireBuffer *head)
{
    for (int i = 0; i < initializer->type.rank; i++) {
        wire_int(head, 1, initializer->type.dims[i]);
    }
    wire_int(head, 2, dtype_info[initializer->type.dtype].onnx);
    wire_string(head, 8, initializer->name);
}

static void inline_head(const Initializer *initializer, WireBuffer *field)
{
    WireBuffer head = {.arena = field->arena};
    tensor_head(initializer, &head);
    wire_tag(&head, 9, WIRE_LENGTH);
    wire_varint(&head, payload_bytes(initializer));
    wire_tag(field, 5, WIRE_LENGTH);
    wire_varint(field, head.size + payload_bytes(initializer));
    wire_append(field, head.bytes, head.size);
}

static uint64_t aligned_offset(uint64_t offset)
{
    return (offset + EXTERNAL_ALIGNMENT - 1) / EXTERNAL_ALIGNMENT * EXTERNAL_ALIGNMENT;
}

/* TensorProto with external_data 13 and data_location 14 = EXTERNAL. */
static void external_head(OnnxWriter *writer, const Initializer *initializer, const char *location, uint64_t offset,
                          WireBuffer *field)
{
    WireBuffer tensor = {.arena = writer->arena};
    tensor_head(initializer, &tensor);
    add_entry(&tensor, 13, "location", location);
    add_entry(&tensor, 13, "offset", arena_printf(writer->arena, "%" PRIu64, offset));
    add_entry(&tensor, 13, "length", arena_printf(writer->arena, "%" PRIu64, payload_bytes(initializer)));
    wire_int(&tensor, 14, ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL);
    wire_message(field, 5, &tensor);
}

static void write_payload(OnnxWriter *writer, OutputFile *file, const Initializer *initializer)
{
    int64_t width = dtype_info[initializer->type.dtype].bytes, total = element_count(&initializer->type);
    int64_t most = FILL_BYTES / width;
    void *elements = writer->elements;
    for (int64_t first = 0; first < total; first += most) {
        int64_t count = total - first < most ? total - first : most;
        initializer->fill(initializer->context, first, count, elements);
        output_file_write(file, elements, (size_t)(count * width));
    }
}

/* The fields of ModelProto before the graph: ir_version 1, producer_name 2, opset_import 8. */
static void model_head(const OnnxWriter *writer, WireBuffer *head)
{
    WireBuffer opset = {.arena = writer->arena};
    wire_int(head, 1, writer->opset > 20 ? ONNX_MAX_IR_VERSION : WRITTEN_IR_VERSION);
    wire_string(head, 2, "pcc");
    wire_string(&opset, 1, "");
    wire_int(&opset, 2, writer->opset);
    wire_message(head, 8, &opset);
}

/* Writes the data file and returns the graph's initializer fields that point into it. */
static WireBuffer write_external(OnnxWriter *writer, const char *path)
{
    const char *data_path = arena_printf(writer->arena, "%s.data", path);
    const char *slash = strrchr(data_path, '/');
    OutputFile *file = output_file_create(writer->arena, writer->diagnostics, data_path);
    WireBuffer fields = {.arena = writer->arena};
    uint64_t offset = 0;
    for (const Initializer *i = writer->first; i; i = i->next) {
        static const uint8_t zeros[EXTERNAL_ALIGNMENT];
        uint64_t start = aligned_offset(offset);
        output_file_write(file, zeros, (size_t)(start - offset));
        write_payload(writer, file, i);
        external_head(writer, i, slash ? slash + 1 : data_path, start, &fields);
        offset = start + payload_bytes(i);
    }
    output_file_commit(file);
    return fields;
}

/* Tag and length of the graph come last in `head`; then the pieces in field order of their first appearance. */
static void write_model(OnnxWriter *writer, const char *path, const WireBuffer *tensors, uint64_t inline_bytes)
{
    WireBuffer head = {.arena = writer->arena}, name = {.arena = writer->arena};
    wire_string(&name, 2, writer->graph_name);
    model_head(writer, &head);
    wire_tag(&head, 7, WIRE_LENGTH);
    wire_varint(&head, writer->nodes.size + name.size + tensors->size + inline_bytes + writer->inputs.size +
                           writer->outputs.size);
    const WireBuffer *pieces[] = {
        &head, &writer->nodes, &name, tensors, &writer->inputs, &writer->outputs, &writer->metadata};
    OutputFile *file = output_file_create(writer->arena, writer->diagnostics, path);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        if (pieces[i] != tensors || inline_bytes == 0) {
            output_file_write(file, pieces[i]->bytes, pieces[i]->size);
            continue;
        }
        for (const Initializer *initializer = writer->first; initializer; initializer = initializer->next) {
            WireBuffer field = {.arena = writer->arena};
            inline_head(initializer, &field);
            output_file_write(file, field.bytes, field.size);
            write_payload(writer, file, initializer);
        }
    }
    output_file_commit(file);
}

void onnx_writer_save(OnnxWriter *writer, const char *path)
{
    finish_node(writer);
    WireBuffer heads = {.arena = writer->arena};
    uint64_t payloads = 0;
    for (const Initializer *i = writer->first; i; i = i->next) {
        inline_head(i, &heads);
        payloads += payload_bytes(i);
    }
    if (payloads + heads.size + writer->nodes.size > INT32_MAX - (1 << 20)) {
        heads = write_external(writer, path);
        payloads = 0;
    }
    write_model(writer, path, &heads, payloads);
}
