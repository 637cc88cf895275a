/* available.h: how much memory the process may still take, and how much it had at most. */
#ifndef PCC_AVAILABLE_H
#define PCC_AVAILABLE_H

#include <stdint.h>

/* Bytes: the least of what /proc/meminfo calls available, swap included, and what the memory cgroups above the process
 * (versions 1 and 2) leave of their limits. INT64_MAX where the system does not say. root: "", or a folder that stands
 * for "/" in tests. */
int64_t pcc_available_memory(const char *root);

/* Bytes: the most memory that this program had resident: VmHWM of /proc/self/status, which starts anew with the program
 * (getrusage's ru_maxrss starts with that of the process which executed it). -1 where the system does not say. */
int64_t pcc_peak_memory(const char *root);

#endif
