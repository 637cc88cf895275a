#!/bin/bash
# 16-bit programs have the same bits for any number of threads, and stopped and resumed: random bits, scales, masters.
. "$(dirname "$0")/support.sh"
need_data

small_data
steps=24 options="--seed 7 --schedule cosine --warmup 10"
for mode in "16-true --optimizer adamw8bit" "bf16-true --update stochastic" "bf16-true --update master" "16-mixed"; do
    compile cnn_bn --precision $mode
    rm -rf checkpoints
    train $options --steps $steps --threads 1 --save whole.safetensors --log whole.jsonl
    train $options --steps $steps --threads 3 --save threads.safetensors
    same_bytes whole.safetensors threads.safetensors
    # a run that ends early for having fewer steps has another schedule: this one is interrupted, at any step
    ./train --data "idx:$DATA" --quiet $options --steps $steps --checkpoint checkpoints --every 5 >output 2>&1 &
    child=$!
    for wait in $(seq 500); do
        [ -e checkpoints/latest ] && break
        sleep 0.01
    done
    kill -INT $child
    wait $child || fail "$mode: an interrupted run ended with status $?: $(tail -c 600 output)"
    train $options --steps $steps --threads 2 --checkpoint checkpoints --resume --save resumed.safetensors \
        --log resumed.jsonl
    same_bytes whole.safetensors resumed.safetensors
    [ "$(tail -n 1 whole.jsonl)" = "$(tail -n 1 resumed.jsonl)" ] || fail "$mode: $(tail -n 1 resumed.jsonl)"
done
