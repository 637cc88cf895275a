/* device.h: where a program's blocks lie and its step functions run, when that is not the CPU.
 *
 * A CUDA program's table points to one of these (device/cuda.cuh, compiled with the program, so that the runtime
 * library needs no CUDA). Everything is enqueued in the order of the calls; functions return PCC_OK or a status with
 * *error. */
#ifndef PCC_DEVICE_H
#define PCC_DEVICE_H

#include "../error.h"
#include "../program.h"

#define PCC_IN_FLIGHT 4

typedef struct PccDevice {
    const char *name; /* "cuda" */
    /* Takes device `number`; sets step->mirror, stream, device and failure. close() takes what open() set, NULL too. */
    int (*open)(PccStep *step, int number, PccError *error);
    void (*close)(PccStep *step);
    /* Bytes of its memory: what is free, and what there is. */
    void (*memory)(PccStep *step, size_t *available, size_t *total);
    /* Zeroed, aligned to 256 bytes. */
    void *(*allocate)(PccStep *step, size_t bytes, PccError *error);
    void (*release)(PccStep *step, void *block);
    /* To the device, from the host's memory, which may be used again at once; from the device, which is waited for. */
    int (*write)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    int (*read)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    /* Beside what runs: upload() copies from the host's memory, which stays as it is until the next finish() or the
     * next upload to the same place; take() copies what was uploaded last on to its place, in the order of the
     * functions. */
    int (*upload)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    int (*take)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    /* Host memory that uploads are faster from, while it is allocated. Advice: nothing fails. */
    void (*pin)(PccStep *step, void *memory, size_t bytes);
    void (*unpin)(PccStep *step, void *memory);
    /* Enqueues one of the program's functions on the step as it is now; at most PCC_IN_FLIGHT are unfinished. */
    int (*begin)(PccStep *step, void (*function)(PccStep *), PccError *error);
    /* Waits for the oldest function under way; what it says is out is in the step. */
    int (*finish)(PccStep *step, PccError *error);
} PccDevice;

#endif
