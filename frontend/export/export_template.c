/* export_template.c: the file with the trained payloads cut out, and the list of where they go back in.
 *
 * Works on the wire format, not on the unpacked model: what is no trained initializer or Constant node is copied as
 * bytes, whatever it is. Messages are written innermost first; a message's length counts the payloads that are not in
 * the template. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/export/export_piece.h"
#include "frontend/import/onnx_import.h"

/* ---- declared shapes -------------------------------------------------------------------------------------------- */

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
            return name_table_find(table, field_text(exporter, &field));
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

/* ---- graph and model -------------------------------------------------------------------------------------------- */

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

/* ---- nodes: Constants and ConstantOfShapes that are trained, and the branches of If that hold some ---- */

static void copy_graph(Exporter *exporter, const WireField *graph, Piece *piece);

/* What of a node its import goes by. */
typedef struct NodeHead {
    const char *output;                  /* the first that has a name, or NULL */
    bool is_constant, is_filling, is_if; /* Constant, ConstantOfShape, If */
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
            head.is_filling = is_text(&field, "ConstantOfShape");
            head.is_if = is_text(&field, "If");
        } else if (field.number == NODE_OUTPUT && !head.output && field.end > field.body) {
            head.output = field_text(exporter, &field);
        }
    }
    return head;
}

enum { FLOAT = 1, TYPE_IS_TENSOR = 4 }; /* of TensorProto.DataType, of AttributeProto.AttributeType */

static void add_new_tensor(Exporter *exporter, const TensorHead *head, Piece *tensor)
{
    add_dims(tensor, &head->trained->type);
    wire_int(&tensor->bytes, TENSOR_DATA_TYPE, head->data_type);
    add_payload(exporter, tensor, head);
}

/* The attribute's value as the `t` of an AttributeProto; false when it is none that holds floats. */
static bool copy_constant_data(Exporter *exporter, const WireField *field, const OnnxTrained *trained, Piece *attribute)
{
    Piece tensor = {0};
    TensorHead head = {.trained = trained, .data_type = FLOAT};
    if (field->number == ATTRIBUTE_TENSOR) {
        head = read_head(exporter, field);
        head.trained = trained;
        copy_tensor(exporter, field, &head, &head.type, &tensor);
    } else if (field->number == ATTRIBUTE_F || field->number == ATTRIBUTE_FLOATS) {
        add_new_tensor(exporter, &head, &tensor);
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
    Piece piece = {0};
    bool done = false;
    const uint8_t *cursor = attribute->body;
    for (WireField field; next_field(&cursor, attribute->end, &field);) {
        if (field.number == ATTRIBUTE_NAME) {
            wire_string(&piece.bytes, ATTRIBUTE_NAME, "value");
        } else if (field.number == ATTRIBUTE_TYPE) {
            wire_int(&piece.bytes, ATTRIBUTE_TYPE, TYPE_IS_TENSOR);
        } else if (!done && copy_constant_data(exporter, &field, trained, &piece)) {
            done = true;
        } else if (field.number != ATTRIBUTE_FLOATS) {
            wire_append(&piece.bytes, field.start, (size_t)(field.end - field.start));
        }
    }
    add_message(exporter, node, NODE_ATTRIBUTE, &piece);
}

/* The data type of what ConstantOfShape fills in. */
static int64_t filling_type(Exporter *exporter, const WireField *attribute)
{
    const uint8_t *cursor = attribute->body;
    for (WireField field; next_field(&cursor, attribute->end, &field);) {
        if (field.number == ATTRIBUTE_TENSOR && field.type == WIRE_LENGTH) {
            return read_head(exporter, &field).data_type;
        }
    }
    return FLOAT;
}

/* The ConstantOfShape as a Constant of the same name and output. */
static void copy_filling(Exporter *exporter, const WireField *from, const OnnxTrained *trained, Piece *node)
{
    TensorHead head = {.trained = trained, .data_type = FLOAT};
    Piece attribute = {0}, tensor = {0};
    const uint8_t *cursor = from->body;
    for (WireField part; next_field(&cursor, from->end, &part);) {
        if (part.number == NODE_OP_TYPE) {
            wire_string(&node->bytes, NODE_OP_TYPE, "Constant");
        } else if (part.number == NODE_ATTRIBUTE && part.type == WIRE_LENGTH) {
            head.data_type = filling_type(exporter, &part);
        } else if (part.number != NODE_INPUT) {
            wire_append(&node->bytes, part.start, (size_t)(part.end - part.start));
        }
    }
    add_new_tensor(exporter, &head, &tensor);
    wire_string(&attribute.bytes, ATTRIBUTE_NAME, "value");
    add_message(exporter, &attribute, ATTRIBUTE_TENSOR, &tensor);
    wire_int(&attribute.bytes, ATTRIBUTE_TYPE, TYPE_IS_TENSOR);
    add_message(exporter, node, NODE_ATTRIBUTE, &attribute);
}

/* The attribute's name; "" without one. */
static const char *attribute_name(Exporter *exporter, const WireField *attribute)
{
    const char *name = "";
    const uint8_t *cursor = attribute->body;
    for (WireField field; next_field(&cursor, attribute->end, &field);) {
        if (field.number == ATTRIBUTE_NAME && field.type == WIRE_LENGTH) {
            name = field_text(exporter, &field);
        }
    }
    return name;
}

/* Writes the attribute when it is the branch that the import has read: the other one may store the same names. */
static bool copy_branch(Exporter *exporter, const WireField *attribute, const NodeHead *head, Piece *node)
{
    const Exporter outer = *exporter;
    Piece piece = {0};
    const uint8_t *cursor = attribute->body;
    exporter->place = branch_place(exporter->arena, outer.place, head->output, attribute_name(exporter, attribute));
    exporter->prefix = name_table_find(&exporter->model->branches, exporter->place);
    const bool was_read = exporter->prefix != NULL;
    for (WireField field; was_read && next_field(&cursor, attribute->end, &field);) {
        if (field.number == ATTRIBUTE_GRAPH && field.type == WIRE_LENGTH) {
            Piece graph = {0};
            copy_graph(exporter, &field, &graph);
            add_message(exporter, &piece, ATTRIBUTE_GRAPH, &graph);
        } else {
            wire_append(&piece.bytes, field.start, (size_t)(field.end - field.start));
        }
    }
    exporter->place = outer.place;
    exporter->prefix = outer.prefix;
    if (was_read) {
        add_message(exporter, node, NODE_ATTRIBUTE, &piece);
    }
    return was_read;
}

/* A Constant with the trained contents (trained), or an If with them in its branches. */
static void copy_parts(Exporter *exporter, const WireField *from, const NodeHead *head, const OnnxTrained *trained,
                       Piece *node)
{
    const uint8_t *cursor = from->body;
    for (WireField part; next_field(&cursor, from->end, &part);) {
        const bool is_attribute = part.number == NODE_ATTRIBUTE && part.type == WIRE_LENGTH;
        if (is_attribute && trained) {
            copy_constant_attribute(exporter, &part, trained, node);
        } else if (!is_attribute || !copy_branch(exporter, &part, head, node)) {
            wire_append(&node->bytes, part.start, (size_t)(part.end - part.start));
        }
    }
}

/* Writes the node when the field is one that holds what is trained. */
static bool copy_node(Exporter *exporter, const WireField *field, Piece *graph)
{
    if (field->number != GRAPH_NODE || field->type != WIRE_LENGTH) {
        return false;
    }
    NodeHead head = read_node(exporter, field);
    const OnnxTrained *trained =
        (head.is_constant || head.is_filling) && head.output ? find_trained(exporter, head.output) : NULL;
    if (!trained && !(head.is_if && head.output && exporter->trained_branches)) {
        return false;
    }
    Piece node = {0};
    if (head.is_filling) {
        copy_filling(exporter, field, trained, &node);
    } else {
        copy_parts(exporter, field, &head, trained, &node);
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

/* Room for the grids of all that is trained. */
static void reserve_grids(Exporter *exporter, int trained_count, const OnnxTrained *trained)
{
    int count = 0;
    int64_t entries = 0;
    for (int i = 0; i < trained_count; i++) {
        const OnnxGrid *grid = name_table_find(exporter->grids, trained[i].name);
        count += grid != NULL;
        entries += grid ? grid->entry_count : 0;
    }
    exporter->result->grids = NEW_ARRAY(exporter->arena, OnnxGridRow, count + 1);
    exporter->result->entries = NEW_ARRAY(exporter->arena, OnnxGridEntry, entries + 1);
}

bool onnx_export_template(const OnnxModel *model, Arena *arena, int trained_count, const OnnxTrained *trained,
                          int reshaped_count, const OnnxReshaped *reshaped, OnnxTemplate *result)
{
    *result = (OnnxTemplate){0};
    Exporter exporter = {.arena = arena,
                         .diagnostics = model->diagnostics,
                         .model = model,
                         .place = "",
                         .prefix = "",
                         .grids = &model->grids,
                         .result = result};
    reserve_grids(&exporter, trained_count, trained);
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
    result->bytes = piece.bytes.bytes;
    result->size = piece.bytes.size;
    result->splices = piece.splices;
    result->splice_count = piece.splice_count;
    return true;
}

void onnx_template_free(OnnxTemplate *result)
{
    free(result->bytes);
    *result = (OnnxTemplate){0};
}
