/* device.h: where a program's blocks lie and its step functions run, when that is not the CPU.
 *
 * A CUDA program's table points to one of these (device/cuda.cuh, compiled with the program, so that the runtime
 * library needs no CUDA). Everything is enqueued in the order of the calls; functions return PCC_OK or a status with
 * *error. */
#ifndef PCC_DEVICE_H
#define PCC_DEVICE_H

#include "../error.h"
#include "../program.h"

typedef struct PccDevice {
    const char *name; /* "cuda" */
    /* Takes device `number`; sets step->mirror, stream, device and failure. close() takes what open() set, NULL too. */
    int (*open)(PccStep *step, int number, PccError *error);
    void (*close)(PccStep *step);
    /* Zeroed, aligned to 256 bytes; NULL: *error says how much memory there is. */
    void *(*allocate)(PccStep *step, size_t bytes, PccError *error);
    void (*release)(PccStep *step, void *block);
    /* To the device, from the host's memory, which may be used again at once; from the device, which is waited for. */
    int (*write)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    int (*read)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    /* Runs one of the program's functions on the step as it is, waits, and brings back what it says is out. */
    int (*run)(PccStep *step, void (*function)(PccStep *), PccError *error);
} PccDevice;

#endif
