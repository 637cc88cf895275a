/* trainer.c: the training loop.
 *
 * An epoch is a shuffled pass over the training samples in micro-batches; `accumulate` of them make an update; the last
 * update of an epoch may have fewer. The state in a checkpoint (PccProgressState) tells which micro-batch is next;
 * everything else follows from it, the options and the data.
 *
 * A device runs one micro-batch while the next begins, so that it never waits for the host: updates are reported when
 * they have ended, and all of them end before a validation or a checkpoint. On the CPU each ends as it begins. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../data/batch.h"
#include "checkpoint.h"
#include "../log/clock.h"
#include "validation.h"
#include "../files/files.h"
#include "../log/log.h"
#include "../log/progress.h"
#include "../session/blocks.h"
#include "../data/shuffle.h"
#include "../log/signals.h"
#include "../data/holdout.h"
#include "../log/tensorboard.h"
#include "trainer.h"

#define TRAINER_BATCHES 2

/* A micro-batch under way. */
typedef struct Begun {
    int64_t valid; /* samples that count */
    bool is_last;  /* of an update, which began with it */
    double at;     /* when */
} Begun;

/* Micro-batches of an update that have ended, and their losses. */
typedef struct Micros {
    int64_t count, samples;
    double sum, weight; /* sums of losses, and of the numbers of targets that they average */
    double started;     /* when the first one began */
} Micros;

typedef struct Trainer {
    PccSession *session;
    const PccRunOptions *options;
    PccLayout layout;
    PccDataSets sets;
    PccBatch batches[TRAINER_BATCHES]; /* one is filled while the program runs with the other */
    int filled;                        /* the one that is to run next */
    bool is_filled;                    /* with the micro-batch that begins next */
    Begun begun[TRAINER_BATCHES];
    int64_t begun_count, ended_count; /* micro-batches so far */
    Micros micros;                    /* of the update that ends next */
    double ended_at;                  /* when the last one ended */
    PccSchedule schedule;
    PccProgressState state; /* behind the last update that has ended */
    PccCheckpoints checkpoints;
    PccLog log;
    PccTensorboard board;
    PccProgress progress;
    int64_t *samples;       /* [sets.train.count], in this epoch's order */
    int64_t micro_batches;  /* in an epoch */
    int64_t written_step;   /* of the last checkpoint, -1 before the first */
    int64_t validated_step; /* of the last validation, -1 before the first */
    bool warned;            /* of a loss that is not finite */
    bool told;              /* of an overflow of scaled gradients */
} Trainer;

static void trainer_shuffle(Trainer *t)
{
    const PccSplit *train = &t->sets.train;
    pcc_shuffle(t->samples, train->count, (uint64_t)t->options->seed, (uint64_t)t->state.epoch);
    for (int64_t i = 0; i < train->count; i++)
        t->samples[i] = train->samples[t->layout.fixed_order ? i : t->samples[i]];
}

static void trainer_plan(Trainer *t)
{
    const PccProgram *program = t->session->program;
    const PccRunOptions *options = t->options;
    t->micro_batches = (t->sets.train.count + program->batch - 1) / program->batch;
    int64_t updates = (t->micro_batches + program->accumulate - 1) / program->accumulate;
    int64_t epochs = options->epochs ? options->epochs : 1, total = options->steps;
    if (!total && __builtin_mul_overflow(epochs, updates, &total))
        total = INT64_MAX;
    t->schedule =
        (PccSchedule){.kind = options->schedule, .lr = options->hyper.lr, .warmup = options->warmup, .total = total};
}

static int trainer_resume(Trainer *t, PccError *error)
{
    bool others, found = false;
    t->state = (PccProgressState){.seed = (uint64_t)t->options->seed, .best = (double)INFINITY, .log_bytes = -1};
    int status = pcc_checkpoints_open(&t->checkpoints, t->options->checkpoint, &others, error);
    if (!status && t->options->resume)
        status = pcc_checkpoint_resume(&t->checkpoints, t->session, &t->state, &found, error);
    if (status)
        return status;
    if (t->options->resume && !found)
        fprintf(stderr, "note: no checkpoint in %s yet: starting from the initial weights\n", t->options->checkpoint);
    if (!t->options->resume && others && t->options->mode == PCC_MODE_TRAIN)
        fprintf(stderr,
                "warning: %s holds an earlier run's checkpoints, which this run replaces; --resume continues them\n",
                t->options->checkpoint);
    if (found && t->state.seed != (uint64_t)t->options->seed)
        fprintf(stderr, "warning: the run so far had --seed %llu; from here on the order of samples differs from it\n",
                (unsigned long long)t->state.seed);
    t->state.seed = (uint64_t)t->options->seed;
    t->written_step = found ? t->state.step : -1;
    return PCC_OK;
}

/* On the CPU nothing runs while a batch is read: one batch suffices. */
static int trainer_batches(const Trainer *t)
{
    return 1 + pcc_begins_early(t->session);
}

static int trainer_open(Trainer *t, PccError *error)
{
    int status = pcc_layout_init(&t->layout, t->session->program, error);
    for (int64_t i = 0; i < t->options->layout_count && !status; i++)
        status = pcc_layout_set_order(&t->layout, t->options->layouts[i], error);
    if (!status)
        status = pcc_data_sets_open(&t->sets, t->options, &t->layout, error);
    for (int i = 0; i < trainer_batches(t) && !status; i++)
        status = pcc_batch_init(&t->batches[i], t->session, &t->layout, error);
    return status ? status : trainer_resume(t, error);
}

/* Checked before anything is written: the resumed epoch had more samples than there are now, or the file is damaged. */
static int trainer_check_position(const Trainer *t, PccError *error)
{
    if (t->state.position <= t->micro_batches)
        return PCC_OK;
    return pcc_fail(error, PCC_ERR_INPUT,
                    "the checkpoint in %s is of other data: it stands behind micro-batch %lld of an epoch, which has "
                    "%lld over the %lld samples given; give the --data that it was written with, or another "
                    "--checkpoint folder",
                    t->options->checkpoint, (long long)t->state.position, (long long)t->micro_batches,
                    (long long)t->sets.train.count);
}

static int trainer_start(Trainer *t, PccError *error)
{
    trainer_plan(t);
    int status = trainer_check_position(t, error);
    if (!status)
        status = pcc_log_open(&t->log, t->options->log, t->state.log_bytes, error);
    if (!status)
        status = pcc_checkpoints_prune(&t->checkpoints, t->state.step, error);
    if (!status)
        status = pcc_tensorboard_open(&t->board, t->options->tensorboard, t->state.step, error);
    if (status)
        return status;
    t->samples = malloc((size_t)(t->sets.train.count + 1) * sizeof *t->samples);
    if (!t->samples)
        return pcc_fail_memory(error);
    trainer_shuffle(t);
    t->validated_step = -1;
    t->progress = pcc_progress_start(t->options->quiet, t->state.step, t->schedule.total);
    return PCC_OK;
}

static void trainer_close(Trainer *t)
{
    pcc_progress_break(&t->progress);
    pcc_tensorboard_close(&t->board);
    pcc_log_close(&t->log);
    for (int i = 0; i < trainer_batches(t); i++)
        pcc_batch_free(&t->batches[i]);
    pcc_data_sets_close(&t->sets);
    pcc_layout_free(&t->layout);
    free(t->samples);
}

/* Gradient overflows are expected with dynamic loss scaling, but the first parameter affected is useful to know:
 * reported once; the log has the others. */
static void trainer_tell_overflow(Trainer *t, const PccStepReport *report)
{
    if (t->told)
        return;
    t->told = true;
    pcc_progress_break(&t->progress);
    fprintf(stderr, "note: step %lld: the gradient of %s overflowed at loss scale %g: this update was skipped",
            (long long)report->step, report->overflow, report->scale);
    if (t->session->program->scaling.dynamic)
        fprintf(stderr, ", the scale is now %g", t->session->step.loss_scaling.scale);
    fputc('\n', stderr);
}

/* A loss that is not finite, or a gradient that is not finite at any scale, ruins the run: reported once, with the
 * first parameter affected. */
static void trainer_warn_not_finite(Trainer *t, const PccStepReport *report)
{
    if (isfinite(report->loss) && !report->overflow)
        return;
    if (isfinite(report->loss) && t->session->step.check_gradients && report->scale >= 1) {
        trainer_tell_overflow(t, report);
        return;
    }
    if (t->warned)
        return;
    t->warned = true;
    pcc_progress_break(&t->progress);
    fprintf(stderr, "warning: step %lld: the loss is %g", (long long)report->step, report->loss);
    if (report->overflow)
        fprintf(stderr, "; the gradient of %s is not finite", report->overflow);
    fputs("; a smaller --lr or --warmup may help\n", stderr);
}

/* ---- updates that end: in the order in which they began --------------------------------------------------------- */

static int trainer_log_step(Trainer *t, const PccStepReport *report, PccError *error)
{
    pcc_progress_step(&t->progress, report);
    char *line = t->log.path ? pcc_step_line(report) : NULL;
    if (t->log.path && !line)
        return pcc_fail_memory(error);
    int status = line ? pcc_log_line(&t->log, line, error) : PCC_OK;
    free(line);
    const struct {
        const char *tag;
        double value;
    } scalars[] = {{"loss", report->loss},
                   {"lr", report->lr},
                   {"samples_per_s", report->samples_per_s},
                   {"scale", report->scale},
                   {"skipped", (double)report->skipped}};
    for (int64_t i = 0; i < PCC_COUNT(scalars) && !status; i++)
        status = pcc_tensorboard_scalar(&t->board, scalars[i].tag, scalars[i].value, report->step, error);
    return status;
}

/* Records the optimizer's result. A skipped update counts as a step, as in PyTorch's loops, but does not advance the
 * schedule. */
static void trainer_report_update(Trainer *t, PccStepReport *report, PccUpdate update)
{
    const PccSession *session = t->session;
    report->skipped = session->step.loss_scaling.skipped;
    if (update.first_overflow >= 0)
        report->overflow = session->program->params[update.first_overflow].value.name;
    report->step = ++t->state.step;
    t->state.rounded += update.rounded;
    t->state.lost += update.lost;
}

/* Samples a second since the update began, or since the one before it ended, if that was later. */
static double trainer_speed(Trainer *t)
{
    const double started = fmax(t->micros.started, t->ended_at);
    t->ended_at = pcc_now();
    return (double)t->micros.samples / fmax(t->ended_at - started, 1e-9);
}

/* Ends the update whose micro-batches have ended. */
static int trainer_end_update(Trainer *t, PccError *error)
{
    const Micros *micros = &t->micros;
    PccStepReport report = {.epoch = t->state.epoch + 1,
                            .loss = micros->weight > 0 ? micros->sum / micros->weight : 0,
                            .lr = pcc_learning_rate(&t->schedule, (int64_t)t->session->step.update),
                            .scale = t->session->step.loss_scaling.scale};
    trainer_report_update(t, &report, pcc_end_update(t->session));
    report.samples_per_s = trainer_speed(t);
    t->state.position += micros->count;
    t->micros = (Micros){0};
    int status = pcc_session_status(t->session, error);
    if (status)
        return status;
    trainer_warn_not_finite(t, &report);
    return trainer_log_step(t, &report, error);
}

/* Ends the oldest micro-batch, and after the last one of an update that. */
static int trainer_end_micro(Trainer *t, PccError *error)
{
    const Begun *begun = &t->begun[t->ended_count++ % TRAINER_BATCHES];
    const double loss = pcc_end_backward(t->session), counted = pcc_loss_weight(t->session, begun->valid);
    Micros *micros = &t->micros;
    if (micros->count++ == 0)
        micros->started = begun->at;
    micros->sum += counted > 0 ? loss * counted : 0;
    micros->weight += counted;
    micros->samples += begun->valid;
    return begun->is_last ? trainer_end_update(t, error) : PCC_OK;
}

/* Ends the oldest micro-batches, until `left` are under way. */
static int trainer_end(Trainer *t, int left, PccError *error)
{
    int status = PCC_OK;
    while (!status && t->begun_count - t->ended_count > left)
        status = trainer_end_micro(t, error);
    return status;
}

/* ---- updates that begin ----------------------------------------------------------------------------------------- */

/* The next micro-batch of the epoch, behind those of finished updates and those that have begun. */
static int64_t trainer_position(const Trainer *t)
{
    return t->state.position + t->micros.count + t->begun_count - t->ended_count;
}

/* Updates that have begun, in the whole run. */
static int64_t trainer_steps(const Trainer *t)
{
    return t->state.step + (int64_t)t->session->step.ahead;
}

static int64_t trainer_valid(const Trainer *t, int64_t position)
{
    const int64_t batch = t->session->program->batch, left = t->sets.train.count - position * batch;
    return left < batch ? left : batch;
}

/* Reads the micro-batch at `position` of the epoch and begins to upload it. */
static int trainer_fill(Trainer *t, int64_t position, PccError *error)
{
    PccBatch *batch = &t->batches[t->filled];
    int status = pcc_batch_fill(batch, t->sets.train.data, t->samples + position * t->session->program->batch,
                                trainer_valid(t, position), error);
    if (!status)
        status = pcc_prefetch(t->session, &batch->feed, error);
    t->is_filled = !status;
    return status;
}

/* A batch that cannot be read ends the run, but the updates before it end first. */
static int trainer_fill_in_turn(Trainer *t, int64_t position, PccError *error)
{
    PccError refused;
    if (t->is_filled || trainer_fill(t, position, &refused) == PCC_OK)
        return PCC_OK;
    int status = trainer_end(t, 0, error);
    if (!status) {
        *error = refused;
        status = refused.status;
    }
    return status;
}

/* With the last micro-batch begins the update. One before it may yet turn out to be skipped: the schedule does not
 * advance then. */
static void trainer_begin(Trainer *t, const PccFeed *feed, bool is_last)
{
    const PccStep *step = &t->session->step;
    const int64_t applied = (int64_t)step->update;
    if (is_last)
        pcc_begin_step(t->session, feed,
                       (PccRates){.lr = pcc_learning_rate(&t->schedule, applied + (int64_t)step->ahead),
                                  .if_skipped = pcc_learning_rate(&t->schedule, applied)});
    else
        pcc_begin_backward(t->session, feed);
}

/* Begins a micro-batch. While it runs, those before it end, and the next one is read to where the last of them was. */
static int trainer_micro(Trainer *t, bool is_last, PccError *error)
{
    const int64_t position = trainer_position(t);
    const int early = pcc_begins_early(t->session);
    const double now = pcc_now();
    int status = trainer_fill_in_turn(t, position, error);
    if (status)
        return status;
    t->begun[t->begun_count++ % TRAINER_BATCHES] = (Begun){trainer_valid(t, position), is_last, now};
    trainer_begin(t, &t->batches[t->filled].feed, is_last);
    t->is_filled = false;
    t->filled = early - t->filled;
    status = trainer_end(t, early, error);
    PccError later; /* if the next one cannot be read, the error is reported in its turn */
    if (!status && early > 0 && position + 1 < t->micro_batches)
        trainer_fill(t, position + 1, &later);
    return status;
}

/* Begins the micro-batches of one update, and the update. */
static int trainer_update(Trainer *t, PccError *error)
{
    const int64_t left = t->micro_batches - trainer_position(t), accumulate = t->session->program->accumulate;
    const int64_t micro_batches = left < accumulate ? left : accumulate;
    int status = PCC_OK;
    for (int64_t m = 0; m < micro_batches && !status; m++)
        status = trainer_micro(t, m + 1 == micro_batches, error);
    return status;
}

/* ---- epochs ----------------------------------------------------------------------------------------------------- */

static int trainer_print_epoch(Trainer *t, const PccEpochReport *report, PccError *error)
{
    char *line = pcc_epoch_line(report);
    if (!line)
        return pcc_fail_memory(error);
    pcc_progress_break(&t->progress);
    int status = PCC_OK;
    if (puts(line) == EOF || fflush(stdout) == EOF)
        status = pcc_fail_errno(error, "cannot write to standard output");
    if (!status)
        status = pcc_log_line(&t->log, line, error);
    free(line);
    return status;
}

/* Validates after the current epoch. */
static int trainer_validate(Trainer *t, PccError *error)
{
    PccEpochReport report = {.epoch = t->state.epoch + 1, .has_lost = t->state.rounded > 0};
    if (report.has_lost)
        report.lost_updates = (double)t->state.lost / (double)t->state.rounded;
    t->is_filled = false; /* the batch that was prefetched at the end of a run is not the next one */
    int status = pcc_evaluate_split(t->session, &t->batches[t->filled], &t->sets.val, &report, error);
    if (!status)
        status = trainer_print_epoch(t, &report, error);
    if (!status && report.has_val)
        status = pcc_tensorboard_scalar(&t->board, "val_loss", report.val_loss, t->state.step, error);
    if (!status && report.has_accuracy)
        status = pcc_tensorboard_scalar(&t->board, "val_accuracy", report.val_accuracy, t->state.step, error);
    if (!status && report.has_lost)
        status = pcc_tensorboard_scalar(&t->board, "lost_updates", report.lost_updates, t->state.step, error);
    if (report.has_val && isfinite(report.val_loss) && report.val_loss < t->state.best)
        t->state.best = report.val_loss;
    t->validated_step = t->state.step;
    return status;
}

static int trainer_checkpoint(Trainer *t, PccError *error)
{
    if (!t->options->checkpoint || t->written_step == t->state.step)
        return PCC_OK;
    int status = pcc_log_sync(&t->log, &t->state.log_bytes, error);
    if (!status)
        status = pcc_checkpoint_write(&t->checkpoints, t->session, &t->state, error);
    t->written_step = t->state.step;
    return status;
}

/* Closes the epoch once its last micro-batch is done. A run resumed from just before this point comes here first. */
static int trainer_end_epoch(Trainer *t, PccError *error)
{
    if (t->state.position < t->micro_batches)
        return PCC_OK;
    int status = trainer_validate(t, error);
    t->state.epoch++;
    t->state.position = 0;
    t->state.rounded = t->state.lost = 0;
    trainer_shuffle(t);
    if (!status && !t->options->every)
        status = trainer_checkpoint(t, error);
    return status;
}

static int trainer_loop(Trainer *t, PccError *error)
{
    int status = trainer_end_epoch(t, error);
    while (!status && trainer_steps(t) < t->schedule.total && !pcc_stop_requested()) {
        status = trainer_update(t, error);
        const bool is_due = t->options->every && trainer_steps(t) % t->options->every == 0;
        if (!status && (is_due || trainer_position(t) == t->micro_batches))
            status = trainer_end(t, 0, error);
        if (!status && is_due)
            status = trainer_checkpoint(t, error);
        if (!status && !pcc_stop_requested())
            status = trainer_end_epoch(t, error);
    }
    return status ? status : trainer_end(t, 0, error);
}

static int trainer_finish(Trainer *t, PccError *error)
{
    bool stopped = t->state.step < t->schedule.total;
    int status = PCC_OK;
    if (!stopped && t->validated_step != t->state.step)
        status = trainer_validate(t, error);
    if (!status)
        status = trainer_checkpoint(t, error);
    if (!status && stopped) {
        pcc_progress_break(&t->progress);
        fprintf(stderr, "stopped by a signal after step %lld%s\n", (long long)t->state.step,
                t->options->checkpoint ? "; --resume continues" : "; nothing is kept without --checkpoint");
    }
    return status;
}

/* Checks before the run what --save and --export will need. */
static int trainer_check_outputs(const PccSession *session, const PccRunOptions *options, PccError *error)
{
    int status = options->save ? pcc_can_write(options->save, error) : PCC_OK;
    if (!status && options->export_file)
        status = pcc_can_write(options->export_file, error);
    return !status && options->export_file ? pcc_can_export(session, error) : status;
}

/* --save and --export at the end of a run. */
static int trainer_write_model(const PccSession *session, const PccRunOptions *options, PccError *error)
{
    int status = options->save ? pcc_save(session, options->save, error) : PCC_OK;
    return !status && options->export_file ? pcc_export(session, options->export_file, error) : status;
}

static int trainer_run(Trainer *t, PccError *error)
{
    int status = trainer_start(t, error);
    if (!status)
        status = trainer_loop(t, error);
    return status ? status : trainer_finish(t, error);
}

int pcc_train(PccSession *session, const PccRunOptions *options, PccError *error)
{
    Trainer trainer = {.session = session, .options = options, .log.fd = -1, .board.fd = -1};
    int status = trainer_check_outputs(session, options, error);
    if (!status)
        status = trainer_open(&trainer, error);
    if (!status && options->data)
        status = trainer_run(&trainer, error);
    bool complete = trainer.state.step >= trainer.schedule.total;
    trainer_close(&trainer);
    return !status && complete ? trainer_write_model(session, options, error) : status;
}

int pcc_evaluate_only(PccSession *session, const PccRunOptions *options, PccError *error)
{
    Trainer trainer = {.session = session, .options = options, .log.fd = -1, .board.fd = -1};
    int status = trainer_open(&trainer, error);
    PccEpochReport report = {.epoch = trainer.state.epoch};
    if (!status && trainer.sets.val.count == 0)
        status = pcc_fail(error, PCC_ERR_USAGE, "--eval has no validation data: give --val SPEC or --val-fraction");
    if (!status)
        status = pcc_log_open(&trainer.log, options->log, INT64_MAX, error); /* appends to an existing log */
    if (!status)
        status = pcc_evaluate_split(session, &trainer.batches[0], &trainer.sets.val, &report, error);
    if (!status)
        status = trainer_print_epoch(&trainer, &report, error);
    trainer_close(&trainer);
    return status;
}
