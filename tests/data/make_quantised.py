#!/usr/bin/env python3
"""Writes quantised.onnx beside itself: a network as exporters for quantisation-aware training have it, with pairs of
QuantizeLinear and DequantizeLinear around inputs, activations and float weights, one in 8-bit floats and one in 4-bit
integers; then an onnxruntime fusion, a soft-capped attention and a GridSample at places that are learnt."""
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

random = numpy.random.default_rng(0)


def weight(name, *dims):
    return numpy_helper.from_array((random.standard_normal(dims) / 3).astype(numpy.float32), name)


def constant(name, value):
    return numpy_helper.from_array(numpy.asarray(value), name)


def pair(name, scale, zero, **attributes):
    """NAME rounded to a grid, as NAME_grid."""
    operands = [scale] + ([zero] if zero else [])
    return [helper.make_node('QuantizeLinear', [name, *operands], [name + '_q'], name + '_quantise', **attributes),
            helper.make_node('DequantizeLinear', [name + '_q', *operands], [name + '_grid'], name + '_dequantise',
                             **attributes)]


nodes = [*pair('x', 'x_scale', 'x_zero'), *pair('w', 'w_scale', 'w_zero', axis=1),
         helper.make_node('Gemm', ['x_grid', 'w_grid', 'b'], ['h'], 'first'),
         *pair('h', 'h_scale', 'h_zero'), *pair('v', 'v_scale', 'v_zero'),
         helper.make_node('FusedMatMul', ['h_grid', 'v_grid'], ['m'], 'fused', domain='com.microsoft', alpha=0.5),
         helper.make_node('BiasGelu', ['m', 'c'], ['g'], 'gelu', domain='com.microsoft'),
         helper.make_node('Reshape', ['g', 'rows'], ['t'], 'rows'),
         helper.make_node('Attention', ['t', 't', 't'], ['a'], 'attention', q_num_heads=2, kv_num_heads=2,
                          is_causal=1, softcap=4.0),
         helper.make_node('Reshape', ['a', 'image'], ['i'], 'image'),
         helper.make_node('GridSample', ['i', 'places'], ['s'], 'sample', padding_mode='border'),
         helper.make_node('Flatten', ['s'], ['f'], 'flatten'),
         helper.make_node('Gemm', ['f', 'u'], ['y'], 'last')]
stored = [constant('x_scale', numpy.float32(0.02)), constant('x_zero', numpy.uint8(128)),
          constant('w_scale', numpy.full(16, 0.01, numpy.float32)), constant('w_zero', numpy.zeros(16, numpy.int8)),
          constant('h_scale', numpy.float32(0.25)), helper.make_tensor('h_zero', TensorProto.FLOAT8E4M3FN, [], [0.0]),
          constant('v_scale', numpy.float32(0.15)), helper.make_tensor('v_zero', TensorProto.INT4, [], [0]),
          constant('rows', numpy.array([0, 4, 8], numpy.int64)), constant('image', numpy.array([0, 2, 4, 4], numpy.int64)),
          constant('places', random.uniform(-0.9, 0.9, (8, 3, 2, 2)).astype(numpy.float32)),
          weight('w', 20, 16), weight('b', 16), weight('v', 16, 32), weight('c', 32), weight('u', 12, 5)]
graph = helper.make_graph(nodes, 'quantised', [helper.make_tensor_value_info('x', TensorProto.FLOAT, [8, 20])],
                          [helper.make_tensor_value_info('y', TensorProto.FLOAT, [8, 5])], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 25), helper.make_opsetid('com.microsoft', 1)],
                          ir_version=11)
onnx.save(model, pathlib.Path(__file__).with_name('quantised.onnx'))
