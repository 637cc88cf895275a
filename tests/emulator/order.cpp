/* order.cpp: PCC_EMULATOR_ORDER=forward|reverse|random:SEED, the order of blocks, warps and lanes. */
#include "emulator.h"

#include <stdlib.h>
#include <string.h>

#include "pcc_emulator.h"

enum Order { FORWARD, REVERSE, RANDOM };

static Order order_of_environment(uint64_t *state)
{
    const char *text = getenv("PCC_EMULATOR_ORDER");
    if (!text || strcmp(text, "") == 0 || strcmp(text, "forward") == 0)
        return FORWARD;
    if (strcmp(text, "reverse") == 0)
        return REVERSE;
    if (strncmp(text, "random:", 7) != 0)
        fault("PCC_EMULATOR_ORDER is forward, reverse or random:SEED, not '%s'", text);
    *state = strtoull(text + 7, nullptr, 10);
    return RANDOM;
}

static Order order;
static uint64_t state;

void read_order(void)
{
    order = order_of_environment(&state);
}

/* Splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t next_random(void)
{
    uint64_t x = state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

void shuffle(int *turns, int count)
{
    for (int i = 0; i < count; i++)
        turns[i] = order == REVERSE ? count - 1 - i : i;
    for (int i = count - 1; order == RANDOM && i > 0; i--) {
        const int j = (int)(next_random() % (uint64_t)(i + 1)), kept = turns[i];
        turns[i] = turns[j];
        turns[j] = kept;
    }
}

/* Which block is run as the `turn`th: at random, a walk around the grid by a step that shares no factor with it. */
int64_t block_of_turn(int64_t turn, int64_t blocks)
{
    static int64_t step, start;
    if (order != RANDOM)
        return order == REVERSE ? blocks - 1 - turn : turn;
    if (turn == 0) {
        start = (int64_t)(next_random() % (uint64_t)blocks);
        step = (int64_t)(next_random() % (uint64_t)blocks) | 1;
        for (int64_t a = step, b = blocks; a != 1;) {
            for (a = step, b = blocks; b != 0;) {
                const int64_t rest = a % b;
                a = b;
                b = rest;
            }
            step += a != 1;
        }
    }
    return (int64_t)(((__int128)step * turn + start) % blocks);
}

void pcc_emulated_order(const char *text)
{
    if (setenv("PCC_EMULATOR_ORDER", text, 1) != 0)
        fault("no memory for an order");
    read_order();
}
