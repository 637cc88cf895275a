#!/bin/bash
# Weights that are stored as integers: they train on their grids where --trainable names them, and go back as integers.
. "$(dirname "$0")/support.sh"
static=$SOURCE/tests/data/quantised_static.onnx # as quantize_static writes it: int8 weights, int32 biases
grids=$SOURCE/tests/data/quantised_grids.onnx   # other types, blocks, a Constant
torch=$SOURCE/tests/data/quantised_torch.onnx   # as PyTorch's TorchScript exporter writes it, all in Constants
packed=$SOURCE/tests/data/quantised_packed.onnx # blocks of 2, 4 and 8 bits, for MatMulNBits
moved=$SOURCE/tests/data/quantised_moved.onnx   # looked up, transposed and reshaped as integers

# A model of nothing else says what would train, and one with floats, too, that the integers do not.
expect 1 "--trainable 'conv1.bias_quantized' (6: 'conv1.bias_quantized', 'conv1.weight_quantized'" \
    "$PCC" "$static" --batch 4 -o train.c
expect 0 '^fixed .* i8.4,1,3,3. *conv1.weight_quantized: a quantised tensor' "$PCC" "$static" --batch 4 --print trainable
expect 2 "matches no initializer; did you mean 'fc.weight_quantized'" \
    "$PCC" "$static" --batch 4 --trainable fc.weight_quantised -o train.c
expect 0 '^6 of 26 initializers train: 537 of' "$PCC" "$static" --batch 4 --trainable '*_quantized' --print trainable
expect 0 '' "$PCC" "$static" --batch 4 --trainable '*' -o all.c
[ ! -s output ] || fail "scales are spoken of: $(cat output)"
expect 0 '' "$PCC" "$static" --batch 4 --trainable '*weight_quantized' --freeze 'conv1*' --print trainable
grep -q '^2 of ' output || fail "--freeze does not hold quantised weights: $(tail -1 output)"

three=$(tensor b 01 3 00000040000040c00000003f)$(graph_input x 01 '4 3')$(graph_output y 01 '4 3')
write_graph mixed.onnx "$(node d DequantizeLinear 'q s' w)$(node a Add 'x w' h)$(node c Add 'h b' y)$(
    tensor q 03 3 ff007f)$(tensor s 01 '' 0000003f)$three"
expect 0 "note: 1 quantised tensor ('q') stays as integers; --trainable GLOB" "$PCC" mixed.onnx --loss mse -o train.c
expect 0 '' "$PCC" mixed.onnx --loss mse --trainable b -o train.c
[ ! -s output ] || fail "the user has chosen, and is told: $(cat output)"
expect 0 '' "$PCC" mixed.onnx --loss mse --trainable '?' -o train.c
write_graph bad.onnx "$(node d DequantizeLinear 'q s' w)$(node a Add 'x w' y)$(tensor q 03 3 ff007f)$(
    tensor s 01 '' 0000807f)$three"
expect 1 "error: node 'd' (DequantizeLinear): scale 0 of 'q', which --trainable names, is inf:" \
    "$PCC" bad.onnx --loss mse --trainable '*' -o train.c

expect 1 "no float of the model is trainable, but quantised tensors are" "$PCC" "$torch" -o train.c
expect 0 '^fixed .* i8.5,144. */fc/Constant.*: a quantised tensor' "$PCC" "$torch" --print trainable
expect 0 '^ok: .* agree' "$PCC" verify "$torch" --trainable '*' --precision 64-true

# The gradients are the reference evaluator's, in double, in a mode of each kind.
for precision in 64-true 32-true bf16-mixed 16-true; do
    expect 0 '^ok: .* agree' "$PCC" verify "$static" --batch 4 --trainable '*_quantized' --precision $precision
    "$PCC" "$static" --batch 4 --trainable '*_quantized' --precision $precision -o train.cu >output 2>&1 ||
        fail "no CUDA program in $precision: $(head -c 600 output)"
done

expect 0 '^ok: .* agree' "$PCC" verify "$grids" --loss mse --trainable '*' --precision 64-true

expect 0 '^fixed .* i8.11,6. *table: a quantised tensor' "$PCC" "$moved" --batch 4 --print trainable
for precision in 64-true bf16-mixed; do
    expect 0 '^ok: .* agree' "$PCC" verify "$moved" --batch 4 --loss mse --trainable '*' --precision $precision
    expect 0 '^ok: .* agree' "$PCC" verify "$packed" --batch 4 --loss mse --trainable '*' --precision $precision
done
expect 0 '^fixed .* u8.6,3,8. *four: a quantised tensor' "$PCC" "$packed" --batch 4 --print trainable
expect 0 '^ok: .* agree' "$PCC" verify "$packed" --batch 4 --loss mse

# What did not change is the file's to the byte: each float is rounded to the integer that it was.
for model in static grids torch moved packed; do
    options="--batch 4"
    [ $model = grids ] && options="--loss mse"
    case $model in moved | packed) options="--batch 4 --loss mse" ;; esac
    expect 0 '' "$PCC" "${!model}" $options --trainable '*' -o $model
    expect 0 '' ./$model --data synthetic --steps 2 --quiet --lr 0 --weight-decay 0 --export same.onnx
    same_bytes same.onnx "${!model}"

    # Training lowers the loss of the samples that it sees.
    expect 0 '' ./$model --data synthetic --epochs 40 --lr 3e-3 --quiet --log log.jsonl --save trained.safetensors \
        --export trained.onnx
    trained_loss=$(grep -o '"val_loss":[^,]*' output | tail -1)
    awk -F'"loss":' '/"step"/ { split($2, loss, ","); sum[++n] = loss[1] }
        END { for (i = 1; i <= n / 40; i++) { first += sum[i]; last += sum[n + 1 - i] }; exit !(last < 0.9 * first) }' \
        log.jsonl || fail "$model does not train: $(sed -n '1p;$p' log.jsonl)"
    cmp -s trained.onnx same.onnx && fail "training changed nothing of $model"

    # The exported model starts where the rounded weights are, and is exported as it is.
    expect 0 '' "$PCC" trained.onnx $options --trainable '*' -o again
    expect 0 '' ./again --data synthetic --steps 1 --quiet --lr 0 --weight-decay 0 --export again.onnx
    same_bytes again.onnx trained.onnx
    # A forward pass rounds, so the floats that were trained and the integers of the export compute the same.
    expect 0 "$trained_loss," ./again --data synthetic --eval
done
