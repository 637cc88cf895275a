#!/bin/bash
# Programs are right whichever optional passes ran.
. "$(dirname "$0")/support.sh"
"$PCC" zoo vit image=8 patch=4 dim=8 depth=1 heads=2 -o m.onnx >/dev/null || fail "the zoo does not make a vit"
for list in "" split recognise simplify,recognise; do
    expect 0 "" "$PCC" verify m.onnx --batch 3 --precision 64 --passes "$list"
done
"$PCC" m.onnx --batch 3 --passes "" -v -o none.c 2>none || fail "pcc failed"
grep -q "simplify" none && fail "a pass that was left out ran"
"$PCC" m.onnx --batch 3 -o all.c || fail "pcc failed"
[ "$(wc -c <all.c)" -lt "$(wc -c <none.c)" ] || fail "the optional passes make nothing smaller"
