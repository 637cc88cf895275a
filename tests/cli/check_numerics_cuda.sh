#!/bin/bash
# --check-numerics in CUDA programs, under the emulator: what the C program says, to the byte, in any order of threads.
. "$(dirname "$0")/support.sh"
build=$(dirname "$PCC")
[ -f "$build/tests/cuda/libpcc_emulator.a" ] || { echo "skipped: no CUDA headers, and so no emulator"; exit 77; }
make_mlp m.onnx
"$PCC" zoo mlp image=4 hidden=8 seed=1 -o small.onnx >/dev/null || fail "no mlp"

# Its errors in C and in CUDA are equal, and begin with the pattern.
agree() { # PATTERN RUN_OPTIONS PCC_OPTIONS...
    local pattern=$1 run=$2 order
    shift 2
    "$PCC" "$@" --check-numerics -o train.c || fail "pcc $* failed"
    "$PCC" "$@" --check-numerics -o train.cu || fail "pcc $* failed"
    "$CC" $CFLAGS -fopenmp -I"$build/include" train.c "$build/runtime/libpcc-runtime.a" -lz -lm -o in_c || fail "no C"
    expect 0 '' "$SOURCE/scripts/emulate" --runtime "$build" train.cu -o in_cuda
    # shellcheck disable=SC2086  # a list of options
    ./in_c --data synthetic --quiet $run >/dev/null 2>said_in_c || fail "the C program fails: $(cat said_in_c)"
    sed -i 's/ -nan/ nan/' said_in_c
    head -1 said_in_c | grep -q -e "$pattern" || fail "C says: $(head -3 said_in_c)"
    for order in forward reverse random:5; do
        # shellcheck disable=SC2086
        PCC_EMULATOR_ORDER=$order ./in_cuda --data synthetic --quiet $run 2>&1 >/dev/null | sed 's/ -nan/ nan/' >said
        cmp -s said said_in_c || fail "$*, $order: $(diff said said_in_c | head -6)"
    done
    # shellcheck disable=SC2086
    ./in_cuda --data synthetic --steps 2 --quiet >/dev/null 2>said || fail "a finite run fails: $(cat said)"
}

# a kernel's result
agree "^check-numerics: step 1: node '[^']*' ([A-Za-z:-]*.*), f16\[" "--steps 1" \
    m.onnx --batch 4 --precision 16-true --loss-scale 8388608
# a product, as its epilogue gets it; nothing while all is well
agree "^check-numerics: step 2: node '[^']*' (Gemm: MatMul), f32\[4,[0-9]*\]: [0-9]* infinite and [0-9]* NaN of [0-9]*" \
    "--steps 2 --lr 1e30" m.onnx --batch 4
[ ! -s said ] || fail "a finite run is complained of: $(cat said)"
# updates that are skipped, and told of after the node; a step that begins before the one before it has ended
agree "^check-numerics: step 2: node '[^']*' (Gemm: Cast), f32\[1,8\]: 1 infinite and 0 NaN of 8 elements; the others lie" \
    "--steps 30 --lr 3 --seed 3" small.onnx --batch 1 --precision 16-mixed --optimizer sgd
grep -q '^note: step 2: the gradient of .* overflowed' said_in_c || fail "no update is skipped: $(head -3 said_in_c)"
