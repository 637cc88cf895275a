/* policy.c: what the policy and the rules make of each node and tensor of one graph. */
#include "passes/precision/policy_rules.h"

#include <fnmatch.h>
#include <string.h>

#include "passes/match.h"

struct Policy {
    Graph *graph;
    const char *name; /* of the table, or the file */
    const PolicyTable *table;
    RuleList list;
};

Policy *policy_create(Graph *graph, const Options *options)
{
    Policy *policy = NEW(graph->arena, Policy);
    policy->graph = graph;
    policy->name = options->policy ? options->policy : "pcc";
    policy->table = find_policy_table(policy->name);
    if (!policy->table) {
        read_policy_file(graph, policy->name, &policy->list);
        policy->table = policy->list.table ? policy->list.table : find_policy_table("pcc");
        policy->name = policy->table->name;
    }
    for (int i = 0; i < options->precision_rule_count; i++)
        add_command_line_rule(graph, options->precision_rules[i], &policy->list);
    return policy;
}

bool policy_keeps_norms(const Policy *policy)
{
    return table_class(policy->table, find_op("LayerNormalization", strlen("LayerNormalization"))) == CLASS_KEEP;
}

int policy_files(const Policy *policy, const char *const **paths)
{
    *paths = policy->list.files;
    return policy->list.file_count;
}

static bool matches(const Rule *rule, const char *name)
{
    return name && fnmatch(rule->glob, name, 0) == 0;
}

static Ruling by_rule(Rule *rule)
{
    return (Ruling){rule->precision, rule->text, true};
}

/* The operator whose class a node has: a constant by x is PyTorch's reciprocal of x, times the constant. */
static const Op *classed_as(Graph *graph, const Node *node)
{
    double constant;
    const bool is_reciprocal = is_op(node, "Div") && constant_value(graph, node->inputs[0], &constant);
    return is_reciprocal ? find_op("Reciprocal", strlen("Reciprocal")) : node->op;
}

static Ruling by_table(const Policy *policy, const Node *node)
{
    static const char *const verdicts[] = {[CLASS_LOWER] = "is lowered",
                                           [CLASS_KEEP] = "computes in f32",
                                           [CLASS_PROMOTE] = "takes its widest input's dtype",
                                           [CLASS_FOLLOW] = "follows its input",
                                           [CLASS_NONE] = "has no float arithmetic"};
    const PrecisionClass precision = table_class(policy->table, classed_as(policy->graph, node));
    return (Ruling){
        precision,
        arena_printf(policy->graph->arena, "policy %s: %s %s", policy->name, node->op->name, verdicts[precision]),
        false};
}

/* Every rule is tried, so that policy_finish() knows which of them have matched nothing. */
Ruling policy_rule_node(Policy *policy, const Node *node)
{
    Ruling ruling = by_table(policy, node);
    for (int i = 0; i < policy->list.count; i++) {
        Rule *rule = &policy->list.rules[i];
        bool match = false;
        if (rule->subject == RULE_OP)
            match = matches(rule, node->op->name) || matches(rule, onnx_name(node->op));
        else if (rule->subject == RULE_NODE)
            match = matches(rule, node->origin.node);
        rule->matched |= match;
        if (match && node->op->precision != CLASS_NONE)
            ruling = by_rule(rule);
    }
    return ruling;
}

/* A graph output answers to its ONNX name, whatever value it has become. */
static bool names_value(const Graph *graph, const Rule *rule, const Value *value)
{
    if (matches(rule, value->name))
        return true;
    for (int i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == value && matches(rule, graph->output_names[i]))
            return true;
    return false;
}

bool policy_rule_tensor(Policy *policy, const Value *value, Ruling *ruling)
{
    bool found = false;
    for (int i = 0; i < policy->list.count; i++) {
        Rule *rule = &policy->list.rules[i];
        if (rule->subject != RULE_TENSOR || !names_value(policy->graph, rule, value))
            continue;
        rule->matched = true;
        *ruling = by_rule(rule);
        found = true;
    }
    return found;
}

/* ---- rules that match nothing ---- */

/* Values that nobody has asked about, such as parameters of a mixed mode, have names too. */
static bool names_any_value(const Graph *graph, const Rule *rule)
{
    for (int i = 0; i < graph->value_count && rule->subject == RULE_TENSOR; i++)
        if (graph->values[i] && names_value(graph, rule, graph->values[i]))
            return true;
    return false;
}

typedef struct Names {
    Arena *arena;
    const char **items;
    int count;
} Names;

static void add_name(Names *names, const char *name)
{
    if (name)
        APPEND(names->arena, names->items, names->count, name);
}

static Names names_of(const Graph *graph, RuleSubject subject)
{
    Names names = {.arena = graph->arena};
    for (const Node *node = graph->first; node && subject != RULE_TENSOR; node = node->next) {
        add_name(&names, subject == RULE_OP ? onnx_name(node->op) : node->origin.node);
    }
    for (int i = 0; i < graph->value_count && subject == RULE_TENSOR; i++)
        if (graph->values[i])
            add_name(&names, graph->values[i]->name);
    for (int i = 0; i < graph->output_count && subject == RULE_TENSOR; i++)
        add_name(&names, graph->output_names[i]);
    return names;
}

/* The names without repetition, in the order of the graph. */
static const char *distinct(const Names *names)
{
    const char *list = "";
    for (int i = 0; i < names->count; i++) {
        bool first = true;
        for (int j = 0; j < i && first; j++)
            first = strcmp(names->items[i], names->items[j]) != 0;
        if (first)
            list = arena_printf(names->arena, "%s%s%s", list, *list ? " " : "", names->items[i]);
    }
    return list;
}

void policy_finish(Policy *policy, const Graph *graph)
{
    for (int i = 0; i < policy->list.count; i++) {
        const Rule *rule = &policy->list.rules[i];
        if (rule->matched || names_any_value(graph, rule))
            continue;
        Names names = names_of(graph, rule->subject);
        const char *near = did_you_mean(rule->glob, names.items, names.count), *hint = "";
        if (near)
            hint = arena_printf(graph->arena, "; did you mean '%s'?", near);
        else if (rule->subject == RULE_OP)
            hint = arena_printf(graph->arena, "; the model has %s", distinct(&names));
        warning(graph->diagnostics, NO_ORIGIN, "rule-matches-nothing", "%s matches nothing%s", rule->text, hint);
    }
}
