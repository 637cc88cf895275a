#!/bin/bash
# pcc verify says ok of right programs, also where gradients are 0 in exact arithmetic, and FAIL of programs with a fault
# in one gradient, which a C compiler with $FAULT puts in: a statement over elements g[i] of the first gradient.
. "$(dirname "$0")/support.sh"
cat >faulty <<'EOF'
#!/bin/bash
for argument; do case $argument in *train.c) source=$argument ;; esac; done
if [ -n "${source:-}" ]; then
    first=$(grep -m1 '\.gradient = ' "$source" || exit 1)
    offset=$(grep -o -m1 'gradient = 0x[0-9a-f]*' "$source" | grep -o '0x.*')
    type=$(grep -q 'gradient_dtype = PCC_F64' "$source" && echo double || echo float)
    fault="$type *g = AT($type, w, $offset); for (int i = 0; i < 4; i++) { $FAULT; }"
    sed -i "0,/^    s->loss = (double)\*AT/s//    { $fault }\n&/" "$source"
    grep -q "g\[i\]" "$source" || exit 1
fi
exec $REAL_CC "$@"
EOF
chmod +x faulty

# right FILE PRECISION OPTIONS...; wrong FAULT PATTERN FILE PRECISION OPTIONS...
right() {
    local file=$1 precision=$2
    shift 2
    expect 0 "^ok: .* at $precision" "$PCC" verify "$file" --precision "$precision" "$@"
}

wrong() {
    local fault=$1 pattern=$2 file=$3 precision=$4
    shift 4
    FAULT=$fault REAL_CC=${CC:-cc} CC=$here/faulty expect 1 "$pattern" "$PCC" verify "$file" --precision "$precision" "$@"
    grep -q "^FAIL: .* at $precision" output || fail "'$fault' at $precision is no FAIL: $(cat output)"
}

# the product's weights, {4, 7}, are all equal: what the softmax sends back sums to 0
write_graph equal.onnx "$(node shift Add 'x b' h)$(node act Sigmoid h s)$(node last MatMul 's w' y)$(
    )$(tensor b 01 4 "$(printf 'cdcccc3d%.0s' 1 2 3 4)")$(
    )$(tensor w 01 '4 7' "$(printf 'cdcccc3d%.0s' $(seq 28))")$(graph_input x 01 '1 4')$(graph_output y 01 '1 7')"
# another model, whose gradient is not 0: p = 1 / 7 there, of weights that differ
write_graph uneven.onnx "$(node shift Add 'x b' h)$(node act Sigmoid h s)$(node last MatMul 's w' y)$(
    )$(tensor b 01 4 "$(printf 'cdcccc3d%.0s' 1 2 3 4)")$(
    )$(tensor w 01 '4 7' "$(for i in $(seq 28); do printf '0000%02x3f' $((16#40 + i * 37 % 64)); done)")$(
    )$(graph_input x 01 '1 4')$(graph_output y 01 '1 7')"
for precision in 32-true 64-true bf16-mixed; do
    right equal.onnx $precision --trainable b
    right uneven.onnx $precision --trainable b
    wrong 'g[i] = 0' 'FAIL grad/b' uneven.onnx $precision --trainable b
done
wrong 'g[i] += 0.1f' 'FAIL grad/b: 0 in exact arithmetic' equal.onnx 32-true --trainable b
wrong 'g[i] *= 1.01f' 'FAIL grad/b' uneven.onnx 32-true --trainable b
wrong 'g[i] *= 2' 'FAIL grad/b' uneven.onnx bf16-mixed --trainable b
wrong 'g[i] = -g[i]' 'FAIL grad/b' uneven.onnx bf16-mixed --trainable b
