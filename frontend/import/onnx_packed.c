/* onnx_packed.c: quantised weights that com.microsoft's MatMulNBits reads: integers of 2, 4 or 8 bits, packed in bytes.
 * In training their floats are on the same grid and multiplied by MatMul; the export packs them again. */
#include <string.h>

#include "frontend/import/onnx_quantised.h"
#include "ir/narrow.h"

enum { A, B, SCALES, ZEROS, ORDER, BIAS }; /* its operands */
enum { UINT8 = 2, UINT4 = 21, UINT2 = 25 };

bool is_block_product(const Node *node)
{
    return strcmp(node->op->name, "MatMulNBits") == 0;
}

static int64_t packed_type(const Node *node)
{
    const int64_t bits = attr_int(node, "bits");
    return bits == 2 ? UINT2 : bits == 4 ? UINT4 : UINT8;
}

/* `columns` numbers of each of `rows` rows, which begin with a byte. */
static Value *unpacked(Import *import, const Node *node, const Value *packed, int64_t rows, int64_t columns)
{
    const NarrowFormat *format = narrow_format(packed_type(node));
    const int64_t each = format ? 8 / format->bits : 1, row = (columns + each - 1) / each;
    uint8_t *numbers = NEW_ARRAY(import->arena, uint8_t, rows * columns + 1);
    const uint8_t *all = format ? narrow_unpack(import->arena, format, rows * row * each, packed->data) : packed->data;
    for (int64_t i = 0; i < rows; i++) {
        memcpy(numbers + i * columns, all + i * row * each, (size_t)columns);
    }
    Value *value = const_create(import->graph, make_type(DTYPE_U8, 2, (int64_t[]){rows, columns}), numbers, NULL);
    value->narrow = format ? format->onnx : 0;
    return value;
}

/* Without zero points all are in the middle of the integers. */
static Value *zero_points(Import *import, const Node *node, int64_t rows, int64_t columns)
{
    if (input(node, ZEROS)) {
        return unpacked(import, node, node->inputs[ZEROS], rows, columns);
    }
    uint8_t *middle = NEW_ARRAY(import->arena, uint8_t, rows * columns + 1);
    memset(middle, 1 << (attr_int(node, "bits") - 1), (size_t)(rows * columns));
    Value *value = const_create(import->graph, make_type(DTYPE_U8, 2, (int64_t[]){rows, columns}), middle, NULL);
    value->narrow = narrow_format(packed_type(node)) ? (int)packed_type(node) : 0;
    return value;
}

static bool is_packed_in_bytes(const Value *value)
{
    return !value || (value->kind == VALUE_CONST && value->data && value->type.dtype == DTYPE_U8 && !value->narrow);
}

const Value *unpacked_integers(Import *import, const Reading *reading)
{
    return unpacked(import, reading->node, reading->node->inputs[B], reading->type.dims[0], reading->type.dims[1]);
}

bool find_packed_reading(Import *import, Node *node, Reading *reading)
{
    const int64_t rows = attr_int(node, "N"), size = attr_int(node, "block_size");
    const int64_t blocks = (attr_int(node, "K") + size - 1) / size;
    const Value *scales = node->inputs[SCALES];
    if (input(node, ORDER) || !is_packed_in_bytes(node->inputs[B]) || !is_packed_in_bytes(input(node, ZEROS)) ||
        scales->kind != VALUE_CONST || !scales->data) {
        return false;
    }
    const int64_t dims[] = {rows, blocks * size}, grid[] = {rows, blocks};
    *reading =
        (Reading){.node = node,
                  .scale = const_create(import->graph, make_type(scales->type.dtype, 2, grid), scales->data, NULL),
                  .zero = zero_points(import, node, rows, blocks),
                  .axis = 1,
                  .block = size,
                  .packed_type = packed_type(node),
                  .type = make_type(node->inputs[A]->type.dtype, 2, dims)};
    return true;
}

/* Columns 0 ... count - 1: blocks may end behind the last. */
static Value *first_columns(Graph *graph, Value *x, int64_t count)
{
    Value *operands[] = {x, const_ints(graph, 1, (int64_t[]){0}), const_ints(graph, 1, &count),
                         const_ints(graph, 1, (int64_t[]){1})};
    return x->type.dims[1] == count ? x : build(graph, "Slice", 4, operands);
}

Value *multiply_floats(Graph *graph, const Reading *reading, Value *floats)
{
    const Node *node = reading->node;
    Value *y = build_matmul(graph, node->inputs[A], false, first_columns(graph, floats, attr_int(node, "K")), true);
    return input(node, BIAS) ? build_add(graph, y, node->inputs[BIAS]) : y;
}
