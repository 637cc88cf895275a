/* main.c: pcc_main: from the command line to an exit status. */
#include <omp.h>
#include <stdio.h>

#include "train/bench.h"
#include "cli/options.h"
#include "cli/waiting.h"
#include "pcc.h"
#include "train/probe.h"
#include "log/signals.h"
#include "train/trainer.h"

static int main_run(PccSession *session, const PccRunOptions *options, PccError *error)
{
    PccStep *step = pcc_step_context(session);
    step->seed = (uint64_t)options->seed;
    step->hyper = options->hyper;
    switch (options->mode) {
    case PCC_MODE_BENCH:
        return pcc_bench(session, options->bench, error);
    case PCC_MODE_PROBE:
        return pcc_probe(session, options->probe, options->dump, options->steps ? options->steps : 1, error);
    case PCC_MODE_EVAL:
        return pcc_evaluate_only(session, options, error);
    default:
        return pcc_train(session, options, error);
    }
}

static int main_checked(const PccProgram *program, int argc, char **argv, PccError *error)
{
    PccRunOptions options;
    int status = pcc_parse_options(program, argc, argv, &options, error);
    if (status)
        return status;
    if (options.help) {
        pcc_print_help(program, argc > 0 ? argv[0] : program->name);
    } else if (options.version) {
        printf("%s (%s, %s, ABI %d), pcc runtime %s\n", program->name, program->precision, program->optimizer,
               program->abi, PCC_VERSION);
    } else {
        if (options.threads > 0)
            omp_set_num_threads((int)options.threads); /* also the threads that read data */
        PccSession *session = pcc_open_on(program, (int)options.device, NULL, (int)options.threads, error);
        status = session ? main_run(session, &options, error) : error->status;
        pcc_close(session);
    }
    if (!status && (fflush(stdout) == EOF || ferror(stdout)))
        return pcc_fail_errno(error, "cannot write to standard output");
    return status;
}

int pcc_main(const PccProgram *program, int argc, char **argv)
{
    PccError error = {0};
    if (argc > 0)
        pcc_wait_briefly(argv, program);
    pcc_catch_signals();
    int status = main_checked(program, argc, argv, &error);
    if (status)
        fprintf(stderr, "%s: error: %s\n", program->name, error.message);
    return status;
}
