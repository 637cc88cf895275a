/* bench.c: --bench. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "../session/available.h"
#include "../data/batch.h"
#include "bench.h"
#include "../log/clock.h"
#include "../files/json.h"
#include "../session/session.h"

enum { BENCH_WARM_UP = 3 };

static int bench_ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* One update, with its last micro-batch and the update itself enqueued together as in training; returns
 * milliseconds. */
static double bench_step(PccSession *session, const PccFeed *feed, double *loss)
{
    double started = pcc_now();
    for (int64_t m = 1; m < session->program->accumulate; m++)
        pcc_backward(session, feed);
    *loss = pcc_train_step(session, feed, session->step.hyper.lr, NULL);
    return 1e3 * (pcc_now() - started);
}

static double bench_peak_mib(void)
{
    struct rusage usage;
    const int64_t peak = pcc_peak_memory("");
    if (peak >= 0)
        return (double)peak / 0x1p20;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024; /* KiB on Linux */
}

static void bench_print(const PccProgram *program, const double *sorted, int64_t steps, double loss)
{
    double median = (sorted[(steps - 1) / 2] + sorted[steps / 2]) / 2;
    printf("{\"ms_per_step_min\":%.4f,\"ms_per_step_median\":%.4f,\"arena_mib\":%.6f,\"weights_mib\":%.6f,"
           "\"peak_rss_mib\":%.3f,\"loss\":",
           sorted[0], median, (double)program->arena_bytes / 0x1p20, (double)program->weights_bytes / 0x1p20,
           bench_peak_mib());
    pcc_json_write_number(stdout, loss);
    puts("}");
}

static int bench_run(PccSession *session, int64_t steps, const PccLayout *layout, PccBatch *batch, PccError *error)
{
    PccData data;
    int status = pcc_data_open(&data, "synthetic", false, layout, 0, 1, error);
    if (status)
        return status;
    int64_t *samples = malloc((size_t)layout->batch * sizeof *samples);
    double *times = malloc((size_t)steps * sizeof *times), loss = 0;
    status = samples && times ? PCC_OK : pcc_fail_memory(error);
    for (int64_t i = 0; i < layout->batch && !status; i++)
        samples[i] = i;
    if (!status)
        status = pcc_batch_fill(batch, &data, samples, layout->batch, error);
    for (int64_t i = -BENCH_WARM_UP; i < steps && !status; i++) {
        double ms = bench_step(session, &batch->feed, &loss);
        status = pcc_session_status(session, error);
        if (i >= 0)
            times[i] = ms;
    }
    if (!status) {
        qsort(times, (size_t)steps, sizeof *times, bench_ascending);
        bench_print(session->program, times, steps, loss);
    }
    free(samples);
    free(times);
    pcc_data_close(&data);
    return status;
}

int pcc_bench(PccSession *session, int64_t steps, PccError *error)
{
    PccLayout layout;
    PccBatch batch = {0};
    int status = pcc_layout_init(&layout, session->program, error);
    if (!status)
        status = pcc_batch_init(&batch, session, &layout, error);
    if (!status)
        status = bench_run(session, steps, &layout, &batch, error);
    pcc_batch_free(&batch);
    pcc_layout_free(&layout);
    return status;
}
