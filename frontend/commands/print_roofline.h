/* print_roofline.h: --print roofline: the least time that a step can take on --gpu. */
#ifndef PCC_FRONTEND_PRINT_ROOFLINE_H
#define PCC_FRONTEND_PRINT_ROOFLINE_H

#include "frontend/commands/driver.h"

void print_roofline(Compilation *c, FILE *stream);

#endif
