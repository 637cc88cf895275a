#!/bin/bash
# --standalone for CUDA: two files that need nothing of pcc. Built in an empty folder, for the CPU under the emulator and
# by nvcc where there is one.
. "$(dirname "$0")/support.sh"
export CC=gcc CFLAGS=$CXXFLAGS # the emulator's OpenMP is GCC's
build=$(dirname "$PCC")
make_mlp m.onnx
expect 2 "no place for the runtime's file" "$PCC" m.onnx --batch 4 --standalone --embed-weights --emit cuda -o -
expect 0 "" "$PCC" m.onnx --batch 4 --precision bf16-mixed --standalone --embed-weights -o whole.cu
only_files m.onnx output whole.cu whole.runtime.c
grep -q '#include *[<"]pcc/' whole.cu whole.runtime.c && fail "an include of the runtime is left"
grep -q "nvcc .*whole.cu whole.runtime.c" whole.cu || fail "whole.cu does not say how it is built"
"$CC" -fsyntax-only -fopenmp -Wall -Wextra -Werror whole.runtime.c 2>output || fail "the runtime: $(head -5 output)"
mkdir alone && mv whole.cu whole.runtime.c alone && cd alone || exit 1

if [ -f "$build/tests/cuda/libpcc_emulator.a" ]; then
    CXXFLAGS="-O1 -Werror" "$build/emulate" --runtime "$build" whole.cu whole.runtime.c -o emulated 2>../output ||
        fail "it does not build under the emulator: $(head -5 ../output)"
    expect 0 '"loss"' ./emulated --bench 1
    expect 0 "" ./emulated --data synthetic --steps 2 --quiet --export trained.onnx
    [ -s trained.onnx ] || fail "no model was exported"
else
    echo "no CUDA headers: nothing runs under the emulator"
fi

nvcc=$(command -v "${NVCC:-nvcc}") || { echo "no nvcc: its builds are skipped"; exit 0; }
"$nvcc" -O1 -std=c++17 -arch=sm_90 -Werror all-warnings whole.cu whole.runtime.c -Xcompiler -fopenmp -lz -lm -o whole \
    2>../output || fail "nvcc does not build it: $(head -5 ../output)"
expect 4 "no CUDA device" env CUDA_VISIBLE_DEVICES= ./whole --bench 1
NVCCFLAGS=-O1 expect 0 "" "$PCC" ../m.onnx --batch 4 --standalone --embed-weights --target cuda -o libwhole.a
nm libwhole.a | grep -q " T pcc_open_on$" || fail "the archive has no runtime"
