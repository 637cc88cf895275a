/* trainer.h: the training run, and --eval. */
#ifndef PCC_TRAINER_H
#define PCC_TRAINER_H

#include "../cli/options.h"
#include "../pcc.h"

/* Trains as the options say: data, epochs, checkpoints, logs, validation; at the end --save and --export. */
int pcc_train(PccSession *session, const PccRunOptions *options, PccError *error);

/* Evaluates on the validation data and prints the epoch line. */
int pcc_evaluate_only(PccSession *session, const PccRunOptions *options, PccError *error);

#endif
