#!/bin/bash
# What the loss reads: logits behind probabilities, --output inside the graph, one class, the samples' axis.
. "$(dirname "$0")/support.sh"

w34=$(tensor w 01 '3 4' "$(printf '0000803f%.0s' 1 2 3 4)$(printf '000000bf%.0s' 1 2 3 4)$(printf '0000003f%.0s' 1 2 3 4)")
product=$(node product MatMul 'x w' z)

compiles() { # PATTERN FILE OPTIONS...
    local pattern=$1
    shift
    expect 0 "$pattern" "$PCC" "$@" -o train.c
}

table() { # NAME: a field of the emitted program's table, or of a tensor in it
    sed -n "s/.*\.$1 = \(.*\),\$/\1/p" train.c
}

# ---- probabilities: the loss reads the logits, the outputs stay as they are ----

write_graph softmax.onnx "$product$(node normalise Softmax z p)$w34$(graph_input x 01 '2 3')$(graph_output p 01 '2 4')"
compiles "note: node 'normalise' (Softmax): --loss cross-entropy takes logits: it reads 'z'" softmax.onnx
[ "$(table loss_output)" = 1 ] || fail "the loss reads output $(table loss_output)"
[ "$(table output_count)" = "PCC_COUNT(outputs) - 1" ] || fail "the logits are an output of the model"
expect 0 "^ok" "$PCC" verify softmax.onnx --precision 64
[ "$(grep -c "takes logits" output)" = 1 ] || fail "verify says more than once what the loss reads"
compiles "\[-Wloss-of-probabilities\]" softmax.onnx --loss bce-with-logits
compiles "" softmax.onnx --loss mse
! grep -q probabilities output || fail "mse does not take logits: $(cat output)"
expect 1 "loss-of-probabilities" "$PCC" softmax.onnx --loss bce-with-logits -Werror -o train.c
expect 0 "logits" "$PCC" --explain loss-of-probabilities

write_graph sigmoid.onnx "$product$(node squash Sigmoid z p)$w34$(graph_input x 01 '2 3')$(graph_output p 01 '2 4')"
compiles "--loss bce-with-logits takes logits: it reads 'z'" sigmoid.onnx --loss bce-with-logits
compiles "use --loss bce-with-logits.*\[-Wloss-of-probabilities\]" sigmoid.onnx

# ---- --output names any value ----

compiles "" softmax.onnx --output z
[ ! -s output ] || fail "there is something to say of logits: $(cat output)"
grep -q '^    {"z", PCC_F32' train.c || fail "z is no output of the program"
expect 2 "'w' is an input or a constant" "$PCC" softmax.onnx --output w -o train.c
expect 2 "'zz' is no value of the graph; did you mean 'z'?" "$PCC" softmax.onnx --output zz -o train.c
# An output inside a pattern: the Erf of a GELU, which is put back for the other output all the same.
half=$(tensor half 01 '' 0000003f)$(tensor one 01 '' 0000803f)$(tensor root 01 '' f304353f)
write_graph gelu.onnx "$product$(node a Mul 'z root' s)$(node b Erf s e)$(node c Add 'e one' f)$(node d Mul 'z f' g)$(
    node h Mul 'g half' y)$w34$half$(graph_input x 01 '2 3')$(graph_output y 01 '2 4')$(
    graph_output e 01 '2 4')"
expect 0 "GeluErf" "$PCC" gelu.onnx --loss mse --output e --freeze root --freeze half --freeze one \
    --dump-after recognise -o train.c
grep -q "= Erf" output || fail "the Erf that --output names is gone"
expect 0 "^ok" "$PCC" verify gelu.onnx --loss mse --output e --precision 64

# ---- one class ----

w31=$(tensor w 01 '3 1' 0000803f000000bf0000003f)
write_graph one.onnx "$product$w31$(graph_input x 01 '2 3')$(graph_output z 01 '2 1')"
expect 1 "one class.*--loss bce-with-logits" "$PCC" one.onnx -o train.c
write_graph tokens.onnx "$product$w31$(graph_input x 01 '2 5 3')$(graph_output z 01 '2 5 1')"
expect 1 "one class" "$PCC" tokens.onnx --loss token-cross-entropy -o train.c
compiles "" one.onnx --loss bce-with-logits

# ---- the samples' axis ----

# [time, batch, classes], where six steps divide by the batch of two.
perm=$(field 5 "$(text_field 1 perm)400140004002a00107")
write_graph time.onnx "$(node turn Transpose x t "$perm")$(node product MatMul 't w' z)$w34$(
    graph_input x 01 '2 6 3')$(graph_output z 01 '6 2 4')"
compiles "" time.onnx --loss token-cross-entropy
grep -q 'target", PCC_I64, 2, {2, 6}' train.c || fail "the target is not [batch, time]: $(grep target train.c)"
expect 0 "^ok" "$PCC" verify time.onnx --loss token-cross-entropy --precision 64
for loss in mse bce-with-logits; do
    compiles "" time.onnx --loss $loss
    grep -q 'target", PCC_F32, 3, {2, 6, 4}' train.c || fail "the target of $loss does not have the samples first"
done
expect 1 "batch on axis 1.*token-cross-entropy" "$PCC" time.onnx --loss cross-entropy -o train.c
# Where nothing tells the axes apart: refused.
write_graph square.onnx "$(node pick Gather 'x where' g)$(node product MatMul 'g w' z)$w34$(
    tensor where 07 4 "$(printf '%02x00000000000000' 1 0 3 2)")$(
    graph_input x 01 '4 4 3')$(graph_output z 01 '4 4 4')"
expect 3 "which axis of output 'z'.*--batch" "$PCC" square.onnx --loss token-cross-entropy -o train.c

# The file's names tell them apart where the graph does not, whatever --batch and the other axes are.
write_graph named.onnx "$(node pick Gather 'x where' g)$(node product MatMul 'g w' z)$w34$(
    tensor where 07 4 "$(printf '%02x00000000000000' 1 0 3 2)")$(
    graph_input x 01 'batch 4 3')$(graph_output z 01 '4 batch 4')"
compiles "" named.onnx --loss token-cross-entropy --batch 4
grep -q 'logits_0\|z/batch_first' train.c || fail "the scores of named.onnx are not transposed"
write_graph behind.onnx "$product$w34$(graph_input x 01 'time batch 3')$(graph_output z 01 'time batch 4')"
compiles "\[-Wbatch-not-first\]" behind.onnx --loss token-cross-entropy --batch 2 --dim time=3

# ---- a graph is one sample ----

write_graph graph.onnx "$(node messages Gather 'x edges' m)$(node sum ReduceSum 'm axes' s "$(int_attribute keepdims 0)")$(node pool MatMul 'own s' p)$(
    node product MatMul 'p w' z)$w34$(tensor axes 07 1 0000000000000000)$(tensor own 01 '3 5' "$(printf '0000803f%.0s' {1..15})")$(
    graph_input x 01 'nodes 3')$(graph_input edges 07 '2 5')$(graph_output z 01 'graphs 4')"
for nodes in 2 3 7; do # two and three are the extents of other axes by chance
    compiles "are one sample" graph.onnx --dim nodes=$nodes
    [ "$(table batch)" = 1 ] || fail "$nodes nodes make a batch of $(table batch)"
done
grep -q 'target", PCC_I64, 1, {3}' train.c || fail "the target is not that of three graphs: $(grep target train.c)"
expect 0 "^ok" "$PCC" verify graph.onnx --dim nodes=7 --precision 64
