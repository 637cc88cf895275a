"""One training step of PyTorch on this machine's CPU, measured: torch_step.py MODEL MODE SECONDS BATCH [THREADS]

MODEL is mlp, cnn, vit, lstm or gru: the modules that `pcc zoo` writes under these names, with the same initialisers. MODE is eager
or compile. Prints one JSON line: ms_per_step_min, ms_per_step_median, peak_rss_mib (resident memory above that of a
process that has imported torch), loss."""
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from torch_models import MODELS


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def training_step(name, mode, batch):
    net = MODELS[name]()
    x = torch.randn(batch, *getattr(net, 'input', (1, 28, 28)))
    y = torch.randint(10, (batch,))
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
    if len(sys.argv) > 5:
        torch.set_num_threads(int(sys.argv[5]))
    torch.manual_seed(0)
    imported = peak_mib()
    step = training_step(name, mode, int(sys.argv[4]))
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
