/* clock.c: time. */
#include <time.h>

#include "clock.h"

static double clock_read(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double pcc_now(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

double pcc_wall_time(void)
{
    return clock_read(CLOCK_REALTIME);
}
