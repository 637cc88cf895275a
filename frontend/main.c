/* main.c: pcc. */
#include <stdio.h>
#include <string.h>

#include "frontend/commands/command_compile.h"
#include "frontend/commands/command_run.h"
#include "frontend/commands/command_verify.h"
#include "frontend/files/interrupt.h"
#include "models/zoo.h"

/* Each is called with its name in argv[0]. A word that is none of them is the model of a compile. */
static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", command_run},
    {"verify", command_verify},
    {"zoo", command_zoo},
};

int main(int argc, char **argv)
{
    interrupt_catch();
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return command_compile(argc, argv);
}
