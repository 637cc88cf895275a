/* shuffle.h: the order of samples in an epoch. */
#ifndef PCC_SHUFFLE_H
#define PCC_SHUFFLE_H

#include <stdint.h>

/* Writes a permutation of 0 … count - 1 that depends on seed and epoch only, so that a resumed run repeats it. */
void pcc_shuffle(int64_t *order, int64_t count, uint64_t seed, uint64_t epoch);

#endif
