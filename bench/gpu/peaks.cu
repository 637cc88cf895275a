/* What this GPU reaches: peaks.cu prints one JSON line, {"f32":…,"bf16":…,"f16":…} in TFLOP/s of an 8192^3 product by
 * cuBLAS on random numbers, and "copy", TB/s read and written by a copy within the device.
 *
 *     nvcc -O3 -std=c++17 -arch=native peaks.cu -lcublas -o peaks
 */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

enum { SIZE = 8192, RUNS = 7 };

static void check(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "peaks: %s failed with status %d\n", what, status);
    exit(1);
}

/* Uniform from -1 to 1, by a hash of the index. */
template <typename T> static __global__ void fill(T *to, size_t count)
{
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < count; i += gridDim.x * (size_t)blockDim.x) {
        unsigned x = (unsigned)i * 2654435761u;
        x ^= x >> 15;
        x *= 2246822519u;
        x ^= x >> 13;
        to[i] = T((float)x * 0x1p-31f - 1.0f);
    }
}

/* The median of some runs in milliseconds; the first warms up. */
template <typename Run> static double milliseconds(Run run)
{
    cudaEvent_t begin, end;
    check(cudaEventCreate(&begin), "cudaEventCreate");
    check(cudaEventCreate(&end), "cudaEventCreate");
    std::vector<float> times;
    for (int i = 0; i <= RUNS; i++) {
        float ms;
        check(cudaEventRecord(begin), "cudaEventRecord");
        run();
        check(cudaEventRecord(end), "cudaEventRecord");
        check(cudaEventSynchronize(end), "the run");
        check(cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime");
        if (i > 0)
            times.push_back(ms);
    }
    std::sort(times.begin(), times.end());
    return times[RUNS / 2];
}

template <typename T> static double product_rate(cublasHandle_t blas, cudaDataType_t type)
{
    const size_t count = (size_t)SIZE * SIZE;
    const float one = 1, zero = 0;
    T *matrices;
    check(cudaMalloc(&matrices, 3 * count * sizeof(T)), "cudaMalloc");
    fill<<<1024, 256>>>(matrices, 2 * count);
    check(cudaGetLastError(), "fill");
    const double ms = milliseconds([&] {
        check(cublasGemmEx(blas, CUBLAS_OP_N, CUBLAS_OP_N, SIZE, SIZE, SIZE, &one, matrices, type, SIZE,
                           matrices + count, type, SIZE, &zero, matrices + 2 * count, type, SIZE, CUBLAS_COMPUTE_32F,
                           CUBLAS_GEMM_DEFAULT),
              "cublasGemmEx");
    });
    check(cudaFree(matrices), "cudaFree");
    return 2.0 * SIZE * SIZE * SIZE / ms * 1e-9;
}

static double copy_rate()
{
    const size_t bytes = (size_t)1 << 30;
    char *blocks;
    check(cudaMalloc(&blocks, 2 * bytes), "cudaMalloc");
    check(cudaMemset(blocks, 1, 2 * bytes), "cudaMemset");
    const double ms = milliseconds(
        [&] { check(cudaMemcpyAsync(blocks, blocks + bytes, bytes, cudaMemcpyDeviceToDevice), "cudaMemcpyAsync"); });
    check(cudaFree(blocks), "cudaFree");
    return 2.0 * (double)bytes / ms * 1e-9;
}

int main()
{
    cublasHandle_t blas;
    check(cublasCreate(&blas), "cublasCreate");
    const double f32 = product_rate<float>(blas, CUDA_R_32F), bf16 = product_rate<__nv_bfloat16>(blas, CUDA_R_16BF);
    const double f16 = product_rate<__half>(blas, CUDA_R_16F), copy = copy_rate();
    printf("{\"f32\":%.1f,\"bf16\":%.1f,\"f16\":%.1f,\"copy\":%.3f}\n", f32, bf16, f16, copy);
    return 0;
}
