#!/usr/bin/env python3
"""Writes spelt_variance.onnx beside itself: two linear layers side by side, and behind each a standardisation of a model's
own, over activations of about 1e-4, whose squares are zero in f16: x less its mean, by the root of the mean of squares plus
a small number, and by a power of -1/2 of the mean of squares less the squared mean. Neither is a LayerNormalization."""
import pathlib

import numpy
import onnx
from onnx import helper, numpy_helper

random = numpy.random.default_rng(0)


def weight(name, *dims, scale=1.0):
    return numpy_helper.from_array((random.standard_normal(dims) * scale).astype(numpy.float32), name)


def number(name, value):
    return numpy_helper.from_array(numpy.float32(value), name)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], output, **attributes)


nodes = [
    node('MatMul', 'x w', 'h'),
    node('ReduceMean', 'h axes', 'mean'),
    node('Sub', 'h mean', 'centred'),
    node('Mul', 'centred centred', 'squares'),
    node('ReduceMean', 'squares axes', 'variance'),
    node('Sqrt', 'variance', 'deviation'),
    node('Add', 'deviation tiny', 'safe'),
    node('Div', 'centred safe', 'normal'),
    node('MatMul', 'x v', 'u'),
    node('ReduceMean', 'u axes', 'mean_u'),
    node('Pow', 'u two', 'powers'),
    node('ReduceMean', 'powers axes', 'mean_of_squares'),
    node('Mul', 'mean_u mean_u', 'square_of_mean'),
    node('Sub', 'mean_of_squares square_of_mean', 'difference'),
    node('Add', 'difference least', 'shifted'),
    node('Pow', 'shifted inverse_root', 'inverse'),
    node('Sub', 'u mean_u', 'centred_u'),
    node('Mul', 'centred_u inverse', 'normal_u'),
    node('Add', 'normal normal_u', 'both'),
    node('MatMul', 'both head', 'y'),
]
initializers = [weight('w', 20, 12, scale=2e-5), weight('v', 20, 12, scale=2e-5), weight('head', 12, 5, scale=0.25),
                numpy_helper.from_array(numpy.array([1], numpy.int64), 'axes'), number('tiny', 1e-8), number('two', 2),
                number('least', 1e-12), number('inverse_root', -0.5)]
graph = helper.make_graph(nodes, 'spelt_variance',
                          [helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, ['batch', 20])],
                          [helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, ['batch', 5])], initializers)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
onnx.save(model, pathlib.Path(__file__).with_name('spelt_variance.onnx'))
