#!/bin/bash
# Messages for tools: one JSON object a line, whatever went wrong and wherever the option stands.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
expect 2 '^{.*"code":"usage".*"message":"unknown option' "$PCC" m.onnx --nonsense --diagnostics=json
one_line
expect 4 '^{.*"code":"io"' "$PCC" --diagnostics json none.onnx -o train.c
expect 1 '^{"file":"m.onnx","severity":"error","code":"bad-input"' "$PCC" --diagnostics=json m.onnx -o train.c
write_model odd.onnx Frobnicate
expect 3 '"code":"unsupported","node":"node_of_the_test","op":"Frobnicate"' \
    "$PCC" --diagnostics=json odd.onnx --loss mse -o train.c
one_line
# an object for each
write_graph two.onnx "$(node first Frobnicate x z)$(node second Twiddle z y)$(graph_input x 01 3)$(graph_output y 01 3)"
expect 3 '"node":"first","op":"Frobnicate"' "$PCC" --diagnostics=json two.onnx --loss mse -o train.c
grep -q '^{.*"code":"unsupported","node":"second","op":"Twiddle".*}$' output || fail "no object of the second: $(cat output)"
[ "$(wc -l <output)" = 2 ] || fail "not two objects: $(cat output)"
expect 3 '2 unsupported operators' "$PCC" two.onnx --loss mse -o train.c
expect 0 "train *grad" "$PCC" m.onnx --batch 4 -v -o train.c
expect 0 "total" "$PCC" m.onnx --batch 4 --time-report -o train.c
