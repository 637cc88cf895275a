# support.sh: sourced by every test of this folder. $PCC is the compiler under test, $CC and $CFLAGS a C compiler, $MODELS the test
# models, $DATA a folder with Fashion-MNIST. The test runs in an empty folder of its own, which goes away with it.
set -u
name=$(basename "$0" .sh)
folder=$(mktemp -d "${TMPDIR:-/tmp}/pcc-training-$name-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export CC CFLAGS OMP_WAIT_POLICY=passive # threads that wait leave the cores to other tests

fail() {
    echo "$name: $*" >&2
    echo "rerun: ctest -R training.$name --output-on-failure" >&2
    exit 1
}

need_data() {
    [ -r "$DATA/train-images-idx3-ubyte.gz" ] && return
    echo "$name: skipped: no Fashion-MNIST in $DATA (Debian's dataset-fashion-mnist)"
    exit 77
}

first() { # HEADER-BYTES BYTES FILE: the head of what follows the header
    zcat "$DATA/$3.gz" | tail -c +$(($1 + 1)) | head -c "$2"
}

# 1024 images to train with and to validate with, where a test is not about what is learnt.
small_data() {
    mkdir data
    for part in train t10k; do
        { printf '\0\0\10\3\0\0\4\0\0\0\0\34\0\0\0\34' && first 16 $((1024 * 784)) $part-images-idx3-ubyte; } \
            >data/$part-images-idx3-ubyte
        { printf '\0\0\10\1\0\0\4\0' && first 8 1024 $part-labels-idx1-ubyte; } >data/$part-labels-idx1-ubyte
    done
    DATA=$PWD/data
}

# compile MODEL OPTIONS...: leaves ./train
compile() {
    local model=$1
    shift
    "$PCC" "$MODELS/$model/model.onnx" "$@" -o train || fail "$model does not compile"
}

# train OPTIONS...: a quiet run on Fashion-MNIST
train() {
    ./train --data "idx:$DATA" --quiet "$@" >output 2>&1 || fail "./train $* ended with status $?: $(tail -c 600 output)"
}

same_bytes() {
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

# at_least VALUE LEAST: of decimal numbers
at_least() {
    awk -v value="$1" -v least="$2" 'BEGIN { exit !(value >= least) }'
}

# field NAME LINE: a number of a JSON line
field() {
    printf '%s\n' "$2" | sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p"
}
