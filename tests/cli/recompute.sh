#!/bin/bash
# --recompute takes less memory and gives the same numbers; --memory-budget chooses the first kind that fits.
. "$(dirname "$0")/support.sh"
models=$SOURCE/tests/data/models

arena() { # MODEL OPTIONS...: bytes of activations: --clip-norm keeps gradients elsewhere
    "$PCC" "$@" --clip-norm 1 --print memory | sed -n 's/^arena *\([0-9]*\) bytes.*/\1/p'
}

"$PCC" zoo vit image=16 patch=4 dim=64 depth=8 heads=2 channels=1 classes=10 -o vit.onnx >/dev/null || fail "no vit"
for precision in 32-true bf16-true; do
    none=$(arena vit.onnx --batch 8 --precision $precision --recompute none)
    fused=$(arena vit.onnx --batch 8 --precision $precision)
    auto=$(arena vit.onnx --batch 8 --precision $precision --recompute auto)
    all=$(arena vit.onnx --batch 8 --precision $precision --recompute all)
    [ $((fused * 10)) -lt $((none * 9)) ] || fail "$precision: fused takes $fused bytes of arena, none $none"
    [ $((auto * 5)) -lt $((none * 4)) ] || fail "$precision: auto takes $auto bytes of arena, none $none"
    [ $((all * 3)) -lt "$none" ] || fail "$precision: all takes $all bytes of arena, none $none"
done

# the same bits in 32-true: nothing is rounded between what is stored and what is computed again
probe() { # MODEL KIND OPTIONS...: leaves KIND.safetensors
    local model=$1 kind=$2
    shift 2
    "$PCC" "$models/$model/model.onnx" --recompute "$kind" "$@" -o program || fail "$model does not build ($kind)"
    ./program --probe "$models/$model/reference.safetensors" --dump "$kind.safetensors" --steps 3 >/dev/null ||
        fail "$model: --probe fails ($kind)"
}
same_numbers() { # MODEL KINDS OPTIONS...
    local model=$1 kinds=$2
    shift 2
    for kind in none $kinds; do
        probe $model $kind "$@"
        cmp -s none.safetensors $kind.safetensors || fail "$model: --recompute $kind changes the numbers"
    done
}
same_numbers gpt2 "fused auto all" --loss causal-lm
same_numbers resnet_ts "auto" # nothing of it is made again on the way

# ---- budgets ----
chosen() { # SIZE: the last kind that was tried
    "$PCC" vit.onnx --batch 8 --clip-norm 1 --memory-budget "$1" -v -o train.c 2>&1 |
        sed -n 's/^pcc: --recompute \([a-z]*\): .*/\1/p' | tail -n 1
}
weights=$("$PCC" vit.onnx --batch 8 --clip-norm 1 --print memory | sed -n 's/^weights \([0-9]*\) bytes.*/\1/p')
fused=$(arena vit.onnx --batch 8)
auto=$(arena vit.onnx --batch 8 --recompute auto)
all=$(arena vit.onnx --batch 8 --recompute all)
[ "$(chosen $((weights + fused)))" = fused ] || fail "the default fits, and is not chosen"
[ "$(chosen $((weights + fused - 1))B)" = auto ] || fail "auto fits, and is not chosen"
[ "$(chosen $((weights + auto - 1)))" = all ] || fail "all fits, and is not chosen"
expect 1 "--memory-budget $((weights + all - 1)): weights and arena .* at least; choose a smaller --batch" \
    "$PCC" vit.onnx --batch 8 --clip-norm 1 --memory-budget $((weights + all - 1)) -o train.c
