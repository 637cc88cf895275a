#!/bin/bash
# Executables and libraries by the system's compiler; --save-temps.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
mkdir out temporary
export TMPDIR=$here/temporary
expect 0 "" "$PCC" m.onnx --batch 4 --save-temps -o out/train
expect 0 '"loss"' out/train --bench 2
[ -s out/train.c ] || fail "--save-temps kept no source"
expect 0 "" "$PCC" m.onnx --batch 4 --embed-weights -o out/alone
[ ! -e out/alone.safetensors ] && [ ! -e out/alone.c ] || fail "--embed-weights left a file beside the executable"
expect 0 '"loss"' out/alone --bench 2
expect 0 "" "$PCC" m.onnx --batch 4 -o out/libmodel.so
expect 0 "" "$PCC" m.onnx --batch 4 --emit lib -o out/libmodel.a
ar t out/libmodel.a >members || fail "libmodel.a is not an archive"
[ "$(wc -l <members)" = 1 ] || fail "the archive has $(wc -l <members) members"
# Clang has a lock of OpenMP's there, which programs share.
symbols() { nm -g --defined-only out/libmodel.a | grep -v ' \.gomp_' | sed -n 's/^[0-9a-f]* [A-Z] //p' | tr '\n' ' '; }
[ "$(symbols)" = "pcc_program " ] || fail "the archive defines '$(symbols)', not pcc_program alone"

# --name: the one symbol's last part, and checked.
expect 0 "" "$PCC" m.onnx --batch 4 --precision 16-mixed --check-numerics --embed-weights --name critic --emit lib \
    -o out/libmodel.a
[ "$(symbols)" = "pcc_program_critic " ] || fail "the archive defines '$(symbols)', not pcc_program_critic alone"
expect 0 "" "$PCC" m.onnx --batch 4 --name 2nd -o out/train.c
grep -q 'pcc_main(&pcc_program_2nd,' out/train.c || fail "main does not run pcc_program_2nd"
for wrong in "" a-b "a b" a.b é; do
    expect 2 "letters, digits and _" "$PCC" m.onnx --batch 4 --name "$wrong" -o never.c
done
expect 2 "\-\-name is for programs" "$PCC" m.onnx --batch 4 --name a -o never.ir
[ -z "$(ls -A temporary)" ] || fail "temporary files are left: $(ls -A temporary)"

cat >broken <<'END'
#!/bin/sh
exit 1
END
chmod +x broken
expect 70 "failed on the emitted source" env CC="$here/broken" "$PCC" m.onnx --batch 4 -o never
[ -z "$(ls -A temporary)" ] || fail "temporary files are left after an error: $(ls -A temporary)"
only_files m.onnx out temporary output members broken
