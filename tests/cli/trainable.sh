#!/bin/bash
# What trains by default: weights in Constant and ConstantOfShape nodes, exported back in place; what the exporter folded and says so; what
# --trainable names in vain.
. "$(dirname "$0")/support.sh"
DATA="$SOURCE/tests/data"

# verdict MODEL NAME trains|fixed REASON: of `--print trainable` in `verdicts`
verdict()
{
    grep -q "^$2 .* $1: .*$3" verdicts || fail "$1 is not '$2 ... $3': $(grep " $1:" verdicts)"
}

"$PCC" "$DATA/constant_weights.onnx" --loss mse --print trainable >verdicts || fail "--print trainable failed"
for tensor in fc_0.w_0 fc_0.b_0 choose/branch_w out.w; do verdict $tensor trains "named float"; done
verdict out.b trains "read as a weight"
grep -q "three\|sixth\|six:" verdicts && fail "a scalar of the hard-swish is judged a weight"
grep -q "^5 of 5 initializers train: 49 of 49 elements" verdicts || fail "$(tail -1 verdicts)"

"$PCC" "$DATA/constant_weights.onnx" --loss mse -o train || fail "pcc failed"
expect 0 "" ./train --data synthetic --steps 2 --quiet --lr 0 --weight-decay 0 --export same.onnx
expect 0 "" ./train --data synthetic --steps 2 --quiet --save trained.safetensors --export trained.onnx
cmp -s trained.onnx same.onnx && fail "training changed nothing"
"$PCC" trained.onnx --loss mse --print trainable >again || fail "the exported model is not read"
cmp -s verdicts again || fail "the exported model is judged anew: $(diff verdicts again)"
# Every Constant has its new contents: training by no steps from the exported model gives what was saved.
"$PCC" trained.onnx --loss mse -o further || fail "pcc failed on the exported model"
expect 0 "" ./further --data synthetic --steps 1 --quiet --lr 0 --weight-decay 0 --export further.onnx
same_bytes further.onnx trained.onnx
expect 0 "" "$PCC" "$DATA/constant_weights.onnx" --loss mse --trainable 'choose/*' -o branch.c
grep -q "branch_w" branch.c || fail "--trainable does not reach a Constant of a branch"

# A weight that is one value throughout, read directly or through Reshape, becomes a Constant node of the same name; what
# no weight's place reads, and what has the shape of a tensor that is computed, stays a ConstantOfShape.
"$PCC" "$DATA/filled_weights.onnx" --loss mse --print trainable >verdicts || fail "--print trainable failed"
for tensor in fc_w mix_w out_w out_b; do verdict $tensor trains "named float"; done
grep -q "^4 of .* train: 55 of" verdicts || fail "$(tail -1 verdicts)"
"$PCC" "$DATA/filled_weights.onnx" --loss mse -o filled || fail "pcc failed"
expect 0 "" ./filled --data synthetic --steps 2 --quiet --export filled.onnx
"$PCC" filled.onnx --loss mse --print trainable >again || fail "the exported model is not read"
grep -q "^4 of .* train: 55 of" again || fail "the exported model has other weights: $(tail -1 again)"
[ "$(grep -ac ConstantOfShape filled.onnx)" -gt 0 ] || fail "what does not train has been rewritten"
"$PCC" filled.onnx --loss mse -o further || fail "pcc failed on the exported model"
expect 0 "" ./further --data synthetic --steps 1 --quiet --lr 0 --weight-decay 0 --export further.onnx
same_bytes further.onnx filled.onnx

"$PCC" "$DATA/folded.onnx" --loss mse --output y --print trainable >verdicts 2>warnings || fail "--print trainable failed"
verdict val_7 trains "folded the parameter 'w.weight'"
verdict expand trains "folded the parameter 'cls'"
verdict fused_weight trains "read as a weight\|a parameter folded"
verdict w.bias trains "declares it a parameter"
verdict ones_like fixed "folded it from no parameter"
verdict exp fixed "folded it from no parameter"
verdict add_9 fixed "folded it from no parameter"
verdict scale fixed "does not declare"
verdict table fixed "buffer"
grep -q "'expand': the first axis is the batch.*parameter-per-sample" warnings || fail "no warning of rows of the batch"


"$PCC" "$DATA/merged_statistics.onnx" --loss mse --print trainable >verdicts || fail "--print trainable failed"
for tensor in bn.scale bn.bias w; do verdict $tensor trains "named float"; done
expect 0 "" "$PCC" "$DATA/merged_statistics.onnx" --loss mse -o merged.c

# A weight behind ArgMax, and a running statistic: --trainable cannot make them learn.
expect 0 "--trainable names 'choice.weight', which no gradient.*\[-Wtrainable-without-gradient\]" \
    "$PCC" "$DATA/folded.onnx" --loss mse --output y --trainable 'choice.weight' --trainable 'w.*' -o dead.c
grep -q "'w.bias'" output && fail "a parameter with a gradient is said to have none"
CNN=$DATA/models/cnn_bn/model.onnx
statistic=$("$PCC" "$CNN" --loss cross-entropy --print trainable | sed -n 's/^fixed.* \([^ ]*running_mean\): .*/\1/p' | head -1)
expect 0 "--trainable names '$statistic'.*\[-Wtrainable-statistic\]" \
    "$PCC" "$CNN" --loss cross-entropy --trainable "$statistic" --trainable '*weight' -o statistic.c
expect 0 "" "$PCC" "$CNN" --loss cross-entropy --trainable '*' -o all.c
grep -q "trainable-statistic" output && fail "a wildcard warns of statistics"
for code in trainable-without-gradient trainable-statistic parameter-per-sample; do
    expect 0 "." "$PCC" --explain $code
done
