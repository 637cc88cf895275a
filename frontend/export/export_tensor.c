/* export_tensor.c: TensorProtos without the data that are trained. */
#include <string.h>

#include "frontend/export/export_piece.h"
#include "ir/narrow.h"

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

void add_message(Exporter *exporter, Piece *piece, uint32_t number, Piece *inner)
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

bool next_field(const uint8_t **cursor, const uint8_t *end, WireField *field)
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

const char *field_text(const Exporter *exporter, const WireField *field)
{
    return arena_strndup(exporter->arena, (const char *)field->body, (size_t)(field->end - field->body));
}

const OnnxTrained *find_trained(const Exporter *exporter, const char *name)
{
    return name_table_find(&exporter->trained, arena_printf(exporter->arena, "%s%s", exporter->prefix, name));
}

TensorHead read_head(Exporter *exporter, const WireField *tensor)
{
    TensorHead head = {0};
    const uint8_t *cursor = tensor->body;
    for (WireField field; next_field(&cursor, tensor->end, &field);) {
        if (field.number == TENSOR_NAME && field.type == WIRE_LENGTH) {
            head.trained = find_trained(exporter, field_text(exporter, &field));
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

/* The parameter's grid, for a payload of integers; NULL: there is none. */
static const OnnxGrid *payload_grid(const Exporter *exporter, const TensorHead *head)
{
    Dtype dtype = DTYPE_F32;
    const bool integers = held_dtype_from_onnx(head->data_type, &dtype) && !is_float(dtype);
    return integers ? name_table_find(exporter->grids, head->trained->name) : NULL;
}

static bool is_packed(const Exporter *exporter, const TensorHead *head)
{
    const OnnxGrid *grid = payload_grid(exporter, head);
    return grid && grid->packed_type;
}

static uint64_t payload_bytes(const TensorHead *head, int64_t data_type)
{
    const int64_t count = element_count(&head->trained->type);
    const NarrowFormat *format = narrow_format(data_type);
    Dtype dtype = DTYPE_F32;
    dtype_from_onnx((int)data_type, &dtype);
    return (uint64_t)(format ? narrow_bytes(format, count) : count * dtype_info[dtype].bytes);
}

/* The row of the parameter's grid in the template. */
static int64_t grid_row(Exporter *exporter, const OnnxGrid *grid, const OnnxTrained *trained)
{
    OnnxTemplate *result = exporter->result;
    OnnxGridRow *row = name_table_find(&exporter->grid_rows, trained->name);
    if (!row) {
        row = &result->grids[result->grid_count++];
        *row = (OnnxGridRow){trained->index, result->entry_count, grid->extent, grid->inner, grid->block};
        name_table_set(&exporter->grid_rows, exporter->arena, trained->name, row);
        for (int64_t i = 0; i < grid->entry_count; i++) {
            result->entries[result->entry_count++] = grid->entries[i];
        }
    }
    return row - result->grids;
}

void add_payload(Exporter *exporter, Piece *piece, const TensorHead *head)
{
    enum { ON_A_GRID = 2 };
    const OnnxGrid *grid = payload_grid(exporter, head);
    const int64_t data_type = grid && grid->packed_type ? grid->packed_type : head->data_type;
    const uint64_t bytes = payload_bytes(head, data_type);
    wire_tag(&piece->bytes, TENSOR_RAW_DATA, WIRE_LENGTH);
    wire_varint(&piece->bytes, bytes);
    OnnxSplice splice = {.offset = (int64_t)piece->bytes.size,
                         .kind = grid ? ON_A_GRID : head->trained->kind,
                         .index = grid ? grid_row(exporter, grid, head->trained) : head->trained->index,
                         .data_type = data_type};
    add_splice(exporter, piece, splice, bytes);
}

void add_dims(Piece *piece, const Type *type)
{
    for (int i = 0; i < type->rank; i++) {
        wire_int(&piece->bytes, TENSOR_DIMS, type->dims[i]);
    }
}

void copy_tensor(Exporter *exporter, const WireField *tensor, const TensorHead *head, const Type *dims, Piece *piece)
{
    bool keep_dims = same_dims(&head->trained->type, dims) || is_packed(exporter, head), done = false;
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

bool copy_sparse(Exporter *exporter, const WireField *sparse, const OnnxTrained *trained, Piece *piece)
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
