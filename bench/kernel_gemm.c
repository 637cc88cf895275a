/* kernel_gemm.c: speed of the matrix products on shapes of real models, in f32 and bf16, against the machine's own f32
 * peak.
 *
 * The peak is measured in the same run by a loop of independent fused multiply-adds in registers. One thread is timed
 * by the processor time it gets, so that others on the machine disturb less. Beside each product in f32 stand those of
 * OpenBLAS and oneDNN, where the machine has them: a gap then names its owner. One library's repetitions follow
 * another's, as idle threads of these spin for a while. Build:
 *   cc -O3 -march=native -fopenmp bench/kernel_gemm.c -o kernel_gemm && ./kernel_gemm [repetitions] [threads] [filter]
 * filter: a part of the names of the shapes to run. Convolutions count the multiplications of a direct sum, so that
 * minimal filtering (conv/winograd/winograd.h; -DPCC_WINOGRAD=0: none) may exceed the peak. */
#define _GNU_SOURCE
#define PCC_NARROW
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/gemm_peers.h"
#include "runtime/kernels/conv/conv.h"
#include "runtime/kernels/gemm/gemm.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(pcc_threads() > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* 16 chains hide the latency of 4 cycles on 2 ports twice over. */
static __attribute__((noinline)) float fma_chains(int64_t rounds)
{
    enum { CHAINS = 12 };
    PccReg_f32 sum[CHAINS], x = pcc_reg_set1_f32(0.999f), y = pcc_reg_set1_f32(1e-3f);
    __asm__("" : "+x"(x), "+x"(y));
    PCC_UNROLL
    for (int i = 0; i < CHAINS; i++)
        sum[i] = pcc_reg_set1_f32((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        PCC_UNROLL
        for (int i = 0; i < CHAINS; i++)
            sum[i] = pcc_reg_fma_f32(sum[i], x, y);
    }
    for (int i = 1; i < CHAINS; i++)
        sum[0] += sum[i];
    return sum[0][0];
}

/* GFLOP/s of all threads together. */
static double measure_peak(int threads)
{
    const int64_t rounds = 1000000;
    double best = 1e9;
    volatile float sink = 0;
    for (int repeat = 0; repeat < 40; repeat++) { /* a virtual core that has slept wakes slowly */
        const double begin = now();
#pragma omp parallel num_threads(threads)
        {
            const float x = fma_chains(rounds);
#pragma omp critical
            sink = sink + x;
        }
        const double seconds = now() - begin;
        best = seconds < best ? seconds : best;
    }
    return 2.0 * 12 * PCC_LANES_F32 * (double)rounds * threads / best * 1e-9;
}

typedef struct Destination {
    PccOut y;
    int64_t pitch;
} Destination;

PCC_KERNEL void store(const void *context, int64_t row, int64_t column, int64_t count, const float *acc)
{
    const Destination *to = context;
    float *at = (float *)to->y.data + row * to->pitch + column;
    for (int64_t i = 0; i < count; i++)
        at[i] = acc[i];
}

PCC_KERNEL void store_bf16(const void *context, int64_t row, int64_t column, int64_t count, const float *acc)
{
    const Destination *to = context;
    PccBf16 *at = (PccBf16 *)to->y.data + row * to->pitch + column;
    for (int64_t i = 0; i < count; i++)
        at[i] = pcc_bf16_from_f32(acc[i]);
}

/* Each of 64 MiB; `dtype` is what the operands hold. */
typedef struct Buffers {
    PccDtype dtype;
    void *a, *b, *c, *scratch;
} Buffers;

/* ta, tb: the operand's K dimension is not, for B is, the contiguous one. */
static void product(const Buffers *u, int64_t m, int64_t n, int64_t k, int ta, int tb, PccStep *s)
{
    const Destination to = {{u->c, u->dtype}, n};
    const int64_t a_row = ta ? 1 : k, a_col = ta ? m : 1, b_row = tb ? 1 : n, b_col = tb ? k : 1;
    const PccIn a = {u->a, u->dtype}, b = {u->b, u->dtype};
    if (u->dtype == PCC_F32)
        pcc_gemm_f32(m, n, k, u->a, a_row, a_col, u->b, b_row, b_col, u->scratch, store, &to, s);
    else
        pcc_gemm_narrow(m, n, k, a, a_row, a_col, b, b_row, b_col, u->scratch, store_bf16, &to, s);
}

typedef struct Shape {
    const char *name;
    int64_t m, n, k;
    int ta, tb;
} Shape;

static const Shape shapes[] = {
    {"vit28 qkv y", 6272, 576, 192, 0, 1},
    {"vit28 fc1 y", 6272, 768, 192, 0, 1},
    {"vit28 fc1 dx", 6272, 192, 768, 0, 0},
    {"vit28 fc1 dw", 768, 192, 6272, 1, 0},
    {"vit28 fc2 dw", 192, 768, 6272, 1, 0},
    {"vit_b fc1 y", 1576, 3072, 768, 0, 1},
    {"vit_b fc1 dx", 1576, 768, 3072, 0, 0},
    {"vit_b fc1 dw", 3072, 768, 1576, 1, 0},
    {"vit_b fc2 dw", 768, 3072, 1576, 1, 0},
    {"gpt2 qkv y", 1024, 2304, 768, 0, 0},
    {"gpt2 fc2 y", 1024, 768, 3072, 0, 0},
    {"gpt2 fc2 dx", 1024, 3072, 768, 0, 1},
    {"gpt2 fc2 dw", 3072, 768, 1024, 1, 0},
    {"mlp 1 y", 128, 512, 784, 0, 1},
    {"mlp 1 dw", 512, 784, 128, 1, 0},
    {"mlp 2 y", 128, 10, 512, 0, 1},
    {"mlp 2 dw", 10, 512, 128, 1, 0},
    {"mlp 2 dw swapped", 512, 10, 128, 1, 0},
    {"nn", 1576, 768, 768, 0, 0},
    {"nt", 1576, 768, 768, 0, 1},
    {"tn", 1576, 768, 768, 1, 0},
    {"tt", 1576, 768, 768, 1, 1},
};

typedef enum Pass { FORWARD, GRAD_INPUT, GRAD_WEIGHT } Pass;
static const char *const pass_names[] = {"y", "dx", "dw"};

typedef struct Convolution {
    const char *name;
    PccConv shape;
} Convolution;

#define CONV2D(n, c, o, in, out, kernel, stride, pad)                                                \
    {                                                                                                \
        n, c, o, 1, {1, in, in}, {1, out, out}, {1, kernel, kernel}, {1, stride, stride}, {1, 1, 1}, \
        {                                                                                            \
            0, pad, pad                                                                              \
        }                                                                                            \
    }
static const Convolution convolutions[] = {
    {"cnn 1->32 3x3", CONV2D(128, 1, 32, 28, 28, 3, 1, 1)},
    {"cnn 32->64 3x3", CONV2D(128, 32, 64, 14, 14, 3, 1, 1)},
    {"resnet 3->64 7x7 s2", CONV2D(16, 3, 64, 224, 112, 7, 2, 3)},
    {"resnet 64->64 3x3", CONV2D(16, 64, 64, 56, 56, 3, 1, 1)},
    {"resnet 64->128 3x3 s2", CONV2D(16, 64, 128, 56, 28, 3, 2, 1)},
    {"resnet 64->128 1x1 s2", CONV2D(16, 64, 128, 56, 28, 1, 2, 0)},
    {"resnet 128->128 3x3", CONV2D(16, 128, 128, 28, 28, 3, 1, 1)},
    {"resnet 256->256 3x3", CONV2D(16, 256, 256, 14, 14, 3, 1, 1)},
    {"resnet 512->512 3x3", CONV2D(16, 512, 512, 7, 7, 3, 1, 1)},
    {"patch 1->192 4x4 s4", CONV2D(128, 1, 192, 28, 7, 4, 4, 0)},
    {"patch 3->768 16x16", CONV2D(8, 3, 768, 224, 14, 16, 16, 0)},
};

static void convolve(const Buffers *u, PccConv shape, Pass pass, PccStep *s)
{
    const Destination to = {{u->c, PCC_F32}, pass == FORWARD ? shape.o : shape.c};
    if (pass == FORWARD)
        pcc_conv_f32(shape, u->a, u->b, u->scratch, store, &to, s);
    else if (pass == GRAD_INPUT)
        pcc_conv_grad_input_f32(shape, u->a, u->b, u->scratch, store, &to, s);
    else
        pcc_conv_grad_weight_f32(shape, u->a, u->b, u->c, u->scratch, s);
}

static void convolve_bf16(const Buffers *u, PccConv shape, Pass pass, PccStep *s)
{
    const Destination to = {{u->c, PCC_BF16}, pass == FORWARD ? shape.o : shape.c};
    const PccIn a = {u->a, PCC_BF16}, b = {u->b, PCC_BF16};
    if (pass == FORWARD)
        pcc_conv_narrow(shape, a, b, u->scratch, store_bf16, &to, s);
    else if (pass == GRAD_INPUT)
        pcc_conv_grad_input_narrow(shape, a, b, u->scratch, store_bf16, &to, s);
    else
        pcc_conv_grad_weight_narrow(shape, a, b, to.y, u->scratch, s);
}

static void print_row(const char *name, const char *pass, double flops, double seconds, double peak)
{
    printf("%-24s %-3s %9.3f ms %8.1f GFLOP/s %6.1f %%", name, pass, seconds * 1e3, flops / seconds * 1e-9,
           flops / seconds * 1e-7 / peak);
}

/* The least seconds so far. */
static void keep_least(double *least, double begin)
{
    const double seconds = now() - begin;
    *least = seconds < *least ? seconds : *least;
}

static double least_of_peer(const Peer *peer, const Buffers *u, const Shape *p, int repeats)
{
    double least = 1e9;
    if (peer->use_threads)
        peer->use_threads(pcc_threads());
    for (int r = 0; r < repeats; r++) {
        const double begin = now();
        peer->product(peer->sgemm, p->ta, p->tb, p->m, p->n, p->k, u->a, u->b, u->c);
        keep_least(&least, begin);
    }
    return least;
}

static void bench_product(const Buffers *u, const Shape *p, const Peer *peers, int repeats, double peak, PccStep *s)
{
    double best = 1e9;
    for (int r = 0; r < repeats; r++) {
        const double begin = now();
        product(u, p->m, p->n, p->k, p->ta, p->tb, s);
        keep_least(&best, begin);
    }
    const double flops = 2.0 * (double)p->m * (double)p->n * (double)p->k;
    char name[64];
    snprintf(name, sizeof name, "%dx%dx%d", (int)p->m, (int)p->n, (int)p->k);
    printf("%-17s", p->name);
    print_row(name, "", flops, best, peak);
    for (int i = 0; i < PEERS && u->dtype == PCC_F32; i++)
        if (peers[i].sgemm)
            printf("  %s %6.1f %%", peers[i].name, flops / least_of_peer(&peers[i], u, p, repeats) * 1e-7 / peak);
    printf("\n");
}

static void bench_products(const Buffers *u, const char *filter, int repeats, double peak, PccStep *s)
{
    Peer peers[PEERS];
    find_peers(peers);
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        if (strstr(shapes[i].name, filter))
            bench_product(u, &shapes[i], peers, repeats, peak, s);
}

static void bench_convolutions(const Buffers *u, const char *filter, int repeats, double peak, PccStep *s)
{
    for (size_t i = 0; i < sizeof(convolutions) / sizeof(*convolutions); i++)
        for (Pass pass = FORWARD; pass <= GRAD_WEIGHT; pass++) {
            const PccConv shape = convolutions[i].shape;
            double best = 1e9;
            if (!strstr(convolutions[i].name, filter))
                continue;
            for (int r = 0; r < repeats; r++) {
                const double begin = now();
                (u->dtype == PCC_F32 ? convolve : convolve_bf16)(u, shape, pass, s);
                keep_least(&best, begin);
            }
            const int64_t multiplies =
                pcc_conv_positions(shape.n, shape.out) * pcc_conv_taps(shape) * shape.c * shape.o;
            print_row(convolutions[i].name, pass_names[pass], 2.0 * (double)multiplies, best, peak);
            printf("\n");
        }
}

/* Values 0 … 1.2 in steps of 0.1. */
static void fill(const Buffers *u, int64_t elements)
{
    for (int64_t i = 0; i < elements; i++) {
        const float x = (float)(i % 13) * 0.1f;
        pcc_write_one((PccOut){u->a, u->dtype}, i, x);
        pcc_write_one((PccOut){u->b, u->dtype}, i, x);
    }
}

int main(int argc, char **argv)
{
    enum { ELEMENTS = 1 << 24 };
    const int repeats = argc > 1 ? atoi(argv[1]) : 10, threads = argc > 2 ? atoi(argv[2]) : 2;
    const char *filter = argc > 3 ? argv[3] : "";
    float *block = aligned_alloc(64, 4 * sizeof(float) * ELEMENTS);
    char *thread_scratch = aligned_alloc(64, PCC_THREAD_SCRATCH * (size_t)threads);
    if (block == NULL || thread_scratch == NULL)
        return 1;
    PccStep step = {.thread_scratch = thread_scratch};
    for (int t = 1; t <= threads; t++) {
        omp_set_num_threads(t);
        const double peak = measure_peak(t);
        for (int low = 0; low < 2; low++) {
            const Buffers u = {low ? PCC_BF16 : PCC_F32, block, block + ELEMENTS, block + 2 * (int64_t)ELEMENTS,
                               block + 3 * (int64_t)ELEMENTS};
            fill(&u, ELEMENTS);
            printf("\n%d thread%s, %s, f32 peak %.1f GFLOP/s\n", t, t > 1 ? "s" : "", low ? "bf16" : "f32", peak);
            bench_products(&u, filter, repeats, peak, &step);
            bench_convolutions(&u, filter, repeats, peak, &step);
        }
    }
    free(block);
    free(thread_scratch);
    return 0;
}
