#!/bin/bash
# CUDA programs: what is written, what is refused, and one that is built by nvcc where there is one.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
cp m.onnx kept.onnx

expect 0 "" "$PCC" m.onnx --batch 4 -o train.cu
grep -q "^static __global__ void\|__device__ void operator()" train.cu || fail "train.cu has no device code"
grep -q "nvcc .*train.cu" train.cu || fail "train.cu does not say how it is built"
cp train.safetensors of_cuda.safetensors
expect 0 "" "$PCC" m.onnx --batch 4 -o train.c
same_bytes train.safetensors of_cuda.safetensors
expect 0 "" "$PCC" m.onnx --batch 4 --emit cuda -o named.txt
expect 0 "" "$PCC" m.onnx --batch 4 --target cuda -o again.cu
diff <(grep -v "^ \*\|train\|again" train.cu) <(grep -v "^ \*\|train\|again" again.cu) >/dev/null || fail "--target cuda changes the file"

expect 2 "\-\-target c, but train.cu is of target cuda" "$PCC" m.onnx --batch 4 --target c -o train.cu
expect 2 "\-\-gpu-arch is for CUDA programs" "$PCC" m.onnx --batch 4 --gpu-arch sm_90 -o train.c
expect 2 "gpu-arch" "$PCC" m.onnx --batch 4 --gpu-arch 90 -o train.cu
expect 3 "check-numerics is not supported for --target cuda" "$PCC" m.onnx --batch 4 --check-numerics -o never.cu
expect 4 "install the CUDA toolkit, or set NVCC" env NVCC=/nowhere/nvcc "$PCC" m.onnx --batch 4 --target cuda -o never
[ ! -e never.cu ] && [ ! -e never ] || fail "a file was left"

nvcc=$(command -v nvcc) || { echo "no nvcc: its build is skipped"; exit 0; }
export NVCCFLAGS="-O1 -Werror all-warnings"
expect 0 "" "$PCC" m.onnx --batch 4 --precision bf16-mixed --target cuda --gpu-arch sm_90 -o train
expect 4 "no CUDA device" env CUDA_VISIBLE_DEVICES= ./train --bench 1
