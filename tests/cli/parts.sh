#!/bin/bash
# A step of more than 1000 nodes is emitted in parts, in the same order: compilers take more than linear time for one.
. "$(dirname "$0")/support.sh"

"$PCC" zoo vit image=8 patch=4 dim=8 depth=24 heads=2 channels=1 classes=4 -o deep.onnx >/dev/null || fail "no deep.onnx"
expect 0 "" "$PCC" deep.onnx --batch 2 -o deep.c
[ "$(grep -c '^    step_part[0-9]*(s);' deep.c)" = 2 ] || fail "step() has not two parts: $(grep step_part deep.c)"
grep -q '^static void evaluate(' deep.c || fail "evaluate() is no function"
expect 0 "^ok: " "$PCC" verify deep.onnx --batch 2
