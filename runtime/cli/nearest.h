/* nearest.h: "did you mean". */
#ifndef PCC_NEAREST_H
#define PCC_NEAREST_H

#include <stdint.h>

/* The candidate nearest to name within a few typing errors, or NULL. `at` returns candidate i of count. */
const char *pcc_nearest_name(const char *name, const char *(*at)(int64_t i), int64_t count);

#endif
