#!/bin/bash
# What has no literal or no axis in C: the program of each small model agrees with the evaluator, gradients too.
. "$(dirname "$0")/support.sh"

agrees() { # FILE [LOSS]: in both precisions
    expect 0 "^ok" "$PCC" verify "$1" --loss "${2:-mse}" --precision 64
    expect 0 "^ok" "$PCC" verify "$1" --loss "${2:-mse}"
}

w3=$(tensor w 01 3 00000040000040c00000003f) # {2, -3, 0.5}
# A matrix times a vector, and what follows it: [2, 3]·[3] + [2], tanh.
write_graph matrix_vector.onnx "$(node product MatMul 'x w' p)$(node bias Add 'p b' q)$(node squash Tanh q y)$w3$(
    tensor b 01 2 0000003f000000bf)$(graph_input x 01 '2 3')$(graph_output y 01 2)"
agrees matrix_vector.onnx
# A vector times a matrix for each of two samples: [3]·[2, 3, 2] * [2, 2], tanh.
write_graph vector_matrix.onnx "$(node product MatMul 'w x' p)$(node scale Mul 'p s' q)$(node squash Tanh q y)$w3$(
    tensor s 01 '2 2' 0000003f000000bf0000803f00000040)$(graph_input x 01 '2 3 2')$(graph_output y 01 '2 2')"
agrees vector_matrix.onnx
# Two vectors: a scalar, with a scalar epilogue; one sample of three features.
write_graph vectors.onnx "$(node product MatMul 'x w' p)$(node bias Add 'p b' q)$(node squash Tanh q y)$w3$(
    tensor b 01 '' 0000003f)$(graph_input x 01 3)$(graph_output y 01 '')"
agrees vectors.onnx output

# The least i64, which C cannot spell as a literal, as a scalar of a loop and as an element of a tensor.
least=0000000000000080
write_graph least.onnx "$(node top Max 'ids least' a)$(node other Max 'a two' c)$(
    node float Cast c f "$(int_attribute to 1)")$(node scale Mul 'f w' y)$w3$(tensor least 07 '' $least)$(
    tensor two 07 3 "${least}0300000000000000$least")$(graph_input ids 07 '2 3')$(graph_output y 01 '2 3')"
agrees least.onnx
expect 0 "" "$PCC" least.onnx --loss mse --precision 64 -o least.c
grep -q INT64_MIN least.c || fail "least.c does not use the least i64"


# Integers without a defined result in C: divisors of 0 and -1, counts that no shift takes, products beyond the width.
# Every id becomes the number of `top`, at run time.
top=00000000000000800500000000000000f8ffffffffffffff # {INT64_MIN, 5, -8}
by=ffffffffffffffff00000000000000004600000000000000  # {-1, 0, 70}
three=00000040000040c00000003f six=$three$three$three$three$three$three
nodes= parts=
for op in Div Mod Mul Sub Add BitShift; do
    attributes=
    [ $op = BitShift ] && attributes=$(field 5 "$(text_field 1 direction)$(field 4 "$(hex_of RIGHT)")a00103")
    nodes=$nodes$(node of_$op $op 'c by' $op "$attributes")$(node sign_of_$op Sign $op sign_$op)
    parts="$parts sign_$op"
done
write_graph integers.onnx "$(node low Max 'ids top' a)$(node high Min 'a top' c)$nodes$(
    node all Concat "$parts" d "$(int_attribute axis 1)")$(node float Cast d f "$(int_attribute to 1)")$(
    node scale Mul 'f w' y)$(tensor w 01 18 "$six")$(tensor top 07 3 $top)$(tensor by 07 3 $by)$(graph_input ids 07 '2 3')$(
    graph_output y 01 '2 18')"
agrees integers.onnx

# An embedding of 72 MB that starts from zeros: more than is folded where it could be computed.
write_graph zeros.onnx "$(node zeros ConstantOfShape s e)$(node pick Gather 'e ids' p)$(node shift Add 'p w' y)$(
    tensor s 07 2 20bf0200000000006400000000000000)$(tensor w 01 1 0000003f)$(graph_input ids 07 3)$(
    graph_output y 01 '3 100')"
expect 0 "" "$PCC" zeros.onnx --loss mse -o zeros.ir
grep -q 'e.*f32\[180000,100\]' zeros.ir || fail "the zeros are not in the graph: $(head -c 600 zeros.ir)"
