/* zoo.c: the table of architectures, and `pcc zoo`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "frontend/files/interrupt.h"
#include "models/model.h"
#include "models/zoo.h"

enum {
    ZOO_OPSET = 20,    /* the first with Gelu */
    MAX_SETTINGS = 12, /* of a model */
    ZOO_ARENA_BYTES = 1 << 28
};

typedef struct ZooEntry {
    const char *name, *summary;
    void (*build)(Model *model);
    Setting settings[MAX_SETTINGS]; /* with their defaults; ends at a NULL key */
} ZooEntry;

#define SIZE(name, value)                           \
    {                                               \
        .key = #name, .values = {value}, .count = 1 \
    }
#define LIST(name, ...)                                                                                             \
    {                                                                                                               \
        .key = #name, .values = {__VA_ARGS__}, .count = sizeof((int[]){__VA_ARGS__}) / sizeof(int), .is_list = true \
    }
#define IMAGES(size, kinds, colours) SIZE(image, size), SIZE(channels, colours), SIZE(classes, kinds)
#define VIT(size, width, layers, count) SIZE(patch, size), SIZE(dim, width), SIZE(depth, layers), SIZE(heads, count)

#define SEQUENCES \
    SIZE(steps, 100), SIZE(features, 256), SIZE(hidden, 512), SIZE(depth, 2), SIZE(directions, 2), SIZE(classes, 10)

static const ZooEntry zoo[] = {
    {"mlp", "linear layers with ReLU", build_mlp, {IMAGES(28, 10, 1), LIST(hidden, 512, 512)}},
    {"cnn",
     "two convolutions with BatchNormalization, two linear layers",
     build_cnn,
     {IMAGES(28, 10, 1), LIST(widths, 32, 64), SIZE(hidden, 128)}},
    {"vit", "a vision transformer of any size", build_vit, {IMAGES(28, 10, 1), VIT(4, 192, 6, 3)}},
    {"vit_tiny", "a vision transformer for 28 x 28 images", build_vit, {IMAGES(28, 10, 1), VIT(4, 192, 6, 3)}},
    {"vit_b_16", "ViT-B/16", build_vit_torchvision, {IMAGES(224, 1000, 3), VIT(16, 768, 12, 12)}},
    {"vit_l_16", "ViT-L/16", build_vit_torchvision, {IMAGES(224, 1000, 3), VIT(16, 1024, 24, 16)}},
    {"resnet18", "ResNet-18", build_resnet18, {IMAGES(224, 1000, 3), SIZE(width, 64)}},
    {"resnet50", "ResNet-50, version 1.5", build_resnet50, {IMAGES(224, 1000, 3), SIZE(width, 64)}},
    {"gpt2",
     "GPT-2; train with --loss causal-lm",
     build_gpt2,
     {SIZE(vocab, 50257), SIZE(context, 1024), SIZE(dim, 768), SIZE(depth, 12), SIZE(heads, 12)}},
    {"bert",
     "BERT base for sequence classification",
     build_bert,
     {SIZE(vocab, 30522), SIZE(context, 512), SIZE(dim, 768), SIZE(depth, 12), SIZE(heads, 12), SIZE(classes, 2)}},
    {"gcn",
     "a graph convolutional network for Cora",
     build_gcn,
     {SIZE(nodes, 2708), SIZE(edges, 10556), SIZE(features, 1433), LIST(hidden, 16), SIZE(classes, 7)}},
    {"lstm", "LSTM layers, in both directions, over sequences", build_lstm, {SEQUENCES}},
    {"gru", "GRU layers, in both directions, over sequences", build_gru, {SEQUENCES}},
};

enum { ZOO_COUNT = sizeof zoo / sizeof *zoo };

static const ZooEntry *find_entry(Arena *arena, Diagnostics *diagnostics, const char *name)
{
    const char *names[ZOO_COUNT];
    for (int i = 0; i < ZOO_COUNT; i++) {
        if (strcmp(zoo[i].name, name) == 0)
            return &zoo[i];
        names[i] = zoo[i].name;
    }
    const char *nearest = did_you_mean(name, names, ZOO_COUNT);
    fatal(diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "the zoo has no model '%s'%s; 'pcc zoo' lists them", name,
          nearest ? arena_printf(arena, "; did you mean '%s'?", nearest) : "");
}

static Model model_of(Arena *arena, Diagnostics *diagnostics, const ZooEntry *entry)
{
    Model model = {.arena = arena, .diagnostics = diagnostics, .name = entry->name};
    while (model.setting_count < MAX_SETTINGS && entry->settings[model.setting_count].key)
        model.setting_count++;
    model.settings = NEW_ARRAY(arena, Setting, model.setting_count);
    memcpy(model.settings, entry->settings, (size_t)model.setting_count * sizeof *model.settings);
    model.writer = onnx_writer_create(arena, diagnostics, entry->name, ZOO_OPSET);
    return model;
}

int64_t zoo_write(Arena *arena, Diagnostics *diagnostics, const char *name, int assignment_count,
                  char *const *assignments, const char *path)
{
    const ZooEntry *entry = find_entry(arena, diagnostics, name);
    Model model = model_of(arena, diagnostics, entry);
    for (int i = 0; i < assignment_count; i++)
        assign_setting(&model, assignments[i]);
    entry->build(&model);
    if (path)
        onnx_writer_save(model.writer, path);
    return model.parameters;
}

/* 86567656 -> "86,567,656". */
static const char *grouped(Arena *arena, int64_t number)
{
    if (number < 1000)
        return arena_printf(arena, "%" PRId64, number);
    return arena_printf(arena, "%s,%03d", grouped(arena, number / 1000), (int)(number % 1000));
}

static void list(Arena *arena, Diagnostics *diagnostics)
{
    printf("usage: pcc zoo NAME [key=value ...] -o NAME.onnx\n\n%-10s %12s  %s\n", "NAME", "PARAMETERS",
           "KEYS (and seed=0 for the initial weights)");
    for (int i = 0; i < ZOO_COUNT; i++) {
        int64_t parameters = zoo_write(arena, diagnostics, zoo[i].name, 0, NULL, NULL);
        printf("%-10s %12s ", zoo[i].name, grouped(arena, parameters));
        for (int k = 0; k < MAX_SETTINGS && zoo[i].settings[k].key; k++)
            printf(" %s", setting_text(arena, &zoo[i].settings[k]));
        printf("\n%24s %s\n", "", zoo[i].summary);
    }
}

/* The words after "zoo". */
typedef struct ZooCommand {
    const char *name, *output;
    char **assignments;
    int assignment_count;
    bool help;
} ZooCommand;

static ZooCommand parse_command(Arena *arena, Diagnostics *diagnostics, int argc, char **argv)
{
    ZooCommand command = {.assignments = NEW_ARRAY(arena, char *, argc)};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            command.help = true;
        } else if (strcmp(argv[i], "-o") == 0) {
            if (i + 1 == argc)
                fatal(diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "'-o' needs the name of the model to write");
            command.output = argv[++i];
        } else if (argv[i][0] == '-') {
            fatal(diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "unknown option '%s'; 'pcc zoo' takes -o FILE and --help",
                  argv[i]);
        } else if (!command.name) {
            command.name = argv[i];
        } else {
            command.assignments[command.assignment_count++] = argv[i];
        }
    }
    return command;
}

static void run_command(Arena *arena, Diagnostics *diagnostics, int argc, char **argv)
{
    ZooCommand command = parse_command(arena, diagnostics, argc, argv);
    if (command.help || argc == 1) {
        list(arena, diagnostics);
        return;
    }
    if (!command.name)
        fatal(diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "which model? 'pcc zoo' lists them");
    find_entry(arena, diagnostics, command.name);
    if (!command.output)
        fatal(diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "where to? Add -o %s.onnx", command.name);
    int64_t parameters =
        zoo_write(arena, diagnostics, command.name, command.assignment_count, command.assignments, command.output);
    printf("%s: %s, %s parameters\n", command.output, command.name, grouped(arena, parameters));
}

int command_zoo(int argc, char **argv)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, stderr);
    Arena *arena = arena_create(ZOO_ARENA_BYTES, &diagnostics);
    diagnostics.can_recover = true;
    if (setjmp(diagnostics.recover) == 0)
        run_command(arena, &diagnostics, argc, argv);
    interrupt_forget();
    arena_destroy(arena);
    return (int)diagnostics.status;
}
