/* explain.c: warnings in full sentences. */
#include "frontend/explain.h"

#include <string.h>

static const struct {
    const char *code, *meaning;
} warnings[] = {
    {"no-export",
     "The program will train, but its --export will refuse: the trained model would pass the 2 GiB that one protobuf\n"
     "message can hold, or its template does not fit into memory. --save still writes every tensor under its ONNX\n"
     "name, as safetensors.\n"},
    {"scatter-without-reduction",
     "Below opset 16 ScatterElements and ScatterND have no reduction: where indices repeat, one of the updates wins.\n"
     "Exporters wrote such a node for a scatter_add too, and so lost its sum. If the indices never repeat, all is "
     "well;\n"
     "else export the model at opset 16 or newer, where the node says reduction=add.\n"},
};

void explain_warning(Compilation *c, FILE *stream)
{
    enum { COUNT = sizeof warnings / sizeof *warnings };
    const char *codes[COUNT], *code = c->line.explain;
    if (strncmp(code, "-W", 2) == 0)
        code += 2;
    for (int i = 0; i < COUNT; i++) {
        if (strcmp(warnings[i].code, code) == 0) {
            fputs(warnings[i].meaning, stream);
            return;
        }
        codes[i] = warnings[i].code;
    }
    const char *near = did_you_mean(code, codes, COUNT);
    fatal(&c->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "--explain: no warning has the code '%s'%s%s%s", code,
          near ? "; did you mean '" : "; codes stand in brackets behind warnings, as in [-Wno-export]",
          near ? near : "", near ? "'?" : "");
}
