/* bench.h: --bench: how long a step takes. */
#ifndef PCC_BENCH_H
#define PCC_BENCH_H

#include "../pcc.h"

/* Times `steps` updates on one synthetic batch, after some to warm up, and prints the JSON line. */
int pcc_bench(PccSession *session, int64_t steps, PccError *error);

#endif
