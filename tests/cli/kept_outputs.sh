#!/bin/bash
# pcc_keep_outputs() and pcc_output() of an emitted program, as docs/embedding.md has them.
. "$(dirname "$0")/support.sh"
"$PCC" zoo mlp image=6 hidden=16 classes=3 seed=1 -o mlp.onnx >/dev/null || fail "no model"
expect 0 "" "$PCC" mlp.onnx --loss cross-entropy --batch 8 --emit lib --standalone --embed-weights -o model.c
build=$(cd "$(dirname "$PCC")" && pwd)
# shellcheck disable=SC2086  # a list of flags
"$CC" -Wall -Wextra -Werror -fopenmp $CFLAGS "-I$build/include" "$SOURCE/tests/cli/kept_outputs.c" model.c -lz -lm -o kept_outputs ||
    fail "no program"
expect 0 "" ./kept_outputs
