/* memory.h: large blocks. */
#ifndef PCC_MEMORY_H
#define PCC_MEMORY_H

#include <stddef.h>

/* Zeroed memory aligned to 2 MiB, in huge pages where the system has them; NULL when there is none. Untouched pages use
 * no memory. */
void *pcc_allocate_block(size_t bytes);
void pcc_free_block(void *block, size_t bytes);

#endif
