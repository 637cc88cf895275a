#!/usr/bin/env python3
"""Writes scatter_max.onnx beside itself: a ScatterElements that takes the maximum with what a product makes, between two
linear layers. Its gradient asks which element won, so that forward and backward have to read the same numbers."""
import pathlib

import numpy
import onnx
from onnx import helper, numpy_helper

random = numpy.random.default_rng(0)


def weight(name, *dims):
    return numpy_helper.from_array((random.standard_normal(dims) / 3).astype(numpy.float32), name)


nodes = [helper.make_node('Gemm', ['x', 'w', 'b'], ['h'], 'first'),
         helper.make_node('ScatterElements', ['h', 'indices', 'u'], ['z'], 'scatter', axis=1, reduction='max'),
         helper.make_node('Gemm', ['z', 'v'], ['y'], 'last')]
indices = numpy_helper.from_array(numpy.tile(numpy.array([0, 5, 7], numpy.int64), (8, 1)), 'indices')
graph = helper.make_graph(nodes, 'scatter_max', [helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [8, 20])],
                          [helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [8, 5])],
                          [weight('w', 20, 12), weight('b', 12), weight('u', 8, 3), weight('v', 12, 5), indices])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
onnx.save(model, pathlib.Path(__file__).with_name('scatter_max.onnx'))
