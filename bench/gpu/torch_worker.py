"""PyTorch's training steps, measured on request: torch_worker.py DEVICE FOLDER

Reads a JSON line a request and answers each by one: {"do": "prepare", "case": …, "kind": "eager"|"compile"} makes a
step and runs it three times; {"do": "time", …, "seconds": S} times it then: {"ms": median, "peak_mib": …}. What fails
is answered by {"error": …}. FOLDER has torch_models.py. Steps are as pcc's programs take them: AdamW (fused), the same
batch in every step, no TF32, channels-last for networks of convolutions."""
import json
import statistics
import sys
import time
import types

import torch
import torch.nn.functional as F

device, folder = sys.argv[1], sys.argv[2]
sys.path.insert(0, folder)
from torch_models import MODELS, autocast, in_precision  # noqa: E402

def batch_of(case):
    (_, shape, below), *_ = case['inputs']
    x = torch.randint(below, shape, device=device) if below else torch.randn(shape, device=device)
    if not case['target']:
        return x, x[:, 1:].flatten()
    (_, shape, below), = case['target']
    return x, torch.randint(below, shape, device=device)


def own_code(function):
    """A copy with a code object of its own: torch.compile gives up on one that it has compiled eight times."""
    return types.FunctionType(function.__code__.replace(), function.__globals__, function.__name__,
                              function.__defaults__, function.__closure__)


def make_step(case, kind):
    mode = case['precision']
    x, y = batch_of(case)
    net, x = in_precision(case['model'], MODELS[case['model']](**case['keys']).to(device), x, mode)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
    scaler = torch.amp.GradScaler(device, enabled=mode == '16-mixed')

    def forward(x, y):
        with autocast(device, mode):
            return F.cross_entropy(net(x).float(), y)

    loss_of = torch.compile(own_code(forward)) if kind == 'compile' else forward

    def step():
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss_of(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


def synchronize():
    if device == 'cuda':
        torch.cuda.synchronize()


def memory(peak=False):
    if device != 'cuda':
        return 0
    return torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()


def prepare(case, kind):
    synchronize()
    before = memory()
    step = make_step(case, kind)
    for _ in range(3):
        step()
    synchronize()
    return step, memory() - before


def milliseconds(step, count):
    """Of `count` steps in a row, each, by the device's clock."""
    if device != 'cuda':
        start = time.perf_counter()
        for _ in range(count):
            step()
        return 1e3 * (time.perf_counter() - start) / count
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(count):
        step()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / count


def measure(step, kept, seconds):
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    before, first = memory(), milliseconds(step, 2)
    count = max(1, min(50, int(1e3 * seconds / 5 / max(first, 1e-3))))
    times = [milliseconds(step, count) for _ in range(5)]
    return {'ms': statistics.median(times), 'peak_mib': (memory(peak=True) - before + kept) / 2**20}


def answer(request, steps):
    key = request['case']['name'], request['kind']
    if request['do'] == 'prepare':
        steps[key] = prepare(request['case'], request['kind'])
        return {}
    if key not in steps:
        return {'error': 'it was not prepared'}
    return measure(*steps[key], request['seconds'])


def main():
    torch.manual_seed(0)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    steps, out = {}, sys.stdout
    sys.stdout = sys.stderr  # what libraries print
    name = torch.cuda.get_device_name() if device == 'cuda' else 'the CPU'
    print(json.dumps({'torch': torch.__version__, 'device': name}), file=out, flush=True)
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), steps)
        except Exception as error:  # one model must not end the others
            reply = {'error': f'{type(error).__name__}: {error}'.splitlines()[0][:200]}
        print(json.dumps(reply), file=out, flush=True)


main()
