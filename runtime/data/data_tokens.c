/* data_tokens.c: a file of tokens for language models: little-endian u16 when its name ends in .bin, else bytes. A
 * sample is a window of T tokens, T being the integer input's second dim; windows do not overlap. Labels are the same
 * window where the loss shifts them, else the window one token later. */
#include <string.h>

#include "data.h"
#include "../files/dtype.h"

static bool tokens_are_u16(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, ".bin") == 0;
}

/* The integer input that reads tokens, -1 when it is ambiguous. */
static int64_t tokens_input(const PccLayout *layout)
{
    int64_t found = -1;
    for (int64_t i = 0; i + 1 < layout->count; i++) {
        bool integer = !pcc_dtype_is_float(layout->slots[i].tensor->dtype) && !layout->slots[i].shared;
        if (!integer || (i == layout->label_slot && layout->count > 2))
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

static int tokens_open(PccData *data, const char *argument, bool validation, PccError *error)
{
    (void)validation;
    const PccLayout *layout = data->layout;
    int64_t input = tokens_input(layout);
    if (input < 0)
        return pcc_fail(error, PCC_ERR_INPUT, "tokens:%s needs a program with one integer input; use safetensors:FILE",
                        argument);
    const unsigned char *bytes;
    size_t size;
    int status = pcc_data_map(data, argument, &bytes, &size, error);
    if (status)
        return status;
    PccDtype dtype = tokens_are_u16(argument) ? PCC_U16 : PCC_U8;
    size_t item = pcc_dtype_size(dtype);
    if (size % item)
        return pcc_fail(error, PCC_ERR_INPUT, "%s has an odd number of bytes; a .bin file holds 16-bit tokens",
                        argument);
    int64_t window = layout->slots[input].elements, tokens = (int64_t)(size / item);
    int64_t labels = layout->label_slot;
    int64_t shift = labels >= 0 && labels != input && layout->next_token;
    if (tokens < window + shift || window == 0)
        return pcc_fail(error, PCC_ERR_INPUT, "%s has %lld tokens; one sample takes %lld", argument, (long long)tokens,
                        (long long)(window + shift));
    PccDataColumn column = {.source = argument,
                            .dtype = dtype,
                            .rank = 1,
                            .dims = {window},
                            .data = bytes,
                            .stride = (size_t)window * item,
                            .count = (tokens - shift) / window,
                            .limit = layout->classes,
                            .big = true};
    data->columns[input] = column;
    data->count = column.count;
    data->ordered = true;
    if (labels >= 0 && labels != input) {
        column.data += (size_t)shift * item;
        data->columns[labels] = column;
    }
    return PCC_OK;
}

const PccDataFormat pcc_data_tokens = {.open = tokens_open};
