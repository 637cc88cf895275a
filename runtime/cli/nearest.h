/* nearest.h: "did you mean". */
#ifndef PCC_NEAREST_H
#define PCC_NEAREST_H

#include <stdint.h>

/* The candidate within a few typing errors of name that is nearest to it, NULL when none is. `at` gives candidate i of
 * count. */
const char *pcc_nearest_name(const char *name, const char *(*at)(int64_t i), int64_t count);

#endif
