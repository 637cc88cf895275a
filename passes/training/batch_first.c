/* batch_first.c: the samples of a value in front.
 *
 * Targets come sample by sample, so that what a loss reads must lie so too: [T, N, C] is transposed to [N, T, C], and
 * of [T · N, C] the rows are brought together sample by sample. */
#include <inttypes.h>
#include <string.h>

#include "passes/training/axis_names.h"
#include "passes/training/batch_axis.h"

/* The value with major, batch and minor as axes of their own, and the order that puts the batch first. */
static int split_dims(const Type *type, const Digit *digit, int64_t batch, int64_t dims[MAX_RANK + 2],
                      int order[MAX_RANK + 2])
{
    int rank = 0, at = 1;
    for (int axis = 0; axis < type->rank; axis++) {
        bool split = axis == digit->axis;
        if (split && digit->major > 1)
            dims[rank++] = digit->major;
        if (split)
            order[0] = rank;
        dims[rank++] = split ? batch : type->dims[axis];
        if (split && digit->minor > 1)
            dims[rank++] = digit->minor;
    }
    for (int axis = 0; axis < rank; axis++)
        if (axis != order[0])
            order[at++] = axis;
    return rank;
}

/* The dims with the samples first: those of the value where its first axis has them, else with an axis more in front
 * and what is left of the one that had them. */
static Type batch_first_type(const Type *type, const Digit *digit, int64_t batch)
{
    Type result = *type;
    if (digit->axis == 0)
        return result;
    result.rank = 0;
    result.dims[result.rank++] = batch;
    for (int axis = 0; axis < type->rank; axis++)
        if (axis != digit->axis)
            result.dims[result.rank++] = type->dims[axis];
        else if (digit->major * digit->minor > 1)
            result.dims[result.rank++] = digit->major * digit->minor;
    return result;
}

Value *build_batch_first(Graph *graph, Value *value, int64_t outer, int64_t batch)
{
    Digit digit;
    int64_t dims[MAX_RANK + 2];
    int order[MAX_RANK + 2];
    if (outer == 1 || batch == 1)
        return value;
    if (!find_digit(&value->type, outer, batch, &digit))
        return NULL;
    int rank = split_dims(&value->type, &digit, batch, dims, order);
    if (rank > MAX_RANK)
        return NULL;
    const Type type = batch_first_type(&value->type, &digit, batch);
    Value *split = build_reshape(graph, value, rank, dims);
    return build_reshape(graph, build_transpose(graph, split, order), type.rank, type.dims);
}

Value *build_batch_back(Graph *graph, Value *value, const Type *like, int64_t outer, int64_t batch)
{
    Digit digit;
    int64_t dims[MAX_RANK + 2], permuted[MAX_RANK];
    int order[MAX_RANK + 2], inverse[MAX_RANK];
    if (outer == 1 || batch == 1)
        return value;
    if (!find_digit(like, outer, batch, &digit))
        return NULL;
    int rank = split_dims(like, &digit, batch, dims, order);
    if (rank > MAX_RANK)
        return NULL;
    for (int i = 0; i < rank; i++) {
        permuted[i] = dims[order[i]];
        inverse[order[i]] = i;
    }
    Value *split = build_reshape(graph, value, rank, permuted);
    return build_reshape(graph, build_transpose(graph, split, inverse), like->rank, like->dims);
}

/* ---- what the loss reads ----------------------------------------------------------------------------------------- */

/* By extents alone: the first axis, or the only other one of the batch's extent. The classes' is none. */
static int64_t place_by_extent(Graph *graph, const Value *scores, const char *output, int class_axis)
{
    const Type *type = &scores->type;
    int candidates = 0, found = 0;
    for (int axis = type->rank - 1; axis >= 0; axis--)
        if (axis != class_axis && (axis == 0 ? type->dims[0] % graph->batch == 0 : type->dims[axis] == graph->batch)) {
            candidates++;
            found = axis;
        }
    if (candidates > 1)
        fatal(graph->diagnostics, EXIT_STATUS_UNSUPPORTED, graph->origin,
              "which axis of output '%s', %s, is the batch of %" PRId64
              " is not known: it does not follow from the graph, and several axes fit; export the model with the batch "
              "axis named on inputs and outputs alike, or give a --batch that no other axis has",
              output ? output : "?", type_text(graph->arena, type), graph->batch);
    return place_on_axis(type, found);
}

static int64_t place_of_scores(Graph *graph, const Value *scores, const char *output, int class_axis)
{
    int named = output_batch_axis(graph, scores, output);
    int64_t place = named >= 0 ? place_on_axis(&scores->type, named) : follow_batch(graph, graph->batch)[scores->id];
    return place > 0 ? place : place_by_extent(graph, scores, output, class_axis);
}

/* Classes that are counted from the first axis, which is to be the batch, must not have to be counted again. */
static void check_class_axis(Graph *graph, const Value *scores, const char *output, int batch_axis, int class_axis)
{
    const Type *type = &scores->type;
    bool last = class_axis == type->rank - 1;
    if (class_axis < 0 || batch_axis == 0 || (type->rank == 2 && batch_axis == 1 && class_axis == 1) ||
        (type->rank > 2 && last && batch_axis != class_axis))
        return;
    fatal(graph->diagnostics, EXIT_STATUS_INPUT, graph->origin,
          "output '%s', %s, has its batch on axis %d, so that the classes are not on axis %d of [batch, ...]; %s",
          output ? output : "?", type_text(graph->arena, type), batch_axis, class_axis,
          last ? "name another output with --output"
               : "use --loss token-cross-entropy where they are on the last axis");
}

Value *scores_batch_first(Graph *graph, Value *scores, const char *output, int class_axis)
{
    Digit digit;
    if (graph->batch == 1 || scores->type.rank == 0)
        return scores;
    int64_t outer = place_of_scores(graph, scores, output, class_axis);
    if (outer == 1)
        return scores;
    if (find_digit(&scores->type, outer, graph->batch, &digit))
        check_class_axis(graph, scores, output, digit.axis, class_axis);
    Value *first = build_batch_first(graph, scores, outer, graph->batch);
    if (!first)
        fatal(graph->diagnostics, EXIT_STATUS_UNSUPPORTED, graph->origin,
              "output '%s', %s, has its %" PRId64 " samples spread over several axes; name another with --output",
              output ? output : "?", type_text(graph->arena, &scores->type), graph->batch);
    first->name = arena_printf(graph->arena, "%s/batch_first", output ? output : "output");
    return first;
}
