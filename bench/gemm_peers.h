/* gemm_peers.h: products by the libraries that the machine has, for comparison: OpenBLAS's cblas_sgemm and oneDNN's
 * dnnl_sgemm, found at run time (Debian: libopenblas0-pthread, libdnnl2; or PCC_OPENBLAS and PCC_ONEDNN name files). */
#ifndef PCC_GEMM_PEERS_H
#define PCC_GEMM_PEERS_H

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

/* C[m, n] = A B, row-major in memory. trans_a, trans_b: what is stored is the transpose. */
typedef void PeerProduct(void *sgemm, int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const float *a,
                         const float *b, float *c);

static void openblas_product(void *sgemm, int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const float *a,
                             const float *b, float *c)
{
    enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };
    ((void (*)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int))sgemm)(
        ROW_MAJOR, trans_a ? TRANSPOSED : PLAIN, trans_b ? TRANSPOSED : PLAIN, (int)m, (int)n, (int)k, 1.0f, a,
        (int)(trans_a ? m : k), b, (int)(trans_b ? k : n), 0.0f, c, (int)n);
}

static void onednn_product(void *sgemm, int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const float *a,
                           const float *b, float *c)
{
    ((int (*)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t, float,
              float *, int64_t))sgemm)(trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', m, n, k, 1.0f, a, trans_a ? m : k, b,
                                       trans_b ? k : n, 0.0f, c, n);
}

typedef struct Peer {
    const char *name, *variable, *file, *symbol, *set_threads;
    PeerProduct *product;
    void *sgemm; /* NULL: the machine has no such library */
    void (*use_threads)(int);
} Peer;

enum { PEERS = 2 };

static void find_peers(Peer peers[PEERS])
{
    static const Peer known[PEERS] = {
        {.name = "OpenBLAS",
         .variable = "PCC_OPENBLAS",
         .file = "libopenblas.so.0",
         .symbol = "cblas_sgemm",
         .set_threads = "openblas_set_num_threads",
         .product = openblas_product},
        {.name = "oneDNN",
         .variable = "PCC_ONEDNN",
         .file = "libdnnl.so.2",
         .symbol = "dnnl_sgemm",
         .set_threads = "omp_set_num_threads",
         .product = onednn_product},
    };
    for (int i = 0; i < PEERS; i++) {
        peers[i] = known[i];
        const char *file = getenv(peers[i].variable);
        void *library = dlopen(file ? file : peers[i].file, RTLD_NOW);
        if (!library)
            continue;
        peers[i].sgemm = dlsym(library, peers[i].symbol);
        *(void **)&peers[i].use_threads = dlsym(library, peers[i].set_threads);
    }
}

#endif
