#!/usr/bin/env python3
"""Writes beside itself four models whose tensors pass `trainable` has to tell apart.

constant_weights.onnx: every weight in a Constant node, as Paddle and spox write them (one as value_floats, one in the
branch of an If), with the [1] scalars of a hard-swish beside them.
filled_weights.onnx: every weight a ConstantOfShape, as the onnx package's light models have them (one that two Reshapes
bring to its place), beside a filling that scales and one of the input's shape, which are none.
folded.onnx: what PyTorch's dynamo exporter folds with a static batch, and what its metadata say of it.
merged_statistics.onnx: a fresh BatchNormalization whose scale and variance, both ones, an exporter stored once."""
import pathlib

import numpy
import onnx
from onnx import helper, numpy_helper

random = numpy.random.default_rng(0)
here = pathlib.Path(__file__)


def tensor(name, values):
    return numpy_helper.from_array(numpy.asarray(values, numpy.float32), name)


def weight(name, *dims):
    return tensor(name, random.standard_normal(dims) / 3)


def constant(name, values):
    return helper.make_node('Constant', [], [name], name, value=tensor(name, values))


def info(name, *dims, element=onnx.TensorProto.FLOAT, **metadata):
    value = helper.make_tensor_value_info(name, element, dims)
    for key, text in metadata.items():
        value.metadata_props.add(key=key, value=text)
    return value


def save(name, graph):
    onnx.checker.check_model(model := helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)],
                                                        ir_version=10))
    onnx.save(model, here.with_name(name))


def constant_weights():
    branch = helper.make_graph([constant('branch_w', random.standard_normal((4, 4)) / 3),
                                helper.make_node('MatMul', ['swish', 'branch_w'], ['then_y'])], 'then', [],
                               [info('then_y', 2, 4)])
    other = helper.make_graph([helper.make_node('Identity', ['swish'], ['else_y'])], 'else', [], [info('else_y', 2, 4)])
    nodes = [constant('fc_0.w_0', random.standard_normal((6, 4)) / 3),
             helper.make_node('Constant', [], ['fc_0.b_0'], value_floats=[0.1, -0.2, 0.3, 0.05]),
             constant('three', [3]), constant('six', [6]), constant('sixth', [1 / 6]), constant('zero', 0),
             helper.make_node('MatMul', ['x', 'fc_0.w_0'], ['product']),
             helper.make_node('Add', ['product', 'fc_0.b_0'], ['h']),
             helper.make_node('Add', ['h', 'three'], ['shifted']),
             helper.make_node('Clip', ['shifted', 'zero_', 'six_'], ['clipped']),
             helper.make_node('Mul', ['h', 'clipped'], ['gated']),
             helper.make_node('Mul', ['gated', 'sixth'], ['swish']),
             helper.make_node('If', ['yes'], ['mixed'], 'choose', then_branch=branch, else_branch=other),
             constant('out.w', random.standard_normal((1, 4)) / 3), constant('out.b', [0.25]),
             helper.make_node('Gemm', ['mixed', 'out.w', 'out.b'], ['y'], transB=1)]
    bounds = [helper.make_node('Squeeze', ['six'], ['six_']), helper.make_node('Identity', ['zero'], ['zero_'])]
    yes = helper.make_node('Constant', [], ['yes'], value=numpy_helper.from_array(numpy.array(True), 'yes'))
    save('constant_weights.onnx', helper.make_graph(nodes[:6] + bounds + [yes] + nodes[6:], 'constant_weights',
                                                    [info('x', 2, 6)], [info('y', 2, 1)]))


def filled_weights():
    def filled(name, shape, *value):
        return helper.make_node('ConstantOfShape', [shape], [name], name, **{'value': tensor('', [v]) for v in value})

    def shape(name, *dims):
        return numpy_helper.from_array(numpy.array(dims, numpy.int64), name)

    nodes = [filled('fc_w', 'fc_w_shape', 0.25), filled('half', 'half_shape', 0.5),
             helper.make_node('MatMul', ['x', 'fc_w'], ['product']), helper.make_node('Mul', ['product', 'half'], ['h']),
             helper.make_node('Shape', ['h'], ['square_shape']), filled('ones', 'square_shape', 1),
             helper.make_node('MatMul', ['h', 'ones'], ['summed']),
             helper.make_node('Constant', [], ['out_w_shape'], value=shape('', 4, 3)),
             filled('mix_w', 'mix_w_shape', 0.5),
             helper.make_node('Reshape', ['mix_w', 'flat_shape'], ['flat'], 'flatten'),
             helper.make_node('Reshape', ['flat', 'plane_shape'], ['plane'], 'unflatten'),
             helper.make_node('MatMul', ['summed', 'plane'], ['mixed']),
             filled('out_w', 'out_w_shape', 0.125), filled('out_b', 'out_b_shape'),
             helper.make_node('Gemm', ['mixed', 'out_w', 'out_b'], ['y'])]
    save('filled_weights.onnx', helper.make_graph(nodes, 'filled_weights', [info('x', 4, 6)], [info('y', 4, 3)],
                                                  [shape('fc_w_shape', 6, 4), shape('half_shape', 4),
                                                   shape('mix_w_shape', 1, 1, 2, 8), shape('flat_shape', -1),
                                                   shape('plane_shape', 4, 4), shape('out_b_shape', 3)]))


def folded():
    kind = 'pkg.torch.export.graph_signature.InputSpec.kind'
    source = 'pkg.onnxscript.optimizer.folded_from'
    names = {'w.weight': 'PARAMETER', 'w.bias': 'PARAMETER', 'fc.weight': 'PARAMETER', 'cls': 'PARAMETER',
             'table': 'BUFFER'}
    stored = [weight('val_7', 3, 3), weight('w.bias', 3), weight('fc.weight', 3, 2),
              tensor('ones_like', numpy.ones((4, 5, 3))), tensor('exp', 1.5), tensor('scale', 0.5),
              tensor('expand', numpy.repeat(random.standard_normal((1, 1, 3)), 4, 0)),
              weight('add_9', 5, 3), weight('table', 5, 3), weight('fused_weight', 3, 3)]
    steps = [('Mul', 'x', 'ones_like'), ('MatMul', 'val_7'), ('Add', 'w.bias'), ('Mul', 'exp'), ('Mul', 'scale'),
             ('Add', 'expand'), ('Add', 'add_9'), ('Add', 'table'), ('MatMul', 'fused_weight'), ('MatMul', 'fc.weight')]
    nodes, last = [], 'x'
    for i, (op, *operands) in enumerate(steps):
        nodes.append(helper.make_node(op, [last, operands[-1]], [f'h{i}']))
        last = f'h{i}'
    nodes[-1].output[0] = 'y'
    nodes += [helper.make_node('MatMul', ['x', 'choice.weight'], ['scores']),
              helper.make_node('ArgMax', ['scores'], ['choice'], axis=2, keepdims=0)]
    stored.append(weight('choice.weight', 3, 3))
    known = [info('w.bias', 3, **{kind: 'PARAMETER'}), info('fc.weight', 3, 2, **{kind: 'PARAMETER'}),
             info('table', 5, 3, **{kind: 'BUFFER'}), info('val_7', 3, 3, **{source: "['w.weight']"}),
             info('ones_like', 4, 5, 3, **{source: "['val_0', 'x']"}), info('exp', **{source: "['val_1', 'scale_0']"}),
             info('expand', 4, 1, 3, **{source: "['cls', 'val_6']"}), info('add_9', 5, 3, **{source: "['table', 'val_3']"})]
    graph = helper.make_graph(nodes, 'folded', [info('x', 4, 5, 3)], [info('y', 4, 5, 2), info('choice', 4, 5, element=onnx.TensorProto.INT64)], stored, value_info=known)
    lines = [f"{'b' if role == 'BUFFER' else 'p'}_{name}: {role} target='{name}'" for name, role in names.items()]
    graph.metadata_props.add(key='pkg.torch.export.ExportedProgram.graph_signature',
                             value='\n# inputs\n' + '\n'.join(lines) + '\nx: USER_INPUT\n')
    save('folded.onnx', graph)


def merged():
    nodes = [helper.make_node('BatchNormalization', ['x', 'bn.scale', 'bn.bias', 'bn.bias', 'bn.scale'], ['h']),
             helper.make_node('Gemm', ['h', 'w'], ['y'])]
    save('merged_statistics.onnx',
         helper.make_graph(nodes, 'merged', [info('x', 4, 3)], [info('y', 4, 2)],
                           [tensor('bn.scale', numpy.ones(3)), tensor('bn.bias', numpy.zeros(3)), weight('w', 3, 2)]))


constant_weights()
filled_weights()
folded()
merged()
