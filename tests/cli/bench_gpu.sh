#!/bin/bash
# bench/gpu: prepares one small model and rehearses the run under the emulator; wrong results are seen, and a program
# that does not build leaves the others alone.
. "$(dirname "$0")/support.sh"
toolkit=${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}
[ -f "$toolkit/include/cuda_runtime.h" ] || { echo "skipped: no $toolkit/include/cuda_runtime.h"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: the emulator is for x86-64"; exit 77; }
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
command -v "${CXX:-g++}" >/dev/null || { echo "skipped: no ${CXX:-g++}"; exit 77; }
build=$(dirname "$PCC")
export PYTHONDONTWRITEBYTECODE=1

expect 0 'prepared: 1 programs, ' python3 "$SOURCE/bench/gpu/prepare" prepared --build "$build" --tiny --models mlp \
    --precision bf16-true
[ ! -e prepared.work ] || fail "prepare leaves its working folder"

cd prepared || exit 1
echo '#error "broken"' >cases/broken.cu
python3 - <<'END' || fail "the plan or the comparison is wrong"
import json, sys
sys.path.insert(0, '.')
import compare, tensors
case, = json.load(open('plan.json'))
json.dump([{**case, 'name': 'broken'}, case], open('plan.json', 'w'))
assert len(case['roofline']) > 3 and sum(flop for flop, _ in case['roofline']) > 0, case
some = [0.5, -1.25, 3.0]
assert all(list(tensors.decode(dtype, tensors.encode(dtype, some))) == some for dtype in ('F64', 'F32', 'F16', 'BF16'))
right = tensors.read_sketch('cases/mlp-bf16-true.answers')
passes, whole, *_ = compare.compare(right, right, 'bf16-true')
assert passes and whole == 0
for name in right:
    for wrong in ([2 * x + 5e-3 for x in right[name]], [float('nan')] * len(right[name]), []):
        passes, _, worst, _ = compare.compare({**right, name: wrong}, right, 'bf16-true')
        assert not passes and worst == ('all updates' if name.startswith('param/') else name), (name, worst, wrong[:4])
END
emulate="$SOURCE/scripts/emulate --runtime $build"
expect 1 '^1 of 2 programs agree with the C target; not: broken' ./run --rehearse --seconds 300 --emulate "$emulate"
cp "$here/output" printed
grep -q '^FAIL broken: build: .*broken' printed || fail "a program that does not build is not said: $(cat printed)"
grep -q '^| mlp-bf16-true | ok |' printed || fail "the program is not checked: $(cat printed)"
grep -q '^| mlp-bf16-true | 4 | [0-9.]* |' printed || fail "the program is not timed: $(cat printed)"
same_bytes printed out/results.txt
