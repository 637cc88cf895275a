/* random_bits.h: the counter-based generator of the kernels: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel
 * random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * Random bits are a function of (seed; node, update, micro-batch, element), so that they have no state to save, are the
 * same for any number of threads, and a CUDA thread computes the same ones. Philox rather than a cheaper hash of the
 * counter because it passes BigCrush for every key and its constants and test vectors are public; its 32 x 32 -> 64 bit
 * products vectorise everywhere. */
#ifndef PCC_RANDOM_BITS_H
#define PCC_RANDOM_BITS_H

#include "step.h"
#include "typed.h"

#define PCC_PHILOX_ROUNDS 10
#define PCC_PHILOX_LANES 16                     /* counters that are encrypted together */
#define PCC_RANDOM_GROUP (4 * PCC_PHILOX_LANES) /* words from them */

/* Four words of every lane: word w of lane i is word[w * PCC_PHILOX_LANES + i], that of a group's element. */
typedef struct PccPhilox {
    uint32_t word[PCC_RANDOM_GROUP];
} PccPhilox;

PCC_KERNEL void pcc_philox_round(PccPhilox *p, uint32_t key0, uint32_t key1)
{
    enum { N = PCC_PHILOX_LANES };
    for (int i = 0; i < N; i++) {
        uint64_t a = (uint64_t)p->word[i] * 0xD2511F53u, b = (uint64_t)p->word[2 * N + i] * 0xCD9E8D57u;
        uint32_t second = p->word[N + i], fourth = p->word[3 * N + i];
        p->word[i] = (uint32_t)(b >> 32) ^ second ^ key0;
        p->word[N + i] = (uint32_t)b;
        p->word[2 * N + i] = (uint32_t)(a >> 32) ^ fourth ^ key1;
        p->word[3 * N + i] = (uint32_t)a;
    }
}

PCC_KERNEL void pcc_philox(PccPhilox *p, uint64_t key)
{
    uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
    for (int round = 0; round < PCC_PHILOX_ROUNDS; round++) {
        pcc_philox_round(p, key0, key1);
        key0 += 0x9E3779B9u; /* golden ratio */
        key1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
}

/* The words of elements [group, group + 1) * PCC_RANDOM_GROUP of node `node` in this micro-batch. The counter's words
 * are the lane's number, the node, the update and the micro-batch: 2^34 elements a node. */
PCC_KERNEL PccPhilox pcc_random_group(const PccStep *s, int64_t node, int64_t group)
{
    enum { N = PCC_PHILOX_LANES };
    PccPhilox p;
    for (int i = 0; i < N; i++) {
        p.word[i] = (uint32_t)group * N + (uint32_t)i;
        p.word[N + i] = (uint32_t)node;
        p.word[2 * N + i] = (uint32_t)s->update;
        p.word[3 * N + i] = (uint32_t)s->micro;
    }
    pcc_philox(&p, s->seed);
    return p;
}

#endif
