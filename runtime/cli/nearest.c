/* nearest.c: "did you mean". */
#include <string.h>

#include "nearest.h"

enum { NEAREST_LENGTH = 32 };

/* Levenshtein's distance; a large distance for names longer than NEAREST_LENGTH. */
static int nearest_distance(const char *a, const char *b)
{
    int row[NEAREST_LENGTH + 1];
    size_t columns = strlen(b);
    if (strlen(a) > NEAREST_LENGTH || columns > NEAREST_LENGTH)
        return NEAREST_LENGTH;
    for (size_t j = 0; j <= columns; j++)
        row[j] = (int)j;
    for (size_t i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = (int)i + 1;
        for (size_t j = 0; j < columns; j++) {
            int replaced = diagonal + (a[i] != b[j]);
            int shorter = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            diagonal = row[j + 1];
            row[j + 1] = replaced < shorter ? replaced : shorter;
        }
    }
    return row[columns];
}

const char *pcc_nearest_name(const char *name, const char *(*at)(int64_t i), int64_t count)
{
    const char *best = NULL;
    size_t length = strlen(name);
    int limit = length < 4 ? 1 : length < 8 ? 2 : 3;
    for (int64_t i = 0; i < count; i++) {
        int distance = nearest_distance(name, at(i));
        if (distance <= limit) {
            limit = distance - 1;
            best = at(i);
        }
    }
    return best;
}
