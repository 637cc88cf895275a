"""An ONNX graph on torch tensors: the oracle of make_models.py, differentiated by torch.autograd.

run(graph, values, dtype) evaluates the nodes in order. Floats are of one dtype whatever the file says, so that a
float64 run has no float32 step in it. Dropout is the identity; BatchNormalization runs in the mode its node says.
"""
import math

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


def tensor(array, dtype):
    value = torch.from_numpy(np.array(array))
    return value.to(dtype) if value.is_floating_point() else value


def initializers(graph, dtype):
    return {t.name: tensor(numpy_helper.to_array(t), dtype) for t in graph.initializer}


def ints(value):
    return [int(v) for v in value.flatten().tolist()]


# ---- operators: f(attributes, *inputs), absent inputs None -----------------------------------------------------------


def symmetric(pads, rank):
    """ONNX pads [begin..., end...] as torch's padding, which is equal on both sides."""
    pads = pads or [0] * 2 * rank
    assert pads[:rank] == pads[rank:], f'asymmetric pads {pads}'
    return pads[:rank]


def conv(a, x, w, b=None):
    rank = x.ndim - 2
    function = {1: F.conv1d, 2: F.conv2d}[rank]
    return function(x, w, b, a.get('strides', 1), symmetric(a.get('pads'), rank), a.get('dilations', 1),
                    a.get('group', 1))


def conv_transpose(a, x, w, b=None):
    return F.conv_transpose2d(x, w, b, a.get('strides', 1), symmetric(a.get('pads'), 2), 0, a.get('group', 1),
                              a.get('dilations', 1))


def max_pool(a, x):
    return F.max_pool2d(x, a['kernel_shape'], a.get('strides', 1), symmetric(a.get('pads'), 2))


def average_pool(a, x):
    return F.avg_pool2d(x, a['kernel_shape'], a.get('strides', 1), symmetric(a.get('pads'), 2),
                        count_include_pad=bool(a.get('count_include_pad')))


def batch_norm(a, x, scale, bias, mean, var):
    """Y and, in training mode, the new running mean and variance: the population variance, the momentum on the old."""
    epsilon, momentum, new = a.get('epsilon', 1e-5), a.get('momentum', 0.9), []
    axes, shape = [0, *range(2, x.ndim)], [1, -1] + [1] * (x.ndim - 2)
    if a.get('training_mode'):
        old, mean, var = (mean, var), x.mean(axes), x.var(axes, unbiased=False)
        new = [(momentum * o + (1 - momentum) * n).detach() for o, n in zip(old, (mean, var))]
    y = (x - mean.view(shape)) / (var.view(shape) + epsilon).sqrt() * scale.view(shape) + bias.view(shape)
    return (y, *new)


def layer_norm(a, x, scale, bias=None):
    axis = a.get('axis', -1) % x.ndim
    return F.layer_norm(x, x.shape[axis:], scale, bias, a.get('epsilon', 1e-5))


def gemm(a, x, y, c=None):
    product = (x.T if a.get('transA') else x) @ (y.T if a.get('transB') else y) * a.get('alpha', 1.0)
    return product if c is None else product + a.get('beta', 1.0) * c


def reshape(a, x, shape):
    dims = [x.shape[i] if d == 0 and not a.get('allowzero') else d for i, d in enumerate(ints(shape))]
    return x.reshape(dims)


def flatten(a, x):
    axis = a.get('axis', 1) % (x.ndim + 1)
    return x.reshape(math.prod(x.shape[:axis]), -1)


def slice_(a, x, starts, ends, axes=None, steps=None):
    axes = ints(axes) if axes is not None else range(len(ints(starts)))
    steps = ints(steps) if steps is not None else [1] * len(ints(starts))
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(ints(starts), ints(ends), axes, steps):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def split(a, x, sizes=None):
    axis = a.get('axis', 0)
    if sizes is not None: return x.split(ints(sizes), axis)
    return x.split(math.ceil(x.shape[axis] / a['num_outputs']), axis)


def gather(a, x, indices):
    axis = a.get('axis', 0) % x.ndim
    indices = indices.where(indices >= 0, indices + x.shape[axis])
    dims = x.shape[:axis] + indices.shape + x.shape[axis + 1:]
    return x.index_select(axis, indices.flatten()).reshape(dims)


def scatter_elements(a, x, indices, updates):
    assert a.get('reduction', 'none') == 'add'
    return x.scatter_add(a.get('axis', 0), indices, updates)


def squeeze(a, x, axes=None):
    for axis in sorted((d % x.ndim for d in ints(axes)), reverse=True): x = x.squeeze(axis)
    return x


def unsqueeze(a, x, axes):
    rank = x.ndim + axes.numel()
    for axis in sorted(d % rank for d in ints(axes)): x = x.unsqueeze(axis)
    return x


def resize(a, x, roi=None, scales=None, sizes=None):
    size = ints(sizes)[2:] if sizes is not None and sizes.numel() else [
        int(d * s) for d, s in zip(x.shape[2:], scales.tolist()[2:])]
    if a.get('mode', 'nearest') == 'nearest':
        assert a.get('nearest_mode') == 'floor' and a.get('coordinate_transformation_mode') == 'asymmetric'
        return F.interpolate(x, size, mode='nearest')
    assert a['mode'] == 'linear' and a['coordinate_transformation_mode'] in ('half_pixel', 'pytorch_half_pixel')
    return F.interpolate(x, size, mode='bilinear', align_corners=False)


def cross_entropy_loss(a, scores, labels):
    return F.cross_entropy(scores, labels, ignore_index=a.get('ignore_index', -100),
                           reduction=a.get('reduction', 'mean'))


def expand(a, x, shape):
    return x.expand(torch.broadcast_shapes(x.shape, ints(shape)))


OPERATORS = {
    'Add': lambda a, x, y: x + y,
    'And': lambda a, x, y: x & y,
    'AveragePool': average_pool,
    'BatchNormalization': batch_norm,
    'Clip': lambda a, x, low=None, high=None: x.clamp(low, high),
    'Concat': lambda a, *x: torch.cat(x, a['axis']),
    'Conv': conv,
    'ConvTranspose': conv_transpose,
    'Div': lambda a, x, y: x / y if x.is_floating_point() else x // y,
    'Dropout': lambda a, x, *_: x,
    'Equal': lambda a, x, y: x == y,
    'Erf': lambda a, x: torch.erf(x),
    'Expand': expand,
    'Flatten': flatten,
    'Gather': gather,
    'GatherElements': lambda a, x, i: x.gather(a.get('axis', 0), i.where(i >= 0, i + x.shape[a.get('axis', 0)])),
    'Gelu': lambda a, x: F.gelu(x, approximate=a.get('approximate', 'none')),
    'Gemm': gemm,
    'GlobalAveragePool': lambda a, x: x.mean(list(range(2, x.ndim)), keepdim=True),
    'GreaterOrEqual': lambda a, x, y: x >= y,
    'Identity': lambda a, x: x,
    'InstanceNormalization': lambda a, x, s, b: F.instance_norm(x, weight=s, bias=b, eps=a.get('epsilon', 1e-5)),
    'IsNaN': lambda a, x: torch.isnan(x),
    'LayerNormalization': layer_norm,
    'MatMul': lambda a, x, y: x @ y,
    'MaxPool': max_pool,
    'Mod': lambda a, x, y: x % y,
    'Mul': lambda a, x, y: x * y,
    'Pow': lambda a, x, y: x ** y,
    'Relu': lambda a, x: torch.relu(x),
    'Reshape': reshape,
    'Resize': resize,
    'ScatterElements': scatter_elements,
    'Shape': lambda a, x: torch.tensor(x.shape[a.get('start', 0):a.get('end')]),
    'Sigmoid': lambda a, x: torch.sigmoid(x),
    'Slice': slice_,
    'Softmax': lambda a, x: torch.softmax(x, a.get('axis', -1)),
    'SoftmaxCrossEntropyLoss': cross_entropy_loss,
    'Split': split,
    'Sqrt': lambda a, x: torch.sqrt(x),
    'Squeeze': squeeze,
    'Sub': lambda a, x, y: x - y,
    'Tanh': lambda a, x: torch.tanh(x),
    'Transpose': lambda a, x: x.permute(a['perm']),
    'Unsqueeze': unsqueeze,
    'Where': lambda a, c, x, y: torch.where(c, x, y),
}

# ---- graphs ------------------------------------------------------------------------------------------------------------


def attributes(node):
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}


def constant(node, dtype, shape=None):
    """Constant, or ConstantOfShape with its shape."""
    value = next((a.t for a in node.attribute if a.name == 'value'), None)
    value = tensor(numpy_helper.to_array(value), dtype) if value is not None else torch.zeros(1, dtype=dtype)
    return value if shape is None else value.reshape(()).expand(ints(shape))


def cast(node, x, dtype):
    kind = onnx.helper.tensor_dtype_to_np_dtype(attributes(node)['to']).kind
    return x.to({'f': dtype, 'i': torch.int64, 'b': torch.bool}[kind])


def evaluate(node, inputs, dtype):
    if node.op_type == 'Constant': return (constant(node, dtype),)
    if node.op_type == 'ConstantOfShape': return (constant(node, dtype, inputs[0]),)
    if node.op_type == 'Cast': return (cast(node, inputs[0], dtype),)
    result = OPERATORS[node.op_type](attributes(node), *inputs)
    return result if isinstance(result, (tuple, list)) else (result,)


def run(graph, values, dtype):
    """values: inputs and initializers by name. Returns the outputs by name, and the new running statistics by the name
    of the initializer that holds the old ones."""
    values, statistics = dict(values), {}
    for node in graph.node:
        inputs = [values[name] if name else None for name in node.input]
        results = evaluate(node, inputs, dtype)
        values.update((name, result) for name, result in zip(node.output, results) if name)
        if node.op_type == 'BatchNormalization' and len(results) == 3:
            statistics.update(zip(node.input[3:5], results[1:]))
    return {o.name: values[o.name] for o in graph.output}, statistics
