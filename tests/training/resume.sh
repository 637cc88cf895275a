#!/bin/bash
# Killed at any moment and resumed, a run ends with the same bits as one that was never stopped.
. "$(dirname "$0")/support.sh"
need_data
small_data
compile cnn_bn

options="--steps 100 --seed 7 --schedule cosine --warmup 10 --threads 2"
train $options --save whole.safetensors

kills=0
for attempt in 1 2 3 4 5 6 7 8; do
    ./train --data "idx:$DATA" --quiet $options --checkpoint checkpoints --every 5 --resume --save resumed.safetensors \
        >output 2>&1 &
    child=$!
    # the last attempts run to the end; the others are killed once they have written something new
    if [ $attempt -le 4 ]; then
        for wait in $(seq 200); do
            [ "$(ls -A checkpoints 2>/dev/null)" != "${before:-}" ] && break
            sleep 0.01
        done
        kill -9 $child 2>/dev/null
        before=$(ls -A checkpoints 2>/dev/null)
    fi
    wait $child 2>/dev/null
    status=$?
    [ $status = 0 ] && break
    [ $status = 137 ] && kills=$((kills + 1))
done
[ -f resumed.safetensors ] || fail "the resumed run did not end: $(tail -c 600 output)"
[ $kills -gt 0 ] || fail "no run was killed"
same_bytes whole.safetensors resumed.safetensors
