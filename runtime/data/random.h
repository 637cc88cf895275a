/* random.h: counter-based random numbers: a value depends on its key and counter only, never on what was drawn before,
 * so that any part of a run can be repeated separately. */
#ifndef PCC_RANDOM_H
#define PCC_RANDOM_H

#include <stdint.h>

uint64_t pcc_draw_bits(uint64_t key, uint64_t counter);
uint64_t pcc_draw_below(uint64_t key, uint64_t counter, uint64_t bound); /* 0 … bound - 1 */
double pcc_draw_normal(uint64_t key, uint64_t counter);                  /* mean 0, variance 1 */

#endif
