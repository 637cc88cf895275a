/* program_linear.h: a program as pcc would emit it, by hand and with plain loops, so that the runtime is tested without
 * the compiler: softmax regression on 6 features (a 1x2x3 image) with 3 classes, AdamW, batch 4. linear_f32_program and
 * linear_f64_program; tests copy them to change the batch's accumulation or where the weights are. */
#ifndef PROGRAM_LINEAR_H
#define PROGRAM_LINEAR_H

#include <math.h>
#include <string.h>

#include <pcc/pcc.h>
#include <pcc/files/safetensors.h>

enum { LINEAR_BATCH = 4, LINEAR_FEATURES = 6, LINEAR_CLASSES = 3 };

/* Blocks of 192 bytes: weight, its gradient and moments 0 to 3; bias 4 to 7; state 8; constant 9. */
#define LINEAR_SLOT(i) ((size_t)(i)*192)

/* dims are the last argument: a list with commas in it. */
#define LINEAR_PARAM(type, slot, name_, rank_, ...)                                                         \
    {                                                                                                       \
        .value = {name_, type, rank_, __VA_ARGS__, LINEAR_SLOT(slot)}, .gradient = LINEAR_SLOT((slot) + 1), \
        .moment1 = LINEAR_SLOT((slot) + 2), .moment2 = LINEAR_SLOT((slot) + 3), .gradient_dtype = type,     \
        .moment_dtype = type                                                                                \
    }

#define LINEAR_DEFINE(suffix, type, precision_name, print)                                            \
    static const PccParam linear_##suffix##_params[] = {                                              \
        LINEAR_PARAM(type, 0, "fc.weight", 2, {3, 6}),                                                \
        LINEAR_PARAM(type, 4, "fc.bias", 1, {3}),                                                     \
    };                                                                                                \
    static const PccTensor linear_##suffix##_states[] = {{"mean", type, 1, {6}, LINEAR_SLOT(8)}};     \
    static const PccTensor linear_##suffix##_constants[] = {{"scale", type, 1, {1}, LINEAR_SLOT(9)}}; \
    static const PccTensor linear_##suffix##_inputs[] = {{"image", type, 4, {4, 1, 2, 3}, 0}};        \
    static const PccTensor linear_##suffix##_outputs[] = {{"logits", type, 2, {4, 3}, 0}};            \
    static void linear_##suffix##_step(PccStep *s);                                                   \
    static void linear_##suffix##_evaluate(PccStep *s);                                               \
    static void linear_##suffix##_update(PccStep *s);                                                 \
    static PccProgram linear_##suffix##_program = {                                                   \
        .abi = PCC_PROGRAM_ABI,                                                                       \
        .name = "linear",                                                                             \
        .precision = precision_name,                                                                  \
        .optimizer = "adamw",                                                                         \
        .fingerprint = print,                                                                         \
        .batch = LINEAR_BATCH,                                                                        \
        .accumulate = 1,                                                                              \
        .weights_bytes = LINEAR_SLOT(10),                                                             \
        .arena_bytes = LINEAR_SLOT(2),                                                                \
        .params = linear_##suffix##_params,                                                           \
        .param_count = 2,                                                                             \
        .states = linear_##suffix##_states,                                                           \
        .state_count = 1,                                                                             \
        .constants = linear_##suffix##_constants,                                                     \
        .constant_count = 1,                                                                          \
        .inputs = linear_##suffix##_inputs,                                                           \
        .input_count = 1,                                                                             \
        .outputs = linear_##suffix##_outputs,                                                         \
        .output_count = 1,                                                                            \
        .loss = PCC_LOSS_CROSS_ENTROPY,                                                               \
        .label_input = -1,                                                                            \
        .target = {"target", PCC_I64, 1, {4}, 0},                                                     \
        .hyper = {1e-3, 0.01, 0.9, 0.999, 1e-8, 0},                                                   \
        .step = linear_##suffix##_step,                                                               \
        .evaluate = linear_##suffix##_evaluate,                                                       \
        .update = linear_##suffix##_update,                                                           \
    };

LINEAR_DEFINE(f32, PCC_F32, "32-true", 0x1111)
LINEAR_DEFINE(f64, PCC_F64, "64-true", 0x2222)

#define LINEAR_T float
#define LINEAR(name) linear_f32_##name
#include "program_linear.inc"
#undef LINEAR_T
#undef LINEAR

#define LINEAR_T double
#define LINEAR(name) linear_f64_##name
#include "program_linear.inc"
#undef LINEAR_T
#undef LINEAR

/* Initial weights: small and all different. */
static inline int linear_write_weights(const PccProgram *program, const char *path, const PccStTensor *extra,
                                       int64_t extra_count, PccError *error)
{
    bool f32 = program->inputs[0].dtype == PCC_F32;
    PccDtype dtype = f32 ? PCC_F32 : PCC_F64;
    float narrow[4][18];
    double wide[4][18];
    for (int t = 0; t < 4; t++)
        for (int i = 0; i < 18; i++)
            narrow[t][i] = (float)(wide[t][i] = t == 3 ? 1 : t == 2 ? 0 : 0.1 * sin(7 * t + 3 * i + 1));
    PccStTensor tensors[8] = {
        {.name = "fc.weight", .dtype = dtype, .rank = 2, .dims = {3, 6}},
        {.name = "fc.bias", .dtype = dtype, .rank = 1, .dims = {3}},
        {.name = "mean", .dtype = dtype, .rank = 1, .dims = {6}},
        {.name = "scale", .dtype = dtype, .rank = 1, .dims = {1}},
    };
    for (int t = 0; t < 4; t++)
        tensors[t].data = f32 ? (const void *)narrow[t] : wide[t];
    for (int64_t i = 0; i < extra_count; i++)
        tensors[4 + i] = extra[i];
    return pcc_st_write(path, tensors, 4 + extra_count, NULL, 0, error);
}

#endif
