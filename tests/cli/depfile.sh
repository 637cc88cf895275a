#!/bin/bash
# -MD, -MF, -MT; names that make would misread.
. "$(dirname "$0")/support.sh"
make_mlp 'my model#1.onnx'
expect 0 "" "$PCC" 'my model#1.onnx' --batch 4 -MD -o train.c
[ "$(head -1 train.d)" = 'train.c: my\ model\#1.onnx' ] || fail "train.d says: $(head -1 train.d)"
expect 0 "" "$PCC" 'my model#1.onnx' --batch 4 -MD -MF deps -MT 'a target' -o train.c
[ "$(head -1 deps)" = 'a\ target: my\ model\#1.onnx' ] || fail "deps says: $(head -1 deps)"
printf 'include inner.rules\n' >outer.rules
printf 'keep op:Relu\n' >inner.rules
expect 0 "" "$PCC" 'my model#1.onnx' --batch 4 --precision bf16 --policy outer.rules -MD -MF policy.d -o policy.c
grep -q '^ *outer.rules' policy.d && grep -q '^ *inner.rules$' policy.d || fail "policy.d says: $(cat policy.d)"
if command -v make >/dev/null; then
    printf 'include train.d\ntrain.c:\n\ttouch rebuilt\n' >Makefile
    touch -d '2001-01-01' train.c
    make -s train.c || fail "make cannot read the depfile"
    [ -e rebuilt ] || fail "make does not rebuild when the model is newer"
fi
