/* waiting.h: how threads wait for each other. */
#ifndef PCC_WAITING_H
#define PCC_WAITING_H

/* Has threads that wait give up their core soon, unless the environment says how they wait. With GCC's OpenMP this
 * starts the program once more, so it is the first thing to be called; a process that can't is left as it is. inside:
 * any address in the program's own file, by which that is recognised. */
void pcc_wait_briefly(char **argv, const void *inside);

#endif
