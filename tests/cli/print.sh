#!/bin/bash
# --print: each table, the manual page as it is in the repository, completion that bash understands.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
expect 0 "^MatMul .*yes" "$PCC" --print supported-ops
"$PCC" --print supported-ops | awk 'NR > 1 && !/ c cuda / { print; bad = 1 } END { exit bad }' >output ||
    fail "not every target runs: $(cat output)"
expect 0 "^32-true" "$PCC" --print precisions
expect 0 "grad .*training only" "$PCC" --print passes
expect 0 "^compiler" "$PCC" --print host
expect 0 "trains .*a named float tensor" "$PCC" m.onnx --batch 4 --print trainable
expect 0 "initializers train" "$PCC" m.onnx --batch 4 --print trainable
expect 0 "^arena *[1-9][0-9]* bytes" "$PCC" m.onnx --batch 4 --print memory
"$PCC" --print man >pcc.1 || fail "--print man failed"
same_bytes pcc.1 "$SOURCE/docs/pcc.1"
"$PCC" --print completion >completion || fail "--print completion failed"
bash -c '. ./completion; COMP_WORDS=(pcc --loss cau); COMP_CWORD=2; _pcc; [ "$COMPREPLY" = causal-lm ]' ||
    fail "completion does not find causal-lm"
"$PCC" --help >help
awk 'length > 80 { exit 1 }' help || fail "--help is wider than 80 columns: $(awk 'length > 80' help | head -1)"
