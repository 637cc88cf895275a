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
nm out/libmodel.a | grep -q ' [RD] pcc_program' || fail "the archive does not define pcc_program"
[ -z "$(ls -A temporary)" ] || fail "temporary files are left: $(ls -A temporary)"

cat >broken <<'END'
#!/bin/sh
exit 1
END
chmod +x broken
expect 70 "failed on the emitted source" env CC="$here/broken" "$PCC" m.onnx --batch 4 -o never
[ -z "$(ls -A temporary)" ] || fail "temporary files are left after an error: $(ls -A temporary)"
only_files m.onnx out temporary output members broken
