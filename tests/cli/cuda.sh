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
expect 3 "\-\-audit is not supported for --target cuda" "$PCC" m.onnx --batch 4 --audit -o never.cu
expect 4 "install the CUDA toolkit, or set NVCC" env NVCC=/nowhere/nvcc "$PCC" m.onnx --batch 4 --target cuda -o never
[ ! -e never.cu ] && [ ! -e never ] || fail "a file was left"

# Libraries: a large plain product is cuBLASLt's, and the file says so; small programs do not mention it.
expect 0 "" "$PCC" zoo mlp image=16 hidden=512,512 -o large.onnx
for precision in 64-true 32-true bf16-mixed 16-true; do
    expect 0 "" "$PCC" large.onnx --batch 512 --precision $precision -o large.cu
    grep -q "libraries   cuBLASLt for 1 of 8 products$" large.cu || fail "$precision: not one product is the library's"
    grep -q "nvcc .* -lcublasLt" large.cu || fail "the build line has no -lcublasLt"
    grep -q "TF32\|DETERMINISTIC" large.cu && fail "what nobody asked for"
done
expect 0 "" "$PCC" large.onnx --batch 512 --precision bf16-mixed --gpu-arch sm_80 -o large.cu
grep -q cublas large.cu && fail "sm_80 multiplies 512 x 512 x 512 of 16 bits by its own kernels"
for model in "m.onnx --batch 4" "large.onnx --batch 512 --libraries none"; do
    expect 0 "" "$PCC" $model -o own.cu
    grep -qi cublas own.cu && fail "$model: cuBLASLt is mentioned"
done
expect 0 "" "$PCC" large.onnx --batch 512 --tf32 --deterministic -o large.cu
grep -q "cuBLASLt for 1 of 8 products, 1 of them in TF32" large.cu || fail "the header does not tell of TF32"
grep -q "^#define PCC_CUBLAS_TF32 1" large.cu && grep -q "^#define PCC_CUBLAS_DETERMINISTIC 1" large.cu || fail "no rules"
expect 0 "rounded to TF32" "$PCC" large.onnx --batch 512 --tf32 --target cuda --explain-precision
expect 3 "\-\-tf32 is not supported with --libraries none" "$PCC" m.onnx --batch 4 --libraries none --tf32 -o never.cu
expect 2 "\-\-libraries is for CUDA programs" "$PCC" m.onnx --batch 4 --libraries none -o never.c
expect 2 "\-\-tf32 is for CUDA programs" "$PCC" m.onnx --batch 4 --tf32 -o never.c
expect 0 "" "$PCC" m.onnx --batch 4 --deterministic -o train.c

nvcc=$(command -v nvcc) || { echo "no nvcc: its build is skipped"; exit 0; }
export NVCCFLAGS="-O1 -Werror all-warnings"
expect 0 "" "$PCC" large.onnx --batch 512 --precision bf16-true --check-numerics --target cuda --gpu-arch sm_90 -o train
expect 4 "no CUDA device" env CUDA_VISIBLE_DEVICES= ./train --bench 1
readelf -d train | grep -q "NEEDED.*libcublasLt" || fail "cuBLASLt is not linked"
