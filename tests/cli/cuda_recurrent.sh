#!/bin/bash
# Recurrent layers in CUDA programs: what is written, and training under the emulator beside float64.
. "$(dirname "$0")/support.sh"
build=$(dirname "$PCC")
expect 0 "" "$PCC" zoo lstm steps=4 features=6 hidden=8 depth=1 classes=3 -o lstm.onnx
expect 0 "" "$PCC" zoo gru steps=3 features=4 hidden=5 depth=2 directions=1 classes=3 -o gru.onnx

# Each program compiles its own cells and products; aligned rows of 16 bits are vectors.
expect 0 "" "$PCC" lstm.onnx --batch 3 --precision bf16-mixed -o lstm.cu
tr -s ' \n' ' ' <lstm.cu >text
grep -q "A_ALIGNED + PCC_PRODUCT_B_ALIGNED + PCC_RECURRENT_CELL(1, 0, 1, 1)>(PccRecurrent" text || fail "no LSTM's form"
expect 0 "" "$PCC" gru.onnx --batch 3 --precision bf16-mixed --standalone --embed-weights -o gru.cu
tr -s ' \n' ' ' <gru.cu >text
grep -q "<float, PCC_TILE_64x64 + PCC_RECURRENT_CELL(2, 0, 1, 0)>(PccRecurrent" text || fail "no GRU's form"
grep -q "pcc_gru_kernel" gru.cu || fail "the kernels are not in the standalone program"
expect 0 "recurrences  *2 " "$PCC" lstm.onnx --batch 3 --target cuda --gpu h200 --print roofline

[ -f "$build/tests/cuda/libpcc_emulator.a" ] || { echo "no CUDA headers: nothing runs under the emulator"; exit 0; }
expect 0 "^ok: " "$PCC" verify lstm.onnx --batch 3 --target cuda --precision 16-mixed
