/* gpu_file.c: a GPU that is described by a file.
 *
 *     {"architecture": "sm_90", "memory": 85899345920, "bandwidth": 3.35e12, "f64": 34e12, "f32": 67e12,
 *      "tf32": 494.7e12, "f16": 989.4e12, "bf16": 989.4e12}
 */
#include "frontend/commands/gpu_file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/files/files.h"
#include "runtime/files/json.h"

typedef struct Field {
    const char *name;
    size_t offset; /* of a double in Figures */
    bool required;
} Field;

typedef struct Figures {
    double memory, bandwidth, f64, f32, tf32, f16, bf16;
} Figures;

#define FIELD(name, required)                    \
    {                                            \
#        name, offsetof(Figures, name), required \
    }
static const Field fields[] = {FIELD(memory, true), FIELD(bandwidth, true), FIELD(f32, true),  FIELD(f64, false),
                               FIELD(tf32, false),  FIELD(f16, false),      FIELD(bf16, false)};
#undef FIELD
enum { FIELDS = sizeof fields / sizeof *fields };

/* One file on its way to a Gpu. */
typedef struct Reader {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *path;
    PccJson json;
    const char *architecture;
    Figures figures;
} Reader;

#define refuse(reader, ...)                                                                    \
    fatal((reader)->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "--gpu %s: %s", (reader)->path, \
          arena_printf((reader)->arena, __VA_ARGS__))

static double *figure(Reader *reader, int i)
{
    return (double *)(void *)((char *)&reader->figures + fields[i].offset);
}

static bool is_architecture(const char *text)
{
    if (strncmp(text, "sm_", 3) != 0 || !isdigit((unsigned char)text[3]))
        return false;
    const char *end = text + 3 + strspn(text + 3, "0123456789");
    return *end == 0 || (islower((unsigned char)*end) && end[1] == 0);
}

/* Text of malloc's, in the arena; "" after a violation. */
static const char *kept(Reader *reader, char *text)
{
    const char *copy = text ? arena_strndup(reader->arena, text, strlen(text)) : "";
    free(text);
    return copy;
}

static void read_field(Reader *reader, const char *key)
{
    const char *names[FIELDS + 1];
    if (strcmp(key, "architecture") == 0) {
        reader->architecture = kept(reader, pcc_json_string(&reader->json));
        return;
    }
    for (int i = 0; i < FIELDS; i++) {
        names[i] = fields[i].name;
        if (strcmp(key, fields[i].name) == 0) {
            *figure(reader, i) = pcc_json_number(&reader->json);
            return;
        }
    }
    names[FIELDS] = "architecture";
    const char *near = did_you_mean(key, names, FIELDS + 1);
    refuse(reader, "unknown field '%s'%s%s%s", key, near ? "; did you mean '" : "; see docs/cuda.md", near ? near : "",
           near ? "'?" : "");
}

static void read_object(Reader *reader)
{
    PccJson *json = &reader->json;
    for (bool more = pcc_json_begin(json, '{'); more; more = pcc_json_more(json, '}')) {
        const char *key = kept(reader, pcc_json_key(json));
        if (!json->problem)
            read_field(reader, key);
    }
    if (!pcc_json_finish(json))
        refuse(reader, "byte %td: %s", json->at - json->begin, json->problem);
}

static void check_fields(Reader *reader)
{
    if (!reader->architecture || !is_architecture(reader->architecture))
        refuse(reader, "\"architecture\" is %s%s%s; give one of nvcc's, as in \"sm_90\"",
               reader->architecture ? "'" : "absent", reader->architecture ? reader->architecture : "",
               reader->architecture ? "'" : "");
    for (int i = 0; i < FIELDS; i++) {
        const double value = *figure(reader, i);
        if (!(value >= 0 && value <= 1e18) || (fields[i].required && value == 0))
            refuse(reader, "\"%s\" is %g; give it in %s, above 0", fields[i].name, value,
                   strcmp(fields[i].name, "memory") == 0      ? "bytes"
                   : strcmp(fields[i].name, "bandwidth") == 0 ? "bytes a second"
                                                              : "FLOP a second");
    }
}

static const Gpu *read_file(Reader *reader)
{
    PccError error = {0};
    PccMapping mapping;
    if (pcc_map_file(&mapping, reader->path, &error))
        fatal(reader->diagnostics, (ExitStatus)error.status, NO_ORIGIN, "--gpu: %s", error.message);
    const char *text = arena_strndup(reader->arena, mapping.data ? (const char *)mapping.data : "", mapping.size);
    reader->json = pcc_json(text, mapping.size);
    pcc_unmap_file(&mapping);
    read_object(reader);
    check_fields(reader);
    const Figures *f = &reader->figures;
    Gpu *gpu = NEW(reader->arena, Gpu);
    *gpu = (Gpu){reader->path, reader->architecture, (int64_t)f->memory, f->bandwidth, f->f64, f->f32, f->tf32, f->f16,
                 f->bf16};
    return gpu;
}

const Gpu *read_gpu(Arena *arena, Diagnostics *diagnostics, const char *name)
{
    Reader reader = {.arena = arena, .diagnostics = diagnostics, .path = name};
    const Gpu *known = find_gpu(name);
    return known ? known : read_file(&reader);
}
