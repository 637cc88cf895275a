#!/bin/bash
# --print memory says beforehand what --bench then finds: the arena to the byte; less in each narrower mode. What --bench
# calls the peak is the program's own, not that of who started it.
. "$(dirname "$0")/support.sh"
"$PCC" zoo vit image=8 patch=4 dim=32 depth=2 heads=2 channels=1 classes=10 -o vit.onnx >/dev/null || fail "no vit"
for mode in 32-true bf16-mixed bf16-true; do
    planned=$("$PCC" vit.onnx --batch 8 --precision "$mode" --print memory | sed -n 's/^arena *\([0-9]*\) bytes.*/\1/p')
    "$PCC" vit.onnx --batch 8 --precision "$mode" -o program || fail "$mode does not build"
    expect 0 '"arena_mib"' ./program --bench 2
    found=$(sed -n 's/.*"arena_mib":\([0-9.]*\).*/\1/p' output | awk '{ printf "%.0f", $1 * 1048576 }')
    [ "$planned" = "$found" ] || fail "$mode: --print memory says $planned bytes of arena, --bench $found"
    [ "$planned" -lt "${before:-1000000000}" ] || fail "$mode: the arena of $planned bytes is no smaller than $before"
    before=$planned
done

[ -r /proc/self/status ] || exit 0
peak() { sed -n 's/.*"peak_rss_mib":\([0-9]*\).*/\1/p' output; }
expect 0 '"peak_rss_mib"' ./program --bench 2
small=$(peak)
expect 0 '"peak_rss_mib"' bash -c 'printf -v large "%*s" 200000000 ""; exec ./program --bench 2'
[ "$(peak)" -lt $((small + 100)) ] || fail "started by a process of 200 MB, --bench finds a peak of $(peak) MiB, not $small"
