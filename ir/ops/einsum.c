/* einsum.c: Einsum as Transpose, Reshape, MatMul and ReduceSum. Operands are contracted from left to right; each step
 * multiplies two of them as matrices [batch, rows, depth]·[batch, depth, columns], where a label is
 *     batch     in both operands and still needed
 *     depth     in both and needed no more
 *     rows      in the left operand only
 *     columns   in the right operand only */
#include "ir/ops/shared/row.h"

#include <ctype.h>
#include <string.h>

enum { MAX_TERMS = 8, FIRST_ELLIPSIS_LABEL = 1 }; /* ellipsis dims are labels 1 to MAX_RANK, letters themselves */

/* The labels of a tensor's axes. */
typedef struct Labels {
    int count;
    char of[2 * MAX_RANK];
} Labels;

typedef struct Term {
    Value *value;
    Labels labels;
} Term;

static int find_label(const Labels *labels, char label)
{
    for (int i = 0; i < labels->count; i++)
        if (labels->of[i] == label)
            return i;
    return -1;
}

static bool has_label(const Labels *labels, char label)
{
    return find_label(labels, label) >= 0;
}

/* ---- the equation ---- */

/* One term of the equation, up to a comma, an arrow or the end. `ellipsis` is the number of axes "..." stands for, the
 * last of all ellipsis labels. */
static bool parse_term(const char **cursor, int ellipsis, Labels *labels)
{
    const char *s = *cursor;
    *labels = (Labels){0};
    for (; *s && *s != ',' && strncmp(s, "->", 2) != 0; s++) {
        if (*s == ' ')
            continue;
        int needed = *s == '.' ? ellipsis : 1;
        if (labels->count + needed > MAX_RANK)
            return false;
        if (!strncmp(s, "...", 3)) {
            for (int i = 0; i < ellipsis; i++)
                labels->of[labels->count++] = (char)(FIRST_ELLIPSIS_LABEL + MAX_RANK - ellipsis + i);
            s += 2;
        } else if (isalpha((unsigned char)*s)) {
            labels->of[labels->count++] = *s;
        } else {
            return false;
        }
    }
    *cursor = s;
    return true;
}

/* How many axes "..." stands for in a term of `rank` axes; -1 when the term does not fit. */
static int ellipsis_rank(const char *term, int rank)
{
    int letters = 0;
    bool has_ellipsis = false;
    for (; *term && *term != ',' && *term != '-'; term++) {
        letters += isalpha((unsigned char)*term) != 0;
        has_ellipsis |= *term == '.';
    }
    if (!has_ellipsis)
        return letters == rank ? 0 : -1;
    return rank - letters;
}

/* Without an arrow the result has the ellipsis and, in alphabetical order, the letters that occur once. */
static Labels implicit_result(const Term *terms, int count, int ellipsis)
{
    Labels result = {0};
    for (int i = 0; i < ellipsis; i++)
        result.of[result.count++] = (char)(FIRST_ELLIPSIS_LABEL + MAX_RANK - ellipsis + i);
    for (char letter = 'A'; letter <= 'z'; letter++) {
        int uses = 0;
        for (int t = 0; t < count; t++)
            for (int i = 0; i < terms[t].labels.count; i++)
                uses += terms[t].labels.of[i] == letter;
        if (uses == 1 && result.count < MAX_RANK)
            result.of[result.count++] = letter;
    }
    return result;
}

static bool parse_equation(const Node *node, Term *terms, Labels *result)
{
    const char *cursor = attr_string(node, "equation");
    int widest = 0, count = node->input_count;
    for (int t = 0; t < count; t++) {
        const Type *type = &node->inputs[t]->type;
        while (*cursor == ' ')
            cursor++;
        int ellipsis = ellipsis_rank(cursor, type->rank);
        if (ellipsis < 0 || !parse_term(&cursor, ellipsis, &terms[t].labels) || terms[t].labels.count != type->rank)
            return false;
        terms[t].value = node->inputs[t];
        widest = ellipsis > widest ? ellipsis : widest;
        if (t + 1 < count && *cursor++ != ',')
            return false;
    }
    if (*cursor == ',')
        return false;
    if (!*cursor) {
        *result = implicit_result(terms, count, widest);
        return true;
    }
    cursor += 2;
    return parse_term(&cursor, widest, result) && !*cursor;
}

/* The extent of each label over all terms: equal, or 1 and broadcast; and results whose labels are all known. */
static bool label_extents(const Term *terms, int count, const Labels *result, int64_t extents[128])
{
    memset(extents, 0, 128 * sizeof *extents);
    for (int t = 0; t < count; t++)
        for (int i = 0; i < terms[t].labels.count; i++) {
            int64_t *extent = &extents[(int)terms[t].labels.of[i]], own = terms[t].value->type.dims[i];
            if (*extent > 1 && own > 1 && *extent != own)
                return false;
            *extent = *extent == 0 || *extent == 1 ? own : *extent;
        }
    for (int i = 0; i < result->count; i++)
        if (extents[(int)result->of[i]] == 0 || find_label(result, result->of[i]) != i)
            return false;
    return true;
}

/* ---- one term ---- */

static void remove_axis(Labels *labels, int axis)
{
    labels->count--;
    for (int i = axis; i < labels->count; i++)
        labels->of[i] = labels->of[i + 1];
}

static void sum_axis(Graph *graph, Term *term, int axis)
{
    int64_t position = axis;
    term->value = build_reduce_sum(graph, term->value, 1, &position, false);
    remove_axis(&term->labels, axis);
}

/* A label that occurs twice in a term selects the diagonal: x·identity, summed over the second occurrence. */
static void take_diagonals(Graph *graph, Term *term)
{
    for (int j = 1; j < term->labels.count; j++) {
        int i = find_label(&term->labels, term->labels.of[j]);
        if (i == j)
            continue;
        Type type = {.dtype = term->value->type.dtype, .rank = term->value->type.rank};
        for (int axis = 0; axis < type.rank; axis++)
            type.dims[axis] = axis == i || axis == j ? term->value->type.dims[axis] : 1;
        Tensor identity = tensor_alloc(graph->arena, type);
        for (int64_t k = 0; k < type.dims[i]; k++)
            identity.f[k * type.dims[i] + k] = 1;
        term->value = build_mul(graph, term->value, const_tensor(graph, &identity));
        sum_axis(graph, term, j--);
    }
}

static void broadcast_axes(Graph *graph, Term *term, const int64_t extents[128])
{
    int64_t dims[MAX_RANK];
    for (int i = 0; i < term->labels.count; i++)
        dims[i] = extents[(int)term->labels.of[i]];
    term->value = build_expand(graph, term->value, term->labels.count, dims);
}

/* Sums away the labels that neither `other` nor `needed` has. */
static void sum_unneeded(Graph *graph, Term *term, const Labels *other, const Labels *needed)
{
    for (int i = term->labels.count - 1; i >= 0; i--)
        if (!has_label(other, term->labels.of[i]) && !has_label(needed, term->labels.of[i]))
            sum_axis(graph, term, i);
}

static void transpose_to(Graph *graph, Term *term, const Labels *order)
{
    int permutation[2 * MAX_RANK];
    for (int i = 0; i < order->count; i++)
        permutation[i] = find_label(&term->labels, order->of[i]);
    term->value = build_transpose(graph, term->value, permutation);
    term->labels = *order;
}

/* ---- two terms ---- */

static void append(Labels *labels, const Labels *more)
{
    for (int i = 0; i < more->count; i++)
        labels->of[labels->count++] = more->of[i];
}

static int64_t labels_product(const Labels *labels, const int64_t extents[128])
{
    int64_t product = 1;
    for (int i = 0; i < labels->count; i++)
        product *= extents[(int)labels->of[i]];
    return product;
}

/* The operand as [batch, first, second] (without batch labels, a plain matrix), in whichever order of `outer` and
 * `depth` needs no transposition of its last axis; *swapped tells which. */
static Value *build_matrix(Graph *graph, Term *term, const Labels *batch, const Labels *outer, const Labels *depth,
                           bool is_left, const int64_t extents[128], bool *swapped)
{
    bool ends_in_depth = term->labels.count > 0 && has_label(depth, term->labels.of[term->labels.count - 1]);
    const Labels *first = ends_in_depth ? outer : depth, *second = ends_in_depth ? depth : outer;
    Labels order = *batch;
    append(&order, first);
    append(&order, second);
    transpose_to(graph, term, &order);
    *swapped = is_left != ends_in_depth;
    int64_t dims[] = {labels_product(batch, extents), labels_product(first, extents), labels_product(second, extents)};
    bool is_plain = batch->count == 0;
    return build_reshape(graph, term->value, is_plain ? 2 : 3, dims + is_plain);
}

static Term contract(Graph *graph, Term x, Term y, const Labels *needed, const int64_t extents[128])
{
    Labels batch = {0}, depth = {0}, rows = {0}, columns = {0};
    sum_unneeded(graph, &x, &y.labels, needed);
    sum_unneeded(graph, &y, &x.labels, needed);
    broadcast_axes(graph, &x, extents);
    broadcast_axes(graph, &y, extents);
    for (int i = 0; i < x.labels.count; i++) {
        char label = x.labels.of[i];
        Labels *group = !has_label(&y.labels, label) ? &rows : has_label(needed, label) ? &batch : &depth;
        group->of[group->count++] = label;
    }
    for (int i = 0; i < y.labels.count; i++)
        if (!has_label(&x.labels, y.labels.of[i]))
            columns.of[columns.count++] = y.labels.of[i];
    bool trans_x, trans_y;
    Value *left = build_matrix(graph, &x, &batch, &rows, &depth, true, extents, &trans_x);
    Value *right = build_matrix(graph, &y, &batch, &columns, &depth, false, extents, &trans_y);
    Term product = {build_matmul(graph, left, trans_x, right, trans_y), batch};
    append(&product.labels, &rows);
    append(&product.labels, &columns);
    int64_t dims[2 * MAX_RANK];
    for (int i = 0; i < product.labels.count; i++)
        dims[i] = extents[(int)product.labels.of[i]];
    product.value = build_reshape(graph, product.value, product.labels.count, dims);
    return product;
}

static void expand_einsum(Graph *graph, Node *node, Value **replacements)
{
    Term terms[MAX_TERMS];
    Labels result;
    int64_t extents[128];
    parse_equation(node, terms, &result);
    label_extents(terms, node->input_count, &result, extents);
    for (int t = 0; t < node->input_count; t++)
        take_diagonals(graph, &terms[t]);
    Term product = terms[0];
    for (int t = 1; t < node->input_count; t++) {
        Labels needed = {0};
        for (int later = t + 1; later <= node->input_count; later++) {
            const Labels *labels = later < node->input_count ? &terms[later].labels : &result;
            for (int i = 0; i < labels->count; i++)
                if (!has_label(&needed, labels->of[i]))
                    needed.of[needed.count++] = labels->of[i];
        }
        product = contract(graph, product, terms[t], &needed, extents);
    }
    sum_unneeded(graph, &product, &result, &result);
    transpose_to(graph, &product, &result);
    replacements[0] = product.value;
}

/* All intermediate products fit MAX_RANK when the equation has few labels; more than that is no tensor of pcc's. */
static bool fits_rank(const int64_t extents[128])
{
    int labels = 0;
    for (int i = 0; i < 128; i++)
        labels += extents[i] > 0;
    return labels <= MAX_RANK;
}

static bool infer_einsum(Graph *graph, Node *node)
{
    Term terms[MAX_TERMS];
    Labels result;
    int64_t extents[128];
    if (node->input_count < 1 || node->input_count > MAX_TERMS)
        return REJECT_UNSUPPORTED(graph, node, "Einsum of %d operands", node->input_count);
    if (!is_float(node->inputs[0]->type.dtype))
        return REJECT_UNSUPPORTED(graph, node, "Einsum of %s operands", dtype_info[node->inputs[0]->type.dtype].name);
    if (!parse_equation(node, terms, &result) || !label_extents(terms, node->input_count, &result, extents))
        return REJECT(graph, node, "attribute 'equation' is '%s', which does not fit the operands",
                      attr_string(node, "equation"));
    if (!fits_rank(extents))
        return REJECT_UNSUPPORTED(graph, node, "attribute 'equation' is '%s'; it has more than %d labels",
                                  attr_string(node, "equation"), MAX_RANK);
    Type type = {.dtype = node->inputs[0]->type.dtype, .rank = result.count};
    for (int i = 0; i < result.count; i++)
        type.dims[i] = extents[(int)result.of[i]];
    return set_output_type(graph, node, 0, type);
}

static int einsum_follow_axis(const Node *node, int i, int axis)
{
    Term terms[MAX_TERMS];
    Labels result;
    return parse_equation(node, terms, &result) ? find_label(&result, terms[i].labels.of[axis]) : -1;
}

const Op einsum_ops[] = {
    {.name = "Einsum",
     .inputs = "Inputs...",
     .roles = {ROLE_WEIGHT},
     .outputs = "Output",
     .attributes = "equation:string!",
     .since = 12,
     .precision = CLASS_LOWER,
     .kind = OP_EXPAND,
     .follow_axis = einsum_follow_axis,
     .infer = infer_einsum,
     .expand = expand_einsum},
    {0},
};
