/* cublas_check.cpp: which products cuBLASLt takes: the types, sizes and layouts of its manual's section on
 * cublasLtMatmul(). */
#if __has_include(<cublasLt.h>)

#    include "emulator.h"

#    include "cublas.h"

static bool is_narrow(cudaDataType_t type)
{
    return type == CUDA_R_16F || type == CUDA_R_16BF;
}

/* Of real products in column-major order. */
static bool are_types_supported(const Request &r)
{
    const cudaDataType_t a = r.a.type, d = r.d.type;
    if (a != r.b.type || d != r.c.type)
        return false;
    switch (r.product.compute) {
    case CUBLAS_COMPUTE_32F:
        return r.product.scale == CUDA_R_32F &&
               ((is_narrow(a) && (d == a || d == CUDA_R_32F)) || (a == CUDA_R_32F && d == CUDA_R_32F));
    case CUBLAS_COMPUTE_32F_FAST_TF32:
        return r.product.scale == CUDA_R_32F && a == CUDA_R_32F && d == CUDA_R_32F;
    case CUBLAS_COMPUTE_64F:
        return r.product.scale == CUDA_R_64F && a == CUDA_R_64F && d == CUDA_R_64F;
    default:
        return false;
    }
}

static cublasStatus_t check_layout(Call &call, const Layout &l, const char *name, int32_t batch)
{
    if (l.pitch < l.rows)
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "%s has %lld rows and a leading dimension of %lld", name, (long long)l.rows,
               (long long)l.pitch);
    if (l.batch != batch)
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "%s has a batch of %d, D one of %d", name, l.batch, batch);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t check_request(Call &call, const Request &r)
{
    const bool ta = r.product.left == CUBLAS_OP_T, tb = r.product.right == CUBLAS_OP_T;
    const int64_t m = ta ? r.a.columns : r.a.rows, k = ta ? r.a.rows : r.a.columns;
    const int64_t depth = tb ? r.b.columns : r.b.rows, n = tb ? r.b.rows : r.b.columns;
    const struct {
        const Layout &layout;
        const char *name;
    } all[] = {{r.a, "A"}, {r.b, "B"}, {r.c, "C"}, {r.d, "D"}};
    for (const auto &one : all)
        if (const cublasStatus_t status = check_layout(call, one.layout, one.name, r.d.batch))
            return status;
    if (k != depth || m != r.d.rows || n != r.d.columns || m != r.c.rows || n != r.c.columns)
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "op(A) is %lld x %lld, op(B) %lld x %lld, D %lld x %lld", (long long)m,
               (long long)k, (long long)depth, (long long)n, (long long)r.d.rows, (long long)r.d.columns);
    const int64_t reach = (r.d.columns - 1) * r.d.pitch + r.d.rows;
    if (r.d.batch > 1 && r.d.batch_stride < r.d.rows) /* rows of batches may lie between each other */
        REFUSE(CUBLAS_STATUS_INVALID_VALUE, "matrices of D overlap: %lld elements apart, each of %lld",
               (long long)r.d.batch_stride, (long long)reach);
    if (!are_types_supported(r))
        REFUSE(CUBLAS_STATUS_NOT_SUPPORTED, "types %d x %d -> %d in compute type %d, scaled in %d", (int)r.a.type,
               (int)r.b.type, (int)r.d.type, (int)r.product.compute, (int)r.product.scale);
    return CUBLAS_STATUS_SUCCESS;
}

static uint64_t hash_numbers(std::initializer_list<int64_t> numbers, uint64_t hash)
{
    for (int64_t number : numbers)
        hash = (hash ^ (uint64_t)number) * 0x100000001b3;
    return hash;
}

uint64_t hash_request(const Request &r)
{
    uint64_t hash =
        hash_numbers({r.product.compute, r.product.scale, r.product.left, r.product.right}, 0xcbf29ce484222325);
    for (const Layout *l : {&r.a, &r.b, &r.c, &r.d})
        hash = hash_numbers({l->type, l->rows, l->columns, l->pitch, l->batch_stride, l->batch}, hash);
    return hash;
}

#endif
