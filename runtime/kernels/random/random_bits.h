/* random_bits.h: the counter-based generator of the kernels: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel
 * random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * Random bits are a function of (seed; node, update, micro-batch, element): there is no state to save, and they are the
 * same for any number of threads and in CUDA. Philox rather than a cheaper hash of the counter because it passes
 * BigCrush for every key and its constants and test vectors are public; its 32 x 32 -> 64 bit products are one
 * instruction on every x86-64. */
#ifndef PCC_RANDOM_BITS_H
#define PCC_RANDOM_BITS_H

#include <string.h>

#include "../common/intrinsics.h"
#include "../common/step.h"
#include "../common/typed.h"
#include "philox.h"

/* A word in each 64-bit lane, whose upper half is unused: the operand of the 32 x 32 -> 64 bit multiplication. */
#if defined(__AVX512F__)
#    define PCC_PHILOX_BYTES 64
#    define PCC_WIDE_PRODUCT(a, b) ((PccWords)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#elif defined(__AVX2__)
#    define PCC_PHILOX_BYTES 32
#    define PCC_WIDE_PRODUCT(a, b) ((PccWords)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#elif defined(__SSE2__)
#    define PCC_PHILOX_BYTES 16
#    define PCC_WIDE_PRODUCT(a, b) ((PccWords)_mm_mul_epu32((__m128i)(a), (__m128i)(b)))
#else
#    define PCC_PHILOX_BYTES 16
#    define PCC_WIDE_PRODUCT(a, b) (((a)&0xFFFFFFFFu) * (b))
#endif

typedef uint64_t PccWords __attribute__((vector_size(PCC_PHILOX_BYTES)));

enum { PCC_PHILOX_WIDTH = PCC_PHILOX_BYTES / 8, PCC_PHILOX_VECTORS = PCC_PHILOX_LANES / PCC_PHILOX_WIDTH };

/* Four words of every lane: word w of lane i is word[w * PCC_PHILOX_LANES + i], that of a group's element. */
typedef struct PccPhilox {
    uint32_t word[PCC_RANDOM_GROUP];
} PccPhilox;

/* The words of one vector of lanes. */
PCC_KERNEL void pcc_philox_vector(PccWords x[4], uint64_t key)
{
    const PccWords zero = {0}, m0 = zero + PCC_PHILOX_PRODUCT0, m1 = zero + PCC_PHILOX_PRODUCT1;
    uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
    for (int round = 0; round < PCC_PHILOX_ROUNDS; round++) {
        PccWords a = PCC_WIDE_PRODUCT(x[0], m0), b = PCC_WIDE_PRODUCT(x[2], m1);
        x[0] = (b >> 32) ^ x[1] ^ (zero + key0);
        x[1] = b;
        x[2] = (a >> 32) ^ x[3] ^ (zero + key1);
        x[3] = a;
        key0 += PCC_PHILOX_KEY0;
        key1 += PCC_PHILOX_KEY1;
    }
}

/* Encrypts every lane's counter, p->word, in place. */
PCC_KERNEL void pcc_philox(PccPhilox *p, uint64_t key)
{
    for (int v = 0; v < PCC_PHILOX_VECTORS; v++) {
        uint32_t *first = p->word + v * PCC_PHILOX_WIDTH;
        PccWords x[4];
        for (int w = 0; w < 4; w++) {
            uint64_t lanes[PCC_PHILOX_WIDTH]; /* not x[w][i]: gcc 12 warns of uninitialised lanes */
            for (int i = 0; i < PCC_PHILOX_WIDTH; i++)
                lanes[i] = first[w * PCC_PHILOX_LANES + i];
            memcpy(&x[w], lanes, sizeof lanes);
        }
        pcc_philox_vector(x, key);
        for (int w = 0; w < 4; w++)
            for (int i = 0; i < PCC_PHILOX_WIDTH; i++)
                first[w * PCC_PHILOX_LANES + i] = (uint32_t)x[w][i];
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
