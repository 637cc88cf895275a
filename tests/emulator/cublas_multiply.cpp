/* cublas_multiply.cpp: what cuBLASLt's products compute, in column-major order. */
#if __has_include(<cublasLt.h>)

#    include "emulator.h"

#    include <string.h>

#    include <cuda_bf16.h>
#    include <cuda_fp16.h>

#    include "cublas.h"

static double read(cudaDataType_t type, const void *from, int64_t i)
{
    switch (type) {
    case CUDA_R_16BF:
        return (double)__bfloat162float(((const __nv_bfloat16 *)from)[i]);
    case CUDA_R_16F:
        return (double)__half2float(((const __half *)from)[i]);
    case CUDA_R_32F:
        return (double)((const float *)from)[i];
    default:
        return ((const double *)from)[i];
    }
}

static double round_to(cudaDataType_t type, double x)
{
    switch (type) {
    case CUDA_R_16BF:
        return (double)__bfloat162float(__float2bfloat16_rn((float)x));
    case CUDA_R_16F:
        return (double)__half2float(__float2half_rn((float)x));
    case CUDA_R_32F:
        return (double)(float)x;
    default:
        return x;
    }
}

static void write(cudaDataType_t type, void *to, int64_t i, double x)
{
    if (type == CUDA_R_16BF)
        ((__nv_bfloat16 *)to)[i] = __float2bfloat16_rn((float)x);
    else if (type == CUDA_R_16F)
        ((__half *)to)[i] = __float2half_rn((float)x);
    else if (type == CUDA_R_32F)
        ((float *)to)[i] = (float)x;
    else
        ((double *)to)[i] = x;
}

/* To 10 bits of mantissa, to nearest, ties away. */
static float as_tf32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x1000) & ~(uint32_t)0x1fff;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

/* op(X)[row, column] of one matrix as [column][row], so that columns lie together. */
template <class T>
static std::vector<T> columns_of(const Layout &l, const void *from, int64_t batch, bool is_transposed, bool is_tf32)
{
    const int64_t rows = is_transposed ? l.columns : l.rows, columns = is_transposed ? l.rows : l.columns;
    std::vector<T> numbers((size_t)(rows * columns));
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < rows; i++) {
            const int64_t at = is_transposed ? i * l.pitch + j : j * l.pitch + i;
            const T x = (T)read(l.type, from, batch * l.batch_stride + at);
            numbers[(size_t)(j * rows + i)] = is_tf32 ? (T)as_tf32((float)x) : x;
        }
    return numbers;
}

template <class T>
static void multiply_in(const Request &r, const Algorithm &algorithm, double alpha, const void *a, const void *b,
                        void *d)
{
    const bool is_tf32 = r.product.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    const int64_t m = r.d.rows, n = r.d.columns;
    const int64_t k = r.product.left == CUBLAS_OP_T ? r.a.rows : r.a.columns, splits = algorithm.splits;
    const bool in_output_type = algorithm.reduction == CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE ||
                                algorithm.reduction == CUBLASLT_REDUCTION_SCHEME_INPLACE;
    for (int64_t batch = 0; batch < r.d.batch; batch++) {
        const std::vector<T> left = columns_of<T>(r.a, a, batch, r.product.left == CUBLAS_OP_T, is_tf32);
        const std::vector<T> right = columns_of<T>(r.b, b, batch, r.product.right == CUBLAS_OP_T, is_tf32);
        for (int64_t j = 0; j < n; j++) {
            std::vector<T> total((size_t)m);
            for (int64_t split = 0; split < splits; split++) {
                std::vector<T> part((size_t)m);
                for (int64_t p = k * split / splits; p < k * (split + 1) / splits; p++)
                    for (int64_t i = 0; i < m; i++)
                        part[(size_t)i] += left[(size_t)(p * m + i)] * right[(size_t)(j * k + p)];
                for (int64_t i = 0; i < m; i++)
                    total[(size_t)i] +=
                        in_output_type ? (T)round_to(r.d.type, (double)part[(size_t)i]) : part[(size_t)i];
            }
            for (int64_t i = 0; i < m; i++)
                write(r.d.type, d, batch * r.d.batch_stride + j * r.d.pitch + i, (double)((T)alpha * total[(size_t)i]));
        }
    }
}

void multiply(const Request &request, const Algorithm &algorithm, double alpha, const void *a, const void *b, void *d)
{
    if (request.d.type == CUDA_R_64F)
        multiply_in<double>(request, algorithm, alpha, a, b, d);
    else
        multiply_in<float>(request, algorithm, alpha, a, b, d);
}

#endif
