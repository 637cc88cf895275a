/* tensorboard.h: scalars as TensorBoard event files. */
#ifndef PCC_TENSORBOARD_H
#define PCC_TENSORBOARD_H

#include <stdint.h>

#include "../error.h"

typedef struct PccTensorboard {
    char *path; /* of this run's event file; NULL: no TensorBoard */
    int fd;
} PccTensorboard;

/* Creates an event file in directory. first_step: where a resumed run starts (0: a new run); TensorBoard then drops
 * later steps of the earlier run. directory NULL: every call does nothing. */
int pcc_tensorboard_open(PccTensorboard *board, const char *directory, int64_t first_step, PccError *error);
int pcc_tensorboard_scalar(PccTensorboard *board, const char *tag, double value, int64_t step, PccError *error);
void pcc_tensorboard_close(PccTensorboard *board);

/* CRC-32C (Castagnoli; RFC 3720, appendix B.4). */
uint32_t pcc_crc32c(const void *data, uint64_t size);

#endif
