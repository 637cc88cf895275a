#!/bin/bash
# scripts/emulate: a CUDA program built for the CPU trains as the C program does, in any order of its threads; options
# that are wrong are refused.
. "$(dirname "$0")/support.sh"
toolkit=${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}
[ -f "$toolkit/include/cuda_runtime.h" ] || { echo "skipped: no $toolkit/include/cuda_runtime.h"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: the emulator is for x86-64"; exit 77; }
command -v "${CXX:-g++}" >/dev/null || { echo "skipped: no ${CXX:-g++}"; exit 77; }
build=$(dirname "$PCC")
emulate=$SOURCE/scripts/emulate

expect 2 'emulate \[--runtime BUILD\]' "$emulate" train.cu
expect 1 'there is no file train.cu' "$emulate" train.cu -o train
: >empty.cu
expect 1 "is address or thread, not 'memory'" "$emulate" --sanitize memory --runtime "$build" empty.cu -o train
expect 1 "not 'sideways'" "$emulate" --order sideways --runtime "$build" empty.cu -o train

make_mlp m.onnx
"$PCC" m.onnx --batch 4 -o in_c.c || fail "pcc does not write C"
"$PCC" m.onnx --batch 4 -o in_cuda.cu || fail "pcc does not write CUDA"
"$CC" $CFLAGS -fopenmp -I"$build/include" in_c.c "$build/runtime/libpcc-runtime.a" -lz -lm -o in_c ||
    fail "the C program does not compile"
expect 0 '' "$emulate" --runtime "$build" --order reverse in_cuda.cu -o in_cuda

train() { # PROGRAM [STEPS]: its losses, a line each
    "./$1" --quiet --data synthetic --steps "${2:-3}" --log "$1.jsonl" >/dev/null 2>"$1.errors" ||
        fail "$1 does not train: $(cat "$1.errors")"
    grep -o '"loss": *[^,}]*' "$1.jsonl" | sed 's/.*: *//'
}

train in_c >losses_of_c
train in_cuda >losses
[ "$(wc -l <losses)" -ge 3 ] || fail "the log has fewer than three losses: $(cat in_cuda.jsonl)"
paste losses_of_c losses | awk '{ if (($1 - $2) ^ 2 > (1e-5 * $1) ^ 2) exit 1 }' ||
    fail "the losses differ: $(paste losses_of_c losses)"
for order in forward random:3; do
    PCC_EMULATOR_ORDER=$order train in_cuda >losses_in_order
    same_bytes losses losses_in_order
done
PCC_EMULATOR_MEMORY=10000 expect 70 'needs .* MiB on the GPU' ./in_cuda --data synthetic --steps 1
PCC_EMULATOR_ORDER=sideways expect 70 "not 'sideways'" ./in_cuda --data synthetic --steps 1

# A large product is cuBLASLt's; without an algorithm of it the own kernel computes the same, but in another order.
if [ -f "$toolkit/include/cublasLt.h" ]; then
    "$PCC" zoo mlp image=16 hidden=512,512 -o large.onnx >/dev/null || fail "the zoo does not make an mlp"
    expect 0 '' "$PCC" large.onnx --batch 512 --precision bf16-mixed -o large.cu
    expect 0 '' "$emulate" --runtime "$build" large.cu -o large
    train large 2 >losses_of_library
    PCC_EMULATOR_CUBLAS=none train large 2 >losses
    cmp -s losses losses_of_library && fail "the library is not called"
    paste losses_of_library losses | awk '{ if (($1 - $2) ^ 2 > (1e-4 * $1) ^ 2) exit 1 }' ||
        fail "the losses differ: $(paste losses_of_library losses)"
fi
