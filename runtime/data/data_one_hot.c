/* data_one_hot.c: labels as rows of zeros and a one, [N, C] or [N, C, ...] or [N, ..., C], where the program takes the
 * index of the class: converted once, when the set is opened. */
#include <stdio.h>
#include <string.h>

#include "data.h"
#include "../files/dtype.h"

/* A sample's labels viewed as [outer, classes, inner]. */
typedef struct OneHot {
    int64_t outer, classes, inner;
} OneHot;

static bool one_hot_is_class_axis(const PccDataColumn *column, int axis, PccAxes program)
{
    PccAxes rest = {0};
    PccDataOrder order;
    for (int i = 0; i < column->rank; i++)
        if (i != axis)
            rest.dims[rest.rank++] = column->dims[i];
    return pcc_data_fit(rest, program, &order) == PCC_DATA_AS_IT_LIES;
}

/* The axis of the classes: the first, as in PyTorch, or the last; -1: neither, -2: either. */
static int one_hot_axis(const PccDataColumn *column, int64_t classes, PccAxes program)
{
    const int last = column->rank - 1;
    const bool first_fits = column->dims[0] == classes && one_hot_is_class_axis(column, 0, program);
    const bool last_fits = column->dims[last] == classes && one_hot_is_class_axis(column, last, program);
    if (first_fits && last_fits && last > 0)
        return -2;
    return first_fits ? 0 : last_fits ? last : -1;
}

/* The class of each label of a sample. Returns the offset of the first element that is wrong in a one-hot row, or -1.
 */
static int64_t one_hot_read(OneHot shape, const PccDataColumn *column, int64_t sample, int32_t *labels)
{
    const unsigned char *from = column->data + (size_t)sample * column->stride;
    for (int64_t o = 0; o < shape.outer; o++) {
        for (int64_t i = 0; i < shape.inner; i++) {
            int64_t at = o * shape.classes * shape.inner + i, ones = 0;
            for (int64_t c = 0; c < shape.classes; c++) {
                double value = pcc_dtype_load(from, column->dtype, at + c * shape.inner);
                if (value == 1)
                    labels[o * shape.inner + i] = (int32_t)c;
                ones += value == 1;
                if ((value != 0 && value != 1) || ones > 1 || (c + 1 == shape.classes && ones == 0))
                    return at + c * shape.inner;
            }
        }
    }
    return -1;
}

static int one_hot_refuse(const PccDataColumn *column, OneHot shape, int64_t sample, int64_t at, PccError *error)
{
    char text[512];
    const double value = pcc_dtype_load(column->data + (size_t)sample * column->stride, column->dtype, at);
    pcc_tensor_describe(text, sizeof text, column->source, column->dtype, column->rank, column->dims);
    return pcc_fail(
        error, PCC_ERR_INPUT,
        "%s: sample %lld is not one-hot: %g for class %lld of %lld, where a label is one 1 among 0s; give "
        "the index of each sample's class instead (soft labels, probabilities of classes, are not supported)",
        text, (long long)sample, value, (long long)(at / shape.inner % shape.classes), (long long)shape.classes);
}

static int one_hot_convert(PccData *data, PccDataColumn *column, OneHot shape, PccError *error)
{
    const int64_t elements = shape.outer * shape.inner;
    int64_t bytes;
    if (__builtin_mul_overflow(elements * (int64_t)sizeof(int32_t), column->count, &bytes))
        return pcc_fail(error, PCC_ERR_INPUT, "%s: its dims overflow", column->source);
    int32_t *labels = pcc_data_allocate(data, (size_t)bytes, error);
    if (!labels)
        return error->status;
    for (int64_t sample = 0; sample < column->count; sample++) {
        int64_t wrong = one_hot_read(shape, column, sample, labels + sample * elements);
        if (wrong >= 0)
            return one_hot_refuse(column, shape, sample, wrong, error);
    }
    column->data = (const unsigned char *)labels;
    column->dtype = PCC_I32;
    column->stride = (size_t)elements * sizeof *labels;
    return PCC_OK;
}

int pcc_data_index_one_hot(PccData *data, PccError *error)
{
    const int64_t slot_index = data->layout->label_slot, classes = data->layout->classes;
    if (slot_index < 0)
        return PCC_OK;
    const PccSlot *slot = &data->layout->slots[slot_index];
    PccDataColumn *column = &data->columns[slot_index];
    int64_t elements;
    if (!column->source || slot->shared || classes < 2 || column->rank < 1 ||
        __builtin_mul_overflow(slot->elements, classes, &elements) ||
        pcc_element_count(column->rank, column->dims) != elements || elements == 0)
        return PCC_OK;
    const int axis = one_hot_axis(column, classes, pcc_slot_axes(data->layout, slot));
    char text[512];
    pcc_tensor_describe(text, sizeof text, column->source, column->dtype, column->rank, column->dims);
    if (axis == -2)
        return pcc_fail(
            error, PCC_ERR_INPUT,
            "%s: one-hot labels over the first axis, or over the last? Give the index of each class instead", text);
    if (axis < 0)
        return PCC_OK;
    OneHot shape = {.outer = pcc_element_count(axis, column->dims), .classes = classes};
    shape.inner = slot->elements / shape.outer;
    int status = one_hot_convert(data, column, shape, error);
    if (status)
        return status;
    fprintf(stderr, "note: %s is one-hot: read as the index of each sample's class\n", text);
    memmove(column->dims + axis, column->dims + axis + 1, (size_t)(column->rank - axis - 1) * sizeof *column->dims);
    column->rank--;
    return PCC_OK;
}
