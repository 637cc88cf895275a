/* recurrence_node.c: what a recurrent node's attributes and operands say. */
#include <string.h>

#include "ir/ops/shared/recurrence.h"

int cell_gates(Cell cell)
{
    return cell == CELL_LSTM ? 4 : cell == CELL_GRU ? 3 : 1;
}

int cell_functions(Cell cell)
{
    return cell == CELL_LSTM ? 3 : cell == CELL_GRU ? 2 : 1;
}

Cell cell_of(const Node *node)
{
    const char first = node->op->name[0];
    return first == 'L' ? CELL_LSTM : first == 'G' ? CELL_GRU : CELL_RNN;
}

static bool is_grad(const Node *node)
{
    return strstr(node->op->name, "Grad") != NULL;
}

bool direction_is_reversed(const Recurrence *r, int64_t direction)
{
    return r->directions == 2 ? direction == 1 : r->reverse;
}

void set_gate_functions(Graph *graph, Node *node, int count, const GateFunction *functions)
{
    int64_t kinds[MAX_GATE_FUNCTIONS];
    double alpha[MAX_GATE_FUNCTIONS], beta[MAX_GATE_FUNCTIONS];
    for (int i = 0; i < count; i++) {
        kinds[i] = functions[i].kind;
        alpha[i] = functions[i].alpha;
        beta[i] = functions[i].beta;
    }
    set_ints(graph, node, "functions", count, kinds);
    set_floats(graph, node, "alpha", count, alpha);
    set_floats(graph, node, "beta", count, beta);
}

static void read_functions(const Node *node, Recurrence *r)
{
    const int64_t *kinds;
    const Attr *alpha = find_attr(node, "alpha"), *beta = find_attr(node, "beta");
    int count = attr_ints(node, "functions", &kinds);
    for (int i = 0; i < count && i < MAX_GATE_FUNCTIONS; i++)
        r->functions[i] = (GateFunction){.kind = (GateKind)kinds[i],
                                         .alpha = alpha && i < alpha->count ? alpha->floats[i] : 0,
                                         .beta = beta && i < beta->count ? beta->floats[i] : 0};
}

Recurrence recurrence_of(const Node *node)
{
    const Type *gates = &node->inputs[is_grad(node) ? RECURRENCE_GRAD_GATES : RECURRENCE_G]->type;
    const Type *weights = &node->inputs[is_grad(node) ? RECURRENCE_GRAD_R : RECURRENCE_R]->type;
    Recurrence r = {.cell = cell_of(node),
                    .steps = gates->dims[0],
                    .batch = gates->dims[1],
                    .directions = weights->dims[0],
                    .width = weights->dims[2],
                    .reverse = attr_int(node, "reverse"),
                    .clip = attr_float(node, "clip"),
                    .input_forget = attr_int(node, "input_forget"),
                    .reset_after = attr_int(node, "reset_after")};
    r.gates = cell_gates(r.cell);
    read_functions(node, &r);
    return r;
}
