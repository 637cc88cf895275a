/* cli_options.h: the command line of pcc: one table of options makes the parser, --help, the man page and completion.
 */
#ifndef PCC_FRONTEND_CLI_OPTIONS_H
#define PCC_FRONTEND_CLI_OPTIONS_H

#include "frontend/import/onnx_import.h"
#include "passes/passes.h"

/* Bits: an option belongs to some commands. `pcc zoo` takes key=value pairs and has a parser of its own. */
typedef enum Command { COMMAND_COMPILE = 1, COMMAND_VERIFY = 2, COMMAND_RUN = 4 } Command;

typedef struct TextList {
    const char **items;
    int count;
} TextList;

/* What the user typed, checked as far as that needs no model. Fields are NULL, 0 or false when not given, unless
 * parse_command_line() says otherwise. */
typedef struct CommandLine {
    const char *model;
    const char *output_file, *emit; /* -o, --emit */
    const char *print;              /* --print */
    const char *explain;            /* --explain */
    const char *precision;          /* canonical; "32-true" when not given */
    const char *policy;             /* a built-in policy or a file that can be read; NULL when not given */
    TextList precision_rules;       /* "keep op:Softmax", "lower node:/a/...", as --keep-fp32 and --lower were given */
    bool honour_casts, check_numerics, explain_precision;
    const char *explain_precision_format; /* "json", or NULL: text */
    const char *loss, *output, *labels;
    int64_t batch;
    TextList dims, shapes, bindings; /* as typed; import_options() parses them */
    int64_t head;
    TextList trainable, freeze;
    const char *init;
    int64_t seed;
    const char *optimizer; /* "adamw" when not given */
    const char *update, *moments, *loss_scale, *recompute, *memory_budget;
    double clip_norm;
    int64_t accumulate; /* 1 when not given */
    const char *dump_after;
    const char *passes; /* --passes: NULL when not given, "" for none */
    const char *target, *gpu_arch, *gpu, *libraries;
    bool tf32, deterministic;
    bool standalone, embed_weights, audit, save_temps;
    const char *name; /* of the program: its symbol is pcc_program_NAME */
    bool depfile;
    const char *depfile_path, *depfile_target;
    bool verbose, werror, time_report, help, version;
    const char *diagnostics_format;
    const char *inputs, *dump; /* pcc run */
    const char *reference;     /* pcc verify */
    const char *summary;       /* the command, paths shortened to their last component: for the header comment */
} CommandLine;

/* Parses argv[1..]. Wrong use is one error of status EXIT_STATUS_USAGE, values that this version does not implement are
 * EXIT_STATUS_UNSUPPORTED; both leave through the diagnostics. The model may be missing: see need_model(). */
void parse_command_line(Arena *arena, Diagnostics *diagnostics, Command command, int argc, char **argv,
                        CommandLine *line);
void need_model(Diagnostics *diagnostics, const CommandLine *line);

/* The parts of the command line that the importer and the passes want. loss_given is false without --loss: the caller
 * asks default_loss(). */
ImportOptions import_options(Arena *arena, Diagnostics *diagnostics, const CommandLine *line);
Options pass_options(const CommandLine *line);

/* ---- cli_help.c: what the table is printed as ---- */

void print_help(FILE *stream, Command command);
void print_manual(FILE *stream);     /* docs/pcc.1, in man(7) macros */
void print_completion(FILE *stream); /* for bash */
void print_precisions(FILE *stream);

/* ---- the table ---- */

typedef struct Choice {
    const char *name;
    const char *canonical; /* NULL: the name itself */
    bool supported;        /* by this version; the others are refused by name */
    const char *what;      /* one line, or NULL */
} Choice;

typedef enum OptionKind {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char *, one of `choices` where there are some */
    OPTION_PATH,     /* const char *: a file */
    OPTION_COUNT,    /* int64_t >= 1 */
    OPTION_NATURAL,  /* int64_t >= 0 */
    OPTION_POSITIVE, /* double > 0 */
    OPTION_LIST,     /* TextList: repeatable */
    OPTION_MAYBE,    /* bool, and with =VALUE the const char * that follows it in the struct's `value_field` */
} OptionKind;

typedef enum Section {
    SECTION_OUTPUT,
    SECTION_PRECISION,
    SECTION_OBJECTIVE,
    SECTION_SHAPES,
    SECTION_FINETUNE,
    SECTION_OPTIMIZER,
    SECTION_MEMORY,
    SECTION_RUN,
    SECTION_INSPECT,
    SECTION_MESSAGES,
    SECTION_COUNT
} Section;

typedef struct CliOption {
    const char *name;     /* with its dashes */
    const char *argument; /* what --help calls the value; NULL: none */
    OptionKind kind;
    Section section;
    unsigned commands; /* of enum Command */
    size_t field, value_field;
    const Choice *choices;            /* ended by a row without a name; NULL: any text */
    bool (*check)(const char *value); /* the value's form, where there are no choices; NULL: any */
    const char *prefix;               /* OPTION_LIST: put before the value, where options share a list; or NULL */
    const char *help;
} CliOption;

extern const CliOption cli_options[];
extern const int cli_option_count;
double size_in_bytes(const char *value); /* of "2GiB", "512MiB", "1.5GB", "4096"; 0: not a size */
extern const char *const section_titles[SECTION_COUNT];
extern const Choice precision_choices[], print_choices[], emit_choices[];

#endif
