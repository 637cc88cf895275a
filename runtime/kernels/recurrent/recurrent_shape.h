/* recurrent_shape.h: the shape of a recurrence and the scratch that its kernels need: for the kernels and for the
 * compiler. */
#ifndef PCC_RECURRENT_SHAPE_H
#define PCC_RECURRENT_SHAPE_H

#include "../common/inline.h"
#include "../common/scratch.h"

enum { PCC_CELL_RNN, PCC_CELL_LSTM, PCC_CELL_GRU };

/* ONNX's activation functions of gates, with their alpha and beta. */
enum {
    PCC_GATE_SIGMOID,
    PCC_GATE_TANH,
    PCC_GATE_RELU,
    PCC_GATE_AFFINE,
    PCC_GATE_LEAKY_RELU,
    PCC_GATE_THRESHOLDED_RELU,
    PCC_GATE_SCALED_TANH,
    PCC_GATE_HARD_SIGMOID,
    PCC_GATE_ELU,
    PCC_GATE_SOFTSIGN,
    PCC_GATE_SOFTPLUS,
};

/* `steps` steps of `batch` sequences of `width` hidden units, in one direction or, with directions 2, in both: then the
 * second one walks backwards, else the only one does with `reverse`. functions: f, and as far as the cell has them g
 * and h, in ONNX's names; clip 0: the gates' sums are not clipped. */
typedef struct PccRecurrent {
    int64_t cell, steps, batch, directions, width, reverse, reset_after, input_forget;
    int64_t functions[3];
    double clip, f_alpha, f_beta, g_alpha, g_beta, h_alpha, h_beta;
} PccRecurrent;

PCC_KERNEL int64_t pcc_recurrent_gates(PccRecurrent shape)
{
    return shape.cell == PCC_CELL_LSTM ? 4 : shape.cell == PCC_CELL_GRU ? 3 : 1;
}

PCC_KERNEL int pcc_recurrent_reversed(PccRecurrent shape, int64_t direction)
{
    return shape.directions == 2 ? direction == 1 : shape.reverse != 0;
}

/* A GRU that resets the state before the product with the candidate's weights multiplies in two parts. */
PCC_KERNEL int pcc_recurrent_parts(PccRecurrent shape)
{
    return shape.cell == PCC_CELL_GRU && !shape.reset_after ? 2 : 1;
}

/* Where the second part's sums begin in a row of all gates: behind the first one's whole register tiles. */
PCC_KERNEL int64_t pcc_recurrent_second_part(PccRecurrent shape)
{
    return pcc_ceil_div(2 * shape.width, 32) * 32;
}

/* Elements of a row of states, and of one of all gates: whole register tiles, of every instruction set and part. */
PCC_KERNEL int64_t pcc_recurrent_state_pitch(PccRecurrent shape)
{
    return pcc_ceil_div(shape.width, 32) * 32;
}

PCC_KERNEL int64_t pcc_recurrent_sum_pitch(PccRecurrent shape)
{
    return pcc_ceil_div(pcc_recurrent_gates(shape) * shape.width, 32) * 32 + 32;
}

/* Packed weights of a direction, for either pass. */
PCC_KERNEL int64_t pcc_recurrent_packed(PccRecurrent shape)
{
    return pcc_recurrent_sum_pitch(shape) * pcc_recurrent_state_pitch(shape);
}

/* Of pcc_recurrence() and of its gradient: packed weights, and a row of gates and three of states a sequence. */
PCC_KERNEL size_t pcc_recurrent_scratch_bytes(PccRecurrent shape, size_t element_size)
{
    const int64_t row = pcc_recurrent_sum_pitch(shape) + 3 * pcc_recurrent_state_pitch(shape);
    return pcc_align64((size_t)(shape.directions * (pcc_recurrent_packed(shape) + shape.batch * row)) * element_size);
}

#endif
