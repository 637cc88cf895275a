#!/bin/bash
# CUDA programs apply gradients during the backward pass too, under the emulator: the same weights to the bit, and no
# memory of all gradients until something keeps them.
. "$(dirname "$0")/support.sh"
build=$(dirname "$PCC")
"$PCC" zoo mlp image=8 hidden=512,1024 -o mlp.onnx >/dev/null || fail "no mlp"

# One by one, by random bits of their own; moments in 8 bits for the matrices.
options="--batch 4 --precision bf16-true --optimizer adamw8bit"
# shellcheck disable=SC2086  # a list of options
expect 0 "" "$PCC" mlp.onnx $options --emit lib --target cuda --embed-weights -o model.cu
[ "$(grep -c '^    apply(s, ' model.cu)" -ge 2 ] || fail "$(grep -c '^    apply(s, ' model.cu) applications"
# shellcheck disable=SC2086
expect 0 "^device " "$PCC" mlp.onnx $options --target cuda --print memory
planned=$(sed -n 's/^device *\([0-9]*\) bytes.*/\1/p' output)
grep -q "gradients 0 + " output || fail "$(cat output)"

# the optimizer moves as much as where it takes all gradients together
bound() { # OPTIONS
    # shellcheck disable=SC2086
    "$PCC" mlp.onnx $options --target cuda --gpu h200 --print roofline "$@" | awk '/^optimizer/ { print $4, $5, $6 }'
}
bound >bound
grep -q '[1-9]' bound || fail "the optimizer moves nothing"
[ "$(bound --accumulate 2)" = "$(cat bound)" ] || fail "the optimizer's bound is $(cat bound), not $(bound --accumulate 2)"

[ -f "$build/tests/cuda/libpcc_emulator.a" ] || { echo "no CUDA headers: nothing runs under the emulator"; exit 0; }
CXXFLAGS="$CXXFLAGS -O1" "$SOURCE/scripts/emulate" --runtime "$build" model.cu "$SOURCE/tests/cli/apply.c" \
    -o both >output 2>&1 || fail "$(head -c 600 output)"
expect 0 "" ./both
expect 0 "cudaMalloc of 1.1 MiB failed: out of memory: mlp needs 1.1 MiB more to keep all gradients" \
    env PCC_EMULATOR_MEMORY="$planned" ./both short
expect 1 "out of memory: mlp needs .* MiB on the GPU" env PCC_EMULATOR_MEMORY=$((planned - 1)) ./both short
