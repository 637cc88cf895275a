/* progress.h: the progress line on standard error: redrawn on a terminal, else a line every ten seconds. */
#ifndef PCC_PROGRESS_H
#define PCC_PROGRESS_H

#include "json_lines.h"

typedef struct PccProgress {
    bool quiet, terminal;
    bool drawn;            /* a line without its newline is on the terminal */
    double started, shown; /* times of the start and of the last line */
    int64_t first_step, total;
} PccProgress;

/* first_step: updates already done (a resumed run); total: of the whole run. */
PccProgress pcc_progress_start(bool quiet, int64_t first_step, int64_t total);
void pcc_progress_step(PccProgress *progress, const PccStepReport *report);

/* Ends the line, before anything else is printed. */
void pcc_progress_break(PccProgress *progress);

#endif
