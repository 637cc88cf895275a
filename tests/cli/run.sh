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
expect 4 "none.safetensors" "$PCC" run mul.onnx --inputs none.safetensors --dump out.safetensors
expect 1 "" "$PCC" run mul.onnx --inputs mul.onnx --dump out.safetensors
[ ! -e out.safetensors ] || fail "a failed run left an output"
