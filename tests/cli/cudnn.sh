#!/bin/bash
# --libraries cudnn and all: plans are made where pcc runs, without a GPU, and are a part of the program; under the
# emulator it trains as with own kernels. What cannot be planned for is refused, and says why.
. "$(dirname "$0")/support.sh"
models=$SOURCE/tests/data/models

expect 3 "for several architectures (--gpu-arch sm_80,sm_90): cuDNN's plans hold for one GPU" \
    "$PCC" "$models/cnn_bn/model.onnx" --libraries cudnn --gpu-arch sm_80,sm_90 -o never.cu
[ -n "${CUDNN_PATH-}" ] || {
    expect 3 "built without cuDNN's headers" "$PCC" "$models/cnn_bn/model.onnx" --libraries cudnn -o never.cu
    echo "skipped: pcc was built without cuDNN's headers"
    exit 77
}
expect 4 "no libcudnn.so.9 in '/nowhere/lib' (\$CUDNN_PATH); install cuDNN 9.8" \
    env CUDNN_PATH=/nowhere "$PCC" "$models/cnn_bn/model.onnx" --libraries cudnn -o never.cu
expect 3 "knows no GPU of it" "$PCC" "$models/cnn_bn/model.onnx" --libraries cudnn --gpu-arch sm_87 -o never.cu
only_files output

"$PCC" "$models/cnn_bn/model.onnx" --libraries cudnn -o plan.cu >output 2>&1
[ $? = 4 ] && grep -q "no libcudnn.so.9 in\|cannot plan for" output && { echo "skipped: $(cat output)"; exit 77; }

plan() { # NAME OPTIONS...: a program of resnet_ts
    local name=$1
    shift
    expect 0 "" "$PCC" "$models/resnet_ts/model.onnx" "$@" -o "$name.cu"
}
calls() { # NAME: how many of the library's
    grep -c "^    pcc_cudnn_conv" "$1.cu"
}

# The header and the build line say so; calls, plans and their includes are there, and none without the option.
plan planned --precision bf16-true --libraries cudnn --gpu h200
grep -q "libraries   cuDNN 9\.[0-9.]* for [1-9][0-9]* of 35 convolutions on h200" planned.cu || fail "the header is silent"
grep -q " -l:libcudnn.so.9 -o train$" planned.cu || fail "the build line has no cuDNN"
grep -q "cublas" planned.cu && fail "--libraries cudnn lets cuBLASLt in"
for kernel in conv conv_grad_input conv_grad_weight; do
    grep -q "pcc_cudnn_$kernel<" planned.cu || fail "no pcc_cudnn_$kernel"
done
[ "$(calls planned)" -ge 10 ] || fail "$(calls planned) calls only"
plan own --precision bf16-true --libraries none --gpu h200
grep -qi cudnn own.cu && fail "--libraries none mentions cuDNN"

# A convolution with something behind it is an own kernel's; without, the library's. The last one stores channels first.
write_convolutions() { # FILE BETWEEN: two convolutions, with an operator between them
    local weights between=c
    weights=$(printf '0000803e%.0s' {1..16})
    [ -z "$2" ] || between=b
    write_graph "$1" "$(node first Conv 'x w' c)${2:+$(node between "$2" c b)}$(node second Conv "$between w" y)$(
        tensor w 01 '4 4 1 1' "$weights")$(graph_input x 01 '2 4 4 4')$(graph_output y 01 '2 4 4 4')"
}
for between in "" Relu; do
    write_convolutions two.onnx "$between"
    expect 0 "" "$PCC" two.onnx --loss mse --precision 32-true --libraries cudnn --gpu h200 -o two.cu
    [ "$(grep -c "pcc_cudnn_conv<" two.cu)" = "$([ -z "$between" ] && echo 1 || echo 0)" ] ||
        fail "with ${between:-nothing} between: $(grep -c "pcc_cudnn_conv<" two.cu) calls"
done

# Filters' gradients in f32 of operands in 16 bits have no plan; those in f64 neither.
plan mixed --precision bf16-mixed --libraries cudnn --gpu h200
grep -q "pcc_cudnn_conv<" mixed.cu || fail "mixed precision has no plans"
grep -q "pcc_cudnn_conv_grad_weight<" mixed.cu && fail "a gradient in f32 is planned"
plan double --precision 64-true --libraries cudnn --gpu h200
grep -q "libraries   cuDNN .* for 0 of 35 convolutions" double.cu || fail "64-true: the header does not say that none is"
grep -q "conv_cudnn\|libcudnn" double.cu && fail "64-true includes what it does not need"

# Both, for another GPU; the plans are its own. The same command gives the same file.
expect 0 "" "$PCC" zoo mlp image=16 hidden=512,512 -o large.onnx
expect 0 "" "$PCC" large.onnx --batch 512 --precision bf16-mixed --libraries all -o large.cu
grep -q "libraries   cuBLASLt for 1 of 8 products$" large.cu || fail "all: cuBLASLt is left out"
plan a100 --precision bf16-true --libraries all --gpu a100
grep -q '"smVersion":800' a100.cu || fail "the plans are not for an A100"
grep -q '"smVersion":900' a100.cu && fail "there are plans for other GPUs"
cp a100.cu first.cu
plan a100 --precision bf16-true --libraries all --gpu a100
same_bytes first.cu a100.cu

# Workspaces are a part of the memory plan: here one is larger than what own kernels want.
expect 0 "" "$PCC" zoo resnet18 image=32 width=16 -o small.onnx
largest() {
    "$PCC" small.onnx --batch 16 --precision bf16-true --libraries "$1" --target cuda --gpu h200 --print memory |
        sed -n 's/.*the largest workspace \([0-9]*\),.*/\1/p'
}
expect 0 "" "$PCC" small.onnx --batch 16 --precision bf16-true --libraries cudnn --gpu h200 -o small.cu
workspace=$(sed -n 's/^     \([0-9]*\),$/\1/p' small.cu | sort -n | tail -1)
[ "$workspace" -gt "$(largest none)" ] || fail "plans take $workspace bytes, which own kernels want anyway"
[ "$(largest cudnn)" = "$workspace" ] || fail "plans take $workspace bytes, and the memory plan has $(largest cudnn)"

# --tf32 chooses other plans, and the report tells of it.
plan f32 --precision 32-true --libraries cudnn --gpu h200
expect 0 "operands of cuDNN's convolutions are rounded to TF32" "$PCC" "$models/resnet_ts/model.onnx" --tf32 \
    --libraries cudnn --target cuda --explain-precision
plan tf32 --precision 32-true --libraries cudnn --gpu h200 --tf32
diff <(grep -o '"engineId":[0-9]*' f32.cu) <(grep -o '"engineId":[0-9]*' tf32.cu) >/dev/null && fail "--tf32 changes no plan"

# Under the emulator, which is an H200.
toolkit=${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}
[ -f "$toolkit/include/cuda_runtime.h" ] || { echo "no $toolkit/include/cuda_runtime.h: nothing is run"; exit 0; }
[ "$(uname -m)" = x86_64 ] || { echo "the emulator is for x86-64: nothing is run"; exit 0; }
build=$(dirname "$PCC")
emulate() {
    expect 0 '' "$SOURCE/scripts/emulate" --runtime "$build" "$1.cu" -o "$1"
}
train() { # PROGRAM: its losses, a line each
    "./$1" --quiet --data synthetic --steps 3 --log "$1.jsonl" >/dev/null 2>"$1.errors" ||
        fail "$1 does not train: $(cat "$1.errors")"
    grep -o '"loss": *[^,}]*' "$1.jsonl" | sed 's/.*: *//'
}
small() { # NAME OPTIONS...
    local name=$1
    shift
    expect 0 "" "$PCC" "$models/cnn_bn/model.onnx" --precision 32-true --gpu h200 "$@" -o "$name.cu"
    emulate "$name"
}
small with --libraries cudnn
small without --libraries none
train without >losses
train with >losses_of_library
[ -s with.errors ] && fail "with cuDNN: $(cat with.errors)"
paste losses losses_of_library | awk '{ if (($1 - $2) ^ 2 > (1e-5 * $1) ^ 2) exit 1 }' ||
    fail "the losses differ: $(paste losses losses_of_library)"
cmp -s losses losses_of_library && fail "the library is not called"

# Plans that the GPU refuses: own kernels, with their own bits, and a note.
PCC_EMULATOR_CUDNN=refuse train with >losses_of_library
same_bytes losses losses_of_library
grep -q "note: cuDNN's plans are of version 9[0-9]* for a GPU as h200, but it refuses one with .*ARCH_MISMATCH: own" \
    with.errors || fail "no note: $(cat with.errors)"
[ "$(grep -c note: with.errors)" = 1 ] || fail "more than one note: $(cat with.errors)"

nvcc=$(command -v "${NVCC:-nvcc}") || { echo "no nvcc: its build is skipped"; exit 0; }
export NVCCFLAGS="-O1 -Werror all-warnings"
expect 0 "" "$PCC" "$models/cnn_bn/model.onnx" --precision bf16-true --libraries cudnn --target cuda --gpu h200 -o built
readelf -d built | grep -q "NEEDED.*libcudnn" || fail "cuDNN is not linked"
