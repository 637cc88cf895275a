/* report.h: -o FILE.html: a page about the compiled program. */
#ifndef PCC_FRONTEND_REPORT_H
#define PCC_FRONTEND_REPORT_H

#include "frontend/commands/driver.h"

void write_report(Compilation *c, FILE *stream);

#endif
