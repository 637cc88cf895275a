/* block_product.c: com.microsoft's product with a matrix of integers of 2, 4 or 8 bits, in blocks with a scale each.
 * The matrix and what scales it are stored; the floats that they stand for are a constant of the graph, so that the
 * product is one like any other. */
#include "ir/ops/shared/row.h"

#include <string.h>

#include "ir/narrow.h"

/* B: [N, blocks, bytes of a block], the first number in the lowest bits; G: the block of each k, where they are not in
 * order. */
enum { A, B, SCALES, ZEROS, G, BIAS };

typedef struct Blocks {
    int64_t n, k, size, count; /* of the matrix; of a block, and of the blocks of a row */
    int bits;
} Blocks;

static Blocks blocks_of(const Node *node)
{
    const int64_t k = attr_int(node, "K"), size = attr_int(node, "block_size");
    return (Blocks){.n = attr_int(node, "N"),
                    .k = k,
                    .size = size,
                    .count = k / size + (k % size != 0),
                    .bits = (int)attr_int(node, "bits")};
}

static int64_t packed_bytes(const Blocks *blocks, int64_t numbers)
{
    return numbers / 8 * blocks->bits + (numbers % 8 * blocks->bits + 7) / 8;
}

/* Zero points are packed as B is, each row from a byte on; or floats. */
static bool zeros_are_packed(const Node *node)
{
    return node->inputs[ZEROS]->type.dtype == DTYPE_U8;
}

/* ---- inference ---- */

static bool check_attributes(Graph *graph, Node *node)
{
    const int64_t bits = attr_int(node, "bits"), size = attr_int(node, "block_size");
    const int64_t k = attr_int(node, "K"), n = attr_int(node, "N");
    if (bits != 2 && bits != 4 && bits != 8)
        return REJECT_UNSUPPORTED(graph, node, "attribute 'bits' is %" PRId64 "; pcc has 2, 4 and 8", bits);
    if (attr_int(node, "weight_prepacked") != 0)
        return REJECT_UNSUPPORTED(graph, node,
                                  "attribute 'weight_prepacked' is %" PRId64 ", for a weight that is packed for one "
                                  "runtime; pcc has 0",
                                  attr_int(node, "weight_prepacked"));
    if (size < 8 || size > INT32_MAX || (size & (size - 1)))
        return REJECT(graph, node, "attribute 'block_size' is %" PRId64 "; it must be a power of two from 8 on", size);
    const Type matrix = make_type(DTYPE_F64, 2, (int64_t[]){n, k});
    if (k < 1 || k > INT32_MAX || n < 1 || n > INT32_MAX || !type_is_valid(&matrix))
        return REJECT(graph, node, "attribute 'K' is %" PRId64 " and 'N' %" PRId64 "; there is no such matrix", k, n);
    return true;
}

static bool check_count(Graph *graph, Node *node, int i, const char *name, int64_t count)
{
    const Type *type = &node->inputs[i]->type;
    return element_count(type) == count || REJECT(graph, node, "%s is %s; it must have %" PRId64 " elements", name,
                                                  type_text(graph->arena, type), count);
}

static bool check_stored(Graph *graph, Node *node, const Blocks *blocks)
{
    const int64_t row = packed_bytes(blocks, blocks->count), all = blocks->n * blocks->count;
    if (node->inputs[B]->type.dtype != DTYPE_U8)
        return REJECT_UNSUPPORTED(graph, node, "B is %s; pcc has it packed in u8",
                                  type_text(graph->arena, &node->inputs[B]->type));
    if (!check_count(graph, node, B, "B", all * packed_bytes(blocks, blocks->size)) ||
        !check_count(graph, node, SCALES, "scales", all))
        return false;
    if (!input(node, ZEROS))
        return true;
    if (!zeros_are_packed(node) && !is_float(node->inputs[ZEROS]->type.dtype))
        return REJECT_UNSUPPORTED(graph, node, "zero_points is %s; pcc has it packed in u8, or floats",
                                  type_text(graph->arena, &node->inputs[ZEROS]->type));
    return check_count(graph, node, ZEROS, "zero_points", zeros_are_packed(node) ? blocks->n * row : all);
}

/* onnxruntime takes one entry for each k, or for each number of the blocks. It has no order of 8 bits, a wrong one of
 * 2, and forgets packed zero points beside one. */
static bool check_order(Graph *graph, Node *node, const Blocks *blocks)
{
    const Value *order = input(node, G);
    if (!order)
        return true;
    const bool beside_packed = input(node, ZEROS) && zeros_are_packed(node);
    if (blocks->bits != 4 || beside_packed)
        return REJECT_UNSUPPORTED(graph, node, "g_idx with %d bits%s; pcc has it with 4, and zero points of floats",
                                  blocks->bits, beside_packed ? " and packed zero points" : "");
    if (element_count(&order->type) != blocks->count * blocks->size && !check_count(graph, node, G, "g_idx", blocks->k))
        return false;
    for (int64_t k = 0; order->data && k < blocks->k; k++)
        if (const_int_at(order, k) < 0 || const_int_at(order, k) >= blocks->count)
            return REJECT(graph, node, "g_idx[%" PRId64 "] is %" PRId64 "; there are %" PRId64 " blocks", k,
                          const_int_at(order, k), blocks->count);
    return true;
}

static bool block_product_infer(Graph *graph, Node *node)
{
    Type y = node->inputs[A]->type;
    if (!check_attributes(graph, node))
        return false;
    const Blocks blocks = blocks_of(node);
    if (y.rank < 1 || y.dims[y.rank - 1] != blocks.k)
        return REJECT(graph, node, "A is %s; its last axis must be K, %" PRId64, type_text(graph->arena, &y), blocks.k);
    if (!check_stored(graph, node, &blocks) || !check_order(graph, node, &blocks) ||
        !check_vector(graph, node, BIAS, "bias", blocks.n))
        return false;
    if (input(node, BIAS) && node->inputs[BIAS]->type.dtype != y.dtype)
        return REJECT(graph, node, "the bias is %s beside A of %s", type_text(graph->arena, &node->inputs[BIAS]->type),
                      type_text(graph->arena, &y));
    y.dims[y.rank - 1] = blocks.n;
    return set_output_type(graph, node, 0, y);
}

static int block_product_follow(const Node *node, int i, int axis)
{
    return i == A && axis < node->inputs[A]->type.rank - 1 ? axis : -1;
}

/* ---- the matrix ---- */

/* `count` numbers of an operand, from byte `at` on. */
static void unpack(const Blocks *blocks, const Value *packed, int64_t at, int64_t count, uint8_t *numbers)
{
    enum { UINT4 = 21, UINT2 = 25 };
    const uint8_t *bytes = (const uint8_t *)packed->data + at;
    if (blocks->bits == 8)
        memcpy(numbers, bytes, (size_t)count);
    else
        narrow_unpack_ints(narrow_format(blocks->bits == 2 ? UINT2 : UINT4), count, bytes, (int8_t *)numbers);
}

static Tensor stored(Graph *graph, const Value *value)
{
    return value ? tensor_from_data(graph->arena, &value->type, value->data) : (Tensor){0};
}

/* What a row of the matrix is computed from. */
typedef struct Row {
    uint8_t *numbers, *packed_zeros;
    Tensor scales, zeros; /* of all rows; zeros: where they are floats */
    double *scale, *zero; /* of each block of the row */
    Tensor floats;
} Row;

static Row make_row(Graph *graph, const Node *node, const Blocks *blocks)
{
    const Value *zeros = input(node, ZEROS);
    return (Row){.numbers = NEW_ARRAY(graph->arena, uint8_t, blocks->count * blocks->size),
                 .packed_zeros = NEW_ARRAY(graph->arena, uint8_t, blocks->count),
                 .scales = stored(graph, node->inputs[SCALES]),
                 .zeros = stored(graph, zeros && !zeros_are_packed(node) ? zeros : NULL),
                 .zero = NEW_ARRAY(graph->arena, double, blocks->count),
                 .floats =
                     tensor_alloc(graph->arena, make_type(node->inputs[A]->type.dtype, 1, (int64_t[]){blocks->k}))};
}

/* Without zero points they are in the middle of the numbers. */
static void load_row(const Node *node, const Blocks *blocks, int64_t n, Row *row)
{
    const int64_t bytes = packed_bytes(blocks, blocks->size);
    const bool packed = input(node, ZEROS) && zeros_are_packed(node);
    unpack(blocks, node->inputs[B], n * blocks->count * bytes, blocks->count * blocks->size, row->numbers);
    if (packed)
        unpack(blocks, node->inputs[ZEROS], n * packed_bytes(blocks, blocks->count), blocks->count, row->packed_zeros);
    row->scale = row->scales.f + n * blocks->count;
    for (int64_t i = 0; i < blocks->count; i++)
        row->zero[i] = packed         ? row->packed_zeros[i]
                       : row->zeros.f ? row->zeros.f[n * blocks->count + i]
                                      : (double)(1 << (blocks->bits - 1));
}

static void scale_row(const Blocks *blocks, const Value *order, Row *row)
{
    double *floats = row->floats.f;
    for (int64_t k = 0; order && k < blocks->k; k++) {
        const int64_t block = const_int_at(order, k);
        floats[k] = row->scale[block] * (row->numbers[k] - row->zero[block]);
    }
    for (int64_t block = 0; !order && block < blocks->count; block++) {
        const double scale = row->scale[block], zero = row->zero[block];
        const int64_t first = block * blocks->size, left = blocks->k - first;
        const int64_t end = first + (left < blocks->size ? left : blocks->size);
        for (int64_t k = first; k < end; k++)
            floats[k] = scale * (row->numbers[k] - zero);
    }
}

/* [N, K], a row at a time: in doubles it would take twice its memory. */
static Value *build_matrix(Graph *graph, const Node *node)
{
    const Blocks blocks = blocks_of(node);
    const Type type = make_type(node->inputs[A]->type.dtype, 2, (int64_t[]){blocks.n, blocks.k});
    Row row = make_row(graph, node, &blocks);
    const int64_t bytes = type_bytes(&row.floats.type);
    char *data = NEW_ARRAY(graph->arena, char, blocks.n *bytes);
    for (int64_t n = 0; n < blocks.n; n++) {
        load_row(node, &blocks, n, &row);
        scale_row(&blocks, input(node, G), &row);
        tensor_store(&row.floats, data + n * bytes);
    }
    return const_create(graph, type, data, NULL);
}

static void block_product_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *y = build_matmul(graph, node->inputs[A], false, build_matrix(graph, node), true);
    replacements[0] = input(node, BIAS) ? build_add(graph, y, node->inputs[BIAS]) : y;
}

const Op block_product_ops[] = {
    {.name = "MatMulNBits",
     .domain = "com.microsoft",
     .inputs = "A:float, B:int!, scales:float!, zero_points?!, g_idx:int?!, bias:float?",
     .roles = {ROLE_DATA, ROLE_DATA, ROLE_DATA, ROLE_DATA, ROLE_DATA, ROLE_WEIGHT},
     .outputs = "Y",
     .attributes = "K:int!, N:int!, bits:int=4, block_size:int!, accuracy_level:int=0, weight_prepacked:int=0",
     .since = 1,
     .precision = CLASS_LOWER,
     .kind = OP_EXPAND,
     .follow_axis = block_product_follow,
     .infer = block_product_infer,
     .expand = block_product_expand,
     .expands_once = true},
    {0},
};
