#!/bin/bash
# A disk that is full while the outputs are written: status 4, and no file, whole or partial. The limit on file sizes
# stands for the disk; with SIGXFSZ ignored write() fails with EFBIG.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
trap '' XFSZ
for kibibytes in 1 4 24; do
    for extra in "" --embed-weights --standalone; do
        (
            ulimit -f $kibibytes
            "$PCC" m.onnx --batch 4 $extra -o train.c 2>output
        )
        status=$?
        [ $status = 4 ] || fail "with $kibibytes KiB and '$extra' the status is $status, not 4: $(cat output)"
        only_files m.onnx output
    done
done
expect 0 "" "$PCC" m.onnx --batch 4 -o train.c
only_files m.onnx output train.c train.safetensors
cp train.c before.c
cp train.safetensors before.safetensors
(
    ulimit -f 1
    "$PCC" m.onnx --batch 8 -o train.c 2>output
)
same_bytes train.c before.c
same_bytes train.safetensors before.safetensors
expect 4 "No space left" "$PCC" m.onnx --batch 4 --emit c --embed-weights -o /dev/full
