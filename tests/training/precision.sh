#!/bin/bash
# One epoch on Fashion-MNIST in every mixed and 16-bit mode: the accuracy is that of 32-true within the noise of seeds
# (fashion_mnist.sh), scales and skips are logged, and the optimizers for 16-bit weights and 8-bit moments do as well.
. "$(dirname "$0")/support.sh"
need_data

# reaches NAME OPTIONS...: an epoch of the multilayer perceptron, logged in NAME.jsonl
reaches() {
    local name=$1
    shift
    compile mlp --batch 64 "$@"
    train --epochs 1 --seed 3 --log "$name.jsonl"
    local last accuracy
    last=$(tail -n 1 "$name.jsonl")
    accuracy=$(field val_accuracy "$last")
    at_least "$accuracy" 0.82 || fail "$name: validation accuracy $accuracy after an epoch: $last"
}

for precision in 16-mixed bf16-mixed 16-true bf16-true; do
    reaches $precision --precision $precision
done
for update in kahan master; do
    reaches $update --precision bf16-true --update $update
done
# masters start from what the model has, unrounded
./train --export start.onnx >output 2>&1 || fail "./train --export ended with status $?: $(cat output)"
same_bytes start.onnx "$MODELS/mlp/model.onnx"
reaches adamw8bit --precision bf16-mixed --optimizer adamw8bit

# dynamic scales start at 2^16 and stay powers of two; each skipped update names a parameter
for precision in 16-mixed 16-true; do
    [ "$(field scale "$(head -n 1 $precision.jsonl)")" = 65536 ] || fail "$precision: $(head -n 1 $precision.jsonl)"
    skipped=$(field skipped "$(sed -n 938p $precision.jsonl)")
    [ "$(grep -c '"overflow":"' $precision.jsonl)" = "$skipped" ] || fail "$precision: $skipped skipped updates"
done
for precision in bf16-mixed bf16-true; do
    [ "$(field scale "$(sed -n 938p $precision.jsonl)")" = 1 ] || fail "$precision: $(sed -n 938p $precision.jsonl)"
done

# 16-true without loss scaling is PyTorch's model.half(): f16 moments, and a loss that is soon not a number; not so with
# f32 moments
compile mlp --batch 64 --precision 16-true --loss-scale none
train --steps 20 --seed 3 --log half.jsonl
sed -n 20p half.jsonl | grep -q '"loss":null' || fail "f16 moments: $(sed -n 20p half.jsonl)"
reaches f32-moments --precision 16-true --loss-scale none --moments f32

# the share of lost updates is of 16-bit weights; none where a compensation keeps them
grep -q lost_updates 16-mixed.jsonl && fail "16-mixed has no 16-bit weights: $(tail -n 1 16-mixed.jsonl)"
at_least "$(field lost_updates "$(tail -n 1 bf16-true.jsonl)")" 0.05 || fail "$(tail -n 1 bf16-true.jsonl)"
at_least 0.01 "$(field lost_updates "$(tail -n 1 kahan.jsonl)")" || fail "$(tail -n 1 kahan.jsonl)"
