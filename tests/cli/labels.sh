#!/bin/bash
# --labels says which of several integer inputs holds the labels of a language model.
. "$(dirname "$0")/support.sh"

floats() { # COUNT: in hexadecimal, no two alike, and no progression
    local i
    for ((i = 1; i <= $1; i++)); do printf '0000%02x3f' $((i * 37 % 127)); done
}

# Scores of 6 words for 2 sequences of 3, from embeddings of the words and of their segments.
model="$(node embed Gather 'words ids' a)$(node kind Gather 'kinds segments' b)$(node sum Add 'a b' c)"
model="$model$(node turn MatMul 'c head' d)$(node heat Mul 'd temperature' logits)"
model="$model$(tensor words 01 '6 4' "$(floats 24)")$(tensor kinds 01 '6 4' "$(floats 24)")"
model="$model$(tensor head 01 '4 6' "$(floats 24)")"
write_graph lm.onnx "$model$(graph_input ids 07 '2 3')$(graph_input segments 07 '2 3')$(
    graph_input temperature 01 1)$(graph_output logits 01 '2 3 6')"

labels() { # NAME: the loss reads this input, shifted, and no target
    expect 0 "" "$PCC" lm.onnx --loss causal-lm --labels "$1" --dump-after loss
    local id
    id=$(sed -n "s/^input \(%[0-9]*\) \"$1\".*/\1/p" output)
    grep -q "CrossEntropy(%[0-9]*, $id) .*shift=3" output || fail "the loss does not read $1: $(grep CrossEntropy output)"
    grep -q '^target' output && fail "there is a target beside the labels"
    expect 0 "^ok" "$PCC" verify lm.onnx --loss causal-lm --labels "$1" --precision 64
}

labels ids
labels segments
refused() { # PATTERN OPTIONS...
    local pattern=$1
    shift
    expect 2 "$pattern" "$PCC" lm.onnx --loss causal-lm "$@" -o train.c
    one_line
    [ ! -e train.c ] || fail "a refused compile left train.c"
}
refused "needs --labels INPUT: the graph has no input, or several, of integers"
refused "--labels 'idz' is not an input of the graph" --labels idz
refused "--labels 'temperature' is f32\[1\], but labels are i64 or i32" --labels temperature
