#!/usr/bin/env bash
# install.sh BUILD CC: installs BUILD into a fresh prefix and builds programs against it with CMake, with pkg-config and
# with --standalone; CUDA programs too, where there is nvcc. Prints the commands; the last one printed is the one that
# failed.
set -euxo pipefail
build=$1 cc=$2
source_dir=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "$build/package-XXXXXX")
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
unset DESTDIR CMAKE_PREFIX_PATH PKG_CONFIG_PATH
sanitize=$(sed -n 's/^PCC_SANITIZE:BOOL=ON$/-fsanitize=address,undefined/p' "$build/CMakeCache.txt")

cmake --install "$build" --prefix "$prefix" >"$work/install.log"
test -s "$prefix/share/man/man1/pcc.1"
pcc=$prefix/bin/pcc
"$pcc" --version
"$pcc" zoo mlp image=6 hidden=16 classes=3 -o "$work/mlp.onnx"

# A consumer by find_package. Touching the model rebuilds what is made from it, and nothing else does.
cmake -S "$source_dir/consumer" -B "$work/consumer" -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_FLAGS="$sanitize" -DMODEL="$work/mlp.onnx" -DEXAMPLE="$prefix/share/pcc/examples/example_embed.c"
cmake --build "$work/consumer"
(cd "$work/consumer" && ./train --bench 3 && ./embed && test -s embedded.safetensors && ./two)
cmake --build "$work/consumer" >"$work/again.log"
grep 'no work to do' "$work/again.log"
"$pcc" zoo mlp image=6 hidden=16 classes=3 seed=1 -o "$work/mlp.onnx"
cmake --build "$work/consumer" >"$work/again.log"
grep 'mlp.onnx to C' "$work/again.log"

# CUDA programs by find_package. Nothing but the missing GPU stops them.
nvcc=$(command -v "${CUDACXX:-nvcc}" || command -v /usr/local/cuda/bin/nvcc || true)
if [ -n "$sanitize" ]; then
    nvcc=
    echo "skipped: CUDA programs, which nvcc does not link with a sanitized runtime"
elif [ -z "$nvcc" ]; then
    echo "skipped: CUDA programs, for want of nvcc"
fi
without_gpu() { # COMMAND...
    local status=0
    CUDA_VISIBLE_DEVICES='' "$@" 2>"$work/no_gpu.log" || status=$?
    [ "$status" != 0 ] && grep 'no CUDA device' "$work/no_gpu.log"
}
if [ -n "$nvcc" ]; then
    cmake -S "$source_dir/cuda_consumer" -B "$work/cuda_consumer" -G Ninja -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_ARCHITECTURES=90 -DCMAKE_PREFIX_PATH="$prefix" \
        -DMODEL="$work/mlp.onnx" -DALL="${PCC_ALL_CUDA_TESTS-}"
    cmake --build "$work/cuda_consumer"
    (cd "$work/cuda_consumer" && without_gpu ./two && { [ ! -e train ] || without_gpu ./train --bench 3; })
fi

# By pkg-config, against the static and the shared library, anywhere the prefix is moved to.
mv "$prefix" "$work/moved"
prefix=$work/moved
pcc=$prefix/bin/pcc
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name pcc-runtime.pc)")
export PKG_CONFIG_PATH
"$pcc" "$work/mlp.onnx" --loss cross-entropy --batch 8 -o "$work/train.c"
cd "$work"
# shellcheck disable=SC2046,SC2086  # lists of flags
"$cc" -Og -fopenmp $sanitize train.c $(pkg-config --cflags --libs pcc-runtime) -o train
./train --bench 3
lib=$(pkg-config --variable=libdir pcc-runtime)
# shellcheck disable=SC2046,SC2086
"$cc" -Og -fopenmp $sanitize train.c $(pkg-config --cflags pcc-runtime) -L"$lib" -Wl,-rpath,"$lib" -lpcc-runtime -lm \
    -o train_shared
./train_shared --bench 3

# Two programs in one executable; each C file has one symbol that others see.
"$pcc" mlp.onnx --loss cross-entropy --batch 8 --emit lib --name actor -o actor.c
"$pcc" mlp.onnx --loss mse --batch 4 --emit lib --name critic -o critic.c
# shellcheck disable=SC2046,SC2086
"$cc" -Og -fopenmp $sanitize "$source_dir/consumer/two.c" actor.c critic.c $(pkg-config --cflags --libs pcc-runtime) \
    -o two
./two

# --standalone needs nothing that was installed but pcc itself.
"$pcc" mlp.onnx --loss cross-entropy --batch 8 --standalone -o alone.c
# shellcheck disable=SC2086
env -u PKG_CONFIG_PATH "$cc" -Og -fopenmp $sanitize alone.c -lz -lm -o alone
./alone --bench 3

# Likewise for CUDA, in builds that test all of it: nvcc takes half a minute for each.
if [ -n "$nvcc" ] && [ "${PCC_ALL_CUDA_TESTS-}" = ON ]; then
    "$pcc" mlp.onnx --loss cross-entropy --batch 8 -o train.cu
    # shellcheck disable=SC2046
    "$nvcc" -O1 -std=c++17 -arch=sm_90 train.cu $(pkg-config --cflags --libs pcc-runtime-cuda) -o train_cuda
    without_gpu ./train_cuda --bench 3
    "$pcc" mlp.onnx --loss cross-entropy --batch 8 --standalone -o alone.cu
    env -u PKG_CONFIG_PATH "$nvcc" -O1 -std=c++17 -arch=sm_90 alone.cu alone.runtime.c -Xcompiler -fopenmp -lz -lm \
        -o alone_cuda
    without_gpu ./alone_cuda --bench 3
fi
