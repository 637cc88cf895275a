#!/usr/bin/env python3
"""Writes quantised_moved.onnx beside itself: weights that are stored as integers and moved before DequantizeLinear reads
them. A table that is looked up in integers and, transposed, is the last layer; another one at constant positions; a
transposed matrix with a scale for each row; a flat one."""
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

random = numpy.random.default_rng(0)
path = pathlib.Path(__file__).with_name('quantised_moved.onnx')
WORDS, WIDTH = 11, 6


def constant(name, values):
    return numpy_helper.from_array(numpy.asarray(values), name)


def draw(name, kind, low, high, *dims):
    return constant(name, random.integers(low, high + 1, dims).astype(kind))


def scales(name, count):
    return constant(name, random.uniform(0.01, 0.02, count).astype(numpy.float32))


def dequantise(name, output, *grid, **attributes):
    return helper.make_node('DequantizeLinear', [name, *grid], [output], 'dequantise_' + output, **attributes)


node = helper.make_node
nodes = [node('Gather', ['table', 'ids'], ['rows'], 'look_up'),
         dequantise('rows', 'words', 'table_scale', 'table_zero', axis=-1),
         node('Gather', ['places', 'positions'], ['chosen'], 'choose'),
         dequantise('chosen', 'chosen_places', 'places_scale'),
         node('Add', ['words', 'chosen_places'], ['x'], 'embed'),
         node('Transpose', ['wide'], ['turned'], 'turn', perm=[1, 0]),
         dequantise('turned', 'turned_wide', 'wide_scale', 'wide_zero', axis=1),
         node('MatMul', ['x', 'turned_wide'], ['hidden'], 'first'),
         node('Tanh', ['hidden'], ['active'], 'squash'),
         node('Reshape', ['flat', 'flat_shape'], ['square'], 'shape'),
         dequantise('square', 'square_floats', 'flat_scale'),
         node('MatMul', ['active', 'square_floats'], ['features'], 'second'),
         node('Transpose', ['table'], ['columns'], 'tie', perm=[1, 0]),
         dequantise('columns', 'head', 'table_scale', 'table_zero', axis=0),
         node('MatMul', ['features', 'head'], ['y'], 'scores')]
stored = [draw('table', 'int8', -127, 127, WORDS, WIDTH), scales('table_scale', WIDTH),
          draw('table_zero', 'int8', -3, 3, WIDTH),
          draw('places', 'int8', -127, 127, 5, WIDTH), constant('places_scale', numpy.float32(0.01)),
          constant('positions', [0, 2, 4]),
          draw('wide', 'uint8', 0, 255, 4, WIDTH), scales('wide_scale', 4), draw('wide_zero', 'uint8', 100, 150, 4),
          draw('flat', 'int8', -8, 7, 24), constant('flat_scale', numpy.float32(0.05)), constant('flat_shape', [4, 6])]
graph = helper.make_graph(nodes, path.stem, [helper.make_tensor_value_info('ids', TensorProto.INT64, ['batch', 3])],
                          [helper.make_tensor_value_info('y', TensorProto.FLOAT, ['batch', 3, WORDS])], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 21)], ir_version=10)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, path)
