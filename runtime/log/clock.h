/* clock.h: time. */
#ifndef PCC_CLOCK_H
#define PCC_CLOCK_H

double pcc_now(void);       /* seconds since some fixed moment; never goes back */
double pcc_wall_time(void); /* seconds since 1970 */

#endif
