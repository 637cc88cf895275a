#!/bin/bash
# Threads that wait give up their core soon, unless the environment says how they wait; the command line survives the
# second start that GCC's OpenMP needs.
. "$(dirname "$0")/support.sh"
unset OMP_WAIT_POLICY GOMP_SPINCOUNT
make_mlp "the model.onnx"
"$PCC" "the model.onnx" --batch 4 -o "the program" >/dev/null 2>&1 || fail "no program"

spins() { # the last word of GCC's OpenMP
    env OMP_DISPLAY_ENV=verbose "$@" 2>&1 | sed -n "s/.*GOMP_SPINCOUNT = '\(.*\)'/\1/p" | tail -n 1
}
default=$(spins GOMP_SPINCOUNT=77 "./the program" --version)
if [ -z "$default" ]; then
    echo "$name: skipped: another OpenMP than GCC's"
    exit 77
fi
[ "$default" = 77 ] || fail "GOMP_SPINCOUNT=77 becomes $default"
[ "$(spins "./the program" --version)" = 10000 ] || fail "threads spin for $(spins "./the program" --version)"
ln -s "the program" linked
[ "$(spins ./linked --version)" = 10000 ] || fail "not through a link"
for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
    if GOMP_SPINCOUNT=77 "$loader" "./the program" --version >/dev/null 2>&1; then
        expect 0 "^m.* (32-true, adamw, ABI" "$loader" "./the program" --version
    fi
done
cp "the program" gone
printf '#!/bin/sh\necho decoy\n' >"gone (deleted)"
chmod +x "gone (deleted)"
exec 9<gone
rm gone
expect 0 "^m.* (32-true, adamw, ABI" /proc/self/fd/9 --version
exec 9<&-
[ "$(spins OMP_WAIT_POLICY=active "./the program" --version)" != 10000 ] || fail "OMP_WAIT_POLICY is not obeyed"
expect 0 "^m.* (32-true, adamw, ABI" "./the program" --version
expect 2 "no option '--no such option'\|--no such option" "./the program" "--no such option"
