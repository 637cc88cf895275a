#!/bin/bash
# Multinomial draws each class as often as its logits say, and other numbers in every step.
. "$(dirname "$0")/support.sh"

# The mean over 4000 draws of OP(class, class), times a parameter: classes 0, 1, 2 of logits ln 1, ln 2, ln 5.
write_draws() { # FILE OP
    write_graph "$1" "$(node pick Multinomial logits c "$(int_attribute dtype 7)$(
        field 5 "$(text_field 1 sample_size)18a01fa00102")")$(node float Cast c f "$(int_attribute to 1)")$(
        node terms "$2" 'f f' t)$(node mean ReduceMean t m "$(int_attribute keepdims 0)")$(node scale Mul 'm g' s)$(
        node rest ReduceMean x z "$(int_attribute keepdims 0)")$(node none Mul 'z nought' n)$(node sum Add 's n' y)$(
        tensor logits 01 '1 3' 000000001872313f1002ce3f)$(tensor g 01 '' 0000803f)$(tensor nought 01 '' 00000000)$(
        graph_input x 01 '4 2')$(graph_output y 01 '')"
}

# loss_near OP LOW HIGH: the first three losses lie between these, and differ.
loss_near() {
    write_draws draws.onnx "$1"
    expect 0 "" "$PCC" draws.onnx --loss output --trainable g -o draws
    expect 0 "" ./draws --data synthetic --steps 3 --lr 0 --weight-decay 0 --quiet --log log
    grep -o '"loss":[^,}]*' log | head -3 | cut -d: -f2 >losses
    awk -v low="$2" -v high="$3" '$1 < low || $1 > high || seen[$1]++ { bad = 1 } END { exit bad || NR != 3 }' losses ||
        fail "the means of $1 are $(echo $(cat losses)), not between $2 and $3"
}

loss_near Max 1.45 1.55 # (1·2 + 2·5) / 8
loss_near Mul 2.65 2.85 # (1·2 + 4·5) / 8
