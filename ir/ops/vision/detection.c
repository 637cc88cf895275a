/* detection.c: NonMaxSuppression of boxes that are known when the model is compiled: how many remain, a dimension of
 * the result, depends on them. */
#include "ir/ops/shared/row.h"

#include <math.h>
#include <stdlib.h>

enum { BOXES, SCORES, MOST, OVERLAP, LEAST_SCORE };
enum { MOST_COMPARISONS = 1 << 28 }; /* of all boxes with all, for every class of every image */

typedef struct Candidate {
    double score;
    int64_t box;
} Candidate;

/* One class of one image: which boxes remain, best first. */
typedef struct Suppression {
    const double *boxes;
    int64_t count, most;
    double overlap, least;
    bool centred; /* [x centre, y centre, width, height], else two corners [y, x, y, x] */
} Suppression;

static double number_at(const Tensor *tensor, double otherwise)
{
    return !tensor->f && !tensor->i            ? otherwise
           : element_count(&tensor->type) == 0 ? otherwise
           : tensor->f                         ? tensor->f[0]
                                               : (double)tensor->i[0];
}

/* Low and high ends along the first and the second axis. */
static void ends_of(const Suppression *s, int64_t box, double low[2], double high[2])
{
    const double *b = s->boxes + 4 * box;
    for (int i = 0; i < 2; i++) {
        low[i] = s->centred ? b[i] - b[2 + i] / 2 : fmin(b[i], b[2 + i]);
        high[i] = s->centred ? b[i] + b[2 + i] / 2 : fmax(b[i], b[2 + i]);
    }
}

static bool overlaps(const Suppression *s, int64_t x, int64_t y)
{
    double low[2][2], high[2][2], shared = 1, area[2] = {1, 1};
    ends_of(s, x, low[0], high[0]);
    ends_of(s, y, low[1], high[1]);
    for (int i = 0; i < 2; i++) {
        shared *= fmax(0, fmin(high[0][i], high[1][i]) - fmax(low[0][i], low[1][i]));
        for (int j = 0; j < 2; j++)
            area[j] *= high[j][i] - low[j][i];
    }
    const double joint = area[0] + area[1] - shared;
    return shared > 0 && area[0] > 0 && area[1] > 0 && joint > 0 && shared / joint > s->overlap;
}

static int by_score(const void *x, const void *y)
{
    const Candidate *a = x, *b = y;
    return a->score > b->score ? -1 : a->score < b->score ? 1 : (a->box > b->box) - (a->box < b->box);
}

static int64_t suppress(Arena *arena, const Suppression *s, const double *scores, int64_t *kept)
{
    Candidate *candidates = NEW_ARRAY(arena, Candidate, s->count + 1);
    int64_t count = 0, remaining = 0;
    for (int64_t i = 0; i < s->count; i++)
        if (scores[i] > s->least)
            candidates[count++] = (Candidate){scores[i], i};
    qsort(candidates, (size_t)count, sizeof *candidates, by_score);
    for (int64_t i = 0; i < count && remaining < s->most; i++) {
        bool free = true;
        for (int64_t k = 0; free && k < remaining; k++)
            free = !overlaps(s, candidates[i].box, kept[k]);
        if (free)
            kept[remaining++] = candidates[i].box;
    }
    return remaining;
}

/* Rows [image, class, box], of which `rows` has room for, or NULL; their number. */
static int64_t select_boxes(Arena *arena, const Node *node, const Tensor *inputs, int64_t *rows)
{
    const Type *scores = &inputs[SCORES].type;
    const int64_t classes = scores->dims[1], count = scores->dims[2];
    int64_t *kept = NEW_ARRAY(arena, int64_t, count + 1), total = 0;
    Suppression s = {.count = count,
                     .most = (int64_t)number_at(&inputs[MOST], 0),
                     .overlap = number_at(&inputs[OVERLAP], 0),
                     .least = number_at(&inputs[LEAST_SCORE], -INFINITY),
                     .centred = attr_int(node, "center_point_box")};
    for (int64_t i = 0; i < scores->dims[0] * classes; i++) {
        s.boxes = inputs[BOXES].f + i / classes * count * 4;
        const int64_t remaining = suppress(arena, &s, inputs[SCORES].f + i * count, kept);
        for (int64_t k = 0; rows && k < remaining; k++)
            memcpy(rows + 3 * (total + k), (int64_t[]){i / classes, i % classes, kept[k]}, 3 * sizeof *rows);
        total += remaining;
    }
    return total;
}

static bool suppression_infer(Graph *graph, Node *node)
{
    const Type *boxes = &node->inputs[BOXES]->type, *scores = &node->inputs[SCORES]->type;
    Tensor inputs[5] = {{.f = NULL}};
    if (boxes->rank != 3 || scores->rank != 3 || boxes->dims[2] != 4 || boxes->dims[0] != scores->dims[0] ||
        boxes->dims[1] != scores->dims[2])
        return REJECT(graph, node, "boxes are %s and scores %s; they must be [N, B, 4] and [N, classes, B]",
                      type_text(graph->arena, boxes), type_text(graph->arena, scores));
    if ((double)element_count(scores) * (double)boxes->dims[1] > MOST_COMPARISONS)
        return REJECT_UNSUPPORTED(graph, node, "%" PRId64 " boxes with scores %s; pcc compares up to %d times",
                                  boxes->dims[1], type_text(graph->arena, scores), MOST_COMPARISONS);
    for (int i = 0; i < node->input_count; i++)
        if (input(node, i))
            inputs[i] = tensor_from_data(graph->arena, &node->inputs[i]->type, node->inputs[i]->data);
    const int64_t dims[] = {select_boxes(graph->arena, node, inputs, NULL), 3};
    return set_output_type(graph, node, 0, make_type(DTYPE_I64, 2, dims));
}

static void suppression_evaluate(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs)
{
    Tensor given[5] = {{.f = NULL}};
    memcpy(given, inputs, (size_t)node->input_count * sizeof *given);
    select_boxes(arena, node, given, outputs[0].i);
}

const Op detection_ops[] = {
    {.name = "NonMaxSuppression",
     .inputs = "Boxes:float!, Scores:float!, Most:int?!, Overlap:float?!, LeastScore:float?!",
     .outputs = "Y",
     .attributes = "center_point_box:int=0",
     .since = 10,
     .precision = CLASS_NONE,
     .kind = OP_STATIC,
     .infer = suppression_infer,
     .evaluate = suppression_evaluate},
    {0},
};
