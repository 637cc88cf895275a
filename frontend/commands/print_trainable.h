/* print_trainable.h: --print trainable: each initializer's verdict and the reason. */
#ifndef PCC_FRONTEND_PRINT_TRAINABLE_H
#define PCC_FRONTEND_PRINT_TRAINABLE_H

#include "frontend/commands/driver.h"

void print_trainable(Compilation *c, FILE *stream);

#endif
