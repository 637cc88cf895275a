/* shuffle.c: Fisher and Yates' shuffle (Knuth, TAOCP 3.4.2, algorithm P). */
#include "random.h"
#include "shuffle.h"

void pcc_shuffle(int64_t *order, int64_t count, uint64_t seed, uint64_t epoch)
{
    uint64_t key = pcc_draw_bits(seed, epoch);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)pcc_draw_below(key, (uint64_t)i, (uint64_t)i + 1);
        int64_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
