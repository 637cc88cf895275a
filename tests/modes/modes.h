/* modes.h: small graphs around one operator each, whose emitted gradients are compared with float64 in every 16-bit
 * mode.
 *
 * A case is the body of a graph in text form. Its parameters have `= data` and get multiples of 2^-7 between low and
 * high, and constants are as coarse: all are numbers of either 16-bit format, so that nothing is rounded before the
 * operator. */
#ifndef PCC_TESTS_MODES_H
#define PCC_TESTS_MODES_H

#include "merged.h"

typedef struct ModeCase {
    const char *name, *body;
    double low, high;
} ModeCase;

/* Ended by one without a name. */
extern const ModeCase mode_cases[];

#endif
