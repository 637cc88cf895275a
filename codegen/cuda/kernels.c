/* kernels.c: which operators the CUDA target has kernels for, and how these want their operands. */
#include "codegen/cuda/print.h"

#include <string.h>

#include "codegen/calls/calls.h"

/* ---- rows ------------------------------------------------------------------------------------------------------- */

#define HEADS STRIDING_ROWS, STRIDING_ROWS, STRIDING_ROWS

/* clang-format off */
/* They read and write operands of 16 bits. */
#define ROW(OP, KERNEL, CALL, ...) {.op = OP, .kernel = KERNEL, .call = CALL, .stored16 = true, __VA_ARGS__}

static const Kernel kernels[] = {
    {.op = "LossScale", .kernel = "loss_scale", .call = call_loss_scale},
    {0},
};
/* clang-format on */

static const Printers printers = {.prologue = print_cuda_prologue,
                                  .build_line = cuda_build_line,
                                  .run_loop = run_cuda_loop,
                                  .callee = cuda_callee,
                                  .literal = print_cuda_literal,
                                  .operand = print_cuda_operand,
                                  .absent = cuda_absent,
                                  .emit_store = emit_cuda_epilogue,
                                  .store = print_cuda_store,
                                  .loss = print_cuda_loss,
                                  .update = print_cuda_update,
                                  .device = "pcc_cuda_device"};

const Target target_cuda = {.name = "cuda",
                            .alignment = 256,
                            .passes_step = true,
                            .kernels = (const Kernel *const[]){kernels, NULL},
                            .printers = &printers};
