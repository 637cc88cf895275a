/* print.h: --print WHAT, --version, --time-report. */
#ifndef PCC_FRONTEND_PRINT_H
#define PCC_FRONTEND_PRINT_H

#include "frontend/commands/driver.h"

bool print_needs_model(const char *what); /* of --print WHAT */
void print_fact(Compilation *c, FILE *stream);
void print_about_model(Compilation *c, FILE *stream);
void print_version(FILE *stream);
void print_times(const Compilation *c, FILE *stream);

#endif
