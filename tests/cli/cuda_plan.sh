#!/bin/bash
# What pcc says of a program on a GPU before there is one: --gpu and what it refuses, --print memory beside what the
# emulated device is asked for, to the byte, and --print roofline.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx

# --gpu NAME|FILE
expect 2 "did you mean 'rtx4090'" "$PCC" m.onnx --batch 4 --target cuda --gpu rtx409 --print memory
expect 2 "\-\-gpu is for CUDA programs" "$PCC" m.onnx --batch 4 --gpu h200 --print memory
expect 2 "needs --target cuda --gpu" "$PCC" m.onnx --batch 4 --target cuda --print roofline
expect 0 "" "$PCC" m.onnx --batch 4 --gpu h200 -o train.cu
cat >nvcc <<'END'
#!/bin/bash
echo "$@" >arguments
exit 1
END
chmod +x nvcc
built_for() { # SM OPTIONS: of what nvcc is told
    local sm=$1
    shift
    NVCC=./nvcc "$PCC" m.onnx --batch 4 --target cuda "$@" -o never >/dev/null 2>&1
    grep -q "sm_$sm" arguments || fail "with $* nvcc is told: $(cat arguments)"
}
built_for 80 --gpu a100
built_for 120 --gpu rtx5090
built_for 89 --gpu a100 --gpu-arch sm_89
gpu() { printf '{%s}' "$1" >gpu.json; }
gpu '"architecture": "sm_86", "memory": 100000, "bandwidth": 1e9, "f32": 1e9, "f16": 4e9'
built_for 86 --gpu gpu.json
expect 0 "does not fit" "$PCC" m.onnx --batch 4 --target cuda --gpu gpu.json --print memory
gpu '"architecture": "sm_86", "memory": 100000, "bandwith": 1e9'
expect 1 "gpu.json: unknown field 'bandwith'; did you mean 'bandwidth'" "$PCC" m.onnx --batch 4 --gpu gpu.json -o never.cu
gpu '"architecture": "sm_86", "memory": 100000, "f32": 1e9'
expect 1 '"bandwidth" is 0; give it in bytes a second' "$PCC" m.onnx --batch 4 --gpu gpu.json -o never.cu
gpu '"architecture": "86", "memory": 100000, "bandwidth": 1e9, "f32": 1e9'
expect 1 "\"architecture\" is '86'" "$PCC" m.onnx --batch 4 --gpu gpu.json -o never.cu
gpu '"architecture": "sm_86" "memory"'
expect 1 "gpu.json: byte" "$PCC" m.onnx --batch 4 --gpu gpu.json -o never.cu
expect 4 "cannot read 'none.json'" "$PCC" m.onnx --batch 4 --gpu none.json -o never.cu
[ ! -e never.cu ] || fail "a file was left"

# --print roofline: of a GPU that moves 1 GB/s and multiplies 1 GFLOP/s in f32, by hand. 4 x 784 x 8, 4 x 8 x 10
# products forward, for the weights' gradients, and (the second) for its input.
gpu '"architecture": "sm_86", "memory": 100000000, "bandwidth": 1e18, "f32": 1e9, "f16": 4e9'
roofline() { "$PCC" m.onnx --batch 4 --target cuda --gpu gpu.json --print roofline "$@" >output || fail "no roofline"; }
bound() { awk '/^at most/ { print $(NF - 1) }' output; }
near() { # FOUND WANTED WHAT
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0.999 * b && a < 1.001 * b) }' || fail "$3: $1 ms, not $2"
}
roofline
near "$(bound)" 0.102272 "products of f32"
roofline --accumulate 2
near "$(bound)" 0.204544 "products of two micro-batches"
roofline --precision 16-true
near "$(bound)" 0.100832 "products of f16" # but for those with the input, which is f32
roofline --precision bf16-true # this GPU has no tensor cores for bf16
near "$(bound)" 0.102272 "products of bf16"

# One that moves 1 GB/s: the optimizer reads 6384 parameters of f32, two moments and the gradient, twice where a norm
# decides first, and writes all but the last.
gpu '"architecture": "sm_86", "memory": 100000000, "bandwidth": 1e9, "f32": 1e18'
optimizer() { awk '/^optimizer/ { print $6 }' output; }
roofline
near "$(optimizer)" 0.178752 "the optimizer"
roofline --clip-norm 1
near "$(optimizer)" 0.204288 "the optimizer that clips"

# --print memory: what the program asks a device for, to the byte, and what it says when there is less.
toolkit=${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}
[ -f "$toolkit/include/cuda_runtime.h" ] && [ "$(uname -m)" = x86_64 ] && command -v "${CXX:-g++}" >/dev/null ||
    { echo "no emulator here: no program is built"; exit 0; }
planned=$("$PCC" m.onnx --batch 64 --target cuda --print memory | sed -n 's/^device *\([0-9]*\) bytes.*/\1/p')
expect 0 "" "$PCC" m.onnx --batch 64 -o m.cu
"$SOURCE/scripts/emulate" --runtime "$(dirname "$PCC")" m.cu -o m >output 2>&1 || fail "$(head -c 600 output)"
expect 0 "ms_per_step" env PCC_EMULATOR_MEMORY="$planned" ./m --bench 1
expect 70 "out of memory: mlp needs 0.5 MiB on the GPU" env PCC_EMULATOR_MEMORY=$((planned - 1)) ./m --bench 1
expect 70 "of the GPU's 0.3 MiB were free; compile it with --batch [23][0-9], which may fit, instead of 64" \
    env PCC_EMULATOR_MEMORY=$((planned * 6 / 10)) ./m --bench 1
fits=$(sed -n 's/.*--batch \([0-9]*\), which.*/\1/p' output)
smaller=$("$PCC" m.onnx --batch "$fits" --target cuda --print memory | sed -n 's/^device *\([0-9]*\) bytes.*/\1/p')
[ "$smaller" -le $((planned * 6 / 10)) ] || fail "--batch $fits needs $smaller bytes, more than there are"
