/* idle.cpp: PCC_EMULATOR_WAITS: at its end the program says how often the host waited for a stream, and how often the
 * stream then had nothing left to do: a GPU would idle until the host enqueues more. */
#include "emulator.h"

#include <stdio.h>
#include <stdlib.h>

#include "cudart.h"

static int64_t waits, idle;

static void report(void)
{
    fprintf(stderr, "emulator: the host waited %lld times; %lld times the stream then had nothing left to do\n",
            (long long)waits, (long long)idle);
}

void count_wait(cudaStream_t stream)
{
    if (!getenv("PCC_EMULATOR_WAITS"))
        return;
    if (waits++ == 0)
        atexit(report);
    idle += stream->queue.empty();
}
