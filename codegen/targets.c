/* targets.c: the list of targets. */
#include "codegen/codegen.h"

const Target *const targets[] = {
#define TARGET_ROW(NAME, SUFFIX, LANGUAGE, HELP) &target_##NAME,
    PCC_TARGETS(TARGET_ROW)
#undef TARGET_ROW
        NULL,
};
