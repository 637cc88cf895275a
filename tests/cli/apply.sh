#!/bin/bash
# Gradients are applied during the backward pass where the update does not need them all, and the weights are the same.
. "$(dirname "$0")/support.sh"
export CC=gcc CFLAGS=$CXXFLAGS # the models are large for unoptimised code

"$PCC" zoo vit image=28 patch=14 dim=256 depth=2 heads=4 channels=1 classes=10 -o vit.onnx >/dev/null || fail "no vit"
applications() { # FILE
    grep -c '^    apply(s, ' "$1"
}

# random bits of stochastic rounding are a parameter's own; 8-bit moments have their scales
for options in "--precision 32-true" "--precision bf16-true --optimizer adamw8bit --recompute all"; do
    expect 0 "" "$PCC" vit.onnx --batch 4 $options --emit lib -o model.c
    [ "$(applications model.c)" -ge 4 ] || fail "$options: $(applications model.c) applications"
    # shellcheck disable=SC2086
    expect 0 "" "$CC" $CFLAGS -fopenmp -Wall -Wextra -Werror -I"$(dirname "$PCC")/include" "$SOURCE/tests/cli/apply.c" model.c \
        "$(dirname "$PCC")/runtime/libpcc-runtime.a" -lz -lm -o both
    expect 0 "" ./both
done

# what needs all gradients together
for options in "--clip-norm 1" "--accumulate 2" "--precision 16-mixed" "--clip-norm 1 --target cuda"; do
    expect 0 "" "$PCC" vit.onnx --batch 4 $options --emit $([ "${options#*cuda}" = "$options" ] && echo c || echo cuda) -o all
    [ "$(applications all)" = 0 ] || fail "$options: gradients are applied before all are made"
done
expect 0 "^weights .* + gradients 0 + " "$PCC" vit.onnx --batch 4 --print memory
grep -q '^ *[0-9]* bytes more where all gradients are kept' output || fail "$(cat output)"
expect 0 "^weights .* + gradients [1-9]" "$PCC" vit.onnx --batch 4 --clip-norm 1 --print memory
