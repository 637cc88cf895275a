/* philox.h: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) for one
 * counter, for both targets; random_bits.h computes many counters at once. */
#ifndef PCC_PHILOX_H
#define PCC_PHILOX_H

#include <stdint.h>

#include "../common/inline.h"

#define PCC_PHILOX_ROUNDS 10
#define PCC_PHILOX_LANES 16                     /* counters that are encrypted together */
#define PCC_RANDOM_GROUP (4 * PCC_PHILOX_LANES) /* words that they give */
#define PCC_PHILOX_PRODUCT0 0xD2511F53u
#define PCC_PHILOX_PRODUCT1 0xCD9E8D57u
#define PCC_PHILOX_KEY0 0x9E3779B9u /* golden ratio */
#define PCC_PHILOX_KEY1 0xBB67AE85u /* sqrt(3) - 1 */

typedef struct PccPhiloxWords {
    uint32_t word[4];
} PccPhiloxWords;

PCC_KERNEL PccPhiloxWords pcc_philox_words(PccPhiloxWords counter, uint64_t key)
{
    PccPhiloxWords x = counter;
    uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
    for (int round = 0; round < PCC_PHILOX_ROUNDS; round++) {
        const uint64_t a = (uint64_t)x.word[0] * PCC_PHILOX_PRODUCT0, b = (uint64_t)x.word[2] * PCC_PHILOX_PRODUCT1;
        x.word[0] = (uint32_t)(b >> 32) ^ x.word[1] ^ key0;
        x.word[1] = (uint32_t)b;
        x.word[2] = (uint32_t)(a >> 32) ^ x.word[3] ^ key1;
        x.word[3] = (uint32_t)a;
        key0 += PCC_PHILOX_KEY0;
        key1 += PCC_PHILOX_KEY1;
    }
    return x;
}

/* The words of lane `lane` of group `group` of node `node`: those of the group's elements lane, lane + 16, lane + 32
 * and lane + 48, of PCC_RANDOM_GROUP. The counter's words are the lane's number, the node, the update and the
 * micro-batch: 2^34 elements a node. */
PCC_KERNEL PccPhiloxWords pcc_random_lane(uint64_t seed, int64_t node, uint64_t update, uint64_t micro, int64_t group,
                                          int32_t lane)
{
    PccPhiloxWords counter;
    counter.word[0] = (uint32_t)group * PCC_PHILOX_LANES + (uint32_t)lane;
    counter.word[1] = (uint32_t)node;
    counter.word[2] = (uint32_t)update;
    counter.word[3] = (uint32_t)micro;
    return pcc_philox_words(counter, seed);
}

#endif
