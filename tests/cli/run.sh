#!/bin/bash
# `pcc run` against values computed by hand: {2, -3, 0.5} times and plus {1.5, 2, -8}.
. "$(dirname "$0")/support.sh"

write_inputs() { # FILE NAME
    local header="{\"$2\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}"
    write_hex "$1" "$(printf '%02x' ${#header})00000000000000$(hex_of "$header")0000c03f00000040000000c1"
}

values() { # of the only tensor, three float64
    tail -c 24 "$1" | od -An -v -t f8 | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'
}

write_inputs in.safetensors x
write_inputs probe.safetensors input/x
write_inputs other.safetensors z
write_model mul.onnx Mul
write_model add.onnx Add
expect 0 "" "$PCC" run mul.onnx --inputs in.safetensors --dump out.safetensors
[ "$(values out.safetensors)" = "3 -6 -4" ] || fail "the product is $(values out.safetensors)"
grep -q '"y":{"dtype":"F64","shape":\[3\]' out.safetensors || fail "y is not a float64 vector"
expect 0 "" "$PCC" run add.onnx --inputs probe.safetensors --dump out.safetensors
[ "$(values out.safetensors)" = "3.5 -1 -7.5" ] || fail "the sum is $(values out.safetensors)"
rm out.safetensors
expect 1 "" "$PCC" run mul.onnx --inputs other.safetensors --dump out.safetensors

# Integers of few elements, and floats that a node must know to be imported.
write_tensors() { # FILE HEADER HEX
    write_hex "$1" "$(printf '%02x' ${#2})00000000000000$(hex_of "$2")$3"
}
write_graph gather.onnx "$(node pick Gather 'w indices' y)$(tensor w 01 3 00000040000040c00000003f)$(
    graph_input indices 07 3)$(graph_output y 01 3)"
write_tensors indices.safetensors '{"indices":{"dtype":"I64","shape":[3],"data_offsets":[0,24]}}' \
    020000000000000000000000000000000100000000000000
expect 0 "" "$PCC" run gather.onnx --inputs indices.safetensors --dump out.safetensors
[ "$(values out.safetensors)" = "0.5 2 -3" ] || fail "the picked values are $(values out.safetensors)"
write_graph range.onnx "$(node range Range 'first limit delta' y)$(graph_input first 01 '')$(
    graph_input limit 01 '')$(graph_input delta 01 '')$(graph_output y 01 3)"
scalar() { printf '"%s":{"dtype":"F32","shape":[],"data_offsets":[%s]}' "$1" "$2"; }
write_tensors range.safetensors "{$(scalar first 0,4),$(scalar limit 4,8),$(scalar delta 8,12)}" \
    0000003f0000004000000040
expect 0 "" "$PCC" run range.onnx --inputs range.safetensors --dump one.safetensors
grep -q '"y":{"dtype":"F64","shape":\[1\]' one.safetensors || fail "the range is not of one element"

write_tensors wrong.safetensors '{"indices":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' 0000003f
expect 1 "input .indices. is f32.1., but the model wants i64" "$PCC" run gather.onnx --inputs wrong.safetensors --dump out.safetensors
rm -f out.safetensors one.safetensors
expect 4 "none.safetensors" "$PCC" run mul.onnx --inputs none.safetensors --dump out.safetensors
expect 1 "" "$PCC" run mul.onnx --inputs mul.onnx --dump out.safetensors
[ ! -e out.safetensors ] || fail "a failed run left an output"
