#!/bin/bash
# CUDA programs as libraries: two in one executable, one beside a C program, the example of library use; under the
# emulator, and built by nvcc where there is one. Losses are those of the C programs.
. "$(dirname "$0")/support.sh"
export CC=gcc CFLAGS=$CXXFLAGS # the emulator's OpenMP is GCC's
build=$(dirname "$PCC")
two=$SOURCE/tests/package/consumer/two.c
runtime="$build/runtime/libpcc-runtime.a"

# Their loops and epilogues have the same names and other extents.
"$PCC" zoo mlp image=6 hidden=16 classes=3 seed=2 -o actor.onnx >/dev/null || fail "no model"
"$PCC" zoo mlp image=6 hidden=24 classes=3 seed=1 -o critic.onnx >/dev/null || fail "no model"
for suffix in c cu; do
    expect 0 "" "$PCC" actor.onnx --loss cross-entropy --batch 8 --emit lib --name actor -o actor.$suffix
    expect 0 "" "$PCC" critic.onnx --loss mse --batch 4 --emit lib --name critic -o critic.$suffix
done
grep -q "__device__" actor.cu || fail "--emit lib -o actor.cu is no CUDA program"
expect 2 "target c, but actor.cu is of target cuda" "$PCC" actor.onnx --emit lib --target c -o actor.cu
grep -q "int main" actor.cu && fail "a library has a main"
# shellcheck disable=SC2086  # a list of flags
"$CC" -fopenmp $CFLAGS "-I$build/include" "$two" actor.c critic.c "$runtime" -lz -lm -o in_c || fail "no C program"
expect 0 "losses" ./in_c
cp output want

nearly() { # the output has the losses of `want`, but for rounding
    paste -d ' ' want output | awk '{ for (i = 2; i <= 4; i += 2) { d = $i - $(i + 4); if (d * d > 1e-8) exit 1 } }' ||
        fail "$1: losses are '$(cat output)', not '$(cat want)'"
}

[[ $CFLAGS == *-fsanitize* ]] && { echo "sanitized: the builds of .cu files are skipped"; exit 0; }
if [ -f "$build/tests/cuda/libpcc_emulator.a" ]; then
    emulate() {
        CXXFLAGS=-O1 "$build/emulate" --runtime "$build" "$@" 2>output || fail "emulate $*: $(cat output)"
    }
    emulate actor.cu critic.cu "$two" -o both
    expect 0 "losses" ./both
    nearly "two CUDA programs"
    emulate actor.cu critic.c "$two" -o mixed
    expect 0 "losses" ./mixed
    nearly "a CUDA and a C program"
    expect 0 "" "$PCC" actor.onnx --loss cross-entropy --batch 8 --emit lib --optimizer sgd -o model.cu
    emulate model.cu "$SOURCE/runtime/example_embed.c" -o embed
    expect 0 "right" ./embed
    [ -s embedded.safetensors ] || fail "the example saved nothing"
else
    echo "no CUDA headers: nothing runs under the emulator"
fi

nvcc=$(command -v "${NVCC:-nvcc}") || { echo "no nvcc: its builds are skipped"; exit 0; }
export NVCCFLAGS="-O1"
expect 0 "" "$PCC" actor.onnx --loss cross-entropy --batch 8 --target cuda --name actor -o libactor.a
expect 0 "" "$PCC" critic.onnx --loss mse --batch 4 --target cuda --name critic -o libcritic.so
nm -g --defined-only libactor.a | grep -v "\.o:\| pcc_program_actor$\| V DW.ref\.\|^$" >extra &&
    fail "the archive shows more than its program: $(cat extra)"
nm -gD --defined-only libcritic.so | grep -q " pcc_program_critic$" || fail "libcritic.so does not show its program"
"$nvcc" -x c -c "-I$build/include" "$two" -o two.o && "$nvcc" two.o libactor.a libcritic.so "$runtime" -lz -lm -lgomp \
    -Xlinker -rpath=. -o linked 2>output || fail "they do not link: $(cat output)"
expect 1 "no CUDA device" env CUDA_VISIBLE_DEVICES= ./linked
