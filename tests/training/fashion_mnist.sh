#!/bin/bash
# One epoch on Fashion-MNIST: a multilayer perceptron in every uniform precision reaches what PyTorch's does within the
# noise of seeds (0.83 to 0.85), and the losses of both precisions are the same curve.
. "$(dirname "$0")/support.sh"
need_data

for precision in 32-true 64-true; do
    compile mlp --batch 64 --precision $precision
    train --epochs 1 --seed 3 --log $precision.jsonl
    last=$(tail -n 1 $precision.jsonl)
    accuracy=$(field val_accuracy "$last")
    at_least "$accuracy" 0.82 || fail "$precision: validation accuracy $accuracy after an epoch: $last"
done
[ "$(wc -l <32-true.jsonl)" = 939 ] || fail "938 steps and an epoch should be logged, not $(wc -l <32-true.jsonl) lines"
narrow=$(field loss "$(sed -n 20p 32-true.jsonl)") wide=$(field loss "$(sed -n 20p 64-true.jsonl)")
awk -v a="$narrow" -v b="$wide" 'BEGIN { d = a - b; exit !(d < 1e-3 && d > -1e-3) }' ||
    fail "step 20: loss $narrow in 32-true, $wide in 64-true"
