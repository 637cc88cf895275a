#!/bin/bash
# A CUDA program begins a step before the one before it has ended: the GPU has work whenever the host waits, and logs,
# messages and checkpoints are those of a program that waits for every step. Run under the emulator.
. "$(dirname "$0")/support.sh"
build=$(dirname "$PCC")
[ -f "$build/tests/cuda/libpcc_emulator.a" ] || { echo "skipped: no CUDA headers, and so no emulator"; exit 77; }

# With WAITS the program waits for each micro-batch before it begins another, as the C target does.
cat >waits.c <<'END'
#include <stdlib.h>

#include "session/session.h"

int __real_pcc_begins_early(const PccSession *session);
int __wrap_pcc_begins_early(const PccSession *session);
int __wrap_pcc_begins_early(const PccSession *session)
{
    return getenv("WAITS") ? 0 : __real_pcc_begins_early(session);
}
END
gcc -O1 -I"$build/include" -I"$SOURCE/runtime" -c waits.c || fail "waits.c does not compile"

make_programs() { # NAME PCC_OPTIONS: NAME in C, NAME_cuda
    local made=$1
    shift
    "$PCC" "$@" -o "$made.c" || fail "pcc does not write C"
    "$PCC" "$@" -o "$made.cu" || fail "pcc does not write CUDA"
    "$CC" $CFLAGS -fopenmp -I"$build/include" "$made.c" "$build/runtime/libpcc-runtime.a" -lz -lm -o "$made" ||
        fail "$made.c does not compile"
    "$SOURCE/scripts/emulate" --runtime "$build" -Wl,--wrap=pcc_begins_early \
        "$made.cu" waits.o -o "${made}_cuda" >output 2>&1 || fail "$made.cu does not compile: $(head -c 600 output)"
}

# Leaves NAME.TARGET.log without times, NAME.TARGET.errors and the folder NAME.TARGET of checkpoints, which tell how
# long the log is: its lines are cut to one length.
train() { # STATUS NAME TARGET OPTIONS
    local want=$1 as=$2.$3 program=./$2 status
    [ "$3" = c ] || program=./$2_cuda
    shift 3
    "$program" --quiet --data "$data" "$@" --log "$as.jsonl" >/dev/null 2>"$as.errors"
    status=$?
    [ $status = "$want" ] || fail "$program $*: status $status, not $want: $(head -c 600 "$as.errors")"
    sed 's/"samples_per_s":[^,]*,//' "$as.jsonl" >"$as.log"
}

# Numbers that follow from sums in another order are compared as numbers.
agree() { # NAME
    local number='"\(loss\|val_loss\)":\([^,}]*\)'
    for target in c early; do
        sed "s/$number//g" "$1.$target.log" >"$target.text"
        grep -o "$number" "$1.$target.log" >"$target.numbers"
    done
    same_bytes c.text early.text
    paste -d: c.numbers early.numbers | awk -F: '{
        if (($2 == "null") != ($4 == "null") || ($2 - $4) ^ 2 > (1e-4 * $2) ^ 2) { print; bad = 1 }
    } END { exit bad }' >differ || fail "$1: losses differ: $(head -3 differ)"
}

check() { # STATUS NAME OPTIONS: the same run of both targets, and of CUDA with waiting
    local status=$1 made=$2
    shift 2
    train "$status" "$made" c "$@"
    train "$status" "$made" early "$@"
    WAITS=1 train "$status" "$made" waits "$@"
    for what in log errors; do
        same_bytes "$made.early.$what" "$made.waits.$what"
    done
    agree "$made"
}

check_weights() { # NAME OPTIONS: the last checkpoint, without a log, whose length it tells
    local made=$1
    shift
    "./${made}_cuda" --quiet --data "$data" "$@" --checkpoint early >/dev/null 2>&1 || fail "$made $*: status $?"
    WAITS=1 "./${made}_cuda" --quiet --data "$data" "$@" --checkpoint waits >/dev/null 2>&1 || fail "$made $*: status $?"
    [ "$(ls early)" = "$(ls waits)" ] || fail "$made: other checkpoints: $(ls early waits)"
    for file in early/*; do
        same_bytes "$file" "waits/${file#early/}"
    done
    rm -r early waits
}

# Waits of a run, and those after which nothing was left to do.
waits() { # NAME STEPS
    PCC_EMULATOR_WAITS=1 "./$1_cuda" --quiet --data "$data" --val-fraction 0 --steps "$2" 2>&1 >/dev/null |
        sed -n 's/^emulator: the host waited \([0-9]*\) times; \([0-9]*\) times .*/\1 \2/p'
}

check_idle() { # NAME MICRO_BATCHES: of two steps in the middle of an epoch
    local waits idle more left
    read -r waits idle <<<"$(waits "$1" 2)"
    read -r more left <<<"$(waits "$1" 4)"
    [ $((more - waits)) -ge $((2 * $2)) ] || fail "$1: $((more - waits)) waits in two steps, of $2 micro-batches each"
    [ "$left" = "$idle" ] || fail "$1: in two steps the GPU has nothing to do $((left - idle)) times"
    read -r waits idle <<<"$(WAITS=1 waits "$1" 2)"
    read -r more left <<<"$(WAITS=1 waits "$1" 4)"
    [ $((left - idle)) -ge $((2 * $2)) ] || fail "$1: a program that waits lets the GPU idle $((left - idle)) times"
}

# ---- skipped updates: the scale, and a schedule that does not advance ----
data=synthetic
"$PCC" zoo mlp image=4 hidden=8 seed=1 -o mlp.onnx >/dev/null || fail "no mlp"
make_programs mixed mlp.onnx --batch 1 --precision 16-mixed --optimizer sgd
run="--steps 37 --lr 3 --schedule linear --seed 3"
# shellcheck disable=SC2086  # a list of options
check 0 mixed $run
grep -q '"skipped":1[0-9]' mixed.early.log && grep -q '"overflow"' mixed.early.log || fail "too few updates are skipped"
[ "$(grep -o '"scale":[^,]*' mixed.early.log | sort -u | wc -l)" -ge 5 ] || fail "the scale does not change"
# shellcheck disable=SC2086
check_weights mixed $run --every 5
check_idle mixed 1

# ---- from a checkpoint ----
for target in c early waits; do
    [ $target = waits ] && export WAITS=1
    train 0 mixed $target --steps 17 --lr 3 --checkpoint $target
    train 0 mixed $target --steps 37 --lr 3 --checkpoint $target --resume
    cp mixed.$target.log resumed.$target.log
    train 0 mixed $target --steps 37 --lr 3
done
unset WAITS
same_bytes resumed.early.log resumed.waits.log
[ "$(grep -c step resumed.early.log)" = 37 ] || fail "the log of the resumed run has not 37 steps"
diff <(grep step resumed.early.log) <(grep step mixed.early.log) >/dev/null || fail "the resumed run differs"
agree resumed

# ---- a signal: what has begun ends, and is logged ----
./mixed_cuda --quiet --data synthetic --epochs 1000000 --log stopped.jsonl --checkpoint stopped 2>errors >/dev/null &
until grep -q '"step":3,' stopped.jsonl 2>/dev/null; do
    kill -0 $! 2>/dev/null || fail "no third step: $(cat errors)"
    sleep 0.05
done
kill -TERM $!
wait $! || fail "a signal ends the run with status $?: $(cat errors)"
step=$(sed -n 's/^stopped by a signal after step \([0-9]*\);.*/\1/p' errors)
[ -n "$step" ] && [ "$step" = "$(grep -c step stopped.jsonl)" ] || fail "step '$step': $(cat errors; tail -1 stopped.jsonl)"
[ -f "stopped/$(printf 'step-%08d.safetensors' "$step")" ] || fail "no checkpoint of step $step: $(ls stopped)"

# ---- clipping over micro-batches, and a batch that cannot be read ----
"$PCC" zoo gpt2 vocab=64 context=8 dim=16 depth=1 heads=2 -o gpt.onnx >/dev/null || fail "no gpt"
make_programs gpt gpt.onnx --batch 2 --loss causal-lm --accumulate 3 --clip-norm 0.5
write_tokens() { # FILE [VALUE]: 40 samples of 8 tokens; VALUE is one of the 22nd
    local i text='' bad=${2:-0}
    for ((i = 0; i < 320; i++)); do
        text=$text$(printf '%02x00' $((bad && i == 8 * 21 + 3 ? bad : i * i * 7 % 61)))
    done
    write_hex "$1" "$text"
}
write_tokens good.bin
write_tokens bad.bin 77
data=tokens:good.bin
check 0 gpt --epochs 2 --val-fraction 0.1 --schedule cosine
[ "$(grep -c step gpt.early.log)" = 12 ] || fail "not 12 steps: $(cat gpt.early.log)"
check_weights gpt --epochs 1 --val-fraction 0.1 --every 2
check_idle gpt 3
data=tokens:bad.bin
check 1 gpt --epochs 1 --val-fraction 0
grep -q "77 is out of range" gpt.early.errors || fail "$(cat gpt.early.errors)"
[ "$(tail -1 gpt.early.log | grep -o '"step":[0-9]*')" = "$(tail -1 gpt.c.log | grep -o '"step":[0-9]*')" ] || fail "another step"

# ---- gradients that are applied as they are made ----
data=synthetic
"$PCC" zoo mlp image=8 hidden=512,1024 -o large.onnx >/dev/null || fail "no large mlp"
make_programs once large.onnx --batch 4 --precision bf16-true --optimizer adamw8bit
[ "$(grep -c '^    apply(s, ' once.cu)" -ge 2 ] || fail "no gradients are applied at once"
check 0 once --steps 2 --schedule cosine
check_weights once --steps 2 --schedule cosine --every 1
