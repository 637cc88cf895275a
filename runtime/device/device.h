/* device.h: the interface of a device other than the CPU, which holds a program's blocks and runs its step functions.
 *
 * A CUDA program's table points to one of these (device/cuda.cuh, compiled with the program, so that the runtime
 * library needs no CUDA). Everything is enqueued in the order of the calls; functions return PCC_OK or a status with
 * *error. */
#ifndef PCC_DEVICE_H
#define PCC_DEVICE_H

#include "../error.h"
#include "../program.h"

#define PCC_IN_FLIGHT 4 /* two micro-batches, each with an update */

typedef struct PccDevice {
    const char *name; /* "cuda" */
    /* Takes device `number`; sets step->mirror, stream, device and failure. close() takes what open() set, NULL too. */
    int (*open)(PccStep *step, int number, PccError *error);
    void (*close)(PccStep *step);
    /* Free and total bytes of its memory. */
    void (*memory)(PccStep *step, size_t *available, size_t *total);
    /* Zeroed, aligned to 256 bytes. */
    void *(*allocate)(PccStep *step, size_t bytes, PccError *error);
    void (*release)(PccStep *step, void *block);
    /* Copies to the device, after which the host's memory may be reused at once; and from the device, synchronously. */
    int (*write)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    int (*read)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    /* Uploads that overlap running functions: upload() copies from the host's memory, which must not change until the
     * finish() of the function behind its take(), or the next upload to the same place; take() copies the last upload
     * to its destination, in order with the functions. */
    int (*upload)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    int (*take)(PccStep *step, void *to, const void *from, size_t bytes, PccError *error);
    /* Pins host memory, for faster uploads while it is allocated. A hint: failures are ignored. */
    void (*pin)(PccStep *step, void *memory, size_t bytes);
    void (*unpin)(PccStep *step, void *memory);
    /* Enqueues one of the program's functions with the present state of the step; at most PCC_IN_FLIGHT may be
     * unfinished. While any is, what updates change (PccStep.update and the fields behind it) is as the functions
     * before it leave it, and not as the host has it. */
    int (*begin)(PccStep *step, void (*function)(PccStep *), PccError *error);
    /* Waits for the oldest unfinished function, and copies its results, the fields marked out, to the step. */
    int (*finish)(PccStep *step, PccError *error);
} PccDevice;

#endif
