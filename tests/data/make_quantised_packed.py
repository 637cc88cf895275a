#!/usr/bin/env python3
"""Writes quantised_packed.onnx beside itself: products with weights in packed blocks (com.microsoft's MatMulNBits) of 2,
4 and 8 bits, with zero points and without, with a last block that the matrix does not fill,
and with scales of either sign or 0."""
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

random = numpy.random.default_rng(0)
path = pathlib.Path(__file__).with_name('quantised_packed.onnx')
WIDTH = 40


def packed(bits, rows, columns):
    """Numbers of so many bits, the first in the lowest bits of a byte; each row begins with a byte."""
    each = 8 // bits
    bytes_of_a_row = -(-columns // each)
    numbers = random.integers(0, 2**bits, (rows, bytes_of_a_row, each))
    return sum(numbers[..., i] << (bits * i) for i in range(each)).astype(numpy.uint8)


nodes, stored, last, depth = [], [], 'x', 10


def store(name, values):
    stored.append(numpy_helper.from_array(values, name))
    return name


def multiply(width):
    global last, depth
    store('first', random.normal(0, 0.3, (depth, width)).astype(numpy.float32))
    nodes.append(helper.make_node('MatMul', [last, 'first'], ['product'], 'multiply'))
    last, depth = 'product', width


def multiply_packed(name, bits, width, size, has_zeros, has_bias):
    global last, depth
    blocks = -(-depth // size)
    scales = random.uniform(0.5, 1, width * blocks).astype(numpy.float32) / numpy.float32(2**bits)
    scales[::3] *= -1
    scales[1::7] = 0
    operands = [last, store(name, packed(bits, width, blocks * size).reshape(width, blocks, -1)),
                store(name + '_scales', scales),
                store(name + '_zeros', packed(bits, width, blocks).reshape(-1)) if has_zeros else '', '',
                store(name + '_bias', random.normal(size=width).astype(numpy.float32)) if has_bias else '']
    while not operands[-1]:
        operands.pop()
    nodes.append(helper.make_node('MatMulNBits', operands, [name + '_product'], 'multiply_' + name,
                                  domain='com.microsoft', K=depth, N=width, bits=bits, block_size=size))
    nodes.append(helper.make_node('Tanh', [name + '_product'], [name + '_out'], 'squash_' + name))
    last, depth = name + '_out', width


multiply(WIDTH)
multiply_packed('four', 4, 6, 16, True, True)
multiply_packed('small', 4, 36, 16, False, False)
multiply_packed('two', 2, 5, 32, True, False)
multiply_packed('eight', 8, WIDTH, 16, True, True)
multiply_packed('plain', 8, 7, 32, False, False)
graph = helper.make_graph(nodes, path.stem, [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['batch', 10])],
                          [helper.make_tensor_value_info(last, TensorProto.FLOAT, ['batch', depth])], stored)
opsets = [helper.make_opsetid('', 21), helper.make_opsetid('com.microsoft', 1)]
onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
