#!/usr/bin/env python3
"""How long pcc takes over a graph of many small nodes: a deep residual MLP, x + relu(x W + b) again and again.

    bench/compile.py [--nodes 10000] [--width 16] [--modes 32-true,bf16-mixed] [--build build/release]

Needs the Python packages onnx and numpy. Prints the CPU time and the peak memory of pcc for each mode, as C."""
import argparse
import os
import pathlib
import sys
import tempfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent


def residual_mlp(nodes, width):
    random = numpy.random.default_rng(0)
    graph, parameters, x = [], [], 'x'
    for i in range(nodes // 4):
        for name, shape in ((f'w{i}', (width, width)), (f'b{i}', (width,))):
            parameters.append(numpy_helper.from_array(random.normal(0, 0.1, shape).astype('f4'), name))
        graph += [helper.make_node('MatMul', [x, f'w{i}'], [f'product{i}']),
                  helper.make_node('Add', [f'product{i}', f'b{i}'], [f'sum{i}']),
                  helper.make_node('Relu', [f'sum{i}'], [f'relu{i}']),
                  helper.make_node('Add', [x, f'relu{i}'], [f'x{i}'])]
        x = f'x{i}'
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ['batch', width])] for name in ('x', x)]
    return helper.make_model(helper.make_graph(graph, 'residual_mlp', *ends, parameters),
                             opset_imports=[helper.make_opsetid('', 17)])


def compile_once(pcc, model, mode, folder):
    pid = os.posix_spawn(pcc, [pcc, model, '--loss', 'mse', '--batch', '8', '--precision', mode, '-o',
                               f'{folder}/train.c'], os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f'compile.py: pcc fails on {model} at {mode}')
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--nodes', type=int, default=10000)
    parser.add_argument('--width', type=int, default=16)
    parser.add_argument('--modes', default='32-true,bf16-mixed')
    parser.add_argument('--build', type=pathlib.Path, default=HERE.parent / 'build/release')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = f'{folder}/model.onnx'
        onnx.save(residual_mlp(options.nodes, options.width), model)
        print('| mode | CPU s | peak MiB |\n|---|---|---|')
        for mode in options.modes.split(','):
            runs = [compile_once(str(options.build.resolve() / 'pcc'), model, mode, folder) for _ in range(3)]
            print(f'| {mode} | {min(runs)[0]:.2f} | {min(runs)[1]:.0f} |', flush=True)


main()
