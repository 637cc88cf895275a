"""One training step of PyTorch on this machine's CPU, measured:
torch_step.py MODEL MODE SECONDS BATCH [THREADS [PRECISION]]

MODEL is a name of torch_models.py: the modules that `pcc zoo` writes under these names, with the same initialisers. MODE
is eager or compile. PRECISION is one of pcc's: a mixed one is torch.autocast, another the dtype of the module. Prints one
JSON line: ms_per_step_min, ms_per_step_median, peak_rss_mib (resident memory above that of a process that has imported
torch), loss."""
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from torch_models import MODELS, autocast, in_precision


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make_batch(name, net, batch):
    if name == 'gpt2':  # every token but the last predicts its successor
        ids = torch.randint(net.wte.num_embeddings, (batch, net.wpe.num_embeddings))
        return ids, ids[:, 1:].flatten()
    shape = getattr(net, 'input', (3, 224, 224) if name in ('resnet18', 'vit_b_16') else (1, 28, 28))
    return torch.randn(batch, *shape), torch.randint(10, (batch,))


def training_step(name, mode, batch, precision):
    net = MODELS[name](context=256) if name == 'gpt2' else MODELS[name]()
    x, y = make_batch(name, net, batch)
    net, x = in_precision(name, net, x, precision)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)

    def forward(x, y):
        with autocast('cpu', precision):
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
    step = training_step(name, mode, int(sys.argv[4]), sys.argv[6] if len(sys.argv) > 6 else '32-true')
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
