/* available.h: how much memory the process can still allocate, and its peak. */
#ifndef PCC_AVAILABLE_H
#define PCC_AVAILABLE_H

#include <stdint.h>

/* Bytes: the minimum of the memory that /proc/meminfo calls available, with swap, and of what remains of the limits of
 * the process's memory cgroups (versions 1 and 2). INT64_MAX where the system does not say. root: "", or a folder that
 * stands for "/" in tests. */
int64_t pcc_available_memory(const char *root);

/* Bytes: the most memory that this program had resident: VmHWM of /proc/self/status, which is reset when a program
 * is executed (getrusage's ru_maxrss begins with that of the process that executed it). -1 where the system does not
 * say. */
int64_t pcc_peak_memory(const char *root);

#endif
