#!/bin/bash
# Wrong use: status 2, one line, and what was meant.
. "$(dirname "$0")/support.sh"
make_mlp m.onnx

wrong() {
    local pattern=$1
    shift
    expect 2 "$pattern" "$PCC" "$@"
    one_line
}

wrong "no model" -o train.c
wrong "unknown option '--precison'; did you mean '--precision'" m.onnx --precison 32 -o train.c
wrong "did you mean '32-true'" m.onnx --precision 33-true -o train.c
wrong "did you mean 'cross-entropy'" m.onnx --loss crossentropy -o train.c
wrong "did you mean 'adamw'" m.onnx --optimizer adamW2 -o train.c
wrong "did you mean 'report'" m.onnx --emit reprot -o train.c
wrong "did you mean 'trainable'" m.onnx --print trainabel
wrong "did you mean 'recognise'" m.onnx --passes recognize -o train.c
wrong "'fuse' always runs" m.onnx --passes fuse -o train.c
wrong "unknown pass 'nothing-like-it'" m.onnx --dump-after nothing-like-it -o train.c
wrong "did you mean 'no-export'" --explain no-exprt
wrong "needs a value" m.onnx -o
wrong "takes no value" m.onnx -v=3 -o train.c
wrong "at least 1" m.onnx --batch 0 -o train.c
wrong "at least 1" m.onnx --batch 3x -o train.c
wrong "at least 1" m.onnx --batch 99999999999999999999 -o train.c
wrong "above 0" m.onnx --clip-norm nan -o train.c
wrong "NAME=N" m.onnx --dim batch -o train.c
wrong "INPUT=DIMS" m.onnx --shape x=3by4 -o train.c
wrong "of the form RULE" m.onnx --lower Softmax -o train.c
wrong "did you mean 'bf16-mixed'" m.onnx --precision bf16-mxied -o train.c
wrong "did you mean 'torch-cuda'" m.onnx --policy torch-cud -o train.c
wrong "one of pcc torch-cuda torch-cpu apex-O0" m.onnx --policy nothing-like-it -o train.c
wrong "one of dynamic NUMBER none" m.onnx --loss-scale -1 -o train.c
wrong "one of nearest stochastic kahan master" m.onnx --update somehow -o train.c
wrong "of the form SIZE" m.onnx --memory-budget plenty -o train.c
wrong "two models" m.onnx n.onnx -o train.c
wrong "two models.*did you mean 'verify'" verfy m.onnx
wrong "no output" m.onnx
wrong "did you mean '.c'" m.onnx -o train.cc
wrong "give --emit" m.onnx -o train.exotic
wrong "needs -o" m.onnx --emit c
wrong "overwrite the model" m.onnx --emit c -o m.onnx
wrong "needs -MD" m.onnx -MF deps -o train.c
wrong "is for programs" m.onnx --standalone -o train.ir
wrong "no place for the weights" m.onnx --batch 4 --emit c -o -
wrong "is an option of 'pcc run', not of 'pcc'" m.onnx --inputs x -o train.c
wrong "is an option of 'pcc', not of 'pcc run'" run m.onnx -o train.c
wrong "needs --inputs" run m.onnx --dump out.safetensors
wrong "no input has that name" m.onnx --batch 4 --bind nothing=1 -o train.c
wrong "is not of the form INPUT=VALUE" m.onnx --batch 4 --bind x -o train.c
wrong "is no value of the graph; did you mean .logits.?" m.onnx --batch 4 --output logitz -o train.c
wrong "matches no initializer" m.onnx --batch 4 --freeze 'nothing*' -o train.c
only_files m.onnx output
