/* signals.h: a request to stop, by SIGINT or SIGTERM. */
#ifndef PCC_SIGNALS_H
#define PCC_SIGNALS_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM only set a flag (a second one kills), and a file too large is an error of write. */
void pcc_catch_signals(void);
bool pcc_stop_requested(void);

#endif
