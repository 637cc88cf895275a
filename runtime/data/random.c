/* random.c: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014) evaluated at
 * any position of its sequence. */
#include <math.h>

#include "random.h"

static uint64_t random_mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t pcc_draw_bits(uint64_t key, uint64_t counter)
{
    /* Mixing the key first prevents the sequences of neighbouring keys from being shifted copies of each other. */
    return random_mix(random_mix(key + 0x9e3779b97f4a7c15u) + (counter + 1) * 0x9e3779b97f4a7c15u);
}

uint64_t pcc_draw_below(uint64_t key, uint64_t counter, uint64_t bound)
{
    /* Multiply-shift; the bias is below bound / 2^64. */
    return (uint64_t)((unsigned __int128)pcc_draw_bits(key, counter) * bound >> 64);
}

/* Box and Muller's transform of two uniforms in (0, 1]. */
double pcc_draw_normal(uint64_t key, uint64_t counter)
{
    double u = ((double)(pcc_draw_bits(key, 2 * counter) >> 11) + 1) * 0x1p-53;
    double v = ((double)(pcc_draw_bits(key, 2 * counter + 1) >> 11) + 1) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}
