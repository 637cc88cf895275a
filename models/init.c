/* init.c: initial values, from a counter-based generator: element i of tensor t depends on (seed, t, i) alone. */
#include <math.h>

#include "models/fill.h"

Init init_constant(double value)
{
    return (Init){INIT_CONSTANT, value};
}

Init init_uniform(double bound)
{
    return (Init){INIT_UNIFORM, bound};
}

Init init_normal(double deviation)
{
    return (Init){INIT_NORMAL, deviation};
}

Init init_fan_in(int64_t fan_in)
{
    return init_uniform(1 / sqrt((double)fan_in));
}

Init init_xavier_uniform(int64_t fan_in, int64_t fan_out)
{
    return init_uniform(sqrt(6.0 / (double)(fan_in + fan_out)));
}

/* SplitMix64's output function (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In (0, 1): 53 random bits, never 0, so that its logarithm is finite. */
static double draw(uint64_t key, uint64_t counter)
{
    uint64_t bits = mix(key + (counter + 1) * 0x9e3779b97f4a7c15u);
    return ((double)(bits >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller 1958. */
static double draw_normal(uint64_t key, uint64_t counter)
{
    const double pi = 3.14159265358979323846;
    return sqrt(-2 * log(draw(key, 2 * counter))) * cos(2 * pi * draw(key, 2 * counter + 1));
}

uint64_t fill_key(uint64_t seed, int tensor)
{
    return mix(mix(seed) + (uint64_t)tensor);
}

void fill_init(void *context, int64_t first, int64_t count, void *elements)
{
    const Fill *fill = context;
    float *values = elements;
    for (int64_t i = 0; i < count; i++) {
        uint64_t counter = (uint64_t)(first + i);
        double scale = fill->init.scale;
        switch (fill->init.kind) {
        case INIT_CONSTANT:
            values[i] = (float)scale;
            break;
        case INIT_UNIFORM:
            values[i] = (float)(scale * (2 * draw(fill->key, counter) - 1));
            break;
        case INIT_NORMAL:
            values[i] = (float)(scale * draw_normal(fill->key, counter));
            break;
        }
    }
}
