#!/bin/bash
# Each kind of output, and that the same command gives the same bytes anywhere.
. "$(dirname "$0")/support.sh"
mkdir one two
for place in one two; do
    make_mlp "$place/m.onnx"
    cd "$here/$place" || exit 1
    expect 0 "" "$PCC" m.onnx --batch 4 -o train.c
    expect 0 "" "$PCC" "$here/$place/m.onnx" --batch 4 -o "$here/$place/graph.ir"
    expect 0 "" "$PCC" m.onnx --batch 4 -o graph.dot
    expect 0 "" "$PCC" m.onnx --batch 4 -o page.html
    expect 0 "" "$PCC" m.onnx --batch 4 --standalone --embed-weights -o whole.c
    expect 0 "" "$PCC" m.onnx --batch 4 --emit lib -o library.c
    only_files m.onnx train.c train.safetensors graph.ir graph.dot page.html whole.c library.c library.safetensors
    cd "$here" || exit 1
done
for file in one/*; do
    same_bytes "$file" "two/$(basename "$file")"
done
grep -q "$here" one/*.c one/*.ir one/*.dot one/*.html && fail "an output names the folder it was written in"

grep -q '^int main' one/train.c || fail "train.c has no main()"
grep -q 'main(' one/library.c && fail "the library has a main()"
grep -q '^const PccProgram pcc_program' one/library.c || fail "the library does not expose pcc_program"
grep -q '^graph ' one/graph.ir || fail "graph.ir is not a graph"
grep -q '^digraph' one/graph.dot || fail "graph.dot is not a digraph"
grep -q '<svg' one/page.html || fail "the report has no picture"

expect 0 '^graph ' "$PCC" one/m.onnx --batch 4 --emit ir
expect 0 '^digraph' "$PCC" one/m.onnx --batch 4 --emit dot -o -
expect 0 "train after grad" "$PCC" one/m.onnx --batch 4 --dump-after grad
expect 0 '"precision":"64-true"' "$PCC" one/m.onnx --batch 4 --precision 64 --explain-precision=json
expect 0 "32-true: everything is f32" "$PCC" one/m.onnx --batch 4 --explain-precision
