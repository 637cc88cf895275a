#!/bin/bash
# No two files of the compiler or the runtime call each other, directly or through others: so each can be read, and
# tested, after those that it calls. Tables are left out: a table of rows refers to the functions of all of them.
. "$(dirname "$0")/support.sh"
build=$(dirname "$PCC")
[ -f "$build/compile_commands.json" ] || fail "there is no compile_commands.json beside $PCC"

# "CALLER CALLED" for each pair of the objects named on stdin, as tsort wants them.
calls() {
    xargs nm -A | awk '
        { file = $1; sub(/:[^:]*$/, "", file); sub(/:$/, "", file) }
        NF >= 3 && $(NF - 1) ~ /^[TW]$/ { defined_in[$NF] = file }
        $(NF - 1) == "U" { user[++count] = file; used[count] = $NF }
        END {
            for (i = 1; i <= count; i++)
                if (used[i] in defined_in && defined_in[used[i]] != user[i])
                    print user[i], defined_in[used[i]]
        }'
}

# Two files that call each other are found.
echo 'int pong(void); int ping(void) { return pong(); }' >ping.c
echo 'int ping(void); int pong(void) { return ping(); }' >pong.c
$CC -c ping.c pong.c || fail "ping.c does not compile"
printf '%s\n' ping.o pong.o | calls >pairs
tsort pairs >/dev/null 2>&1 && fail "a circle of two files was not found"

cd "$build" || fail "there is no folder $build"
sed -n 's/^ *"command": ".* -o \([^ ]*\.o\) .*$/\1/p' compile_commands.json |
    grep -E '^(ir|passes|codegen|frontend|models|runtime)/' | grep -v -e _shared.dir -e example >"$here/objects"
[ "$(wc -l <"$here/objects")" -ge 200 ] || fail "compile_commands.json has only $(wc -l <"$here/objects") objects"
calls <"$here/objects" >"$here/pairs" 2>"$here/nm" || fail "$(head -n 1 "$here/nm")"
tsort "$here/pairs" >/dev/null 2>"$here/circle" || fail "files call each other: $(grep -v loop "$here/circle" | sort -u | tr '\n' ' ')"
