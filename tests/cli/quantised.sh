#!/bin/bash
# Quantisation-aware training of an exported model, and operators that are spelt by others, in every precision.
. "$(dirname "$0")/support.sh"
model=$SOURCE/tests/data/quantised.onnx

expect 0 '^trains  *f32.20,16. *w:' "$PCC" "$model" --print trainable
grep -q '^trains .* v:' output || fail "the weight on a grid of 4 bits does not train"
grep -q '^fixed .* w_scale:' output || fail "a scale trains"

for precision in 64-true 32-true bf16-mixed 16-true; do
    expect 0 '^ok: .* agree' "$PCC" verify "$model" --loss mse --precision $precision
done

expect 0 '' "$PCC" "$model" --loss mse -o train.c
"$PCC" "$model" --loss mse -o train.cu >output 2>&1 || fail "no CUDA program: $(head -c 600 output)"
grep -q pcc_round_significand_f32 train.cu || fail "the CUDA program does not round to 8-bit floats"
