/* available.h: how much memory the process may still take. */
#ifndef PCC_AVAILABLE_H
#define PCC_AVAILABLE_H

#include <stdint.h>

/* Bytes: the least of what /proc/meminfo calls available, swap included, and what the memory cgroups above the process
 * (versions 1 and 2) leave of their limits. INT64_MAX where the system does not say. root: "", or a folder that stands
 * for "/" in tests. */
int64_t pcc_available_memory(const char *root);

#endif
