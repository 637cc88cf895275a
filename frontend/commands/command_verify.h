/* command_verify.h: `pcc verify MODEL.onnx [options] [--reference R.safetensors]`. */
#ifndef PCC_FRONTEND_COMMAND_VERIFY_H
#define PCC_FRONTEND_COMMAND_VERIFY_H

/* Compiles, builds and runs the program for three steps on one batch, compares everything with the reference file or
 * the reference evaluator, prints a table; argv[0] is "verify". Returns the exit status, 1 when something differs. */
int command_verify(int argc, char **argv);

#endif
