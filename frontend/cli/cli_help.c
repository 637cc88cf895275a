/* cli_help.c: the table of options as --help, as a manual page and as completion for bash. */
#include <string.h>

#include "frontend/cli/cli_options.h"
#include "runtime/pcc.h"

enum { HELP_COLUMN = 26, HELP_WIDTH = 79 };

static const struct {
    Command command;
    const char *usage, *what;
} usages[] = {
    {COMMAND_COMPILE, "pcc MODEL.onnx [options] -o train.c", "writes the program that trains an ONNX model"},
    {COMMAND_VERIFY, "pcc verify MODEL.onnx [options] [--reference R.safetensors]",
     "checks that program against float64"},
    {COMMAND_RUN, "pcc run MODEL.onnx --inputs IN.safetensors --dump OUT.safetensors", "evaluates a model in float64"},
};

static const char zoo_usage[] = "pcc zoo [NAME [key=value ...] -o NAME.onnx]";
static const char zoo_what[] = "writes a model to start from";

/* ---- text ------------------------------------------------------------------------------------------------------- */

static int print_word(FILE *stream, const char *word, size_t length, int column)
{
    if (column + 1 + (int)length > HELP_WIDTH) {
        fprintf(stream, "\n%*s", HELP_COLUMN, "");
        column = HELP_COLUMN;
    } else if (column > HELP_COLUMN) {
        fputc(' ', stream);
        column++;
    }
    fwrite(word, 1, length, stream);
    return column + (int)length;
}

/* Words from `column` on, wrapped to HELP_WIDTH; returns the column behind them. */
static int print_words(FILE *stream, const char *text, int column)
{
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        column = print_word(stream, text, length, column);
        text += length;
    }
    return column;
}

static const char *separator_of(const CliOption *option)
{
    return option->kind == OPTION_MAYBE ? "[=" : " ";
}

static void print_option(FILE *stream, const CliOption *option)
{
    const char *argument = option->argument ? option->argument : "";
    int column = fprintf(stream, "  %s%s%s%s", option->name, *argument ? separator_of(option) : "", argument,
                         option->kind == OPTION_MAYBE ? "]" : "");
    if (column + 2 > HELP_COLUMN)
        fprintf(stream, "\n%*s", HELP_COLUMN, "");
    else
        fprintf(stream, "%*s", HELP_COLUMN - column, "");
    column = print_words(stream, option->help, HELP_COLUMN);
    if (option->choices && option->kind != OPTION_MAYBE) {
        fputc(':', stream);
        column++;
        for (const Choice *choice = option->choices; choice->name; choice++)
            column = print_word(stream, choice->name, strlen(choice->name), column);
    }
    fputc('\n', stream);
}

void print_help(FILE *stream, Command command)
{
    for (size_t i = 0; i < sizeof usages / sizeof *usages; i++)
        if (command == COMMAND_COMPILE || usages[i].command == command)
            fprintf(stream, "%s%s\n%*s%s\n", i == 0 || command != COMMAND_COMPILE ? "usage: " : "       ",
                    usages[i].usage, 12, "", usages[i].what);
    if (command == COMMAND_COMPILE)
        fprintf(stream, "       %s\n%*s%s\n", zoo_usage, 12, "", zoo_what);
    for (int section = 0; section < SECTION_COUNT; section++) {
        bool titled = false;
        for (int i = 0; i < cli_option_count; i++) {
            const CliOption *option = &cli_options[i];
            if (option->section != (Section)section || !(option->commands & command))
                continue;
            if (!titled)
                fprintf(stream, "\n%s:\n", section_titles[section]);
            titled = true;
            print_option(stream, option);
        }
    }
    fputs("\nExit status: 0 ok, 1 bad input, 2 usage, 3 unsupported, 4 I/O, 70 internal.\n", stream);
}

void print_precisions(FILE *stream)
{
    for (const Choice *choice = precision_choices; choice->name; choice++) {
        if (choice->canonical)
            fprintf(stream, "%-12s the same as %s\n", choice->name, choice->canonical);
        else
            fprintf(stream, "%-12s %s%s\n", choice->name, choice->what,
                    choice->supported ? "" : " (not supported by this version of pcc)");
    }
}

/* ---- the manual page -------------------------------------------------------------------------------------------- */

/* groff(7): hyphens that are typed, not hyphenation; no request at the start of a line. */
static void print_roff(FILE *stream, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stream);
    for (; *text; text++) {
        if (*text == '-')
            fputc('\\', stream);
        if (*text == '\\')
            fputs("\\e", stream);
        else
            fputc(*text, stream);
    }
}

static void print_roff_choices(FILE *stream, const CliOption *option)
{
    for (const Choice *choice = option->choices; choice && choice->name; choice++) {
        fputs(".br\n\\fB", stream);
        print_roff(stream, choice->name);
        fputs("\\fR", stream);
        if (choice->canonical)
            fprintf(stream, ": the same as %s", choice->canonical);
        if (choice->what) {
            fputs(": ", stream);
            print_roff(stream, choice->what);
        }
        fputs(choice->supported ? "\n" : " (not supported by this version)\n", stream);
    }
}

static void print_roff_option(FILE *stream, const CliOption *option)
{
    fputs(".TP\n\\fB", stream);
    print_roff(stream, option->name);
    fputs("\\fR", stream);
    if (option->argument) {
        fputs(separator_of(option), stream);
        fputs("\\fI", stream);
        print_roff(stream, option->argument);
        fputs(option->kind == OPTION_MAYBE ? "\\fR]" : "\\fR", stream);
    }
    fputc('\n', stream);
    print_roff(stream, option->help);
    fputc('\n', stream);
    print_roff_choices(stream, option);
}

static void print_roff_synopsis(FILE *stream)
{
    fputs(".SH SYNOPSIS\n", stream);
    for (size_t i = 0; i < sizeof usages / sizeof *usages; i++) {
        print_roff(stream, usages[i].usage);
        fputs("\n.br\n", stream);
    }
    print_roff(stream, zoo_usage);
    fputs(
        "\n.SH DESCRIPTION\npcc reads an ONNX model and writes the C program that trains it: differentiation, dtypes, "
        "the memory plan and the\nkernels are decided before the program runs. train.c and train.safetensors, the "
        "initial weights, are written\ntogether; the program needs a C compiler and the pcc runtime to build.\n"
        ".PP\n",
        stream);
    for (size_t i = 1; i < sizeof usages / sizeof *usages; i++) {
        fprintf(stream, "\\fBpcc %s\\fR ", usages[i].command == COMMAND_VERIFY ? "verify" : "run");
        fprintf(stream, "%s.\n", usages[i].what);
    }
    fprintf(stream, "\\fBpcc zoo\\fR %s.\n", zoo_what);
}

void print_manual(FILE *stream)
{
    fputs(".TH PCC 1 \"\" \"pcc " PCC_VERSION "\" \"User Commands\"\n.SH NAME\n"
          "pcc \\- ahead\\-of\\-time compiler from ONNX models to C training programs\n",
          stream);
    print_roff_synopsis(stream);
    fputs(".SH OPTIONS\n", stream);
    for (int section = 0; section < SECTION_COUNT; section++) {
        fprintf(stream, ".SS %s\n", section_titles[section]);
        for (int i = 0; i < cli_option_count; i++)
            if (cli_options[i].section == (Section)section)
                print_roff_option(stream, &cli_options[i]);
    }
    fputs(".SH EXIT STATUS\n0: ok. 1: bad input. 2: wrong use. 3: an operator, attribute or feature that is not "
          "supported. 4: input or output failed.\n70: internal error.\n"
          ".SH ENVIRONMENT\n.TP\n\\fBCC\\fR\nthe C compiler of executables and libraries (cc)\n"
          ".TP\n\\fBAR\\fR\nthe archiver of libraries (ar)\n"
          ".TP\n\\fBCUDNN_PATH\\fR\nthe folder of cuDNN's include and lib, of \\-\\-libraries cudnn\n"
          ".TP\n\\fBTMPDIR\\fR\nwhere temporary files go (/tmp)\n"
          ".TP\n\\fBNO_COLOR\\fR\nno colours in messages\n",
          stream);
}

/* ---- completion ------------------------------------------------------------------------------------------------- */

/* Words that complete the value after `option`: its choices, or files. */
static void print_completion_case(FILE *stream, const CliOption *option)
{
    if (option->kind == OPTION_PATH) {
        fprintf(stream, "    %s) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n", option->name);
    } else if (option->choices && option->kind != OPTION_MAYBE) {
        fprintf(stream, "    %s) COMPREPLY=($(compgen -W \"", option->name);
        for (const Choice *choice = option->choices; choice->name; choice++)
            fprintf(stream, "%s%s", choice == option->choices ? "" : " ", choice->name);
        fputs("\" -- \"$word\")); return ;;\n", stream);
    } else if (option->argument && option->kind != OPTION_MAYBE) {
        fprintf(stream, "    %s) return ;;\n", option->name);
    }
}

void print_completion(FILE *stream)
{
    fputs("_pcc() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
          "  case \"$previous\" in\n",
          stream);
    for (int i = 0; i < cli_option_count; i++)
        print_completion_case(stream, &cli_options[i]);
    fputs("  esac\n  if [[ $word == -* ]]; then\n    COMPREPLY=($(compgen -W \"", stream);
    for (int i = 0; i < cli_option_count; i++)
        fprintf(stream, "%s%s", i ? " " : "", cli_options[i].name);
    fputs("\" -- \"$word\"))\n  else\n    COMPREPLY=($(compgen -f -- \"$word\"))\n"
          "    [[ $COMP_CWORD == 1 ]] && COMPREPLY+=($(compgen -W \"verify run zoo\" -- \"$word\"))\n  fi\n}\n"
          "complete -o filenames -F _pcc pcc\n",
          stream);
}
