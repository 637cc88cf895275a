/* command_run.h: `pcc run MODEL.onnx --inputs IN.safetensors --dump OUT.safetensors`. */
#ifndef PCC_FRONTEND_COMMAND_RUN_H
#define PCC_FRONTEND_COMMAND_RUN_H

int command_run(int argc, char **argv);

#endif
