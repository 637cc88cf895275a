/* blocks.h: the program's blocks, wherever they lie, and their contents as the host sees them.
 *
 * On the CPU the host sees the blocks themselves. On a device it sees copies of its own: the weights block is fetched
 * when it is asked for and something ran since, outputs one by one; what the host changes it hands back. */
#ifndef PCC_BLOCKS_H
#define PCC_BLOCKS_H

#include "session.h"

int pcc_allocate_blocks(PccSession *session, PccError *error);
void pcc_release_blocks(PccSession *session);

/* The weights block with its present contents; offsets are the program's. Valid until the next step or update.
 * NULL: *error says why. */
char *pcc_host_weights(const PccSession *session, PccError *error);
/* The same as it was when it was last fetched: between pcc_host_weights() and the next step or update. */
char *pcc_weights_view(const PccSession *session);
/* After the host has changed its view of the weights block. */
int pcc_weights_changed(PccSession *session, PccError *error);
/* After the host has changed its view, and does not mean it. */
void pcc_weights_forget(PccSession *session);
/* `bytes` of an output, at `offset` of the arena, after the functions that made it. NULL: *error says why. */
const void *pcc_host_output(const PccSession *session, size_t offset, size_t bytes, PccError *error);

/* Begins to bring a batch to the device, where there is one, while functions run: it stays as it is until it is fed. */
int pcc_prefetch(PccSession *session, const PccFeed *feed, PccError *error);
/* The batch that the next function runs on. */
int pcc_feed(PccSession *session, const PccFeed *feed, PccError *error);
/* Begins one of the program's functions, on a device without waiting for it (at most PCC_IN_FLIGHT at a time); waits
 * for the oldest of them, whose results are in session->step then. */
int pcc_begin(PccSession *session, void (*function)(PccStep *), PccError *error);
int pcc_finish(PccSession *session, PccError *error);
/* Makes uploads from the batch's memory faster, for as long as it is allocated. */
void pcc_pin(PccSession *session, void *memory, size_t bytes);
void pcc_unpin(PccSession *session, void *memory);

#endif
