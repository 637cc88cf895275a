#!/bin/bash
# One file, built in an empty folder with nothing of pcc in reach, warnings as errors; it trains and exports.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
"$PCC" m.onnx --batch 4 --standalone --embed-weights -o whole.c || fail "pcc failed"
grep -q '#include *[<"]pcc/' whole.c && fail "an include of the runtime is left"
for compiler in clang-14 clang gcc; do
    command -v "$compiler" >/dev/null || continue
    "$compiler" -fsyntax-only -fopenmp -Wall -Wextra -Werror whole.c 2>output ||
        fail "$compiler does not take it: $(head -5 output)"
done
"$PCC" m.onnx --batch 4 --precision 16-mixed --standalone -o mixed.c || fail "pcc failed in 16-mixed"
"$CC" -fsyntax-only -fopenmp -Wall -Wextra -Werror mixed.c 2>output || fail "16-mixed: $(head -5 output)"
rm mixed.c mixed.safetensors
"$CC" -Og -fopenmp -Wall -Wextra -Werror whole.c -o whole -lz -lm 2>output || fail "it does not build: $(head -5 output)"
mv whole.c m.onnx "$(mktemp -d "$here/away-XXXX")"
expect 0 '"loss"' ./whole --bench 2
expect 0 "" ./whole --data synthetic --steps 3 --quiet --export trained.onnx
[ -s trained.onnx ] || fail "no model was exported"
