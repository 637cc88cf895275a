#!/bin/bash
# Policies, rules and what --explain-precision says of them; every warning about 16 bits by its code.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
"$PCC" zoo vit image=16 patch=4 dim=32 depth=1 heads=2 -o vit.onnx >output || fail "the zoo does not make a vit"
"$PCC" zoo cnn image=8 widths=4,4 hidden=8 -o cnn.onnx >output || fail "the zoo does not make a cnn"

explained() { # PATTERN MODEL OPTIONS...
    local pattern=$1
    shift
    expect 0 "$pattern" "$PCC" "$@" --batch 4 --explain-precision
}

# ---- which rule decides ----
norm='^/b/0/n1 .*'
explained '^precision bf16-mixed, policy pcc, loss scale none$' vit.onnx --precision bf16
explained '^precision 16-mixed, policy pcc, loss scale dynamic$' vit.onnx --precision 16
explained '^precision 16-true, policy apex-O3, loss scale none, update stochastic$' \
    vit.onnx --precision 16-true --policy apex-O3
explained '^precision bf16-true, policy apex-O2, loss scale 8, update master$' \
    vit.onnx --precision bf16-true --policy apex-O2 --loss-scale 8
explained "$norm f32 *policy pcc: LayerNormalization computes in f32" vit.onnx --precision bf16
explained '^/b/0/attention/mixed *Attention *bf16,bf16,bf16 *bf16 *bf16 ' vit.onnx --precision bf16
explained '^/b/0/gelu *Gelu *bf16 *f32 *bf16 ' vit.onnx --precision bf16
explained '^loss *SoftmaxCrossEntropyLoss *f16 *f32 *f32 ' vit.onnx --precision 16-true
explained "$norm f32 *policy apex-O0: LayerNormalization computes in f32" vit.onnx --precision bf16 --policy apex-O0
explained "$norm policy torch-cpu: LayerNormalization follows its input" vit.onnx --precision bf16 --policy torch-cpu
explained "$norm bf16 *policy apex-O3: LayerNormalization is lowered" vit.onnx --precision bf16 --policy apex-O3
explained "$norm bf16 *--lower op:LayerNormalization" \
    vit.onnx --precision bf16 --keep-fp32 'node:/b/*' --lower op:LayerNormalization
explained "$norm f32 *--keep-fp32 node:/b/\*" \
    vit.onnx --precision bf16 --lower op:LayerNormalization --keep-fp32 'node:/b/*'

printf 'include torch-cpu # beneath the rules\nlower op:Relu\nkeep node:/head\n' >my.rules
explained '^/head .* f32 *my.rules:3: keep node:/head$' vit.onnx --precision bf16 --policy my.rules
explained '^/head .* bf16 *--lower op:Gemm$' vit.onnx --precision bf16 --policy my.rules --lower op:Gemm
printf 'keep op:Softmax\nlwer op:Gemm\n' >bad.rules
expect 2 "bad.rules:2: 'lwer' is no rule; did you mean 'lower'" \
    "$PCC" vit.onnx --batch 4 --precision bf16 --policy bad.rules -o train.c
one_line

# ---- the table and the JSON agree on what is saved ----
explained '^saved  ' vit.onnx --precision bf16-true
table=$(awk '/^bf16-true /{print $2, $3, $4, $5} /^32-true /{print $2, $3, $4, $5}' output)
expect 0 '"policy":"pcc"' "$PCC" vit.onnx --batch 4 --precision bf16-true --explain-precision=json
json=$(sed -n 's/^"bytes.*"parameters":\([0-9]*\),"gradients":\([0-9]*\),"moments":\([0-9]*\),"activations":\([0-9]*\)}.*/\1 \2 \3 \4/p' output)
[ -n "$json" ] && [ "$table" = "$json" ] || fail "the table has '$table', the JSON '$json'"
echo "$table" | awk 'NR == 1 { split($0, low) } NR == 2 { for (i = 1; i <= 4; i++) if (low[i] >= $i) exit 1 }' ||
    fail "bf16-true saves nothing of: $table"

# ---- rules and options without effect ----
warns() { # CODE PATTERN MODEL OPTIONS...
    local code=$1 pattern=$2
    shift 2
    expect 0 "$pattern.*\[-W$code\]" "$PCC" "$@" --dump-after precision-warnings
    expect 1 "\[-Werror=$code\]" "$PCC" "$@" -Werror --dump-after precision-warnings
    expect 0 . "$PCC" --explain "$code"
}

silent() { # MODEL OPTIONS...
    expect 0 "" "$PCC" "$@" --dump-after precision-warnings
    ! grep -e "warning:" -e "note:" output || fail "'$*' warns: $(grep -e warning: -e note: output)"
}

warns rule-matches-nothing "op:LayerNormalisation matches nothing; did you mean 'LayerNormalization'" \
    vit.onnx --batch 4 --precision bf16 --keep-fp32 op:LayerNormalisation
warns rule-matches-nothing "node:/hed matches nothing; did you mean '/head'" \
    vit.onnx --batch 4 --precision bf16 --lower node:/hed
warns rule-matches-nothing "tensor:head.wieght matches nothing; did you mean 'head.weight'" \
    vit.onnx --batch 4 --precision bf16 --lower tensor:head.wieght
warns policy-without-effect "32-true" vit.onnx --batch 4 --policy torch-cuda
warns update-without-effect "kahan.*bf16-mixed" vit.onnx --batch 4 --precision bf16 --update kahan
warns moments-without-effect "which bf16-mixed has not" vit.onnx --batch 4 --precision bf16 --moments f32
warns moments-without-effect "adamw8bit have 8 bits" \
    vit.onnx --batch 4 --precision bf16-true --optimizer adamw8bit --moments f32
silent vit.onnx --batch 4 --precision bf16 --policy torch-cuda --lower op:Gelu --keep-fp32 'node:/b/*'

# ---- weights and statistics ----
warns update-nearest-too-small "in every one of '.*choose --update stochastic" \
    vit.onnx --batch 4 --precision bf16-true --update nearest
silent vit.onnx --batch 4 --precision bf16-true
warns moments-vanish-in-f16 "without loss scaling 16-true has PyTorch's f16 moments.*--moments f32" \
    vit.onnx --batch 4 --precision 16-true --loss-scale none
warns moments-vanish-in-f16 "choose --moments f32" vit.onnx --batch 4 --precision 16-true --moments weights
silent vit.onnx --batch 4 --precision 16-true --loss-scale none --moments f32
silent vit.onnx --batch 4 --precision 16-true --loss-scale none --optimizer sgd
silent vit.onnx --batch 4 --precision bf16-true --moments f32
warns batchnorm-statistics-16-bit "stay in f32.*running_mean' and 1 more" \
    cnn.onnx --batch 4 --precision bf16 --lower 'tensor:*running_mean'
silent cnn.onnx --batch 4 --precision bf16 --lower op:BatchNormalization

# ---- constants and sums ----

# OP OUTPUT INPUT...: a NodeProto; a Cast is to float16, or float32 as CastBack
node_field() {
    local op=$1 output=$2 text=""
    shift 2
    for name in "$@"; do
        text=$text$(text_field 1 "$name")
    done
    text=$text$(text_field 2 "$output")$(text_field 3 "/$output")$(text_field 4 "${op%Back}")
    case $op in
    Cast) text=$text$(field 5 "$(text_field 1 to)180aa00102") ;;
    CastBack) text=$text$(field 5 "$(text_field 1 to)1801a00102") ;;
    esac
    field 1 "$text"
}

initializer_field() { # NAME HEX: three floats, little-endian
    field 5 "08031001$(text_field 8 "$1")$(field 9 "$2")"
}

model_of() { # FILE BODY [TYPE-OF-X TYPE-OF-Y]: nodes and initializers; x and y are float[3] by default
    local vector=$(field 1 "0801$(field 2 "$(field 1 0803)")")
    local graph=$2$(text_field 2 g)$(field 11 "$(text_field 1 x)$(field 2 "${3:-$vector}")")
    graph=$graph$(field 12 "$(text_field 1 y)$(field 2 "${4:-$vector}")")
    local length=$((${#graph} / 2))
    write_hex "$1" "0808$(printf '3a%02x%02x' $((length % 128 + 128)) $((length / 128)))${graph}42021011"
}

weights=$(initializer_field w 00000040000040c00000003f)
model_of masked.onnx "$(node_field Mul h x w)$(node_field Add y h mask)$weights$(initializer_field mask 00000000286b6ece00000000)"
warns f16-constant-overflow "1 of the 3 elements of constant 'mask', such as -1e+09, become infinite" \
    masked.onnx --loss mse --precision 16-true
warns f16-constant-overflow "node '/y' (Add)" masked.onnx --loss mse --precision 16 --lower op:Add
silent masked.onnx --loss mse --precision 16
silent masked.onnx --loss mse --precision bf16-true
model_of lowest.onnx "$(node_field Mul h x w)$(node_field Add y h mask)$weights$(initializer_field mask 00000000ffff7fff00000000)"
warns bf16-constant-overflow "1 of the 3 elements of constant 'mask', such as -3.40282e+38, become infinite in bf16" \
    lowest.onnx --loss mse --precision bf16-true
silent lowest.onnx --loss mse --precision bf16

model_of tiny.onnx "$(node_field Mul h x w)$(node_field Add y h eps)$weights$(initializer_field eps 77cc2b3277cc2b320000803f)"
warns f16-constant-vanishes "2 of the 3 elements of constant 'eps', such as 1e-08, become 0" \
    tiny.onnx --loss mse --precision 16-true --freeze eps
silent tiny.onnx --loss mse --precision bf16-true --freeze eps

rows=$(field 1 "0801$(field 2 "$(field 1 088004)$(field 1 0803)")") # float[512,3]
total=$(field 1 "0801$(field 2 "$(field 1 0801)$(field 1 0801)")")  # float[1,1]
model_of sum.onnx "$(node_field Mul h x w)$(node_field ReduceSum y h)$weights" "$rows" "$total"
warns sum-of-many-16-bit "node '/y' (ReduceSum): the sum of 1536 elements is stored in bf16" \
    sum.onnx --loss output --precision bf16-true
silent sum.onnx --loss output --precision bf16

model_of cast.onnx "$(node_field Mul h x w)$(node_field Cast l h)$(node_field CastBack y l)$weights"
expect 0 "note: node '/l' (Cast): 2 of the model's Casts .*\[model-casts-ignored\]" \
    "$PCC" cast.onnx --loss mse --precision 16 --dump-after precision-warnings
expect 0 "honour-casts" "$PCC" --explain model-casts-ignored
silent cast.onnx --loss mse --precision 16 --honour-casts
silent cast.onnx --loss mse --honour-casts
model_of follow.onnx "$(node_field Mul h x w)$(node_field Cast l h)$(node_field Relu r l)$(node_field CastBack y r)$weights"
expect 0 '^/r *Relu *f16 .* f16 *policy pcc: Relu follows its input' \
    "$PCC" follow.onnx --loss mse --precision 16 --honour-casts --explain-precision
expect 0 '^/r *Relu *f32 .* f32 *policy pcc: Relu follows its input' \
    "$PCC" follow.onnx --loss mse --precision 16 --explain-precision
silent cast.onnx --loss mse

# ---- one number in two dtypes ----
# a product's result in 16 bits, and widened for the scatter's maximum: the gradient compares one with the other
"$PCC" "$SOURCE/tests/data/scatter_max.onnx" --precision bf16-mixed -o scatter || fail "scatter_max does not build"
expect 0 '"loss":[0-9]' ./scatter --bench 3

# ---- decomposed variances ----
# their squares, of about 1e-8, are zero in f16: the loss would be infinite and every step skipped
spelt="$SOURCE/tests/data/spelt_variance.onnx --trainable w --trainable v --trainable head"
first_loss() { # PRECISION: of 20 steps, of which some are taken
    "$PCC" $spelt --batch 8 --precision "$1" -o spelt >output 2>&1 || fail "spelt_variance does not build: $(cat output)"
    expect 0 "" ./spelt --data synthetic --steps 20 --quiet --seed 3 --log "$1.jsonl"
    grep -q '"skipped":20' "$1.jsonl" && fail "$1 skips every step"
    sed -n '1s/.*"loss":\([^,]*\),.*/\1/p' "$1.jsonl"
}
wanted=$(first_loss 32-true)
for precision in 16-mixed 16-true; do
    got=$(first_loss $precision)
    awk -v got="$got" -v wanted="$wanted" 'BEGIN { exit !(got > 0.99 * wanted && got < 1.01 * wanted) }' ||
        fail "the loss in $precision is $got, in 32-true $wanted"
done
why='a decomposed variance computes in f32, as the norms do'
for line in "squares *Mul *f16,f16" "variance *ReduceMean *f32" "safe *Add *f32,f32" "normal *Div *f16,f32" \
    "square_of_mean *Mul *f32,f32" "inverse *Pow *f32,f32" "normal_u *Mul *f16,f32"; do
    explained "^$line *f32 *f32 *$why" $spelt --precision 16-true
done
explained "^centred *Sub .* f16 *policy pcc" $spelt --precision 16-true
explained "^squares *Mul .* f16 *--lower op:Mul" $spelt --precision 16-true --lower op:Mul
explained "^squares *Mul .* f16 *policy apex-O3" $spelt --precision 16-true --policy apex-O3
