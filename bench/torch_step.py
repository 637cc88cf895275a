"""One training step of PyTorch on this machine's CPU, measured: torch_step.py MODEL MODE SECONDS [THREADS]

MODEL is mlp, cnn or vit: the modules that `pcc zoo` writes under these names, with the same initialisers. MODE is eager
or compile. Prints one JSON line: ms_per_step_min, ms_per_step_median, peak_rss_mib (resident memory above that of a
process that has imported torch), loss."""
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH = 128


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


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                         nn.Linear(512, 10))


def cnn():
    def block(channels, width):
        return [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(*block(1, 32), *block(32, 64), nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(),
                         nn.Linear(128, 10))


MODELS = {'mlp': mlp, 'cnn': cnn, 'vit': VisionTransformer}


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def training_step(name, mode):
    net, x = MODELS[name](), torch.randn(BATCH, 1, 28, 28)
    y = torch.randint(10, (BATCH,))
    if name == 'cnn':  # PyTorch's faster layout for convolutions on CPUs
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)

    def forward(x, y):
        return F.cross_entropy(net(x), y)

    loss_of = torch.compile(forward) if mode == 'compile' else forward

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main():
    name, mode, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    if len(sys.argv) > 4:
        torch.set_num_threads(int(sys.argv[4]))
    torch.manual_seed(0)
    imported = peak_mib()
    step = training_step(name, mode)
    for _ in range(4):
        step()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        loss = step()
        times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps({'ms_per_step_min': min(times), 'ms_per_step_median': statistics.median(times),
                      'peak_rss_mib': peak_mib() - imported, 'loss': loss}))


main()
