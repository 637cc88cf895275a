/* export_template.c: the file with the trained payloads cut out, and the list of where they go back in.
 *
 * Works on the wire format, not on the unpacked model: what is no trained initializer or Constant node is copied as
 * bytes, whatever it is. Messages are written innermost first; a message's length counts the payloads that are not in
 * the template. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/onnx_model.h"
#include "frontend/wire.h"

/* Field numbers of the public IR format that are rewritten (onnx.proto). */
enum {
    MODEL_GRAPH = 7,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_VALUE_INFO = 13,
    GRAPH_SPARSE_INITIALIZER = 15,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
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
    const char *prefix;    /* of the names in the graph being copied, as the import gives them to branches; "": main */
    bool trained_branches; /* some trained name has a prefix */
    NameTable trained;     /* name -> const OnnxTrained */
    NameTable reshaped;    /* name -> const OnnxReshaped */
} Exporter;

static void add_splice(Exporter *exporter, Piece *piece, OnnxSplice splice, uint64_t bytes)
{
    if (piece->splice_count == piece->splice_capacity) {
        piece->splice_capacity = piece->splice_capacity ? 2 * piece->splice_capacity : 4;
        OnnxSplice *larger = NEW_ARRAY(exporter->arena, OnnxSplice, piece->splice_capacity);
        for (int i = 0; i < piece->splice_count; i++) {
            larger[i] = piece->splices[i];
        }
        piece->splices = larger;
    }
    piece->splices[piece->splice_count++] = splice;
    piece->payload_bytes += bytes;
}

/* Appends `inner` as a field and frees its bytes. */
static void add_message(Exporter *exporter, Piece *piece, uint32_t number, Piece *inner)
{
    wire_tag(&piece->bytes, number, WIRE_LENGTH);
    wire_varint(&piece->bytes, inner->bytes.size + inner->payload_bytes);
    int64_t start = (int64_t)piece->bytes.size;
    wire_append(&piece->bytes, inner->bytes.bytes, inner->bytes.size);
    piece->bytes.failed |= inner->bytes.failed;
    for (int i = 0; i < inner->splice_count; i++) {
        inner->splices[i].offset += start;
        add_splice(exporter, piece, inner->splices[i], 0);
    }
    piece->payload_bytes += inner->payload_bytes;
    wire_free(&inner->bytes);
}

/* The file passed the scan, so its fields are well formed. */
static bool next_field(const uint8_t **cursor, const uint8_t *end, WireField *field)
{
    return *cursor < end && !wire_next(cursor, end, field);
}

static uint64_t varint_value(const WireField *field)
{
    uint64_t value = 0;
    for (const uint8_t *byte = field->body; byte < field->end; byte++) {
        value |= (uint64_t)(*byte & 0x7f) << (7 * (byte - field->body));
    }
    return value;
}

/* ---- tensors -------------------------------------------------------------------------------------------------------
 */

typedef struct TensorHead {
    const OnnxTrained *trained; /* NULL: the tensor stays as it is */
    int64_t data_type;
    uint64_t raw_bytes; /* of raw_data; 0 when the data are elsewhere */
    Type type;          /* the file's dims */
} TensorHead;

static void read_dims(const WireField *field, Type *type)
{
    WireField one = *field;
    const uint8_t *cursor = field->body;
    while (cursor < field->end && type->rank < MAX_RANK) {
        one.body = cursor;
        while (cursor < field->end && (*cursor++ & 0x80)) {
        }
        one.end = cursor;
        type->dims[type->rank++] = (int64_t)varint_value(&one);
    }
}

/* The string under the prefix of the graph that it stands in. */
static const char *prefixed(const Exporter *exporter, const WireField *field)
{
    return arena_printf(exporter->arena, "%s%.*s", exporter->prefix, (int)(field->end - field->body),
                        (const char *)field->body);
}

static TensorHead read_head(Exporter *exporter, const WireField *tensor)
{
    TensorHead head = {0};
    const uint8_t *cursor = tensor->body;
    for (WireField field; next_field(&cursor, tensor->end, &field);) {
        if (field.number == TENSOR_NAME && field.type == WIRE_LENGTH) {
            head.trained = name_table_find(&exporter->trained, prefixed(exporter, &field));
        } else if (field.number == TENSOR_DATA_TYPE) {
            head.data_type = (int64_t)varint_value(&field);
        } else if (field.number == TENSOR_RAW_DATA) {
            head.raw_bytes = (uint64_t)(field.end - field.body);
        } else if (field.number == TENSOR_DIMS) {
            read_dims(&field, &head.type);
        }
    }
    return head;
}

static bool is_data(uint32_t number)
{
    return number == TENSOR_FLOAT_DATA || number == TENSOR_INT32_DATA || number == TENSOR_STRING_DATA ||
           number == TENSOR_INT64_DATA || number == TENSOR_RAW_DATA || number == TENSOR_DOUBLE_DATA ||
           number == TENSOR_UINT64_DATA || number == TENSOR_EXTERNAL_DATA || number == TENSOR_DATA_LOCATION;
}

static void add_payload(Exporter *exporter, Piece *piece, const TensorHead *head)
{
    Dtype dtype = DTYPE_F32;
    dtype_from_onnx((int)head->data_type, &dtype);
    uint64_t bytes = (uint64_t)element_count(&head->trained->type) * (uint64_t)dtype_info[dtype].bytes;
    wire_tag(&piece->bytes, TENSOR_RAW_DATA, WIRE_LENGTH);
    wire_varint(&piece->bytes, bytes);
    OnnxSplice splice = {.offset = (int64_t)piece->bytes.size,
                         .kind = head->trained->kind,
                         .index = head->trained->index,
                         .data_type = head->data_type};
    add_splice(exporter, piece, splice, bytes);
}

static void add_dims(Piece *piece, const Type *type)
{
    for (int i = 0; i < type->rank; i++) {
        wire_int(&piece->bytes, TENSOR_DIMS, type->dims[i]);
    }
}

/* The tensor without its data; raw data keep their place among the fields. Dims that --head changed are rewritten. */
static void copy_tensor(Exporter *exporter, const WireField *tensor, const TensorHead *head, const Type *dims,
                        Piece *piece)
{
    bool keep_dims = same_dims(&head->trained->type, dims), done = false;
    if (!keep_dims) {
        add_dims(piece, &head->trained->type);
    }
    const uint8_t *cursor = tensor->body;
    for (WireField field; next_field(&cursor, tensor->end, &field);) {
        if (field.number == TENSOR_RAW_DATA && head->raw_bytes > 0 && !done) {
            add_payload(exporter, piece, head);
            done = true;
        } else if (!is_data(field.number) && (keep_dims || field.number != TENSOR_DIMS)) {
            wire_append(&piece->bytes, field.start, (size_t)(field.end - field.start));
        }
    }
    if (!done) {
        add_payload(exporter, piece, head);
    }
}

/* A sparse tensor's values as a dense one, when they are trained: their name, with the dims of the whole. `trained`
 * says so of an attribute, the name (NULL) of an initializer. */
static bool copy_sparse(Exporter *exporter, const WireField *sparse, const OnnxTrained *trained, Piece *piece)
{
    const uint8_t *cursor = sparse->body;
    for (WireField field; next_field(&cursor, sparse->end, &field);) {
        if (field.number == SPARSE_VALUES && field.type == WIRE_LENGTH) {
            TensorHead head = read_head(exporter, &field);
            head.trained = trained ? trained : head.trained;
            if (head.trained) {
                copy_tensor(exporter, &field, &head, &(Type){.rank = -1}, piece);
                return true;
            }
        }
    }
    return false;
}

/* ---- declared shapes -----------------------------------------------------------------------------------------------
 */

/* TensorShapeProto: what changed becomes a number, the other dims keep their symbols. */
static void copy_shape(const WireField *shape, const OnnxReshaped *reshaped, WireBuffer *to)
{
    const uint8_t *cursor = shape->body;
    int axis = 0;
    for (WireField field; next_field(&cursor, shape->end, &field);) {
        bool changed = field.number == SHAPE_DIM && axis < reshaped->to.rank &&
                       reshaped->from.dims[axis] != reshaped->to.dims[axis];
        if (changed) {
            WireBuffer dim = {0};
            wire_int(&dim, DIM_VALUE, reshaped->to.dims[axis]);
            wire_message(to, SHAPE_DIM, &dim);
            wire_free(&dim);
        } else {
            wire_append(to, field.start, (size_t)(field.end - field.start));
        }
        axis += field.number == SHAPE_DIM;
    }
}

/* The message with the shape at the end of `path`, a list of field numbers that a 0 ends, rewritten. */
static void copy_reshaped(const WireField *message, const uint32_t *path, const OnnxReshaped *reshaped, WireBuffer *to)
{
    const uint8_t *cursor = message->body;
    for (WireField field; next_field(&cursor, message->end, &field);) {
        if (field.number != *path || field.type != WIRE_LENGTH) {
            wire_append(to, field.start, (size_t)(field.end - field.start));
            continue;
        }
        WireBuffer inner = {0};
        if (path[1]) {
            copy_reshaped(&field, path + 1, reshaped, &inner);
        } else {
            copy_shape(&field, reshaped, &inner);
        }
        wire_message(to, field.number, &inner);
        wire_free(&inner);
    }
}

/* The entry of the table that the message's string field `number` names, or NULL. */
static const void *find_named(Exporter *exporter, const NameTable *table, const WireField *message, uint32_t number)
{
    const uint8_t *cursor = message->body;
    for (WireField field; next_field(&cursor, message->end, &field);) {
        if (field.number == number && field.type == WIRE_LENGTH) {
            size_t length = (size_t)(field.end - field.body);
            return name_table_find(table, arena_strndup(exporter->arena, (const char *)field.body, length));
        }
    }
    return NULL;
}

/* Writes the ValueInfoProto when the field is that of a value whose dims have changed. */
static bool copy_value_info(Exporter *exporter, const WireField *field, Piece *graph)
{
    static const uint32_t shape_path[] = {VALUE_TYPE, TYPE_TENSOR, TENSOR_TYPE_SHAPE, 0};
    bool declares = field->number == GRAPH_INPUT || field->number == GRAPH_OUTPUT || field->number == GRAPH_VALUE_INFO;
    if (!declares || field->type != WIRE_LENGTH) {
        return false;
    }
    const OnnxReshaped *reshaped = find_named(exporter, &exporter->reshaped, field, VALUE_NAME);
    if (!reshaped) {
        return false;
    }
    Piece info = {0};
    copy_reshaped(field, shape_path, reshaped, &info.bytes);
    add_message(exporter, graph, field->number, &info);
    return true;
}

/* ---- graph and model
 * -------------------------------------------------------------------------------------------------- */

/* Writes the initializer when the field is one that is trained. */
static bool copy_initializer(Exporter *exporter, const WireField *field, Piece *graph)
{
    Piece tensor = {0};
    if (field->type == WIRE_LENGTH && field->number == GRAPH_INITIALIZER) {
        TensorHead head = read_head(exporter, field);
        if (head.trained) {
            copy_tensor(exporter, field, &head, &head.type, &tensor);
            add_message(exporter, graph, GRAPH_INITIALIZER, &tensor);
            return true;
        }
    } else if (field->type == WIRE_LENGTH && field->number == GRAPH_SPARSE_INITIALIZER &&
               copy_sparse(exporter, field, NULL, &tensor)) {
        add_message(exporter, graph, GRAPH_INITIALIZER, &tensor);
        return true;
    }
    return false;
}

/* ---- nodes: Constants that are trained, and the branches of If that hold some ---- */

static void copy_graph(Exporter *exporter, const WireField *graph, Piece *piece);

/* What of a node its import goes by. */
typedef struct NodeHead {
    const char *name, *output; /* both with the prefix; output: the first, or NULL */
    bool is_constant, is_if;
} NodeHead;

static bool is_text(const WireField *field, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(field->end - field->body) == length && memcmp(field->body, text, length) == 0;
}

static NodeHead read_node(Exporter *exporter, const WireField *node)
{
    NodeHead head = {0};
    const uint8_t *cursor = node->body;
    for (WireField field; next_field(&cursor, node->end, &field);) {
        if (field.number == NODE_OP_TYPE) {
            head.is_constant = is_text(&field, "Constant");
            head.is_if = is_text(&field, "If");
        } else if (field.number == NODE_NAME && field.end > field.body) {
            head.name = prefixed(exporter, &field);
        } else if (field.number == NODE_OUTPUT && !head.output) {
            head.output = prefixed(exporter, &field);
        }
    }
    head.name = head.name ? head.name : head.output;
    return head;
}

/* The attribute's value as the `t` of an AttributeProto; false when it is none that holds floats. */
static bool copy_constant_data(Exporter *exporter, const WireField *field, const OnnxTrained *trained, Piece *attribute)
{
    Piece tensor = {0};
    TensorHead head = {.trained = trained, .data_type = 1};
    if (field->number == ATTRIBUTE_TENSOR) {
        head = read_head(exporter, field);
        head.trained = trained;
        copy_tensor(exporter, field, &head, &head.type, &tensor);
    } else if (field->number == ATTRIBUTE_F || field->number == ATTRIBUTE_FLOATS) {
        add_dims(&tensor, &trained->type);
        wire_int(&tensor.bytes, TENSOR_DATA_TYPE, head.data_type);
        add_payload(exporter, &tensor, &head);
    } else if (field->number != ATTRIBUTE_SPARSE_TENSOR || !copy_sparse(exporter, field, trained, &tensor)) {
        return false;
    }
    add_message(exporter, attribute, ATTRIBUTE_TENSOR, &tensor);
    return true;
}

/* value_float, value_floats and sparse_value become `value`, whose t takes the place of the (first) field. */
static void copy_constant_attribute(Exporter *exporter, const WireField *attribute, const OnnxTrained *trained,
                                    Piece *node)
{
    enum { TENSOR = 4 };
    Piece piece = {0};
    bool done = false;
    const uint8_t *cursor = attribute->body;
    for (WireField field; next_field(&cursor, attribute->end, &field);) {
        if (field.number == ATTRIBUTE_NAME) {
            wire_tag(&piece.bytes, ATTRIBUTE_NAME, WIRE_LENGTH);
            wire_varint(&piece.bytes, strlen("value"));
            wire_append(&piece.bytes, "value", strlen("value"));
        } else if (field.number == ATTRIBUTE_TYPE) {
            wire_int(&piece.bytes, ATTRIBUTE_TYPE, TENSOR);
        } else if (!done && copy_constant_data(exporter, &field, trained, &piece)) {
            done = true;
        } else if (field.number != ATTRIBUTE_FLOATS) {
            wire_append(&piece.bytes, field.start, (size_t)(field.end - field.start));
        }
    }
    add_message(exporter, node, NODE_ATTRIBUTE, &piece);
}

static void copy_branch(Exporter *exporter, const WireField *attribute, const NodeHead *head, Piece *node)
{
    const char *outer = exporter->prefix;
    Piece piece = {0};
    const uint8_t *cursor = attribute->body;
    exporter->prefix = arena_printf(exporter->arena, "%s/", head->name);
    for (WireField field; next_field(&cursor, attribute->end, &field);) {
        if (field.number == ATTRIBUTE_GRAPH && field.type == WIRE_LENGTH) {
            Piece graph = {0};
            copy_graph(exporter, &field, &graph);
            add_message(exporter, &piece, ATTRIBUTE_GRAPH, &graph);
        } else {
            wire_append(&piece.bytes, field.start, (size_t)(field.end - field.start));
        }
    }
    exporter->prefix = outer;
    add_message(exporter, node, NODE_ATTRIBUTE, &piece);
}

/* Writes the node when the field is one that holds what is trained. */
static bool copy_node(Exporter *exporter, const WireField *field, Piece *graph)
{
    if (field->number != GRAPH_NODE || field->type != WIRE_LENGTH) {
        return false;
    }
    NodeHead head = read_node(exporter, field);
    const OnnxTrained *trained =
        head.is_constant && head.output ? name_table_find(&exporter->trained, head.output) : NULL;
    if (!trained && !(head.is_if && head.name && exporter->trained_branches)) {
        return false;
    }
    Piece node = {0};
    const uint8_t *cursor = field->body;
    for (WireField part; next_field(&cursor, field->end, &part);) {
        if (part.number != NODE_ATTRIBUTE || part.type != WIRE_LENGTH) {
            wire_append(&node.bytes, part.start, (size_t)(part.end - part.start));
        } else if (trained) {
            copy_constant_attribute(exporter, &part, trained, &node);
        } else {
            copy_branch(exporter, &part, &head, &node);
        }
    }
    add_message(exporter, graph, GRAPH_NODE, &node);
    return true;
}

static void copy_graph(Exporter *exporter, const WireField *graph, Piece *piece)
{
    const uint8_t *cursor = graph->body;
    for (WireField field; next_field(&cursor, graph->end, &field);) {
        if (!copy_initializer(exporter, &field, piece) && !copy_value_info(exporter, &field, piece) &&
            !copy_node(exporter, &field, piece)) {
            wire_append(&piece->bytes, field.start, (size_t)(field.end - field.start));
        }
    }
}

static void copy_model(Exporter *exporter, const OnnxModel *model, Piece *piece)
{
    const uint8_t *cursor = model->file.bytes, *end = cursor + model->file.size;
    for (WireField field; next_field(&cursor, end, &field);) {
        if (field.number == MODEL_GRAPH && field.type == WIRE_LENGTH) {
            Piece graph = {0};
            copy_graph(exporter, &field, &graph);
            add_message(exporter, piece, MODEL_GRAPH, &graph);
        } else {
            wire_append(&piece->bytes, field.start, (size_t)(field.end - field.start));
        }
    }
}

bool onnx_export_template(const OnnxModel *model, Arena *arena, int trained_count, const OnnxTrained *trained,
                          int reshaped_count, const OnnxReshaped *reshaped, OnnxTemplate *result)
{
    Exporter exporter = {.arena = arena, .diagnostics = model->diagnostics, .prefix = ""};
    for (int i = 0; i < trained_count; i++) {
        name_table_set(&exporter.trained, arena, trained[i].name, (void *)(uintptr_t)&trained[i]);
        exporter.trained_branches |= strchr(trained[i].name, '/') != NULL;
    }
    for (int i = 0; i < reshaped_count; i++) {
        name_table_set(&exporter.reshaped, arena, reshaped[i].name, (void *)(uintptr_t)&reshaped[i]);
    }
    Piece piece = {0};
    copy_model(&exporter, model, &piece);
    if (piece.bytes.failed || piece.bytes.size + piece.payload_bytes > INT32_MAX) {
        bool failed = piece.bytes.failed;
        wire_free(&piece.bytes);
        warning(model->diagnostics, NO_ORIGIN, "no-export", "the program will not export the trained model: %s",
                failed ? "there is not enough memory for its template" : "it would pass protobuf's 2 GiB");
        return false;
    }
    *result = (OnnxTemplate){piece.bytes.bytes, piece.bytes.size, piece.splices, piece.splice_count};
    return true;
}

void onnx_template_free(OnnxTemplate *result)
{
    free(result->bytes);
    *result = (OnnxTemplate){0};
}
