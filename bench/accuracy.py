#!/usr/bin/env python3
"""Test accuracy of every precision mode on Fashion-MNIST: a Markdown table of means over seeds.

    bench/accuracy.py PREFIX [--models mlp,cnn,vit] [--seeds 1,2,3] [--epochs 3] [--schedule cosine]
                             [--rows 32-true,bf16-true:nearest,...]

PREFIX is where pcc is installed (`cmake --install`). Each run: the zoo's model with weights of the seed, AdamW at its
defaults, batch 128, pixel/255, all 60,000 training images, accuracy on the 10,000 test images after the last epoch. The
rate falls from 1e-3 to 0 along a cosine: at a constant rate, the noise of the last steps hides what rounding does. A row
is a mode, perhaps with an update (bf16-true:nearest) or a loss scale (16-true:none). Two runs at a time, one thread each:
results do not depend on the number of threads."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

MODELS = {'mlp': ['mlp'], 'cnn': ['cnn'], 'vit': ['vit', 'image=28', 'patch=7', 'dim=128', 'depth=4', 'heads=4']}
ROWS = '32-true,16-mixed,bf16-mixed,16-true,bf16-true,bf16-true:nearest,16-true:none'
UPDATES = ('nearest', 'stochastic', 'kahan', 'master')


def command(*words):
    return subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True).stdout


def build(prefix, folder, model, row, seed):
    """The program of one model, row and seed."""
    onnx, program = folder / f'{model}-{seed}.onnx', folder / f'{model}-{row.replace(":", "-")}-{seed}'
    if not onnx.exists():
        command(prefix / 'bin/pcc', 'zoo', *MODELS[model], f'seed={seed}', '-o', onnx)
    mode, _, extra = row.partition(':')
    options = (['--update', extra] if extra in UPDATES else ['--loss-scale', extra]) if extra else []
    command(prefix / 'bin/pcc', onnx, '--batch', 128, '--precision', mode, *options, '-o', program)
    return program


def train(program, data, seed, epochs, schedule):
    """Accuracy and the loss after the last epoch; None for a loss that is not a number."""
    environment = dict(os.environ, OMP_NUM_THREADS='1')
    words = ['--data', f'idx:{data}', '--epochs', epochs, '--seed', seed, '--schedule', schedule, '--quiet']
    run = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, env=environment,
                         cwd=program.parent)
    if run.returncode:
        sys.exit(f'{program}: {run.stderr}')
    last = json.loads(run.stdout.strip().splitlines()[-1])
    return last['val_accuracy'], last['val_loss']


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('prefix', type=pathlib.Path)
    parser.add_argument('--models', default='mlp,cnn,vit')
    parser.add_argument('--seeds', default='1,2,3')
    parser.add_argument('--epochs', type=int, default=3)
    parser.add_argument('--schedule', default='cosine')
    parser.add_argument('--rows', default=ROWS)
    parser.add_argument('--data', default='/usr/share/datasets/fashion-mnist')
    options = parser.parse_args()
    models, rows, seeds = options.models.split(','), options.rows.split(','), options.seeds.split(',')
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(2) as pool:
        folder, runs = pathlib.Path(name), {}
        for model in models:
            for seed in seeds:
                for row in rows:
                    program = build(options.prefix, folder, model, row, seed)
                    runs[row, model, seed] = pool.submit(train, program, options.data, seed, options.epochs,
                                                         options.schedule)
        for key, run in runs.items():
            print(*key, *run.result(), file=sys.stderr, flush=True)
        print('| mode | ' + ' | '.join(models) + ' |\n|---|' + '---|' * len(models))
        for row in rows:
            cells = []
            for model in models:
                results = [runs[row, model, seed].result() for seed in seeds]
                accuracies = [accuracy for accuracy, _ in results]
                diverged = sum(loss is None for _, loss in results)
                cells.append(f'diverged in {diverged} of {len(seeds)}' if diverged else
                             f'{statistics.mean(accuracies):.4f} ± {statistics.pstdev(accuracies):.4f}')
            print(f'| {row.replace(":", ", ")} | ' + ' | '.join(cells) + ' |')


main()
