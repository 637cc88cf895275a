/* cublas.h: cuBLASLt's objects, as the stand-ins for its entry points have them. */
#ifndef PCC_EMULATED_CUBLAS_H
#define PCC_EMULATED_CUBLAS_H

#include <cublasLt.h>

#include "cudart.h"

/* A Call whose failures are cuBLASLt's. */
#define ENTER_CUBLAS(kind)     \
    Call call(__func__, kind); \
    if (call.refused)          \
    return CUBLAS_STATUS_EXECUTION_FAILED

#define REFUSE(status, ...) return call.fail(cudaErrorInvalidValue, __VA_ARGS__), status

struct Product {
    cublasComputeType_t compute;
    cudaDataType_t scale;
    cublasOperation_t left, right;
};

struct Layout {
    cudaDataType_t type;
    int64_t rows, columns, pitch, batch_stride;
    int32_t batch;
};

struct Preference {
    uint64_t workspace;
    uint32_t reductions, alignment[4]; /* of A, B, C, D */
};

/* What cublasLtMatmulAlgo_t holds: what it was chosen for. */
struct Algorithm {
    uint64_t asked; /* a hash of the product and its layouts */
    uint32_t reduction, splits, alignment[4];
    uint64_t workspace;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t), "an algorithm has no room");

/* Everything of a product, read from the caller's objects. */
struct Request {
    Product product;
    Layout a, b, c, d;
};

/* cublas_check.cpp */
cublasStatus_t check_request(Call &call, const Request &request);
uint64_t hash_request(const Request &request);
/* cublas_multiply.cpp: the work, on memory that has been checked */
void multiply(const Request &request, const Algorithm &algorithm, double alpha, const void *a, const void *b, void *d);

#endif
