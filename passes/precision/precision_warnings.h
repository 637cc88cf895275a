/* precision_warnings.h: warns of what 16 bits would do to this model, once autocast has decided. */
#ifndef PCC_PASSES_PRECISION_WARNINGS_H
#define PCC_PASSES_PRECISION_WARNINGS_H

#include "passes/passes.h"

/* Right after autocast, on the imported graph. Changes nothing. `pcc --explain CODE` explains each code. */
Pass precision_warnings;

#endif
