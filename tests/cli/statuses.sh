#!/bin/bash
# Exit statuses 0, 1, 3 and 4, and that nothing is left behind.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx

expect 0 "pcc [0-9]" "$PCC" --version
expect 0 "usage: pcc" "$PCC" --help
expect 0 "usage: pcc run" "$PCC" run --help

expect 1 "unbound dimension 'batch'" "$PCC" m.onnx -o train.c
head -c 400 m.onnx >short.onnx
expect 1 "short.onnx: error" "$PCC" short.onnx --batch 4 -o train.c
expect 1 "needs logits" "$PCC" m.onnx --batch 4 --loss token-cross-entropy -o train.c

write_model odd.onnx Frobnicate
expect 3 "node_of_the_test.*Frobnicate" "$PCC" odd.onnx --loss mse -o train.c

expect 4 "cannot read 'n.onnx'.*did you mean 'm.onnx'" "$PCC" n.onnx -o train.c
expect 4 "cannot read 'my.rules'" "$PCC" m.onnx --batch 4 --policy my.rules -o train.c
expect 4 "cannot create" "$PCC" m.onnx --batch 4 -o missing/train.c
mkdir folder.c
expect 4 "it is a folder" "$PCC" m.onnx --batch 4 -o folder.c
rmdir folder.c
expect 4 "cannot run 'no-such-compiler'" env CC=no-such-compiler "$PCC" m.onnx --batch 4 -o train
only_files m.onnx short.onnx odd.onnx output
