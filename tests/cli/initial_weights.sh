#!/bin/bash
# --init random draws a layer's weight by the inputs of the layer, whichever operators compute it; scales are 1, shifts 0.
. "$(dirname "$0")/support.sh"

floats() { # COUNT: in hexadecimal, no two alike
    local i
    for ((i = 1; i <= $1; i++)); do printf '0000%02x3f' $i; done
}

# Layers of 2 inputs and 12 outputs, as Linear is exported: x·Wᵀ with a Transpose, x·W, Gemm with transB, and an Add for a
# bias. A convolution of one channel, 2 x 2. A scale and a shift behind them.
layers="$(node turn Transpose w_turned wt)$(node first MatMul 'x wt' a0)$(node bias Add 'a0 b_added' a)"
layers=$layers$(node second MatMul 'x w_plain' b)$(node third Gemm 'x w_gemm b_gemm' c "$(int_attribute transB 1)")
layers="$layers$(node image Reshape 'x image_dims' i)$(node conv Conv 'i w_conv b_conv' d0)$(node mean ReduceMean d0 d "$(
    int_attribute keepdims 0)")$(node sum Sum 'a b c d' e)$(node scale Mul 'e scale' f)$(node act Tanh f g)$(
    node shift Add 'g shift' y)"
weights="$(tensor w_turned 01 '12 2' "$(floats 24)")$(tensor w_plain 01 '2 12' "$(floats 24)")"
weights="$weights$(tensor w_gemm 01 '12 2' "$(floats 24)")$(tensor w_conv 01 '6 1 2 2' "$(floats 24)")"
weights="$weights$(tensor b_added 01 12 "$(floats 12)")$(tensor b_gemm 01 12 "$(floats 12)")"
weights="$weights$(tensor b_conv 01 6 "$(floats 6)")$(tensor scale 01 12 "$(floats 12)")"
weights="$weights$(tensor shift 01 12 "$(floats 12)")$(tensor image_dims 07 4 "$(
    printf '%02x00000000000000' 1 1 3 2)")"
write_graph layers.onnx "$layers$weights$(graph_input x 01 '3 2')$(graph_output y 01 '3 12')"

compile() { # OPTIONS...
    expect 0 "" "$PCC" layers.onnx --loss mse --trainable '*' -o train.c "$@"
}

values() { # NAME: the elements of an f32 tensor of train.safetensors
    local length offsets
    length=$(od -An -t u8 -N 8 train.safetensors | tr -d ' ')
    offsets=$(head -c $((8 + length)) train.safetensors |
        sed -n "s/.*\"$1\":{[^}]*\"data_offsets\":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2/p")
    [ -n "$offsets" ] || fail "train.safetensors has no '$1'"
    set -- $offsets
    tail -c +$((9 + length + $1)) train.safetensors | head -c $(($2 - $1)) | od -An -v -t f4
}

uniform() { # NAME BOUND: all within the bound, and so far apart that half of it would be too little
    values "$1" | awk -v bound="$2" '
        { for (i = 1; i <= NF; i++) { if ($i > high) high = $i; if ($i < low) low = $i } }
        END { exit !(high <= bound && low >= -bound && high - low > bound) }
    ' || fail "'$1' is not uniform in ±$2: $(values "$1" | tr -s ' \n' ' ')"
}

constant() { # NAME VALUE
    values "$1" | awk -v value="$2" '{ for (i = 1; i <= NF; i++) if ($i != value) exit 1 }' ||
        fail "'$1' is not $2 everywhere: $(values "$1" | tr -s ' \n' ' ')"
}

compile --init random
for weight in w_turned w_plain w_gemm b_gemm b_added; do uniform $weight 0.70711; done
for weight in w_conv b_conv; do uniform $weight 0.5; done
constant scale 1
constant shift 0
mv train.safetensors first.safetensors
compile --init random
same_bytes train.safetensors first.safetensors
compile --init random --seed 7
cmp -s train.safetensors first.safetensors && fail "another seed draws the same weights"

# The file's own values stay.
compile --init keep
[ "$(values shift)" = "$(values b_added)" ] && [ "$(values w_plain)" = "$(values w_gemm)" ] ||
    fail "--init keep changes the weights"
mv train.safetensors kept.safetensors
compile
same_bytes train.safetensors kept.safetensors
expect 2 "--init.*'randm'.*did you mean 'random'" "$PCC" layers.onnx --loss mse --init randm -o train.c
