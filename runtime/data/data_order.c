/* data_order.c: matches the axes of a sample to those of the program. */
#include <stdio.h>
#include <string.h>

#include "data_order.h"

/* Common orders, without N: among those with the same letters, ONNX's own comes first. */
static const char *const order_known[] = {
    "C",  "T",  "L",   "W",   "CT",   "TC",   "CL",   "LC",   "CW",   "WC",
    "HW", "WH", "CHW", "HWC", "CDHW", "DHWC", "CTHW", "TCHW", "THWC",
};

static PccAxes order_without_ones(PccAxes axes)
{
    PccAxes left = {0};
    for (int i = 0; i < axes.rank; i++)
        if (axes.dims[i] != 1)
            left.dims[left.rank++] = axes.dims[i];
    return left;
}

static bool order_same(PccAxes a, PccAxes b)
{
    return a.rank == b.rank && memcmp(a.dims, b.dims, (size_t)a.rank * sizeof *a.dims) == 0;
}

/* Is `coarse` the result of flattening neighbouring axes of `fine`? Both without axes of size 1. */
static bool order_flattens(PccAxes fine, PccAxes coarse)
{
    int at = 0;
    for (int i = 0; i < coarse.rank; i++) {
        int64_t product = 1;
        while (at < fine.rank && product < coarse.dims[i])
            if (__builtin_mul_overflow(product, fine.dims[at++], &product))
                return false;
        if (product != coarse.dims[i])
            return false;
    }
    return at == fine.rank;
}

/* Pairs each of the program's axes with an axis of the data of the same size. False: the dims differ. *ways: 1, or more
 * where equal dims could be exchanged. */
static bool order_pair(PccAxes data, PccAxes program, int axis_of[PCC_MAX_RANK], int *ways)
{
    bool used[PCC_MAX_RANK] = {false};
    *ways = 1;
    for (int i = 0; i < program.rank; i++) {
        int found = -1, like = 0;
        for (int j = 0; j < data.rank; j++) {
            if (used[j] || data.dims[j] != program.dims[i])
                continue;
            found = found < 0 ? j : found;
            like++;
        }
        if (found < 0)
            return false;
        used[found] = true;
        axis_of[i] = found;
        *ways *= like;
    }
    return data.rank == program.rank;
}

/* The program's axis i is the data's axis_of[i]; negative: of size 1, none. */
static PccDataOrder order_build(PccAxes data, PccAxes program, const int axis_of[PCC_MAX_RANK])
{
    int64_t strides[PCC_MAX_RANK], stride = 1, next = 1;
    PccDataOrder order = {0};
    for (int j = data.rank - 1; j >= 0; j--) {
        strides[j] = stride;
        stride *= data.dims[j];
    }
    for (int i = 0; i < program.rank; i++) {
        if (program.dims[i] == 1)
            continue;
        order.dims[order.rank] = program.dims[i];
        order.strides[order.rank++] = strides[axis_of[i]];
    }
    bool as_it_lies = true;
    for (int i = order.rank - 1; i >= 0; i--) {
        as_it_lies &= order.strides[i] == next;
        next *= order.dims[i];
    }
    return as_it_lies ? (PccDataOrder){0} : order;
}

PccDataFit pcc_data_fit(PccAxes data, PccAxes program, PccDataOrder *order)
{
    int axis_of[PCC_MAX_RANK], ways;
    *order = (PccDataOrder){0};
    data = order_without_ones(data);
    program = order_without_ones(program);
    if (order_same(data, program))
        return PCC_DATA_AS_IT_LIES;
    if (order_pair(data, program, axis_of, &ways)) {
        if (ways > 1)
            return PCC_DATA_SEVERAL;
        *order = order_build(data, program, axis_of);
        return PCC_DATA_PERMUTED;
    }
    return order_flattens(data, program) || order_flattens(program, data) ? PCC_DATA_AS_IT_LIES : PCC_DATA_OTHER;
}

/* The letters of an order, without N. */
typedef struct OrderLetters {
    int count;
    char letters[PCC_MAX_RANK + 2];
} OrderLetters;

static const char *order_parse(const char *text, size_t length, OrderLetters *out)
{
    *out = (OrderLetters){0};
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 'A' || text[i] > 'Z')
            return "axes are capital letters, as in NHWC or NHWC:NCHW";
        if (memchr(text, text[i], i))
            return "a letter stands for one axis only";
        if (text[i] == 'N' && i > 0)
            return "the sample's axis, N, comes first";
        if (text[i] == 'N')
            continue;
        if (out->count == PCC_MAX_RANK)
            return "a sample has at most 8 axes";
        out->letters[out->count++] = text[i];
    }
    return out->count ? NULL : "it names no axis";
}

static bool order_same_letters(const OrderLetters *data, const char *program)
{
    for (const char *letter = program; *letter; letter++)
        if (!memchr(data->letters, *letter, (size_t)data->count))
            return false;
    return (size_t)data->count == strlen(program);
}

/* Pairs axes by their letters; an axis without a partner must be of size 1. */
static bool order_match(const OrderLetters *named, const char *program_letters, PccAxes data, PccAxes program,
                        PccDataOrder *order)
{
    int axis_of[PCC_MAX_RANK];
    if (strlen(program_letters) != (size_t)program.rank)
        return false;
    for (int j = 0; j < data.rank; j++)
        if (data.dims[j] != 1 && !strchr(program_letters, named->letters[j]))
            return false;
    for (int i = 0; i < program.rank; i++) {
        const char *at = memchr(named->letters, program_letters[i], (size_t)named->count);
        axis_of[i] = at ? (int)(at - named->letters) : -1;
        if (program.dims[i] != (at ? data.dims[axis_of[i]] : 1))
            return false;
    }
    *order = order_build(data, program, axis_of);
    return true;
}

bool pcc_data_spelt(const char *spelling, PccAxes data, PccAxes program, PccDataOrder *order, const char **problem)
{
    OrderLetters named, given;
    const char *colon = strchr(spelling, ':');
    *problem = order_parse(spelling, colon ? (size_t)(colon - spelling) : strlen(spelling), &named);
    if (!*problem && colon)
        *problem = order_parse(colon + 1, strlen(colon + 1), &given);
    if (!*problem && named.count != data.rank)
        *problem = "it must name every axis of the data";
    if (!*problem && colon && given.count != program.rank)
        *problem = "behind the colon it must name every axis that the program takes";
    if (*problem)
        return false;
    if (colon && order_match(&named, given.letters, data, program, order))
        return true;
    bool known = colon != NULL;
    for (int64_t i = 0; i < PCC_COUNT(order_known) && !colon; i++) {
        if (order_match(&named, order_known[i], data, program, order))
            return true;
        known |= order_same_letters(&named, order_known[i]);
    }
    *problem = known ? "with these letters the dims do not fit"
                     : "the program's axes have other letters: give them too, as in NHWC:NCHW";
    return false;
}

const char *pcc_data_suggest(char text[PCC_DATA_SPELLING], PccAxes data, PccAxes program)
{
    PccDataOrder order;
    const char *problem, *letters = "ABCDEFGH";
    for (int64_t i = 0; i < PCC_COUNT(order_known); i++) {
        snprintf(text, PCC_DATA_SPELLING, "N%s", order_known[i]);
        if (pcc_data_spelt(text, data, program, &order, &problem) && order.rank > 0)
            return text;
    }
    bool used[PCC_MAX_RANK] = {false};
    int length = 1, spare = 'P';
    for (int64_t i = PCC_COUNT(order_known) - 1; i >= 0; i--)
        letters = strlen(order_known[i]) == (size_t)program.rank ? order_known[i] : letters;
    text[0] = 'N';
    for (int j = 0; j < data.rank; j++) {
        int i = 0;
        while (i < program.rank && (used[i] || program.dims[i] != data.dims[j]))
            i++;
        text[length++] = i < program.rank ? letters[i] : (char)spare++;
        if (i < program.rank)
            used[i] = true;
    }
    snprintf(text + length, PCC_DATA_SPELLING - (size_t)length, ":N%.*s", program.rank, letters);
    return text;
}

/* Copies `count` items that lie `stride` bytes apart. */
static void order_gather(char *to, const char *from, size_t item, int64_t count, size_t stride)
{
#define ORDER_GATHER(size)              \
    for (int64_t i = 0; i < count; i++) \
    memcpy(to + (size_t)i * (size), from + (size_t)i * stride, (size))
    switch (item) {
    case 1:
        ORDER_GATHER(1);
        break;
    case 2:
        ORDER_GATHER(2);
        break;
    case 4:
        ORDER_GATHER(4);
        break;
    default:
        ORDER_GATHER(8);
    }
#undef ORDER_GATHER
}

void pcc_data_permute(void *to, const void *from, size_t item, const PccDataOrder *order)
{
    int last = order->rank - 1;
    int64_t at[PCC_MAX_RANK] = {0}, offset = 0;
    const int64_t count = order->dims[last];
    char *out = to;
    for (;;) {
        order_gather(out, (const char *)from + (size_t)offset * item, item, count, (size_t)order->strides[last] * item);
        out += (size_t)count * item;
        int axis = last - 1;
        while (axis >= 0 && ++at[axis] == order->dims[axis]) {
            offset -= (order->dims[axis] - 1) * order->strides[axis];
            at[axis--] = 0;
        }
        if (axis < 0)
            return;
        offset += order->strides[axis];
    }
}
