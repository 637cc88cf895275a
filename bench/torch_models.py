"""The modules that `pcc zoo` writes under these names, in PyTorch, with the same keys."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    """A pre-norm transformer block with one projection for queries, keys and values."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.o = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.f1, self.f2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        qkv = self.qkv(self.n1(x)).view(batch, tokens, 3, self.heads, dim // self.heads)
        mixed = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4))
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, tokens, dim))
        return x + self.f2(F.gelu(self.f1(self.n2(x))))


class VisionTransformer(nn.Module):
    def __init__(self, image=28, patch=4, channels=1, dim=192, depth=6, heads=3, classes=10):
        super().__init__()
        self.p = nn.Conv2d(channels, dim, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, dim) * 0.02)
        self.b = nn.Sequential(*[Block(dim, heads) for _ in range(depth)])
        self.n, self.head = nn.LayerNorm(dim), nn.Linear(dim, classes)

    def forward(self, x):
        x = self.p(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
        return self.head(self.n(self.b(x))[:, 0])


def mlp(image=28, channels=1, classes=10, hidden=(512, 512)):
    widths = [channels * image * image, *hidden]
    layers = [layer for pair in zip(widths, hidden) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(widths[-1], classes))


def cnn(image=28, channels=1, classes=10, widths=(32, 64), hidden=128):
    def block(channels, width):
        return [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]

    blocks = [layer for pair in zip([channels, *widths], widths) for layer in block(*pair)]
    features = widths[-1] * (image >> len(widths)) ** 2
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, classes))


class BasicBlock(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.downsample = nn.Identity() if channels == width and stride == 1 else nn.Sequential(
            nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class ResNet18(nn.Module):
    def __init__(self, image=224, channels=3, classes=1000, width=64):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        blocks, before = [], width
        for stage in range(4):
            after = width << stage
            blocks += [BasicBlock(before, after, 1 + (stage > 0)), BasicBlock(after, after, 1)]
            before = after
        self.layers, self.fc = nn.Sequential(*blocks), nn.Linear(before, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(self.layers(x).mean((2, 3)))


class CausalBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.o = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.f1, self.f2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        qkv = self.qkv(self.ln_1(x)).view(batch, tokens, 3, self.heads, dim // self.heads)
        mixed = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4), is_causal=True)
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, tokens, dim))
        return x + self.f2(F.gelu(self.f1(self.ln_2(x)), approximate='tanh'))


class GPT2(nn.Module):
    """Logits of every token but the last, in rows, as next-token prediction takes them."""

    def __init__(self, vocab=50257, context=1024, dim=768, depth=12, heads=12):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, dim), nn.Embedding(context, dim)
        self.h, self.ln_f = nn.Sequential(*[CausalBlock(dim, heads) for _ in range(depth)]), nn.LayerNorm(dim)
        nn.init.normal_(self.wte.weight, std=0.02)
        nn.init.normal_(self.wpe.weight, std=0.02)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe.weight[:ids.shape[1]]
        return F.linear(self.ln_f(self.h(x)), self.wte.weight)[:, :-1].flatten(0, 1)


class Recurrent(nn.Module):
    """Sequences [batch, steps, features], the mean of what the layers say of every step."""
    input = (100, 256)

    def __init__(self, cell, features=256, hidden=512, depth=2, directions=2, classes=10):
        super().__init__()
        self.rnn = cell(features, hidden, depth, batch_first=True, bidirectional=directions == 2)
        self.fc = nn.Linear(directions * hidden, classes)

    def forward(self, x):
        return self.fc(self.rnn(x)[0].mean(1))


def lstm():
    return Recurrent(nn.LSTM)


def gru():
    return Recurrent(nn.GRU)


def vit_b_16(image=224, channels=3, classes=1000, patch=16, dim=768, depth=12, heads=12):
    return VisionTransformer(image, patch, channels, dim, depth, heads, classes)


MODELS = {'mlp': mlp, 'cnn': cnn, 'vit': VisionTransformer, 'vit_b_16': vit_b_16, 'resnet18': ResNet18, 'gpt2': GPT2,
          'lstm': lstm, 'gru': gru}


DTYPES = {'64-true': torch.float64, '32-true': torch.float32, '16-mixed': torch.float16, 'bf16-mixed': torch.bfloat16,
          '16-true': torch.float16, 'bf16-true': torch.bfloat16}


def in_precision(name, net, x, precision):
    """The module and its input in the dtype of a precision (f32 of a mixed one) and in PyTorch's faster layout."""
    dtype = torch.float32 if precision.endswith('-mixed') else DTYPES[precision]
    net, x = net.to(dtype), x.to(dtype) if x.is_floating_point() else x
    if name in ('cnn', 'resnet18'):
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return net, x


def autocast(device, precision):
    mixed = precision.endswith('-mixed')
    return torch.autocast(device, DTYPES[precision] if mixed else torch.bfloat16, enabled=mixed)
