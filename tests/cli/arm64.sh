#!/bin/bash
# Programs compile for arm64 without a warning, and give the loss there that they give here.
. "$(dirname "$0")/support.sh"
cross=aarch64-linux-gnu-gcc
for tool in $cross qemu-aarch64; do
    if ! command -v $tool >/dev/null; then
        echo "$name: skipped: no $tool (Debian's gcc-aarch64-linux-gnu, qemu-user)"
        exit 77
    fi
done
# the host's zlib.h, as there is no other; --bench reads no file, so that nothing of zlib has to be linked
arm64="$cross -std=gnu11 -Og -fopenmp -Wall -Wextra -Wshadow -Werror -idirafter /usr/include
    -idirafter /usr/include/$(gcc -print-multiarch) -static -Wl,--unresolved-symbols=ignore-all"

loss_of() { # COMMAND...
    OMP_NUM_THREADS=1 "$@" --bench 1 | sed -n 's/.*"loss":\([0-9.]*\).*/\1/p'
}

"$PCC" zoo vit image=8 patch=4 dim=32 depth=1 heads=2 channels=1 classes=10 -o vit.onnx >/dev/null || fail "no vit"
"$PCC" zoo cnn -o cnn.onnx >/dev/null || fail "no cnn"
for case in "vit bf16-true" "cnn 16-mixed"; do
    set -- $case
    "$PCC" "$1.onnx" --batch 2 --precision "$2" --standalone -o program.c || fail "$case: pcc failed"
    $arm64 program.c -o there -lm 2>output || fail "$case: $cross does not take it: $(head -5 output)"
    "$CC" $CFLAGS -fopenmp program.c -o here -lz -lm || fail "$case: does not build"
    there=$(loss_of qemu-aarch64 ./there) here=$(loss_of ./here)
    awk -v a="$there" -v b="$here" 'BEGIN { exit !(a > 0 && a - b < 0.01 * b && b - a < 0.01 * b) }' ||
        fail "$case: the loss is '$there' on arm64, '$here' here"
done
