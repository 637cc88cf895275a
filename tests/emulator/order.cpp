/* order.cpp: PCC_EMULATOR_ORDER=forward|reverse|random:SEED, the order of blocks, warps and lanes. What the program was
 * compiled with (PCC_EMULATED_ORDER) is the order where the environment has none. */
#include "emulator.h"

#include <stdlib.h>
#include <string.h>

#include "pcc_emulator.h"

enum Order { FORWARD, REVERSE, RANDOM };

static Order order;
static uint64_t state;

static Order order_of(const char *text)
{
    if (!text || strcmp(text, "") == 0 || strcmp(text, "forward") == 0)
        return FORWARD;
    if (strcmp(text, "reverse") == 0)
        return REVERSE;
    if (strncmp(text, "random:", 7) != 0)
        fault("PCC_EMULATOR_ORDER is forward, reverse or random:SEED, not '%s'", text);
    state = strtoull(text + 7, nullptr, 10);
    return RANDOM;
}

extern "C" {
extern const char *const pcc_emulated_default_order __attribute__((weak));
}

void read_order(void)
{
    const char *text = getenv("PCC_EMULATOR_ORDER");
    order = order_of(text || !&pcc_emulated_default_order ? text : pcc_emulated_default_order);
}

void pcc_emulated_order(const char *text)
{
    order = order_of(text);
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

/* ---- lanes: between exchanges, each of the lanes that can run gets one turn ------------------------------------- */

static int lane_turns[WARP], lane_turn;

void begin_lanes(void)
{
    lane_turn = 0;
    if (order == RANDOM)
        shuffle(lane_turns, WARP);
}

int next_lane(unsigned ready)
{
    if (order == FORWARD)
        return __builtin_ctz(ready);
    if (order == REVERSE)
        return WARP - 1 - __builtin_clz(ready);
    while (!(ready >> lane_turns[lane_turn] & 1))
        lane_turn++;
    return lane_turns[lane_turn];
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b == 0 ? a : common_divisor(b, a % b);
}

/* At random, a walk around the grid by a step that shares no factor with its size. */
int64_t block_of_turn(int64_t turn, int64_t blocks)
{
    static int64_t step, start;
    if (order != RANDOM)
        return order == REVERSE ? blocks - 1 - turn : turn;
    if (turn == 0) {
        start = (int64_t)(next_random() % (uint64_t)blocks);
        step = 1 + (int64_t)(next_random() % (uint64_t)blocks);
        while (common_divisor(step, blocks) != 1)
            step++;
    }
    return (int64_t)(((__int128)step * turn + start) % blocks);
}
