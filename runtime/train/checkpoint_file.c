/* checkpoint_file.c: one checkpoint file: its tensors, its metadata, their checksums. */
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "checkpoint_file.h"
#include "../session/blocks.h"
#include "../session/copies.h"
#include "../files/dtype.h"
#include "../session/session.h"

/* Tensors of the weights block under their names in the file. A master that the program stores as value and remainder
 * is joined in separate memory. */
typedef struct CheckpointTensors {
    PccStTensor *tensors;
    const PccParam **joined; /* by tensor: whose master it is; NULL: it lies in the weights block */
    int64_t count;
} CheckpointTensors;

static int checkpoint_add(CheckpointTensors *list, const char *kind, const PccTensor *tensor, PccDtype dtype,
                          const char *data, PccError *error)
{
    size_t length = strlen(kind) + strlen(tensor->name) + 2;
    char *name = malloc(length);
    if (!name)
        return pcc_fail_memory(error);
    snprintf(name, length, "%s/%s", kind, tensor->name);
    PccStTensor *entry = &list->tensors[list->count++];
    *entry = (PccStTensor){.name = name, .dtype = dtype, .rank = tensor->rank, .data = data};
    memcpy(entry->dims, tensor->dims, sizeof entry->dims);
    entry->bytes = (size_t)pcc_element_count(tensor->rank, tensor->dims) * pcc_dtype_size(dtype);
    return PCC_OK;
}

static void checkpoint_free_tensors(CheckpointTensors *list)
{
    for (int64_t i = 0; i < list->count; i++) {
        free((char *)list->tensors[i].name);
        if (list->joined[i])
            free((void *)list->tensors[i].data);
    }
    free(list->tensors);
    free(list->joined);
}

/* One f32 for each block of an 8-bit moment. */
static int checkpoint_add_scales(CheckpointTensors *list, const char *kind, const PccTensor *value, const char *data,
                                 PccError *error)
{
    int64_t elements = pcc_element_count(value->rank, value->dims);
    const PccTensor scales = {.name = value->name, .rank = 1, .dims = {(elements - 1) / PCC_MOMENT_BLOCK + 1}};
    return checkpoint_add(list, kind, &scales, PCC_F32, data, error);
}

static int checkpoint_add_joined(CheckpointTensors *list, const PccSession *session, const PccParam *param,
                                 PccError *error)
{
    PccDtype dtype;
    const size_t bytes = (size_t)pcc_element_count(param->value.rank, param->value.dims) * sizeof(float);
    void *master = malloc(bytes + 1);
    if (!master)
        return pcc_fail_memory(error);
    memcpy(master, pcc_param_weight(session, param, &dtype), bytes);
    int status = checkpoint_add(list, "extra", &param->value, PCC_F32, master, error);
    if (status)
        free(master);
    else
        list->joined[list->count - 1] = param;
    return status;
}

static int checkpoint_add_param(CheckpointTensors *list, const PccSession *session, const PccParam *param,
                                const char *weights, PccError *error)
{
    const PccTensor *value = &param->value;
    bool scaled = param->moment_dtype == PCC_U8, master = param->rounding == PCC_MASTER;
    int status = checkpoint_add(list, "param", value, value->dtype, weights + value->offset, error);
    if (!status && (master || param->rounding == PCC_KAHAN))
        status = checkpoint_add(list, "extra", value, master ? PCC_F32 : value->dtype, weights + param->extra, error);
    if (!status && param->rounding == PCC_REMAINDER)
        status = checkpoint_add_joined(list, session, param, error);
    if (!status && param->moment1 != PCC_NONE)
        status = checkpoint_add(list, "moment1", value, param->moment_dtype, weights + param->moment1, error);
    if (!status && param->moment2 != PCC_NONE)
        status = checkpoint_add(list, "moment2", value, param->moment_dtype, weights + param->moment2, error);
    if (!status && scaled)
        status = checkpoint_add_scales(list, "absmax1", value, weights + param->absmax1, error);
    if (!status && scaled)
        status = checkpoint_add_scales(list, "absmax2", value, weights + param->absmax2, error);
    return status;
}

/* Lists all tensors of a checkpoint of this program. */
static int checkpoint_tensors(const PccSession *session, CheckpointTensors *list, PccError *error)
{
    const PccProgram *program = session->program;
    char *weights = pcc_host_weights(session, error);
    int status = weights ? PCC_OK : error->status;
    *list = (CheckpointTensors){0};
    const size_t most = (size_t)(6 * program->param_count + program->state_count) + 1;
    list->tensors = calloc(most, sizeof *list->tensors);
    list->joined = calloc(most, sizeof *list->joined);
    if ((!list->tensors || !list->joined) && !status)
        return pcc_fail_memory(error);
    for (int64_t i = 0; i < program->param_count && !status; i++)
        status = checkpoint_add_param(list, session, &program->params[i], weights, error);
    for (int64_t i = 0; i < program->state_count && !status; i++)
        status = checkpoint_add(list, "state", &program->states[i], program->states[i].dtype,
                                weights + program->states[i].offset, error);
    return status;
}

/* Metadata. CHECKPOINT_FIXED entries, then a checksum a tensor, then the checksum of all before. */
enum {
    META_FORMAT,
    META_PROGRAM,
    META_FINGERPRINT,
    META_PRECISION,
    META_OPTIMIZER,
    META_STEP,
    META_EPOCH,
    META_POSITION,
    META_SEED,
    META_BEST,
    META_SCALE,
    META_CLEAN_STEPS,
    META_SKIPPED,
    META_LOG_BYTES,
    META_ROUNDED,
    META_LOST,
    META_FIXED,
};

static const char *const checkpoint_keys[META_FIXED] = {
    "format", "program", "fingerprint", "precision",   "optimizer", "step",      "epoch",   "position",
    "seed",   "best",    "loss_scale",  "clean_steps", "skipped",   "log_bytes", "rounded", "lost",
};

#define CHECKPOINT_FORMAT "pcc-checkpoint-1"
#define CHECKPOINT_SEAL "crc32"

static char *checkpoint_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *checkpoint_text(const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return strdup(text);
}

static uint32_t checkpoint_crc(const void *data, size_t size)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), data, size);
}

/* The CRC-32 over "key=value\n" of every entry before the seal. */
static uint32_t checkpoint_seal(const PccStMetadata *metadata, int64_t count)
{
    uLong crc = crc32_z(0, NULL, 0);
    for (int64_t i = 0; i < count; i++) {
        crc = crc32_z(crc, (const Bytef *)metadata[i].key, strlen(metadata[i].key));
        crc = crc32_z(crc, (const Bytef *)"=", 1);
        crc = crc32_z(crc, (const Bytef *)metadata[i].value, strlen(metadata[i].value));
        crc = crc32_z(crc, (const Bytef *)"\n", 1);
    }
    return (uint32_t)crc;
}

static void checkpoint_fixed_metadata(const PccSession *session, const PccProgressState *state, PccStMetadata *metadata)
{
    const PccProgram *program = session->program;
    const PccLossScale *loss_scale = &session->step.loss_scaling;
    char *values[META_FIXED] = {
        [META_FORMAT] = strdup(CHECKPOINT_FORMAT),
        [META_PROGRAM] = strdup(program->name),
        [META_FINGERPRINT] = checkpoint_text("%016" PRIx64, program->fingerprint),
        [META_PRECISION] = strdup(program->precision),
        [META_OPTIMIZER] = strdup(program->optimizer),
        [META_STEP] = checkpoint_text("%" PRId64, state->step),
        [META_EPOCH] = checkpoint_text("%" PRId64, state->epoch),
        [META_POSITION] = checkpoint_text("%" PRId64, state->position),
        [META_SEED] = checkpoint_text("%" PRIu64, state->seed),
        [META_BEST] = checkpoint_text("%a", state->best),
        [META_SCALE] = checkpoint_text("%a", loss_scale->scale),
        [META_CLEAN_STEPS] = checkpoint_text("%" PRId64, loss_scale->clean_steps),
        [META_SKIPPED] = checkpoint_text("%" PRId64, loss_scale->skipped),
        [META_LOG_BYTES] = checkpoint_text("%" PRId64, state->log_bytes),
        [META_ROUNDED] = checkpoint_text("%" PRId64, state->rounded),
        [META_LOST] = checkpoint_text("%" PRId64, state->lost),
    };
    for (int i = 0; i < META_FIXED; i++)
        metadata[i] = (PccStMetadata){strdup(checkpoint_keys[i]), values[i]};
}

static char *checkpoint_crc_key(const char *tensor)
{
    size_t length = strlen(tensor) + sizeof CHECKPOINT_SEAL + 1;
    char *key = malloc(length);
    if (key)
        snprintf(key, length, CHECKPOINT_SEAL "/%s", tensor);
    return key;
}

/* Fills metadata[0 … META_FIXED + tensors], all strings in new memory. */
static int checkpoint_build_metadata(const PccSession *session, const PccProgressState *state,
                                     const CheckpointTensors *list, PccStMetadata *metadata, PccError *error)
{
    int64_t count = META_FIXED;
    checkpoint_fixed_metadata(session, state, metadata);
    for (int64_t i = 0; i < list->count; i++, count++)
        metadata[count] = (PccStMetadata){
            checkpoint_crc_key(list->tensors[i].name),
            checkpoint_text("%08" PRIx32, checkpoint_crc(list->tensors[i].data, list->tensors[i].bytes))};
    for (int64_t i = 0; i < count; i++)
        if (!metadata[i].key || !metadata[i].value)
            return pcc_fail_memory(error);
    metadata[count] =
        (PccStMetadata){strdup(CHECKPOINT_SEAL), checkpoint_text("%08" PRIx32, checkpoint_seal(metadata, count))};
    return metadata[count].key && metadata[count].value ? PCC_OK : pcc_fail_memory(error);
}

int pcc_checkpoint_file_write(const char *path, const PccSession *session, const PccProgressState *state,
                              PccError *error)
{
    CheckpointTensors list;
    int status = checkpoint_tensors(session, &list, error);
    int64_t count = META_FIXED + list.count + 1;
    PccStMetadata *metadata = calloc((size_t)count, sizeof *metadata);
    if (!status && !metadata)
        status = pcc_fail_memory(error);
    if (!status)
        status = checkpoint_build_metadata(session, state, &list, metadata, error);
    if (!status)
        status = pcc_st_write(path, list.tensors, list.count, metadata, count, error);
    for (int64_t i = 0; metadata && i < count; i++) {
        free((char *)metadata[i].key);
        free((char *)metadata[i].value);
    }
    free(metadata);
    checkpoint_free_tensors(&list);
    return status;
}

static int checkpoint_check_seal(const PccSafetensors *file, PccError *error)
{
    int64_t last = file->metadata_count - 1;
    char seal[16];
    if (last >= META_FIXED && strcmp(file->metadata[last].key, CHECKPOINT_SEAL) == 0) {
        snprintf(seal, sizeof seal, "%08" PRIx32, checkpoint_seal(file->metadata, last));
        if (strcmp(file->metadata[last].value, seal) == 0)
            return PCC_OK;
    }
    return pcc_fail(error, PCC_ERR_INPUT, "%s: its header is damaged", file->path);
}

/* The program that wrote the file must agree with this one in the meaning of its weights. */
static int checkpoint_check_program(const PccSafetensors *file, const PccProgram *program, PccError *error)
{
    char fingerprint[32];
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, program->fingerprint);
    const struct {
        int key;
        const char *wanted;
    } rules[] = {{META_FORMAT, CHECKPOINT_FORMAT},
                 {META_PRECISION, program->precision},
                 {META_OPTIMIZER, program->optimizer},
                 {META_FINGERPRINT, fingerprint}};
    for (int64_t i = 0; i < PCC_COUNT(rules); i++) {
        const char *key = checkpoint_keys[rules[i].key], *found = pcc_st_metadata(file, key);
        if (!found || strcmp(found, rules[i].wanted) != 0)
            return pcc_fail(error, PCC_ERR_INPUT,
                            "%s is of another program: its %s is %s, this program's is %s; use another --checkpoint "
                            "folder",
                            file->path, key, found ? found : "missing", rules[i].wanted);
    }
    return PCC_OK;
}

static int checkpoint_check_tensors(const PccSafetensors *file, const CheckpointTensors *list, PccError *error)
{
    for (int64_t i = 0; i < list->count; i++) {
        const PccStTensor *wanted = &list->tensors[i], *found;
        int status = pcc_st_require(file, wanted->name, wanted->dtype, wanted->rank, wanted->dims, &found, error);
        if (status)
            return status;
        char *key = checkpoint_crc_key(wanted->name), crc[16];
        if (!key)
            return pcc_fail_memory(error);
        snprintf(crc, sizeof crc, "%08" PRIx32, checkpoint_crc(found->data, found->bytes));
        const char *recorded = pcc_st_metadata(file, key);
        bool same = recorded && strcmp(recorded, crc) == 0;
        free(key);
        if (!same)
            return pcc_fail(error, PCC_ERR_INPUT, "%s: tensor %s is damaged: its checksum is %s, recorded is %s",
                            file->path, wanted->name, crc, recorded ? recorded : "none");
    }
    return PCC_OK;
}

/* Reads and checks the run's progress in the metadata: a checksum detects damage, not wrong values. */
typedef struct CheckpointRun {
    PccProgressState state;
    PccLossScale loss_scale;
} CheckpointRun;

#define CHECKPOINT_MOST ((int64_t)1 << 62) /* of every count: later additions do not overflow */

static int checkpoint_refuse(const PccSafetensors *file, int key, const char *wanted, PccError *error)
{
    const char *found = pcc_st_metadata(file, checkpoint_keys[key]);
    return pcc_fail(error, PCC_ERR_INPUT, "%s: its %s is %s where %s is expected: not a checkpoint that pcc wrote",
                    file->path, checkpoint_keys[key], found ? found : "missing", wanted);
}

static int checkpoint_integer(const PccSafetensors *file, int key, int64_t least, int64_t most, int64_t *value,
                              PccError *error)
{
    const char *text = pcc_st_metadata(file, checkpoint_keys[key]);
    char *end = NULL, wanted[80];
    errno = 0;
    long long number = text ? strtoll(text, &end, 10) : 0;
    *value = number;
    if (text && end != text && !*end && !errno && number >= least && number <= most)
        return PCC_OK;
    snprintf(wanted, sizeof wanted, "an integer from %lld to %lld", (long long)least, (long long)most);
    return checkpoint_refuse(file, key, wanted, error);
}

static int checkpoint_seed(const PccSafetensors *file, uint64_t *seed, PccError *error)
{
    const char *text = pcc_st_metadata(file, checkpoint_keys[META_SEED]);
    char *end = NULL;
    errno = 0;
    *seed = text && *text != '-' ? strtoull(text, &end, 10) : 0;
    if (end && end != text && !*end && !errno)
        return PCC_OK;
    return checkpoint_refuse(file, META_SEED, "an integer from 0 to 18446744073709551615", error);
}

static int checkpoint_real(const PccSafetensors *file, int key, double least, double most, const char *wanted,
                           double *value, PccError *error)
{
    const char *text = pcc_st_metadata(file, checkpoint_keys[key]);
    char *end = NULL;
    *value = text ? strtod(text, &end) : 0;
    if (text && end != text && !*end && *value >= least && *value <= most)
        return PCC_OK;
    return checkpoint_refuse(file, key, wanted, error);
}

static int checkpoint_read_run(const PccSafetensors *file, CheckpointRun *run, PccError *error)
{
    *run = (CheckpointRun){0};
    PccProgressState *state = &run->state;
    PccLossScale *scale = &run->loss_scale;
    int status = checkpoint_integer(file, META_STEP, 0, CHECKPOINT_MOST, &state->step, error);
    /* Counts of updates, of micro-batches and of updated weights, with their bounds. */
    const struct {
        int key;
        int64_t least, most;
        int64_t *value;
    } counts[] = {{META_EPOCH, 0, state->step, &state->epoch},
                  {META_POSITION, 0, CHECKPOINT_MOST, &state->position},
                  {META_CLEAN_STEPS, 0, state->step, &scale->clean_steps},
                  {META_SKIPPED, 0, state->step, &scale->skipped},
                  {META_LOG_BYTES, -1, CHECKPOINT_MOST, &state->log_bytes},
                  {META_ROUNDED, 0, CHECKPOINT_MOST, &state->rounded}};
    for (int64_t i = 0; i < PCC_COUNT(counts) && !status; i++)
        status = checkpoint_integer(file, counts[i].key, counts[i].least, counts[i].most, counts[i].value, error);
    if (!status)
        status = checkpoint_integer(file, META_LOST, 0, state->rounded, &state->lost, error);
    if (!status)
        status = checkpoint_seed(file, &state->seed, error);
    if (!status)
        status =
            checkpoint_real(file, META_SCALE, 0x1p-126, 0x1p127, "a number from 2^-126 to 2^127", &scale->scale, error);
    if (!status)
        status = checkpoint_real(file, META_BEST, -DBL_MAX, (double)INFINITY, "a number, or inf", &state->best, error);
    return status;
}

static void checkpoint_apply(const PccSafetensors *file, const CheckpointTensors *list, const CheckpointRun *run,
                             PccSession *session, PccProgressState *state)
{
    for (int64_t i = 0; i < list->count; i++) {
        const PccStTensor *from = pcc_st_find(file, list->tensors[i].name);
        memcpy((void *)list->tensors[i].data, from->data, from->bytes);
        if (list->joined[i])
            pcc_split_param(session, list->joined[i], list->tensors[i].data);
    }
    *state = run->state;
    pcc_set_loss_scale(session, run->loss_scale);
    session->step.update = (uint64_t)(state->step - run->loss_scale.skipped);
    pcc_write_copies(session);
}

int pcc_checkpoint_file_read(const char *path, PccSession *session, PccProgressState *state, bool *damaged,
                             PccError *error)
{
    PccSafetensors file;
    *damaged = true;
    int status = pcc_st_open(&file, path, error);
    if (status)
        return status;
    status = checkpoint_check_seal(&file, error);
    if (!status) {
        status = checkpoint_check_program(&file, session->program, error);
        *damaged = status == PCC_OK;
    }
    CheckpointTensors list = {0};
    CheckpointRun run;
    if (!status)
        status = checkpoint_read_run(&file, &run, error);
    if (!status)
        status = checkpoint_tensors(session, &list, error);
    if (!status)
        status = checkpoint_check_tensors(&file, &list, error);
    if (!status)
        checkpoint_apply(&file, &list, &run, session, state);
    if (!status)
        status = pcc_weights_changed(session, error);
    checkpoint_free_tensors(&list);
    pcc_st_close(&file);
    return status;
}
