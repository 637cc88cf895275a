/* command_compile.h: `pcc MODEL.onnx [options] -o FILE`. */
#ifndef PCC_FRONTEND_COMMAND_COMPILE_H
#define PCC_FRONTEND_COMMAND_COMPILE_H

int command_compile(int argc, char **argv);

#endif
