#!/bin/bash
# --check-numerics names the first node whose result is not finite, be it a kernel's or inside a loop; and nothing while
# all is well.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
for precision in 32-true bf16-mixed 16-true; do
    "$PCC" m.onnx --batch 4 --precision $precision --check-numerics --audit -o train >output 2>&1 ||
        fail "$precision: $(head -5 output)"
    ./train --data synthetic --steps 2 --quiet >output 2>&1 || fail "$precision does not train: $(head -5 output)"
    grep -q check-numerics output && fail "$precision complains of a finite step: $(cat output)"
    rm train
done
"$PCC" m.onnx --batch 4 --check-numerics -o train || fail "pcc failed"
# parameters of 1e30 after the first step: the second layer's product is the first to overflow
expect 0 "^check-numerics: step 2: node '[^']*' (Gemm: MatMul), f32\[4,[0-9]*\]: [0-9]* infinite and [0-9]* NaN of [0-9]* elements" \
    ./train --data synthetic --steps 2 --lr 1e30 --quiet
"$PCC" m.onnx --batch 4 --precision 16-true --loss-scale 8388608 --check-numerics -o scaled || fail "pcc failed"
expect 0 "^check-numerics: step 1: node '[^']*' ([A-Za-z:-]*.*), f16\[" ./scaled --data synthetic --steps 1 --quiet
