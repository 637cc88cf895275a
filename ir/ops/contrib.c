/* contrib.c: operators of onnxruntime's domain com.microsoft, which its optimiser and exports for it put in the place
 * of several of ONNX's: each is these again. */
#include "ir/ops/shared/follow.h"
#include "ir/ops/shared/row.h"

/* ---- FusedMatMul ---------------------------------------------------------------------------------------------------
 */

/* [rows, batch..., columns] as [batch..., rows, columns] */
static Value *build_batch_first(Graph *graph, Value *x, bool moved)
{
    int permutation[MAX_RANK];
    const int rank = x->type.rank;
    if (!moved || rank < 3)
        return x;
    for (int i = 0; i < rank; i++)
        permutation[i] = i < rank - 2 ? i + 1 : i == rank - 2 ? 0 : i;
    return build_transpose(graph, x, permutation);
}

static Type batch_first(const Type *x, bool moved, bool transposed)
{
    Type type = *x;
    for (int i = 0; moved && x->rank > 2 && i < x->rank - 1; i++)
        type.dims[i] = i < x->rank - 2 ? x->dims[i + 1] : x->dims[0];
    if (transposed && x->rank > 1) {
        const int64_t rows = type.dims[x->rank - 2];
        type.dims[x->rank - 2] = type.dims[x->rank - 1];
        type.dims[x->rank - 1] = rows;
    }
    return type;
}

static bool fused_matmul_infer(Graph *graph, Node *node)
{
    const Type a = batch_first(&node->inputs[0]->type, attr_int(node, "transBatchA"), attr_int(node, "transA"));
    const Type b = batch_first(&node->inputs[1]->type, attr_int(node, "transBatchB"), attr_int(node, "transB"));
    Type batch, a_batch = a, b_batch = b;
    a_batch.rank -= 2;
    b_batch.rank -= 2;
    if (a.rank < 2 || b.rank < 2 || a.dtype != b.dtype || a.dims[a.rank - 1] != b.dims[b.rank - 2] ||
        !broadcast_dims(&a_batch, &b_batch, &batch))
        return REJECT(graph, node, "A is %s and B %s; they have no product",
                      type_text(graph->arena, &node->inputs[0]->type), type_text(graph->arena, &node->inputs[1]->type));
    batch.dtype = a.dtype;
    batch.dims[batch.rank++] = a.dims[a.rank - 2];
    batch.dims[batch.rank++] = b.dims[b.rank - 1];
    return set_output_type(graph, node, 0, batch);
}

static void fused_matmul_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *a = build_batch_first(graph, node->inputs[0], attr_int(node, "transBatchA"));
    Value *b = build_batch_first(graph, node->inputs[1], attr_int(node, "transBatchB"));
    Value *y = build_matmul(graph, a, attr_int(node, "transA"), b, attr_int(node, "transB"));
    replacements[0] = build_scale(graph, y, attr_float(node, "alpha"));
}

/* ---- activations with a bias ---------------------------------------------------------------------------------------
 */

static bool biased_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    for (int i = 1; i < node->input_count; i++) {
        Type joint;
        if (input(node, i) && (!broadcast_dims(x, &node->inputs[i]->type, &joint) || !same_dims(&joint, x) ||
                               node->inputs[i]->type.dtype != x->dtype))
            return REJECT(graph, node, "input %d is %s, which does not broadcast to %s", i,
                          type_text(graph->arena, &node->inputs[i]->type), type_text(graph->arena, x));
    }
    return infer_like_first(graph, node);
}

static Value *build_biased(Graph *graph, const Node *node)
{
    Value *x = node->inputs[0];
    for (int i = 1; i < node->input_count; i++)
        x = input(node, i) ? build_add(graph, x, node->inputs[i]) : x;
    return x;
}

static void bias_gelu_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = build_unary(graph, "GeluErf", build_biased(graph, node));
}

static void fast_gelu_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = build_unary(graph, "GeluTanh", build_biased(graph, node));
}

static void quick_gelu_expand(Graph *graph, Node *node, Value **replacements)
{
    Node *swish = build_begin(graph, "Swish", 1, node->inputs, 1);
    set_float(graph, swish, "alpha", attr_float(node, "alpha"));
    replacements[0] = build_finish(graph, swish);
}

static void bias_add_expand(Graph *graph, Node *node, Value **replacements)
{
    replacements[0] = build_biased(graph, node);
}

static bool split_gelu_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    if (type.rank < 1 || type.dims[type.rank - 1] % 2 != 0)
        return REJECT(graph, node, "X is %s; its last axis must split in two", type_text(graph->arena, &type));
    if (!biased_infer(graph, node))
        return false;
    type.dims[type.rank - 1] /= 2;
    return set_output_type(graph, node, 0, type);
}

static void split_gelu_expand(Graph *graph, Node *node, Value **replacements)
{
    Value *x = build_biased(graph, node);
    const int last = x->type.rank - 1;
    const int64_t half = x->type.dims[last] / 2;
    Value *gate = build_unary(graph, "GeluErf", build_slice(graph, x, last, half, 2 * half));
    replacements[0] = build_mul(graph, build_slice(graph, x, last, 0, half), gate);
}

/* ---- normalizations with a residual --------------------------------------------------------------------------------
 */

enum { SUM_OUTPUT = 3 };

static bool is_simplified(const Node *node)
{
    return strstr(node->op->name, "Simplified") != NULL;
}

/* Operands behind the residual: gamma, beta (not of the simplified one), bias of the sum. */
static Value *bias_of(const Node *node)
{
    return input(node, is_simplified(node) ? 3 : 4);
}

static bool check_rows(Graph *graph, Node *node, int i, const Type *x)
{
    const Value *vector = input(node, i);
    return !vector || element_count(&vector->type) == x->dims[x->rank - 1] ||
           REJECT(graph, node, "input %d is %s; it must have the last axis of %s", i,
                  type_text(graph->arena, &vector->type), type_text(graph->arena, x));
}

static bool skip_norm_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type, *skip = &node->inputs[1]->type;
    Type joint, statistics = *x;
    if (x->rank < 1 || !is_float(x->dtype) || skip->dtype != x->dtype || !broadcast_dims(x, skip, &joint) ||
        !same_dims(&joint, x))
        return REJECT(graph, node, "X is %s and what is added to it %s", type_text(graph->arena, x),
                      type_text(graph->arena, skip));
    for (int i = 2; i < node->input_count; i++)
        if (!check_rows(graph, node, i, x))
            return false;
    const Value *bias = bias_of(node);
    if (bias && (!broadcast_dims(x, &bias->type, &joint) || !same_dims(&joint, x)))
        return REJECT(graph, node, "the bias %s does not broadcast to %s", type_text(graph->arena, &bias->type),
                      type_text(graph->arena, x));
    statistics.dims[x->rank - 1] = 1;
    statistics.dtype = wide_dtype(x->dtype);
    return set_output_type(graph, node, 0, *x) && set_output_type(graph, node, 1, statistics) &&
           set_output_type(graph, node, 2, statistics) && set_output_type(graph, node, SUM_OUTPUT, *x);
}

static Value *build_vector(Graph *graph, Value *x)
{
    return x ? build_reshape(graph, x, 1, (int64_t[]){element_count(&x->type)}) : NULL;
}

static Node *build_norm(Graph *graph, const Node *node, Value *x, Value *gamma, Value *beta, bool simplified)
{
    Value *operands[] = {x, build_vector(graph, gamma), build_vector(graph, beta)};
    Node *norm = build_begin(graph, simplified ? "RMSNormalization" : "LayerNormalization", simplified ? 2 : 3,
                             operands, simplified ? 2 : 3);
    set_float(graph, norm, "epsilon", attr_float(node, "epsilon"));
    build_finish(graph, norm);
    return norm;
}

/* The simplified one has no mean; its output 1 is never made. */
static void skip_norm_expand(Graph *graph, Node *node, Value **replacements)
{
    const bool simplified = is_simplified(node);
    Value *sum = build_add(graph, node->inputs[0], node->inputs[1]);
    if (bias_of(node))
        sum = build_add(graph, sum, bias_of(node));
    Node *norm = build_norm(graph, node, sum, input(node, 2), simplified ? NULL : input(node, 3), simplified);
    replacements[0] = norm->outputs[0];
    if (has_output(node, 1))
        replacements[1] = norm->outputs[1];
    if (has_output(node, 2))
        replacements[2] = norm->outputs[simplified ? 1 : 2];
    if (has_output(node, SUM_OUTPUT))
        replacements[SUM_OUTPUT] = sum;
}

static bool simplified_norm_infer(Graph *graph, Node *node)
{
    const Type *x = &node->inputs[0]->type;
    Type statistics = *x;
    int axis;
    if (!is_float(x->dtype) || !resolve_axis(graph, node, attr_int(node, "axis"), x->rank, &axis))
        return is_float(x->dtype) ? false : REJECT(graph, node, "X must be floating-point");
    statistics.dtype = wide_dtype(x->dtype);
    for (int i = axis; i < x->rank; i++)
        statistics.dims[i] = 1;
    return set_output_type(graph, node, 0, *x) && set_output_type(graph, node, 1, statistics);
}

static void simplified_norm_expand(Graph *graph, Node *node, Value **replacements)
{
    Node *norm = build_begin(graph, "RMSNormalization", 2, node->inputs, 2);
    set_int(graph, norm, "axis", attr_int(node, "axis"));
    set_float(graph, norm, "epsilon", attr_float(node, "epsilon"));
    build_finish(graph, norm);
    replacements[0] = norm->outputs[0];
    if (has_output(node, 1))
        replacements[1] = norm->outputs[1];
}

/* ---- EmbedLayerNormalization: ids, segments, tables of words, positions, segments, gamma, beta, mask, positions ---- */

enum { IDS, SEGMENTS, WORDS, POSITIONS, SEGMENT_TABLE, GAMMA, BETA, EMBED_MASK, POSITION_IDS };

/* Operand i, which the ids' shape decides: the same, or one row for every sample. */
static bool check_like_ids(Graph *graph, Node *node, int i, bool one_row)
{
    const Type *ids = &node->inputs[IDS]->type, *type = input(node, i) ? &node->inputs[i]->type : NULL;
    return !type || same_dims(type, ids) ||
           (one_row && type->rank == 2 && type->dims[0] == 1 && type->dims[1] == ids->dims[1]) ||
           REJECT(graph, node, "input %d is %s beside ids of %s", i, type_text(graph->arena, type),
                  type_text(graph->arena, ids));
}

static int64_t embed_index_count(const Node *node, int i)
{
    const int table = i == IDS ? WORDS : i == SEGMENTS ? SEGMENT_TABLE : i == POSITION_IDS ? POSITIONS : -1;
    return table >= 0 && input(node, table) ? node->inputs[table]->type.dims[0] : -1;
}

static bool embed_infer(Graph *graph, Node *node)
{
    const Type *ids = &node->inputs[IDS]->type, *words = &node->inputs[WORDS]->type;
    const Type *positions = &node->inputs[POSITIONS]->type;
    if (ids->rank != 2 || words->rank != 2 || positions->rank != 2 || words->dims[1] != positions->dims[1] ||
        (!input(node, POSITION_IDS) && positions->dims[0] < ids->dims[1]) ||
        !input(node, SEGMENTS) != !input(node, SEGMENT_TABLE))
        return REJECT(graph, node, "ids %s with words %s and positions %s", type_text(graph->arena, ids),
                      type_text(graph->arena, words), type_text(graph->arena, positions));
    const Type *segments = input(node, SEGMENT_TABLE) ? &node->inputs[SEGMENT_TABLE]->type : words;
    if (segments->rank != 2 || segments->dims[1] != words->dims[1])
        return REJECT(graph, node, "the table of segments is %s, that of words %s", type_text(graph->arena, segments),
                      type_text(graph->arena, words));
    if (!check_like_ids(graph, node, SEGMENTS, false) || !check_like_ids(graph, node, EMBED_MASK, false) ||
        !check_like_ids(graph, node, POSITION_IDS, true))
        return false;
    const Type y = make_type(words->dtype, 3, (int64_t[]){ids->dims[0], ids->dims[1], words->dims[1]});
    return check_rows(graph, node, GAMMA, &y) && check_rows(graph, node, BETA, &y) &&
           set_output_type(graph, node, 0, y) && set_output_type(graph, node, 1, make_type(DTYPE_I32, 1, ids->dims)) &&
           set_output_type(graph, node, 2, y);
}

static Value *build_rows(Graph *graph, Value *table, Value *ids)
{
    return build_binary(graph, "Gather", table, build_cast(graph, ids, DTYPE_I64));
}

/* How many positions of each sample the mask shows. */
static Value *build_mask_index(Graph *graph, const Node *node)
{
    Value *mask = input(node, EMBED_MASK);
    if (!mask)
        return build_zeros(graph, &node->outputs[1]->type);
    Value *shown = build_cast(graph, mask, DTYPE_F32);
    return build_cast(graph, build_reduce_sum(graph, shown, 1, (int64_t[]){1}, false), DTYPE_I32);
}

static void embed_expand(Graph *graph, Node *node, Value **replacements)
{
    const int64_t length = node->inputs[IDS]->type.dims[1];
    Value *sum = build_rows(graph, node->inputs[WORDS], node->inputs[IDS]);
    Value *positions = input(node, POSITION_IDS)
                           ? build_rows(graph, node->inputs[POSITIONS], node->inputs[POSITION_IDS])
                           : build_slice(graph, node->inputs[POSITIONS], 0, 0, length);
    sum = build_add(graph, sum, positions);
    if (input(node, SEGMENTS))
        sum = build_add(graph, sum, build_rows(graph, node->inputs[SEGMENT_TABLE], node->inputs[SEGMENTS]));
    replacements[0] = build_norm(graph, node, sum, node->inputs[GAMMA], node->inputs[BETA], false)->outputs[0];
    if (has_output(node, 1))
        replacements[1] = build_mask_index(graph, node);
    if (has_output(node, 2))
        replacements[2] = sum;
}

/* ---- FusedConv, FusedGemm: with the activation that followed -------------------------------------------------------
 */

static bool is_activation(const char *name)
{
    static const char *const names[] = {"", "Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Clip"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static double parameter_of(const Node *node, int i, double otherwise)
{
    static const char *const gemm[] = {"activation_alpha", "activation_beta"};
    const Attr *list = find_attr(node, "activation_params");
    if (list && list->kind == ATTR_FLOATS && list->count > i)
        return list->floats[i];
    return has_attr(node, gemm[i]) ? find_attr(node, gemm[i])->f : otherwise;
}

static Value *build_activation(Graph *graph, const Node *node, Value *x)
{
    const char *name = attr_string(node, "activation");
    if (!*name)
        return x;
    if (strcmp(name, "Clip") == 0) {
        Value *low = const_float(graph, x->type.dtype, parameter_of(node, 0, 0));
        Value *high = const_float(graph, x->type.dtype, parameter_of(node, 1, 6));
        return build_binary(graph, "Minimum", build_binary(graph, "Maximum", x, low), high);
    }
    Node *activation = build_begin(graph, name, 1, &x, 1);
    if (strcmp(name, "LeakyRelu") == 0 || strcmp(name, "HardSigmoid") == 0)
        set_float(graph, activation, "alpha", parameter_of(node, 0, name[0] == 'L' ? 0.01 : 0.2));
    if (strcmp(name, "HardSigmoid") == 0)
        set_float(graph, activation, "beta", parameter_of(node, 1, 0.5));
    return build_finish(graph, activation);
}

/* The node's product as ONNX's operator `op` of its first three inputs. */
static Node *begin_plain(Graph *graph, const Node *node, const char *op, Value *const *inputs)
{
    static const char *const attributes[] = {"auto_pad", "dilations", "group", "kernel_shape", "pads",
                                             "strides",  "alpha",     "beta",  "transA",       "transB"};
    Node *plain = build_begin(graph, op, 3, inputs, 1), kept = *node;
    kept.attrs = NEW_ARRAY(graph->arena, Attr, node->attr_count + 1);
    kept.attr_count = 0;
    for (int i = 0; i < node->attr_count; i++)
        for (size_t k = 0; k < sizeof attributes / sizeof *attributes; k++)
            if (strcmp(node->attrs[i].name, attributes[k]) == 0)
                kept.attrs[kept.attr_count++] = node->attrs[i];
    copy_attrs(graph, plain, &kept);
    return plain;
}

static bool fused_infer(Graph *graph, Node *node, const char *op)
{
    Graph *apart = graph_create(graph->arena, graph->diagnostics, graph->name);
    Value *operands[3] = {NULL};
    if (!is_activation(attr_string(node, "activation")))
        return REJECT_UNSUPPORTED(graph, node, "attribute 'activation' is '%s'", attr_string(node, "activation"));
    for (int i = 0; i < 3; i++)
        if (input(node, i))
            operands[i] = value_create(apart, VALUE_INPUT, node->inputs[i]->type, NULL);
    apart->origin = node->origin;
    Node *plain = begin_plain(apart, node, op, operands);
    if (!infer_node(apart, plain))
        return false;
    if (input(node, 3) && !same_type(&node->inputs[3]->type, &plain->outputs[0]->type))
        return REJECT(graph, node, "input 3 is %s, which is added to %s",
                      type_text(graph->arena, &node->inputs[3]->type),
                      type_text(graph->arena, &plain->outputs[0]->type));
    return set_output_type(graph, node, 0, plain->outputs[0]->type);
}

static void fused_expand(Graph *graph, Node *node, Value **replacements, const char *op)
{
    Value *operands[] = {node->inputs[0], node->inputs[1], input(node, 2)};
    Value *y = build_finish(graph, begin_plain(graph, node, op, operands));
    if (input(node, 3))
        y = build_add(graph, y, node->inputs[3]);
    replacements[0] = build_activation(graph, node, y);
}

static bool fused_conv_infer(Graph *graph, Node *node)
{
    return fused_infer(graph, node, "Conv");
}

static void fused_conv_expand(Graph *graph, Node *node, Value **replacements)
{
    fused_expand(graph, node, replacements, "Conv");
}

static bool fused_gemm_infer(Graph *graph, Node *node)
{
    return fused_infer(graph, node, "Gemm");
}

static void fused_gemm_expand(Graph *graph, Node *node, Value **replacements)
{
    fused_expand(graph, node, replacements, "Gemm");
}

#define CONTRIB(NAME, CLASS) .name = #NAME, .domain = "com.microsoft", .since = 1, .precision = CLASS, .kind = OP_EXPAND
#define BIASED(NAME, EXPAND)                                                                             \
    CONTRIB(NAME, CLASS_FOLLOW), .outputs = "Y", .follow_axis = follow_broadcast, .infer = biased_infer, \
                                 .expand = EXPAND

const Op contrib_ops[] = {
    {CONTRIB(FusedMatMul, CLASS_LOWER), .inputs = "A:float, B:float", .roles = {ROLE_DATA, ROLE_WEIGHT}, .outputs = "Y",
     .attributes = "alpha:float=1, transA:int=0, transB:int=0, transBatchA:int=0, transBatchB:int=0",
     .infer = fused_matmul_infer, .expand = fused_matmul_expand},
    {BIASED(BiasGelu, bias_gelu_expand), .inputs = "A:float, B:float", .roles = {ROLE_DATA, ROLE_WEIGHT}},
    {BIASED(FastGelu, fast_gelu_expand), .inputs = "X:float, Bias:float?", .roles = {ROLE_DATA, ROLE_WEIGHT}},
    {BIASED(QuickGelu, quick_gelu_expand), .inputs = "X:float", .attributes = "alpha:float=1.702"},
    {BIASED(BiasAdd, bias_add_expand), .inputs = "X:float, Bias:float, Skip:float", .roles = {ROLE_DATA, ROLE_WEIGHT}},
    {CONTRIB(BiasSplitGelu, CLASS_FOLLOW), .inputs = "X:float, Bias:float", .roles = {ROLE_DATA, ROLE_WEIGHT},
     .outputs = "Y", .infer = split_gelu_infer, .expand = split_gelu_expand},
    {CONTRIB(SkipLayerNormalization, CLASS_KEEP),
     .inputs = "X:float, Skip:float, Gamma:float, Beta:float?, Bias:float?",
     .roles = {ROLE_DATA, ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT, ROLE_WEIGHT}, .outputs = "Y, Mean?, InvStdDev?, Sum?",
     .attributes = "epsilon:float=1e-12", .infer = skip_norm_infer, .expand = skip_norm_expand},
    {CONTRIB(SkipSimplifiedLayerNormalization, CLASS_KEEP), .inputs = "X:float, Skip:float, Gamma:float, Bias:float?",
     .roles = {ROLE_DATA, ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT}, .outputs = "Y, Mean?, InvStdDev?, Sum?",
     .attributes = "epsilon:float=1e-12", .infer = skip_norm_infer, .expand = skip_norm_expand},
    {.name = "SimplifiedLayerNormalization",
     .inputs = "X:float, Scale:float",
     .roles = {ROLE_DATA, ROLE_WEIGHT},
     .outputs = "Y, InvRms?",
     .attributes = "axis:int=-1, epsilon:float=1e-5, stash_type:int=1",
     .since = 1,
     .precision = CLASS_KEEP,
     .kind = OP_EXPAND,
     .infer = simplified_norm_infer,
     .expand = simplified_norm_expand},
    {CONTRIB(EmbedLayerNormalization, CLASS_KEEP),
     .inputs = "Ids:int, Segments:int?, Words:float, Positions:float, SegmentTable:float?, Gamma:float, Beta:float, "
               "Mask:int?, PositionIds:int?",
     .outputs = "Y, MaskIndex?, Sum?", .attributes = "epsilon:float=1e-12, mask_index_type:int=0",
     .index_count = embed_index_count, .infer = embed_infer, .expand = embed_expand},
    {CONTRIB(FusedConv, CLASS_LOWER), .inputs = "X:float, W:float, B:float?, Z:float?",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT}, .outputs = "Y",
     .attributes = "activation:string=, activation_params:floats, auto_pad:string=NOTSET, dilations:ints, group:int=1, "
                   "kernel_shape:ints, pads:ints, strides:ints",
     .infer = fused_conv_infer, .expand = fused_conv_expand},
    {CONTRIB(FusedGemm, CLASS_LOWER), .inputs = "A:float, B:float, C:float?",
     .roles = {ROLE_DATA, ROLE_WEIGHT, ROLE_WEIGHT}, .outputs = "Y",
     .attributes = "activation:string=, activation_alpha:float, activation_beta:float, activation_gamma:float, "
                   "alpha:float=1, beta:float=1, transA:int=0, transB:int=0",
     .infer = fused_gemm_infer, .expand = fused_gemm_expand},
    {0},
};
