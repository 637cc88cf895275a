/* signals.h: a request to stop, by SIGINT or SIGTERM. */
#ifndef PCC_SIGNALS_H
#define PCC_SIGNALS_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM only set a flag (a second one kills the process), and exceeding the file size limit is
 * an error of write. */
void pcc_catch_signals(void);
bool pcc_stop_requested(void);

#endif
