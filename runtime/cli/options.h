/* options.h: the command line of an emitted program. */
#ifndef PCC_OPTIONS_H
#define PCC_OPTIONS_H

#include "../error.h"
#include "../program.h"
#include "../train/learning_rate.h"

typedef enum PccMode { PCC_MODE_TRAIN, PCC_MODE_EVAL, PCC_MODE_BENCH, PCC_MODE_PROBE } PccMode;

#define PCC_MAX_LAYOUTS 64 /* uses of --layout in a command */

typedef struct PccRunOptions {
    const char *data, *val;
    double val_fraction;
    const char *layouts[PCC_MAX_LAYOUTS]; /* INPUT=ORDER, as given */
    int64_t layout_count;
    const char *normalize; /* MEAN,STD as given, parsed into the next two */
    double mean, deviation;
    PccHyper hyper;
    const char *schedule_name;
    PccScheduleKind schedule;
    int64_t warmup, seed;
    int64_t epochs, steps; /* 0: not given */
    const char *checkpoint;
    int64_t every; /* updates; 0: at the end of each epoch */
    bool resume;
    const char *log, *tensorboard;
    bool quiet;
    const char *export_file, *save;
    int64_t threads; /* 0: as OpenMP chooses */
    int64_t device;  /* the device of a program for GPUs */
    bool eval;
    int64_t bench; /* steps; 0: no bench */
    const char *probe, *dump;
    bool help, version;
    PccMode mode; /* derived from the above */
} PccRunOptions;

/* Parses and checks the command line; defaults are the program's. Stops at --help and --version. */
int pcc_parse_options(const PccProgram *program, int argc, char **argv, PccRunOptions *options, PccError *error);

/* Prints every option with its default. */
void pcc_print_help(const PccProgram *program, const char *executable);

#endif
