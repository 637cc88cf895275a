#!/bin/bash
# Recurrent models from end to end: programs of the zoo's lstm and gru, for this machine, against float64.
. "$(dirname "$0")/support.sh"
export CFLAGS="-march=native $CFLAGS"

expect 0 "" "$PCC" zoo lstm steps=5 features=6 hidden=20 classes=3 -o lstm.onnx
expect 0 "^ok: " "$PCC" verify lstm.onnx --loss cross-entropy --batch 4 --precision bf16-mixed
expect 0 "" "$PCC" zoo gru steps=5 features=6 hidden=20 directions=1 classes=3 -o gru.onnx
expect 0 "^ok: " "$PCC" verify gru.onnx --loss cross-entropy --batch 4 --precision 32-true
