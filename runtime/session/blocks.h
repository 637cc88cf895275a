/* blocks.h: the program's blocks, on the CPU or a device, and the host's view of their contents.
 *
 * On the CPU the host's view is the blocks themselves. On a device it is a copy: the weights block is fetched on
 * request if a function ran since the last time, outputs one by one; the host's changes are copied back. */
#ifndef PCC_BLOCKS_H
#define PCC_BLOCKS_H

#include "session.h"

int pcc_allocate_blocks(PccSession *session, PccError *error);
void pcc_release_blocks(PccSession *session);

/* The weights block with its present contents; offsets are the program's. Valid until the next step or update.
 * NULL: *error says why. */
char *pcc_host_weights(const PccSession *session, PccError *error);
/* The same without fetching it again: between pcc_host_weights() and the next step or update. */
char *pcc_weights_view(const PccSession *session);
/* Call after changing the host's view of the weights block. */
int pcc_weights_changed(PccSession *session, PccError *error);
/* Discards changes of the host's view. */
void pcc_weights_forget(PccSession *session);
/* Allocates the memory to which step() copies its outputs; that in which it keeps all gradients. */
int pcc_allocate_outputs(PccSession *session, PccError *error);
int pcc_allocate_gradients(PccSession *session, PccError *error);
/* The block of gradients that the last step kept. NULL: *error says why. */
const char *pcc_host_gradients(const PccSession *session, PccError *error);
/* `bytes` of an output, at `offset` of the arena, after the functions that computed it. NULL: *error says why. */
const void *pcc_host_output(const PccSession *session, size_t offset, size_t bytes, PccError *error);

/* Begins to upload a batch to the device, if any, while functions run: the batch must not change until it is fed. */
int pcc_prefetch(PccSession *session, const PccFeed *feed, PccError *error);
/* Sets the batch on which the next function runs. */
int pcc_feed(PccSession *session, const PccFeed *feed, PccError *error);
/* Starts one of the program's functions, on a device asynchronously (at most PCC_IN_FLIGHT at a time); waits for the
 * oldest of them, whose results are then in session->step. */
int pcc_begin(PccSession *session, void (*function)(PccStep *), PccError *error);
int pcc_finish(PccSession *session, PccError *error);
/* Pins the batch's memory, which makes uploads from it faster, for as long as it is allocated. */
void pcc_pin(PccSession *session, void *memory, size_t bytes);
void pcc_unpin(PccSession *session, void *memory);

#endif
