/* recurrence.h: recurrent layers: their cells, and the functions that these apply. */
#ifndef PCC_OPS_RECURRENCE_H
#define PCC_OPS_RECURRENCE_H

#include "ir/ops/shared/row.h"

/* As the kernels number them. */
typedef enum Cell { CELL_RNN, CELL_LSTM, CELL_GRU, CELL_COUNT } Cell;

/* ONNX's activation functions of recurrent layers, in the order of the kernels' numbers. */
typedef enum GateKind {
    GATE_SIGMOID,
    GATE_TANH,
    GATE_RELU,
    GATE_AFFINE,
    GATE_LEAKY_RELU,
    GATE_THRESHOLDED_RELU,
    GATE_SCALED_TANH,
    GATE_HARD_SIGMOID,
    GATE_ELU,
    GATE_SOFTSIGN,
    GATE_SOFTPLUS,
    GATE_KIND_COUNT
} GateKind;

typedef struct GateFunction {
    GateKind kind;
    double alpha, beta;
} GateFunction;

enum { MAX_GATE_FUNCTIONS = 3 };

/* A recurrence over `steps` steps; direction 1 of two walks them backwards, as the only one does with `reverse`. */
typedef struct Recurrence {
    Cell cell;
    int64_t steps, batch, directions, width; /* width: of the hidden state */
    int gates;                               /* of G and of dG: 1, 4 or 3 */
    bool reverse, input_forget, reset_after;
    double clip;                                /* 0: none */
    GateFunction functions[MAX_GATE_FUNCTIONS]; /* f; of LSTM and GRU g; of LSTM h: ONNX's names */
} Recurrence;

/* recurrence_node.c. Of ONNX's layers, of pcc's recurrences and of their gradients. */
Cell cell_of(const Node *node);
/* Of a node of pcc's recurrences, or of their gradients. */
Recurrence recurrence_of(const Node *node);
bool direction_is_reversed(const Recurrence *r, int64_t direction);
/* How many gates a cell has, and functions that it applies. */
int cell_gates(Cell cell);
int cell_functions(Cell cell);
/* Sets a node's attribute `functions` and the numbers that they take. */
void set_gate_functions(Graph *graph, Node *node, int count, const GateFunction *functions);

/* recurrence_reference.c: in double. */
void evaluate_recurrence(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs);
void evaluate_recurrence_grad(Arena *arena, const Node *node, const Tensor *inputs, Tensor *outputs);

/* The operands of pcc's recurrences and of their gradients, by position. */
enum {
    RECURRENCE_G,
    RECURRENCE_R,
    RECURRENCE_BIAS,
    RECURRENCE_H0,
    RECURRENCE_C0,
    RECURRENCE_P,
    RECURRENCE_LENGTHS,
    RECURRENCE_INPUTS,
    /* results */
    RECURRENCE_GATES = 0,
    RECURRENCE_Y,
    RECURRENCE_H,
    RECURRENCE_STATES,
    RECURRENCE_C,
    /* operands of the gradient */
    RECURRENCE_GRAD_GATES = 0,
    RECURRENCE_GRAD_Y,
    RECURRENCE_GRAD_STATES,
    RECURRENCE_GRAD_R,
    RECURRENCE_GRAD_H0,
    RECURRENCE_GRAD_C0,
    RECURRENCE_GRAD_P,
    RECURRENCE_GRAD_LENGTHS,
    RECURRENCE_GRAD_DY,
    RECURRENCE_GRAD_DH,
    RECURRENCE_GRAD_DC,
    RECURRENCE_GRAD_INPUTS,
    /* and its results */
    RECURRENCE_GRAD_DG = 0,
    RECURRENCE_GRAD_DH0,
    RECURRENCE_GRAD_DC0,
    RECURRENCE_GRAD_DQ,
};

#endif
