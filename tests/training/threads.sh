#!/bin/bash
# The same bits for any number of threads: convolutions, BatchNormalization's statistics, products, the optimizer.
. "$(dirname "$0")/support.sh"
need_data
small_data

for model in cnn_bn mlp; do
    compile $model $([ $model = mlp ] && echo --batch 48)
    for threads in 1 2 4; do
        train --steps 40 --seed 5 --threads $threads --save $model.$threads.safetensors --log $threads.jsonl
        sed 's/,"samples_per_s":[^,]*//' $threads.jsonl >$threads.losses
    done
    for threads in 2 4; do
        same_bytes $model.1.safetensors $model.$threads.safetensors
        same_bytes 1.losses $threads.losses
    done
done
