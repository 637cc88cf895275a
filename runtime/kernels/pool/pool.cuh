/* pool.cuh: the pools of pool.h for CUDA. */
#ifndef PCC_POOL_CUH
#define PCC_POOL_CUH

#include "average_pool.cuh"
#include "max_pool.cuh"

#endif
