#!/bin/bash
# Models, data sets and checkpoints that are wrong: the exit status, a message that says what is wrong, and no output.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx

# ---- models ----

# Every prefix of a model is a truncated one.
bytes=$(wc -c <m.onnx)
for ((size = 0; size < bytes; size += bytes / 40 + 1)); do
    head -c $size m.onnx >cut.onnx
    expect 1 "cut.onnx: error: " "$PCC" cut.onnx --batch 4 -o train.c
    only_files m.onnx cut.onnx output
done

# A flipped byte is refused, or is the bits of a weight: never a crash, and never half an output.
for ((position = 0; position < 400; position += 3)); do
    cp m.onnx flipped.onnx
    printf '\377' | dd of=flipped.onnx bs=1 seek=$position conv=notrunc status=none
    "$PCC" flipped.onnx --batch 4 -o train.c >output 2>&1
    status=$?
    case $status in
    0) rm -f train.c train.safetensors ;;
    1 | 2 | 3) grep -q "error: " output || fail "byte $position: status $status without a message" ;;
    *) fail "byte $position: status $status: $(cat output)" ;;
    esac
    only_files m.onnx cut.onnx flipped.onnx output
done

# A weight of fewer bytes than its dims need, an input of more than there can be, operands that do not go together.
write_model odd.onnx Mul
hex=$(od -An -v -t x1 odd.onnx | tr -d ' \n')
write_hex small.onnx "${hex/08031001/08041001}"
expect 1 "tensor 'w' has 12 bytes of data, but its type f32\[4\] needs 16" "$PCC" small.onnx --loss mse -o train.c
expect 1 "'node_of_the_test' (Mul): operand 1 of Mul, f32\[3\], does not broadcast to f32\[5\]" "$PCC" odd.onnx --shape x=5 --loss mse -o train.c

write_model odd.onnx Frobnicate
expect 3 "node_of_the_test.*Frobnicate" "$PCC" odd.onnx --loss mse -o train.c
expect 1 "unbound dimension 'batch'" "$PCC" m.onnx -o train.c
for size in 0 -1 99999999999999999999 4x; do
    expect 2 "--batch needs an integer" "$PCC" m.onnx --batch $size -o train.c
done
expect 1 "input 'image' is too large" "$PCC" m.onnx --batch 4611686018427387904 -o train.c
only_files m.onnx cut.onnx flipped.onnx odd.onnx small.onnx output

# ---- data sets: 10 images of 28 by 28 ----

expect 0 "" "$PCC" m.onnx --batch 4 -o train
rm -f cut.onnx flipped.onnx odd.onnx small.onnx
mkdir d

images() { # COUNT-IN-HEADER BYTES
    printf "\\0\\0\\010\\003\\0\\0\\0\\$(printf %o "$1")\\0\\0\\0\\034\\0\\0\\0\\034" >d/train-images-idx3-ubyte
    head -c "$2" /dev/zero >>d/train-images-idx3-ubyte
}

labels() { # COUNT-IN-HEADER LABEL...
    printf "\\0\\0\\010\\001\\0\\0\\0\\$(printf %o "$1")" >d/train-labels-idx1-ubyte
    shift
    for label in "$@"; do
        printf "\\$(printf %o "$label")" >>d/train-labels-idx1-ubyte
    done
}

images 10 7840
labels 10 0 1 2 3 4 5 6 7 8 9
expect 0 "val_accuracy" ./train --data idx:d --steps 2
labels 10 0 1 2 3 4 5 6 7 8 63
expect 1 "train-labels-idx1-ubyte: sample 9: 63 is out of range; the model has classes 0 to 9" ./train --data idx:d --steps 2
labels 9 0 1 2 3 4 5 6 7 8
expect 1 "has 9 samples where the other columns have 10" ./train --data idx:d --steps 2
labels 10 0 1 2 3 4 5 6 7 8
expect 1 "train-labels-idx1-ubyte is truncated" ./train --data idx:d --steps 2
: >d/train-labels-idx1-ubyte
expect 1 "train-labels-idx1-ubyte is not an idx file" ./train --data idx:d --steps 2
labels 10 0 1 2 3 4 5 6 7 8 9
images 10 7839
expect 1 "train-images-idx3-ubyte is truncated" ./train --data idx:d --steps 2
images 0 0
labels 0
expect 1 "idx:d has no samples" ./train --data idx:d --steps 2
rm d/*
expect 4 "d has no train-images-idx3-ubyte" ./train --data idx:d --steps 2
expect 4 "no-such-folder has no train-images-idx3-ubyte" ./train --data idx:no-such-folder --steps 2
expect 2 "data nonsense:d: expected one of idx:DIR" ./train --data nonsense:d --steps 2
rmdir d

# ---- checkpoints ----

expect 0 "" ./train --data synthetic --steps 2 --checkpoint ck --every 1 --seed 1
"$PCC" zoo mlp hidden=16 seed=1 -o other.onnx >/dev/null
expect 0 "" "$PCC" other.onnx --batch 4 -o other
expect 1 "is of another program: its fingerprint" ./other --data synthetic --steps 4 --checkpoint ck --resume
for file in ck/step-*; do
    printf '\125' | dd of="$file" bs=1 seek=9000 conv=notrunc status=none
done
expect 1 "is damaged: its checksum is" ./train --data synthetic --steps 4 --checkpoint ck --resume
(
    trap '' XFSZ
    ulimit -f 1
    ./train --data synthetic --steps 2 --save full.safetensors >output 2>&1
)
[ $? = 4 ] || fail "a full disk: $(cat output)"
[ ! -e full.safetensors ] || fail "a full disk leaves a partial file"
