/* progress.c: the progress line. */
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "progress.h"

#define PROGRESS_TERMINAL_S 0.1
#define PROGRESS_LINE_S 10.0

PccProgress pcc_progress_start(bool quiet, int64_t first_step, int64_t total)
{
    double now = pcc_now();
    return (PccProgress){.quiet = quiet,
                         .terminal = isatty(STDERR_FILENO),
                         .started = now,
                         .shown = now,
                         .first_step = first_step,
                         .total = total};
}

static void progress_duration(double seconds, char *text, size_t size)
{
    int64_t s = (int64_t)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, size, "%lldh%02lldm", (long long)(s / 3600), (long long)(s / 60 % 60));
    else
        snprintf(text, size, "%lldm%02llds", (long long)(s / 60), (long long)(s % 60));
}

void pcc_progress_step(PccProgress *progress, const PccStepReport *report)
{
    double now = pcc_now();
    if (progress->quiet || now - progress->shown < (progress->terminal ? PROGRESS_TERMINAL_S : PROGRESS_LINE_S))
        return;
    progress->shown = now;
    int64_t done = report->step - progress->first_step, left = progress->total - report->step;
    char eta[32];
    progress_duration((now - progress->started) / (double)done * (double)left, eta, sizeof eta);
    fprintf(stderr, "%sepoch %lld  step %lld/%lld  loss %.5g  %.0f samples/s  scale %g  skipped %lld  ETA %s%s",
            progress->terminal ? "\r" : "", (long long)report->epoch, (long long)report->step,
            (long long)progress->total, report->loss, report->samples_per_s, report->scale, (long long)report->skipped,
            eta, progress->terminal ? "\033[K" : "\n");
    progress->drawn = progress->terminal;
}

void pcc_progress_break(PccProgress *progress)
{
    if (progress->drawn)
        fputc('\n', stderr);
    progress->drawn = false;
}
