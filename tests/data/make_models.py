#!/usr/bin/env python3
"""Makes tests/data/models: `python3 make_models.py [NAME...]`. README.md says what is in each folder.

A module of PyTorch is exported to ONNX; the exported graph, read back by onnx_torch.py, is trained for three AdamW steps
in float64. Nothing is written unless the graph agrees with onnxruntime (outputs, float32) and with the module (loss,
float64). Needs torch, torchvision, transformers, onnx, onnxscript, onnxruntime and safetensors.
"""
import contextlib
import copy
import io
import json
import pathlib
import sys
import tempfile
import warnings
import zlib

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn as nn
import torch.nn.functional as F
from onnx import numpy_helper
from safetensors.torch import save_file

from onnx_torch import initializers, run

FOLDER = pathlib.Path(__file__).resolve().parent / 'models'
STEPS, LR = 3, 1e-3

LOSSES = {  # (output, target, labels)
    'cross-entropy': lambda y, target, labels: F.cross_entropy(y, target),
    'causal-lm': lambda y, target, labels: F.cross_entropy(y[:, :-1].flatten(0, 1), labels[:, 1:].flatten()),
    'output': lambda y, target, labels: y,
}

# ---- export --------------------------------------------------------------------------------------------------------------


def scatter(module):
    """Moves parameters and statistics off their defaults: exporters merge initializers of equal value."""
    with torch.no_grad():
        for p in module.parameters(): p.add_(0.05 * torch.randn_like(p))
        for name, b in module.named_buffers():
            if name.endswith('running_mean'): b.copy_(0.1 * torch.randn_like(b))
            if name.endswith('running_var'): b.copy_(0.5 + torch.rand_like(b))
    return module


def export(module, spec):
    module, inputs = copy.deepcopy(module).train(spec['training']), spec['inputs']
    common = dict(input_names=list(inputs), output_names=[spec['output']], opset_version=spec['opset'])
    if spec['dynamo']:
        batch = {0: torch.export.Dim('batch')}
        common.update(dynamo=True, external_data=False,
                      dynamic_shapes=tuple(batch for _ in inputs) if spec['dynamic'] else None)
    else:
        mode = torch.onnx.TrainingMode
        common.update(dynamo=False, training=mode.TRAINING if spec['training'] else mode.EVAL,
                      do_constant_folding=not spec['training'])
        if spec['dynamic']: common.update(dynamic_axes={k: {0: 'batch'} for k in [*inputs, spec['output']]})
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(module, tuple(inputs.values()), folder + '/model.onnx', **common)
        model = onnx.load(folder + '/model.onnx')
    for thing in [model.graph, *model.graph.node]:  # source paths of this machine
        for i in reversed(range(len(thing.metadata_props))):
            if 'stack_trace' in thing.metadata_props[i].key: del thing.metadata_props[i]
    return model


def find_trainable(module, model, spec):
    """The initializers that change when the parameters do."""
    other = copy.deepcopy(module)
    with torch.no_grad():
        for p in other.parameters(): p.mul_(1.25).add_(0.01)
    changed = export(other, spec)
    statistics = {name for n in model.graph.node if n.op_type == 'BatchNormalization' for name in n.input[3:5]}
    after = {t.name: numpy_helper.to_array(t) for t in changed.graph.initializer}
    return [t.name for t in model.graph.initializer
            if t.name not in statistics and numpy_helper.to_array(t).dtype.kind == 'f'
            and not np.array_equal(numpy_helper.to_array(t), after[t.name])]


# ---- the reference -------------------------------------------------------------------------------------------------------


def train(graph, trainable, spec, dtype):
    """Outputs and gradients of the first step, losses, final parameters and statistics."""
    values = initializers(graph, dtype)
    leaves = {k: values[k].requires_grad_() for k in trainable}
    inputs = {k: v.to(dtype) if v.is_floating_point() else v for k, v in spec['inputs'].items()}
    labels = next((v for v in inputs.values() if not v.is_floating_point()), None)
    optimizer = torch.optim.AdamW(leaves.values(), lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses = []
    for step in range(STEPS):
        outputs, statistics = run(graph, {**values, **inputs}, dtype)
        loss = LOSSES[spec['loss']](outputs[spec['output']], spec['target'], labels)
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            first = {k: v.detach().clone() for k, v in outputs.items()}
            gradients = {k: v.grad.clone() for k, v in leaves.items()}
        optimizer.step()
        values.update(statistics)
    parameters = {k: v.detach() for k, v in leaves.items()}
    return first, gradients, torch.stack(losses), parameters, {k: values[k] for k in statistics}


def check_outputs(model, spec):
    """The evaluator against onnxruntime, in float32; training BatchNormalization is onnxruntime's own as well."""
    plain = copy.deepcopy(model)
    for node in plain.graph.node: node.ClearField('metadata_props')
    session = onnxruntime.InferenceSession(plain.SerializeToString(), providers=['CPUExecutionProvider'])
    theirs = session.run([spec['output']], {k: v.numpy() for k, v in spec['inputs'].items()})[0]
    values = {**initializers(model.graph, torch.float32), **spec['inputs']}
    with torch.no_grad(): ours = run(model.graph, values, torch.float32)[0][spec['output']].numpy()
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max(), 'onnxruntime has other outputs'


def check_loss(module, spec, loss):
    """The graph's loss against the module's, in float64; the graph's constants are rounded to float32."""
    inputs = [v.double() if v.is_floating_point() else v for v in spec['inputs'].values()]
    labels = next((v for v in inputs if not v.is_floating_point()), None)
    wide = copy.deepcopy(module).double().train(spec['training'])
    with torch.no_grad(): theirs = LOSSES[spec['loss']](wide(*inputs), spec['target'], labels)
    assert abs(loss - theirs) <= 1e-5 * abs(theirs), f'the module has loss {theirs}, the graph {loss}'


def float32_noise(wide, narrow):
    """The largest error of parameters in a float32 run, in units of the learning rate, where the gradient is not noise."""
    top = max(g.abs().max() for g in wide[1].values())
    worst = 0.0
    for k, g in wide[1].items():
        if g.abs().max() < 1e-12 * top: continue
        error = (wide[3][k] - narrow[3][k].double()).abs()[g.abs() > 1e-4 * g.abs().max()]
        worst = max(worst, error.max().item() / LR)
    return worst


def sort_metadata(path):
    """The writer leaves metadata in random order."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], 'little')
    header = json.loads(data[8:8 + size])
    header['__metadata__'] = dict(sorted(header['__metadata__'].items()))
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, 'little') + text + data[8 + size:])


def write(name, model, trainable, spec, reference, noise):
    tensors = {'input/' + k: v for k, v in spec['inputs'].items()}
    if spec['target'] is not None: tensors['target'] = spec['target']
    outputs, gradients, losses, parameters, statistics = reference
    tensors['loss'] = losses
    for kind, group in (('output/', outputs), ('grad/', gradients), ('param/', parameters), ('state/', statistics)):
        tensors.update((kind + k, v) for k, v in group.items())
    metadata = {'loss': spec['loss'], 'output': spec['output'], 'trainable': json.dumps(trainable),
                'float32': json.dumps({'param': float(f'{noise:.1e}')})}
    if spec['loss'] == 'causal-lm': metadata['labels'] = next(iter(spec['inputs']))
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / 'model.onnx')
    path = folder / 'reference.safetensors'
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path, metadata)
    sort_metadata(path)


def build(name, module, inputs, loss='cross-entropy', target=None, output='logits', opset=17, dynamo=False,
          training=False, dynamic=False):
    spec = dict(inputs=inputs, loss=loss, target=target, output=output, opset=opset, dynamo=dynamo, training=training,
                dynamic=dynamic)
    scatter(module)
    model = export(module, spec)
    trainable = find_trainable(module, model, spec)
    check_outputs(model, spec)
    wide = train(model.graph, trainable, spec, torch.float64)
    check_loss(module, spec, wide[2][0])
    noise = float32_noise(wide, train(model.graph, trainable, spec, torch.float32))
    write(name, model, trainable, spec, wide, noise)
    print(f'{name}: {len(model.graph.node)} nodes, {len(trainable)} trainable, losses {wide[2].tolist()}')


# ---- the models ------------------------------------------------------------------------------------------------------------


def images(size, batch=4, channels=3, classes=10):
    return {'image': torch.randn(batch, channels, size, size)}, torch.randint(classes, (batch,))


def mlp(name):
    net = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 10))
    build(name, net, {'x': torch.randn(16, 784)}, target=torch.randint(10, (16,)), dynamic=True)


def cnn_bn(name):
    block = lambda i, o, **more: [nn.Conv2d(i, o, 3, padding=1, **more), nn.BatchNorm2d(o, momentum=0.1 * i), nn.ReLU(),
                                  nn.MaxPool2d(2)]
    net = nn.Sequential(*block(1, 8), *block(8, 16, bias=False), nn.Flatten(), nn.Linear(16 * 7 * 7, 10))
    inputs, labels = images(28, batch=8, channels=1)
    build(name, net, inputs, target=labels, training=True)


def vit():
    from torchvision.models import VisionTransformer
    return VisionTransformer(image_size=28, patch_size=7, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64,
                             num_classes=10)


def vit_ts(name):
    inputs, labels = images(28)
    build(name, vit(), inputs, target=labels)


def vit_dynamo(name):
    inputs, labels = images(28)
    build(name, vit(), inputs, target=labels, opset=20, dynamo=True, dynamic=True)


class WithLoss(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image, labels):
        return F.cross_entropy(self.model(image), labels)


def vit_loss(name):
    inputs, labels = images(28)
    build(name, WithLoss(vit()), {**inputs, 'labels': labels}, loss='output', output='loss')


def resnet():
    from torchvision.models.resnet import BasicBlock, ResNet
    net = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10)
    net.inplanes, net.conv1, net.bn1 = 5, nn.Conv2d(3, 5, 7, 2, 3, bias=False), nn.BatchNorm2d(5)
    stages = [net._make_layer(BasicBlock, 5 << i, 1, stride=min(i, 1) + 1) for i in range(4)]
    net.layer1, net.layer2, net.layer3, net.layer4 = stages
    net.fc = nn.Linear(40, 10)
    return net


def resnet_ts(name):
    inputs, labels = images(40)
    build(name, resnet(), inputs, target=labels, training=True)


def resnet_eval(name):
    inputs, labels = images(40)
    build(name, resnet(), inputs, target=labels)


class Logits(nn.Module):
    """A Hugging Face model as a function of positional tensors: names are the keyword arguments in order."""

    def __init__(self, model, *names, **fixed):
        super().__init__()
        self.model, self.names, self.fixed = model, names, fixed

    def forward(self, *args):
        return self.model(**dict(zip(self.names, args)), **self.fixed).logits


def gpt2(name):
    from transformers import GPT2Config, GPT2LMHeadModel
    config = GPT2Config(vocab_size=96, n_positions=16, n_embd=32, n_layer=2, n_head=2, use_cache=False)
    net = Logits(GPT2LMHeadModel(config).eval(), 'input_ids', use_cache=False)
    build(name, net, {'input_ids': torch.randint(96, (2, 16))}, loss='causal-lm', opset=20, dynamo=True)


def bert(name):
    from transformers import BertConfig, BertForSequenceClassification
    config = BertConfig(vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
                        max_position_embeddings=16, num_labels=3)
    mask = torch.ones(4, 12, dtype=torch.int64)
    mask[1, 9:] = mask[3, 5:] = 0
    net = Logits(BertForSequenceClassification(config).eval(), 'input_ids', 'attention_mask')
    inputs = {'input_ids': torch.randint(1, 96, (4, 12)) * mask, 'attention_mask': mask}
    build(name, net, inputs, target=torch.randint(3, (4,)))


class GraphNetwork(nn.Module):
    """Two layers of mean aggregation over an edge list [2, E] with duplicate destinations."""

    def __init__(self):
        super().__init__()
        self.own = nn.ModuleList([nn.Linear(8, 16), nn.Linear(16, 4)])
        self.neighbour = nn.ModuleList([nn.Linear(8, 16, bias=False), nn.Linear(16, 4, bias=False)])

    def forward(self, x, edges):
        source, target = edges[0], edges[1]
        total = lambda messages: torch.zeros(x.shape[0], messages.shape[1], dtype=x.dtype).scatter_add(
            0, target[:, None].expand_as(messages), messages)
        degree = total(torch.ones(target.shape[0], 1, dtype=x.dtype)).clamp(min=1)
        hidden = torch.relu(self.own[0](x) + total(self.neighbour[0](x)[source]) / degree)
        return self.own[1](hidden) + total(self.neighbour[1](hidden)[source]) / degree


def gcn(name):
    edges = torch.stack([torch.randint(20, (60,)), torch.randint(12, (60,))])  # nodes 12 to 19 receive nothing
    build(name, GraphNetwork(), {'x': torch.randn(20, 8), 'edges': edges}, target=torch.randint(4, (20,)), opset=18)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        block = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(4, o), nn.SiLU())
        self.a, self.b, self.c = block(3, 8), block(8, 16), block(16, 16)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.d, self.e, self.head = block(24, 8), block(32, 8), nn.Conv2d(8, 5, 1)

    def forward(self, x):
        a = self.a(x)
        b = self.b(self.down(a))
        c = self.c(F.avg_pool2d(b, 2))
        d = self.d(torch.cat([self.up(c), b], 1))
        wide = F.interpolate(d, scale_factor=2, mode='bilinear', align_corners=False)
        far = F.interpolate(c, size=x.shape[2:], mode='nearest')
        return self.head(self.e(torch.cat([wide, a, far], 1)))


def unet(name):
    inputs, _ = images(16, batch=2)
    build(name, UNet(), inputs, target=torch.randint(5, (2, 16, 16)), opset=18)


MODELS = (mlp, cnn_bn, vit_ts, vit_dynamo, vit_loss, resnet_ts, resnet_eval, gpt2, bert, gcn, unet)


def main():
    torch.set_num_threads(1)
    warnings.filterwarnings('ignore')
    onnxruntime.set_default_logger_severity(3)
    for model in MODELS:
        name = model.__name__
        if len(sys.argv) > 1 and name not in sys.argv[1:]: continue
        torch.manual_seed(zlib.crc32(name.encode()))
        model(name)


if __name__ == '__main__':
    main()
