# support.sh: sourced by every test of this folder. $PCC is the compiler under test, $CC a C compiler. The test runs in
# an empty folder of its own, which goes away with it; the first check that fails ends it and says what went wrong.
set -u
name=$(basename "$0" .sh)
folder=$(mktemp -d "${TMPDIR:-/tmp}/pcc-cli-$name-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
here=$folder
export CC CFLAGS CXXFLAGS # of what pcc builds

fail() {
    echo "$name: $*" >&2
    echo "rerun: ctest -R cli.$name --output-on-failure" >&2
    exit 1
}

# expect STATUS PATTERN COMMAND...: the command's exit status, and a basic regular expression that its output matches
# (empty: any).
# The output stays in $here/output.
expect() {
    local want=$1 pattern=$2 status
    shift 2
    "$@" >"$here/output" 2>&1
    status=$?
    [ "$status" = "$want" ] || fail "'$*' ended with status $status, not $want: $(head -c 600 "$here/output")"
    [ -z "$pattern" ] || grep -q -e "$pattern" "$here/output" || fail "'$*' does not print '$pattern' but: $(head -c 600 "$here/output")"
}

one_line() {
    [ "$(wc -l <"$here/output")" = 1 ] || fail "more than one line: $(head -c 600 "$here/output")"
}

# Nothing but these files is in the current folder.
only_files() {
    local want found
    want=$(printf '%s\n' "$@" | sort)
    found=$(ls -A | sort)
    [ "$want" = "$found" ] || fail "the folder holds '$(echo $found)', not '$(echo $want)'"
}

same_bytes() {
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

make_mlp() {
    "$PCC" zoo mlp hidden=8 seed=1 -o "$1" >/dev/null || fail "the zoo does not make an mlp"
}

# ---- files from bytes: text of hexadecimal digits ----

hex_of() { # of ASCII text
    printf '%s' "$1" | od -An -v -t x1 | tr -d ' \n'
}

write_hex() {
    printf "$(printf '%s' "$2" | sed 's/../\\x&/g')" >"$1"
}

field() { # NUMBER HEX: a length-delimited protobuf field shorter than 128 bytes
    printf '%02x%02x%s' $(($1 * 8 + 2)) $((${#2} / 2)) "$2"
}

text_field() {
    field "$1" "$(hex_of "$2")"
}

# ---- parts of a GraphProto ----

node() { # NAME OP INPUTS OUTPUTS [ATTRIBUTES]
    local values= value
    for value in $3; do values=$values$(text_field 1 "$value"); done
    for value in $4; do values=$values$(text_field 2 "$value"); done
    field 1 "$values$(text_field 3 "$1")$(text_field 4 "$2")${5:-}"
}

int_attribute() { # NAME VALUE
    field 5 "$(text_field 1 "$1")$(printf '18%02xa00102' "$2")"
}

tensor() { # NAME TYPE DIMS HEX: TYPE is 01 (f32) or 07 (i64); little-endian elements
    local dims= dim
    for dim in $3; do dims=$dims$(printf '08%02x' "$dim"); done
    field 5 "${dims}10$2$(text_field 8 "$1")$(field 9 "$4")"
}

value_info() { # NAME TYPE DIMS: ValueInfoProto; a dim is a number or a symbol
    local shape= dim
    for dim in $3; do
        case $dim in
        [0-9]*) shape=$shape$(field 1 "$(printf '08%02x' "$dim")") ;;
        *) shape=$shape$(field 1 "$(text_field 2 "$dim")") ;;
        esac
    done
    printf '%s%s' "$(text_field 1 "$1")" "$(field 2 "$(field 1 "08$2$(field 2 "$shape")")")"
}

graph_input() { field 11 "$(value_info "$@")"; }
graph_output() { field 12 "$(value_info "$@")"; }

# y = OP(x, w) over float vectors, w = {2, -3, 0.5}
write_model() { # FILE OP
    write_graph "$1" "$(node node_of_the_test "$2" 'x w' y)$(tensor w 01 3 00000040000040c00000003f)$(
        graph_input x 01 3)$(graph_output y 01 3)"
}

# The model of a graph's fields: ir_version 8, opset 17; the graph's length is a varint of two bytes.
write_graph() { # FILE HEX
    write_hex "$1" "0808$(printf '3a%02x%02x' $((${#2} / 2 % 128 + 128)) $((${#2} / 2 / 128)))${2}42021011"
}
