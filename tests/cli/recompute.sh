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

# ---- gated activations, with views in between ----
floats() { # COUNT SALT: hexadecimal, of either sign, from 1/8 to 1/2
    local i
    for ((i = 0; i < $1; i++)); do
        printf '%02x%02x%02x%s' $(((i * 37 + $2) % 256)) $(((i * 91 + $2) % 256)) $(((i * 53 + $2) % 256)) "${signs[(i + $2) * 5 % 7 % 2]}"
    done
}
signs=(3e be)
halves="$(node first MatMul 'x w' h)$(node halves Split h 'a b' "$(int_attribute axis 1)")"
silu="$(node gate Sigmoid a s)$(node silu Mul 's a' g)"
weights="$(tensor w 01 '3 8' "$(floats 24 3)")$(tensor v 01 '4 3' "$(floats 12 8)")"
ends="$(node last MatMul 'y v' z)$weights$(graph_input x 01 'N 3')$(graph_output z 01 'N 3')"
whole=ffffffffffffffff two=0200000000000000 four=0400000000000000
shapes="$(tensor pairs 07 3 $whole$two$two)$(tensor rows 07 2 $whole$four)"
write_graph plain.onnx "$halves$silu$(node product Mul 'g b' y)$ends"
write_graph reshaped.onnx "$halves$silu$(node turn_g Reshape 'g pairs' g2)$(node turn_b Reshape 'b pairs' b2)$(
    node product Mul 'g2 b2' y2)$(node back Reshape 'y2 rows' y)$shapes$ends"
write_graph transposed.onnx "$halves$silu$(node turn_g Transpose g g2)$(node turn_b Transpose b b2)$(
    node product Mul 'g2 b2' y2)$(node back Transpose y2 y)$ends"
write_graph inside.onnx "$halves$(node gate Sigmoid a s)$(node turn_s Reshape 's pairs' s2)$(node turn_a Reshape 'a pairs' a2)$(
    node silu Mul 's2 a2' g2)$(node back Reshape 'g2 rows' g)$(node product Mul 'g b' y)$shapes$ends"
after() { # MODEL KIND: the training graph
    "$PCC" $1.onnx --batch 4 --loss cross-entropy --recompute $2 --dump-after recompute
}
for model in plain transposed inside; do # the clone of `reshaped` would be in a loop of other dims
    [ "$(after $model fused | grep -c ' = Mul(')" -gt "$(after $model none | grep -c ' = Mul(')" ] ||
        fail "$model.onnx: nothing is computed again"
done
for model in plain reshaped transposed inside; do
    for kind in none fused; do
        "$PCC" $model.onnx --batch 4 --loss cross-entropy --recompute $kind -o $kind ||
            fail "$model.onnx does not build ($kind)"
        ./$kind --data synthetic --steps 5 --lr 0.1 --seed 1 --quiet --save $kind.safetensors >output 2>&1 ||
            fail "$model.onnx does not train ($kind): $(head -c 600 output)"
    done
    cmp -s none.safetensors fused.safetensors || fail "$model.onnx: --recompute fused changes the numbers"
done

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

# auto and budgets fall back to `none` where a loop that makes more at once is all that `fused` changes
none=$(arena inside.onnx --batch 4096 --loss cross-entropy --recompute none)
fused=$(arena inside.onnx --batch 4096 --loss cross-entropy --recompute fused)
[ "$none" -lt "$fused" ] || fail "inside.onnx: none takes $none bytes of arena, fused $fused"
[ "$(arena inside.onnx --batch 4096 --loss cross-entropy --recompute auto)" -le "$none" ] || fail "auto is not the least"
weights=$("$PCC" inside.onnx --batch 4096 --loss cross-entropy --clip-norm 1 --print memory | sed -n 's/^weights \([0-9]*\) bytes.*/\1/p')
expect 0 "--recompute none" "$PCC" inside.onnx --batch 4096 --loss cross-entropy --clip-norm 1 --memory-budget $((weights + none)) -v -o train.c
expect 1 "--memory-budget 64: .* take [1-9][0-9]* bytes at least" \
    "$PCC" inside.onnx --batch 4 --loss cross-entropy --memory-budget 64 -o train.c
