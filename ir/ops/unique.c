/* unique.c: Unique of a tensor that is known when the model is compiled: how many slices differ, a dimension of the
 * result, depends on it. */
#include "ir/ops/shared/row.h"

#include <stdlib.h>

enum { MOST_ELEMENTS = 1 << 22 }; /* which are sorted while compiling */

/* x[outer, count, inner] in slices along the middle. */
typedef struct Slabs {
    const Tensor *x;
    int64_t outer, count, inner;
} Slabs;

static Slabs slabs_of(const Node *node, const Tensor *x)
{
    if (!has_attr(node, "axis"))
        return (Slabs){x, 1, element_count(&x->type), 1};
    const int axis = axis_of(node, x->type.rank);
    const int64_t inner = dims_product(&x->type, axis + 1, x->type.rank);
    return (Slabs){x, inner ? dims_product(&x->type, 0, axis) : 0, x->type.dims[axis], inner};
}

static int compare_elements(const Tensor *x, int64_t a, int64_t b)
{
    if (!x->f)
        return (x->i[a] > x->i[b]) - (x->i[a] < x->i[b]);
    const int nan = (x->f[a] != x->f[a]) - (x->f[b] != x->f[b]); /* NaN is last */
    return nan ? nan : (x->f[a] > x->f[b]) - (x->f[a] < x->f[b]);
}

static int compare_slabs(const Slabs *s, int64_t a, int64_t b)
{
    int order = 0;
    for (int64_t outer = 0; outer < s->outer && !order; outer++)
        for (int64_t inner = 0; inner < s->inner && !order; inner++)
            order = compare_elements(s->x, (outer * s->count + a) * s->inner + inner,
                                     (outer * s->count + b) * s->inner + inner);
    return order;
}

/* What became of each slice: the first that equals it, and of those their place in the result. */
typedef struct Distinct {
    int64_t count, *first, *place; /* first[place]: by slice; place: by slice of the operand */
} Distinct;

/* Merge sort of slice numbers, since qsort() has no context. */
static void sort_slabs(const Slabs *s, int64_t *order, int64_t *room, int64_t count)
{
    if (count < 2)
        return;
    const int64_t half = count / 2;
    sort_slabs(s, order, room, half);
    sort_slabs(s, order + half, room, count - half);
    memcpy(room, order, (size_t)count * sizeof *room);
    for (int64_t i = 0, a = 0, b = half; i < count; i++) {
        const bool left = b == count || (a < half && compare_slabs(s, room[a], room[b]) <= 0);
        order[i] = left ? room[a++] : room[b++];
    }
}

static int by_number(const void *x, const void *y)
{
    const int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

/* Equal slices follow each other in `order`, the first of them in front. */
static Distinct distinct_of(Arena *arena, const Slabs *s, bool sorted)
{
    int64_t *order = NEW_ARRAY(arena, int64_t, s->count + 1), *room = NEW_ARRAY(arena, int64_t, s->count + 1);
    int64_t *head = NEW_ARRAY(arena, int64_t, s->count + 1);
    Distinct d = {.first = NEW_ARRAY(arena, int64_t, s->count + 1), .place = NEW_ARRAY(arena, int64_t, s->count + 1)};
    for (int64_t i = 0; i < s->count; i++)
        order[i] = i;
    sort_slabs(s, order, room, s->count);
    for (int64_t i = 0; i < s->count; i++) {
        const bool again = i > 0 && compare_slabs(s, order[i - 1], order[i]) == 0;
        head[order[i]] = again ? head[order[i - 1]] : order[i];
        if (!again)
            d.first[d.count++] = order[i];
    }
    if (!sorted)
        qsort(d.first, (size_t)d.count, sizeof *d.first, by_number);
    for (int64_t i = 0; i < d.count; i++)
        d.place[d.first[i]] = i;
    for (int64_t i = 0; i < s->count; i++)
        d.place[i] = d.place[head[i]];
    return d;
}

static bool unique_infer(Graph *graph, Node *node)
{
    Type type = node->inputs[0]->type;
    int axis = 0;
    if (has_attr(node, "axis") && !resolve_axis(graph, node, attr_int(node, "axis"), type.rank, &axis))
        return false;
    if (element_count(&type) > MOST_ELEMENTS || (has_attr(node, "axis") && type.dims[axis] > MOST_ELEMENTS))
        return REJECT_UNSUPPORTED(graph, node, "X is %s; pcc sorts up to %d elements", type_text(graph->arena, &type),
                                  MOST_ELEMENTS);
    const Tensor x = tensor_from_data(graph->arena, &type, node->inputs[0]->data);
    const Slabs slabs = slabs_of(node, &x);
    const Distinct d = distinct_of(graph->arena, &slabs, attr_int(node, "sorted"));
    const Type found = make_type(DTYPE_I64, 1, &d.count);
    if (has_attr(node, "axis"))
        type.dims[axis] = d.count;
    else
        type = make_type(type.dtype, 1, &d.count);
    return set_output_type(graph, node, 0, type) && set_output_type(graph, node, 1, found) &&
           set_output_type(graph, node, 2, make_type(DTYPE_I64, 1, &slabs.count)) &&
           set_output_type(graph, node, 3, found);
}

static void unique_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    const Slabs s = slabs_of(node, &inputs[0]);
    const Distinct d = distinct_of(arena, &s, attr_int(node, "sorted"));
    for (int64_t outer = 0; has_output(node, 0) && outer < s.outer; outer++)
        for (int64_t i = 0; i < d.count; i++)
            for (int64_t inner = 0; inner < s.inner; inner++)
                copy_element(&outputs[0], (outer * d.count + i) * s.inner + inner, s.x,
                             (outer * s.count + d.first[i]) * s.inner + inner);
    for (int64_t i = 0; i < d.count && has_output(node, 1); i++)
        outputs[1].i[i] = d.first[i];
    for (int64_t i = 0; i < s.count; i++) {
        if (has_output(node, 2))
            outputs[2].i[i] = d.place[i];
        if (has_output(node, 3))
            outputs[3].i[d.place[i]]++;
    }
}

const Op unique_ops[] = {
    {.name = "Unique",
     .inputs = "X!",
     .outputs = "Y, Indices?, Inverse?, Counts?",
     .attributes = "axis:int, sorted:int=1",
     .since = 11,
     .precision = CLASS_NONE,
     .kind = OP_STATIC,
     .infer = unique_infer,
     .evaluate = unique_evaluate},
    {0},
};
