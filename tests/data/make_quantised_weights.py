#!/usr/bin/env python3
"""Writes three models beside itself whose weights are stored as integers, for DequantizeLinear to read.

quantised_static.onnx: a small convolutional network as onnxruntime's quantize_static leaves it in the QDQ format: weights int8 for
each output channel, biases int32, activations uint8. quantised_grids.onnx: other types and layouts of such weights: uint8 with a
zero point, int4 in blocks that do not divide the axis, uint4 in blocks of the last axis, int16, and int8 in a Constant
node and read twice. quantised_torch.onnx: a network that PyTorch quantised, as its TorchScript exporter writes it: all
weights in Constant nodes, and casts between QuantizeLinear and DequantizeLinear that change nothing."""
import pathlib
import tempfile

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

random = numpy.random.default_rng(0)
folder = pathlib.Path(__file__).parent


def weight(name, *dims):
    bound = 1 / numpy.sqrt(numpy.prod(dims[1:])) if len(dims) > 1 else 0.1
    return numpy_helper.from_array(random.uniform(-bound, bound, dims).astype(numpy.float32), name)


def constant(name, value):
    return numpy_helper.from_array(numpy.asarray(value), name)


def save(nodes, stored, inputs, outputs, path, opset):
    graph = helper.make_graph(nodes, path.stem, [helper.make_tensor_value_info('x', TensorProto.FLOAT, inputs)],
                              [helper.make_tensor_value_info('y', TensorProto.FLOAT, outputs)], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


# ---- quantised_static.onnx ----

class Calibration(quantization.CalibrationDataReader):
    def __init__(self):
        self.batches = iter([{'x': random.standard_normal((4, 1, 8, 8)).astype(numpy.float32)} for _ in range(4)])

    def get_next(self):
        return next(self.batches, None)


with tempfile.TemporaryDirectory() as temporary:
    floats = pathlib.Path(temporary) / 'floats.onnx'
    save([helper.make_node('Conv', ['x', 'conv1.weight', 'conv1.bias'], ['a'], 'conv1', pads=[1, 1, 1, 1]),
          helper.make_node('Relu', ['a'], ['b'], 'relu1'),
          helper.make_node('Conv', ['b', 'conv2.weight', 'conv2.bias'], ['c'], 'conv2', strides=[2, 2]),
          helper.make_node('Relu', ['c'], ['d'], 'relu2'),
          helper.make_node('Flatten', ['d'], ['e'], 'flatten'),
          helper.make_node('Gemm', ['e', 'fc.weight', 'fc.bias'], ['y'], 'fc', transB=1)],
         [weight('conv1.weight', 4, 1, 3, 3), weight('conv1.bias', 4), weight('conv2.weight', 6, 4, 3, 3),
          weight('conv2.bias', 6), weight('fc.weight', 5, 54), weight('fc.bias', 5)],
         ['batch', 1, 8, 8], ['batch', 5], floats, 17)
    quantization.quantize_static(floats, folder / 'quantised_static.onnx', Calibration(),
                                 quant_format=quantization.QuantFormat.QDQ, per_channel=True,
                                 activation_type=quantization.QuantType.QUInt8,
                                 weight_type=quantization.QuantType.QInt8)

# ---- quantised_grids.onnx ----


def integers(name, kind, values):
    return numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(kind)), name)


def dequantise(name, *operands, **attributes):
    return helper.make_node('DequantizeLinear', [name, *operands], [name + '_float'], name + '_dequantise', **attributes)


def draw(low, high, *dims):
    return random.integers(low, high + 1, dims)


def scales(*dims):
    return random.uniform(0.01, 0.05, dims).astype(numpy.float32)


save([dequantise('u8', 'u8_scale', 'u8_zero'),
      helper.make_node('MatMul', ['x', 'u8_float'], ['h1'], 'first'),
      dequantise('i4', 'i4_scale', axis=0, block_size=4),
      helper.make_node('MatMul', ['h1', 'i4_float'], ['h2'], 'second'),
      dequantise('u4', 'u4_scale', 'u4_zero', axis=1, block_size=3),
      helper.make_node('MatMul', ['h2', 'u4_float'], ['h3'], 'third'),
      dequantise('i16', 'i16_scale', axis=-1),
      helper.make_node('MatMul', ['h3', 'i16_float'], ['h4'], 'fourth'),
      helper.make_node('Constant', [], ['node'], 'node', value=integers('', TensorProto.INT8, draw(-128, 127, 6, 6))),
      dequantise('node', 'node_scale', axis=0),
      helper.make_node('MatMul', ['h4', 'node_float'], ['h5'], 'fifth'),
      helper.make_node('DequantizeLinear', ['node', 'node_scale'], ['node_again'], 'again', axis=0),
      helper.make_node('MatMul', ['h5', 'node_again'], ['y'], 'sixth')],
     [integers('u8', TensorProto.UINT8, draw(0, 255, 24, 10)), constant('u8_scale', numpy.float32(0.004)),
      constant('u8_zero', numpy.uint8(131)),
      integers('i4', TensorProto.INT4, draw(-8, 7, 10, 9)), constant('i4_scale', scales(3, 9)),
      integers('u4', TensorProto.UINT4, draw(0, 15, 9, 6)), constant('u4_scale', scales(9, 2)),
      integers('u4_zero', TensorProto.UINT4, draw(5, 10, 9, 2)),
      integers('i16', TensorProto.INT16, draw(-2000, 2000, 6, 6)), constant('i16_scale', scales(6) / 128),
      constant('node_scale', scales(6) / 16)],
     [4, 24], [4, 6], folder / 'quantised_grids.onnx', 21)

# ---- quantised_torch.onnx ----


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.quantise, self.dequantise = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.conv, self.relu, self.fc = torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Linear(4 * 36, 5)

    def forward(self, x):
        return self.dequantise(self.fc(self.relu(self.conv(self.quantise(x))).flatten(1)))


torch.manual_seed(0)
network = Network().eval()
network.qconfig = torch.ao.quantization.get_default_qconfig(torch.backends.quantized.engine)
torch.ao.quantization.prepare(network, inplace=True)
network(torch.randn(16, 1, 8, 8))
torch.ao.quantization.convert(network, inplace=True)
torch.onnx.export(network, torch.randn(4, 1, 8, 8), folder / 'quantised_torch.onnx', opset_version=17, dynamo=False,
                  input_names=['x'], output_names=['y'])
