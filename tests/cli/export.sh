#!/bin/bash
# --export of weights that did not change gives back the model's bytes; of trained ones a model that pcc reads.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
"$PCC" m.onnx --batch 4 -o train || fail "pcc failed"
expect 0 "" ./train --data synthetic --steps 2 --quiet --lr 0 --weight-decay 0 --export same.onnx
same_bytes same.onnx m.onnx
expect 0 "" ./train --data synthetic --steps 2 --quiet --export trained.onnx
cmp -s trained.onnx m.onnx && fail "training changed nothing"
expect 0 "" "$PCC" trained.onnx --batch 4 -o again.c
