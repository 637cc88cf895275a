/* signals.c: a request to stop. */
#include <signal.h>
#include <stddef.h>

#include "signals.h"

static volatile sig_atomic_t signals_stop;

static void signals_handler(int signal_number)
{
    (void)signal_number;
    signals_stop = 1;
}

void pcc_catch_signals(void)
{
    struct sigaction action = {.sa_handler = signals_handler, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    signals_stop = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGXFSZ, &ignore, NULL);
}

bool pcc_stop_requested(void)
{
    return signals_stop != 0;
}
