/* codegen.h: from the two scheduled graphs of a program to a C file and its weights file. */
#ifndef PCC_CODEGEN_H
#define PCC_CODEGEN_H

#include "passes/passes.h"

/* A row a target: its name, the suffix and the language of its source files, what it is. The first is the default. */
#define PCC_TARGETS(ROW)            \
    ROW(c, ".c", "C", "C for CPUs") \
    ROW(cuda, ".cu", "CUDA", "CUDA C++ for NVIDIA's GPUs")

#define PCC_TARGET_DECLARE(NAME, SUFFIX, LANGUAGE, HELP) extern const Target target_##NAME;
PCC_TARGETS(PCC_TARGET_DECLARE)
#undef PCC_TARGET_DECLARE

extern const Target *const targets[]; /* all of them, ended by NULL */

typedef struct EmitOptions {
    const char *model_path;   /* for the header comment */
    const char *command_line; /* for the header comment: options only */
    const char *source_name;  /* "train.c" */
    const char *weights_name; /* "train.safetensors": what the program looks for beside itself */
    bool standalone;          /* the runtime will be a part of the text, or of a file beside it: */
    const char *runtime_name; /* "train.runtime.c" */
    bool library;             /* no main(): the program's table is the one symbol that others see */
    const char *name;         /* the table's symbol is pcc_program_NAME; NULL: pcc_program, beside a main() program */
    const void *export_template; /* the original model without trained payloads, or NULL (onnx_export.h) */
    size_t export_template_bytes;
    const int64_t *export_splices; /* [splice_count][4] */
    int64_t splice_count;
    const int64_t *export_grids; /* [grid_count][5] of quantised weights, and [step_count][2] of all of them */
    const double *export_steps;
    int64_t grid_count, step_count;
    const void *embedded_weights; /* the weights file's bytes as a part of the text; NULL: weights_name is read */
    size_t embedded_bytes;
} EmitOptions;

/* Bytes of each kind in the weights block, less the padding between them. */
typedef struct WeightsBytes {
    int64_t params, copies, states, constants, gradients;
    int64_t extras; /* masters and compensations of 16-bit weights */
    int64_t moments;
} WeightsBytes;

typedef struct Emitted {
    const char *text; /* the C file */
    size_t length;
    int64_t weights_bytes, arena_bytes; /* of the program's two blocks */
    int64_t update_scratch_bytes;       /* those of the arena that update() has, behind those of the steps */
    int64_t unapplied_bytes; /* of the block of gradients, where they are kept that step() otherwise applies */
    const char *libraries;   /* linked besides the runtime: "-lcublasLt"; "": none */
    WeightsBytes weights;
} Emitted;

Emitted emit_program(const Program *program, const Options *options, const EmitOptions *emit);
/* Writes the initial parameters, states and constants, and the export template, atomically; fatal on I/O errors. */
void write_weights(const Program *program, const Options *options, const EmitOptions *emit, const char *path);
/* The order of parameters and states in the emitted tables, by ONNX name: the indices of the export splices. */
void list_stored(const Program *program, const Options *options, const char ***params, int *param_count,
                 const char ***states, int *state_count);

#endif
