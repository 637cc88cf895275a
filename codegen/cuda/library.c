/* library.c: products that cuBLASLt computes: which, how they are called, and what the file says of it.
 *
 * Only plain ones: of operands of one dtype, and with nothing done to the results but that they are stored. The others
 * would have to be read and written once more, which their own kernels save. */
#include <string.h>

#include "codegen/calls/calls.h"
#include "codegen/calls/literals.h"
#include "codegen/cuda/print.h"
#include "ir/target/gpu.h"
#include "runtime/kernels/gemm/gemm_cublas.h"

static const char product_kernel[] = "cublas_gemm";

/* ---- which ------------------------------------------------------------------------------------------------------ */

/* A product's extents, and its operands as they lie in memory. */
typedef struct Product {
    int64_t batch, m, n, k;
    PccFormOperand a, b, y;
} Product;

static Product product_of(const Node *node, const KernelCall *call)
{
    const bool batched = call->literal_count == 4;
    return (Product){.batch = batched ? literal(call, 0) : 1,
                     .m = literal(call, batched),
                     .n = literal(call, batched + 1),
                     .k = literal(call, batched + 2),
                     .a = product_operand(node, call, 0, batched),
                     .b = product_operand(node, call, 1, batched)};
}

/* Sums are rounded to the operands' dtype, or stay as they are. */
static bool has_library_dtypes(const Node *node)
{
    const Dtype a = node->inputs[0]->type.dtype, b = node->inputs[1]->type.dtype, y = node->outputs[0]->type.dtype;
    return a == b && is_float(a) && (y == a || y == wide_dtype(a));
}

/* Where the results go: false where rows do not lie evenly. */
static bool find_result(const Node *node, Product *product)
{
    const LoopNest nest = epilogue_operands(node->graph->arena, node).nest;
    const int64_t *strides = nest.strides[0];
    const bool is_even = nest.rank == 2, has_batch = nest.rank == 3;
    if (!(is_even || (has_batch && nest.dims[0] == product->batch && nest.dims[1] == product->m)))
        return false;
    const int64_t row = strides[nest.rank - 2];
    product->y = (PccFormOperand){.address = alignment_of(node->outputs[0]),
                                  .element_bytes = (size_t)dtype_info[node->outputs[0]->type.dtype].bytes,
                                  .batch = has_batch ? strides[0] : product->m * row,
                                  .row = row,
                                  .col = strides[nest.rank - 1]};
    return true;
}

static bool is_of_library(const Node *node, const KernelCall *call, Product *product)
{
    const bool is_plain = !node->body && node->output_count == 1 && own_input_count(node) == node->input_count;
    if (!(call->target->gpu_build->libraries & LIBRARY_CUBLASLT) || !is_plain || !has_library_dtypes(node))
        return false;
    *product = product_of(node, call);
    return find_result(node, product) &&
           pcc_cublas_wins(call->target->gpu_build->architecture, product->batch, product->m, product->n, product->k,
                           product->a, product->b, product->y);
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static void follow(KernelCall *call, int operand, PccFormOperand strides)
{
    call_following(call, operand, strides.batch);
    call_following(call, operand, strides.row);
    call_following(call, operand, strides.col);
}

/* cublas_gemm(batch, m, n, k, a, batch, row and column strides, b, ..., y's batch and row strides, ...) */
static void call_library(KernelCall *call, const Product *product)
{
    call->kernel = product_kernel;
    call->argument_count = call->literal_count = call->following_count = 0;
    call_int(call, product->batch);
    call_int(call, product->m);
    call_int(call, product->n);
    call_int(call, product->k);
    follow(call, 0, product->a);
    follow(call, 1, product->b);
    call_following(call, 1, product->y.batch);
    call_following(call, 1, product->y.row);
}

void call_product(const Node *node, KernelCall *call)
{
    Product product;
    call_matmul(node, call);
    if (is_of_library(node, call, &product))
        call_library(call, &product);
}

int64_t library_workspace(const KernelCall *call)
{
    return call->kernel == product_kernel ? pcc_cublas_row(call->target->gpu_build->architecture).workspace : 0;
}

/* ---- text ------------------------------------------------------------------------------------------------------- */

/* Do functions that were emitted call kernels whose names begin so? Those of both graphs are. */
static bool calls(const Emitter *e, const char *kernels)
{
    for (int i = 0; i < e->instances->count; i++)
        if (strstr(e->instances->items[i].text, kernels))
            return true;
    return false;
}

static bool calls_cublas(const Emitter *e)
{
    return calls(e, "pcc_cublas_gemm<");
}

const char *cuda_libraries(const Emitter *e)
{
    const bool cublas = calls_cublas(e), cudnn = calls(e, "pcc_cudnn_conv");
    if (!cudnn)
        return cublas ? "-lcublasLt" : "";
    return cublas ? "-lcublasLt -l:libcudnn.so.9" : "-l:libcudnn.so.9"; /* a wheel has no libcudnn.so */
}

void print_cuda_libraries(Emitter *e, Text *text)
{
    const Target *target = e->options->target;
    if (!calls_cublas(e))
        return;
    line(text, "#define PCC_CUBLAS_WORKSPACE 0x%llx /* bytes of the arena that cuBLASLt may use */",
         (unsigned long long)pcc_cublas_row(target->gpu_build->architecture).workspace);
    if (target->gpu_build->tf32)
        line(text, "#define PCC_CUBLAS_TF32 1 /* --tf32 */");
    if (target->gpu_build->deterministic)
        line(text, "#define PCC_CUBLAS_DETERMINISTIC 1 /* --deterministic */");
    line(text, "#include <pcc/kernels/gemm/gemm_cublas.cuh>");
}

/* "cuBLASLt for 3 of 12 products, 2 of them in TF32" */
static const char *products_note(Emitter *e, const Program *program)
{
    const Target *target = e->options->target;
    int products = 0, served = 0, tf32 = 0;
    for (const Node *node = program->train->first; node; node = node->next) {
        if (strcmp(node->op->name, "MatMul") != 0)
            continue;
        const bool is_served =
            library_workspace(&(KernelCall){.kernel = kernel_call(target, node).kernel, .target = target}) > 0;
        products++;
        served += is_served;
        tf32 += is_served && target->gpu_build->tf32 && node->inputs[0]->type.dtype == DTYPE_F32;
    }
    if (!(target->gpu_build->libraries & LIBRARY_CUBLASLT) || !(served || target->gpu_build->tf32))
        return NULL;
    return arena_printf(e->arena, "cuBLASLt for %d of %d products%s", served, products,
                        target->gpu_build->tf32 ? arena_printf(e->arena, ", %d of them in TF32", tf32) : "");
}

const char *cuda_note(Emitter *e, const Program *program)
{
    const char *products = products_note(e, program), *convolutions = convolutions_note(e, program);
    if (!products && !convolutions)
        return NULL;
    return arena_printf(e->arena, "libraries   %s%s%s", products ? products : "", products && convolutions ? "; " : "",
                        convolutions ? convolutions : "");
}
