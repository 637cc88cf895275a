#!/bin/bash
# Messages for tools: one JSON object a line, whatever went wrong and wherever the option stands.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
expect 2 '^{.*"code":"usage".*"message":"unknown option' "$PCC" m.onnx --nonsense --diagnostics=json
one_line
expect 4 '^{.*"code":"io"' "$PCC" --diagnostics json none.onnx -o train.c
expect 1 '^{"file":"m.onnx","severity":"error","code":"bad-input"' "$PCC" --diagnostics=json m.onnx -o train.c
write_model odd.onnx Frobnicate
expect 3 '"code":"unsupported".*node_of_the_test.*Frobnicate' \
    "$PCC" --diagnostics=json odd.onnx --loss mse -o train.c
expect 0 "train *grad" "$PCC" m.onnx --batch 4 -v -o train.c
expect 0 "total" "$PCC" m.onnx --batch 4 --time-report -o train.c
