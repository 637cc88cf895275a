#!/bin/bash
# A signal while the C compiler runs: pcc ends by it, and so does the compiler; no file of either is left.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx
mkdir temporary
export TMPDIR=$here/temporary
# Writes its output, as ld has when it is interrupted, says so and waits.
cat >slow_cc <<'END'
#!/bin/bash
while [ "$1" != -o ]; do shift; done
echo partial >"$2"
touch "$STARTED"
exec sleep 100
END
chmod +x slow_cc

set -m # each job a process group of its own, as a terminal's, in which SIGINT is not ignored
for try in "train INT" "train TERM" "lib.a INT" "lib.so HUP"; do
    output=${try% *} signal=${try#* }
    CC=$here/slow_cc STARTED=$here/started "$PCC" m.onnx --batch 4 --emit "$([ "$output" = train ] && echo exe || echo lib)" \
        -o "$output" >log 2>&1 &
    job=$!
    for _ in $(seq 300); do
        [ -e started ] && break
        sleep 0.1
    done
    [ -e started ] || fail "the compiler did not start: $(cat log)"
    kill -s "$signal" -- "-$job" # the whole job, as Ctrl-C does
    wait "$job"
    status=$?
    [ "$status" = $((128 + $(kill -l "$signal"))) ] || fail "SIG$signal ended '-o $output' with status $status: $(cat log)"
    rm started log
    only_files m.onnx slow_cc temporary
    [ -z "$(ls -A temporary)" ] || fail "SIG$signal left in TMPDIR: $(ls -A temporary)"
done
