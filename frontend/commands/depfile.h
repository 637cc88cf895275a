/* depfile.h: -MD: a Makefile rule with every file that the compile read. */
#ifndef PCC_FRONTEND_DEPFILE_H
#define PCC_FRONTEND_DEPFILE_H

#include "frontend/commands/driver.h"

void write_depfile(Compilation *c);

#endif
