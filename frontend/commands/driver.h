/* driver.h: one compile: from a command line to files. */
#ifndef PCC_FRONTEND_DRIVER_H
#define PCC_FRONTEND_DRIVER_H

#include "codegen/codegen.h"
#include "frontend/cli/cli_options.h"
#include "frontend/export/onnx_export.h"
#include "frontend/files/outputs.h"
#include "runtime/files/safetensors.h"

typedef struct PassRecord {
    const char *pass, *graph; /* "fuse", "train" */
    int nodes;                /* when it had run */
    double seconds;
} PassRecord;

typedef struct Compilation {
    int argc; /* set by the command, for parse_command_line() */
    char **argv;
    Diagnostics diagnostics;
    Arena *arena;
    CommandLine line;
    OnnxModel *model;
    Graph *imported;       /* becomes program.train: look at it before run_passes() */
    const Target *target;  /* that the program is for: of command line or output; NULL: as --target says */
    const struct Gpu *gpu; /* --gpu, once the options are prepared; or NULL */
    struct ConvolutionPlans *convolution_plans; /* of --libraries cudnn, once the options are prepared; or NULL */
    Options options;
    Program program;
    const struct PrecisionReport *precision_report; /* --explain-precision: what pass autocast decided */
    const Graph *before_head;                       /* --head: the graph as imported, else NULL */
    OnnxReshaped *reshaped;                         /* what --head changed */
    int reshaped_count;
    OnnxTemplate export_template;
    PccSafetensors *tensors; /* a file that is open, or NULL */
    Outputs outputs;
    const char *temporary_folder; /* removed at the end, with what is in it; or NULL */
    PassRecord *records;
    int record_count;
} Compilation;

/* By --target; C where it is not given. */
const Target *target_of(const CommandLine *line);
bool is_cuda(const Target *target);

/* Runs body(c) with an arena and diagnostics to stderr; whatever way it ends, outputs that were not committed and
 * temporary files are gone afterwards. Returns the exit status. */
int run_compilation(Compilation *c, void (*body)(Compilation *c));

/* Steps of a compile, for bodies, in this order. */
void check_model_exists(Compilation *c); /* a part of import_model() */
void import_model(Compilation *c);
void import_with(Compilation *c, const ImportOptions *import); /* instead, with more than the command line says */
void prepare_options(Compilation *c);                          /* c->options; a part of run_passes() */
void run_passes(Compilation *c);
/* The model without its trained tensors, which the program's --export fills in: into emit. */
void attach_export_template(Compilation *c, EmitOptions *emit);
/* A file of this name in the compile's temporary folder. */
const char *temporary_file(Compilation *c, const char *name);

/* The C program for c->program, audited where --audit asks for it. weights_name: what it looks for beside itself. */
Emitted emit_source(Compilation *c, EmitOptions *emit);

/* Stages an output with what writer prints; "-": the standard output. */
void write_text(Compilation *c, const char *path, void (*writer)(Compilation *c, FILE *stream));

const char *base_name(const char *path);
const char *suffix_of(const char *path); /* ".c"; "" where there is none, or the name begins with it */
bool path_has_suffix(const char *path, const char *suffix);
/* `path` with its suffix replaced: "out/train.c" and ".d" give "out/train.d". */
const char *with_suffix(Arena *arena, const char *path, const char *suffix);

#endif
