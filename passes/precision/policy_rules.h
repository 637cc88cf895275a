/* policy_rules.h: keep and lower rules, as the command line and policy files spell them. */
#ifndef PCC_PASSES_POLICY_RULES_H
#define PCC_PASSES_POLICY_RULES_H

#include "passes/precision/policy_tables.h"

typedef enum RuleSubject { RULE_OP, RULE_NODE, RULE_TENSOR, RULE_SUBJECTS } RuleSubject;

typedef struct Rule {
    RuleSubject subject;
    const char *glob;         /* of fnmatch(3): what follows "op:", "node:" or "tensor:" */
    PrecisionClass precision; /* CLASS_KEEP or CLASS_LOWER */
    const char *text;         /* as --explain-precision shows it */
    bool matched;
} Rule;

typedef struct RuleList {
    const PolicyTable *table; /* what `include NAME` chose; NULL: none did */
    Rule *rules;              /* in the order in which they were given: the last match wins */
    int count;
    const char **files; /* that were read */
    int file_count;
} RuleList;

/* Appends what the file says. A line is `keep RULE`, `lower RULE`, `include POLICY` (a table's name, or a file beside
 * this one), blank or a comment from '#' on. Errors carry FILE:LINE and leave: EXIT_STATUS_USAGE for what is written,
 * EXIT_STATUS_IO for a file that cannot be read. */
void read_policy_file(Graph *graph, const char *path, RuleList *list);
/* One of options->precision_rules: "keep op:Softmax". */
void add_command_line_rule(Graph *graph, const char *text, RuleList *list);

#endif
