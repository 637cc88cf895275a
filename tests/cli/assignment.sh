#!/bin/bash
# The dtypes of every node of the test models in the 16-bit modes are those of the lists in tests/data/precision.
. "$(dirname "$0")/support.sh"
models=$SOURCE/tests/data/models
lists=$SOURCE/tests/data/precision

# A line a node: name, operator, inputs, what it computes in, output.
decided() { # MODEL PRECISION OPTIONS...
    local model=$1 precision=$2
    shift 2
    expect 0 '"nodes"' "$PCC" "$models/$model/model.onnx" --precision "$precision" "$@" --explain-precision=json -o train.c
    sed -n '/^{"node":/{
        s/^{"node":"\(.*\)","op":"\([^"]*\)","in":\[\([^]]*\)\],"compute":"\([^"]*\)","out":"\([^"]*\)",.*/\1 \2 \3 \4 \5/
        s/"//g
        p
    }' output
}

wanted() { # LIST LOW: comments go, `low` gets its name
    awk -v low="$2" '{ sub(/(^| )#.*/, "") }
        NF { for (i = 3; i <= 5; i++) gsub(/low/, low, $i); print $1, $2, $3, $4, $5 }' "$1" ||
        fail "there is no list $1"
}

count=0 failed=
for file in "$models"/*/model.onnx; do
    model=$(basename "$(dirname "$file")")
    case $model in
    mlp | vit_dynamo) options="--batch 4" ;; # what their shapes and references take
    vit_loss) options="--loss output" ;;
    gpt2) options="--loss causal-lm" ;;
    *) options= ;;
    esac
    for precision in 16-mixed bf16-mixed 16-true bf16-true; do
        low=bf16 list=$lists/$model.${precision#*-}.want
        [ "${precision%-*}" = 16 ] && low=f16
        wanted "$list" "$low" >want
        decided "$model" "$precision" $options >got
        [ -s want ] || fail "$list wants nothing"
        diff -U 0 --label "$list" --label "$model under $precision" want got || failed="$failed $model/$precision"
        count=$((count + 1))
    done
done
[ -z "$failed" ] || fail "other dtypes than the lists':$failed"
[ $count = 44 ] || fail "$count comparisons, not 44"
