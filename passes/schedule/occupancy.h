/* occupancy.h: which bytes of the arena are taken while which nodes of the schedule run. */
#ifndef PCC_PASSES_OCCUPANCY_H
#define PCC_PASSES_OCCUPANCY_H

#include "ir/ir.h"

typedef struct Occupancy Occupancy;

/* Nothing is taken at positions 0 ... positions - 1. */
Occupancy *occupancy_create(Arena *arena, int positions);
/* Takes bytes from `offset` on for positions first ... last. */
void occupy(Occupancy *occupancy, int first, int last, int64_t offset, int64_t bytes);
/* The lowest offset from which on so many bytes are free at all of these positions. */
int64_t lowest_free(const Occupancy *occupancy, int first, int last, int64_t bytes);

#endif
