#!/usr/bin/env python3
"""Training steps of pcc's programs beside PyTorch's on this machine's CPU.

    bench/run.py [--models mlp,cnn,vit] [--batch 128] [--build build/release] [--python PYTHON] [--rounds 3]
                 [--seconds 5]

Compiles each zoo model (mlp, cnn, vit, lstm, gru; 32-true, AdamW) with pcc and the system's C compiler, then measures
it, PyTorch eager and PyTorch compiled in turns, so that all see the same machine, and prints the best round of each.
PYTHON is an interpreter that has torch. Memory is the process's peak, for PyTorch less what importing it takes."""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--models', default='mlp,cnn,vit')
    parser.add_argument('--batch', default='128')
    parser.add_argument('--build', type=pathlib.Path, default=HERE.parent / 'build/release')
    parser.add_argument('--python', default=sys.executable)
    parser.add_argument('--cc', default='cc')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=5, help='of each measurement')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--modes', default='eager,compile', help="PyTorch's; empty: pcc alone")
    return parser.parse_args()


def output_of(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
    if done.returncode:
        sys.exit(f'run.py: {shlex.join(map(str, command))} failed')
    return done.stdout


def build_program(options, folder, name):
    """Returns the path of the training program of a zoo model."""
    pcc, model, program = options.build.resolve() / 'pcc', folder / f'{name}.onnx', folder / name
    output_of([pcc, 'zoo', name, '-o', model])
    output_of([pcc, model, '--loss', 'cross-entropy', '--batch', options.batch, '-o', f'{program}.c'])
    flags = output_of(['pkg-config', '--cflags', '--libs', 'pcc-runtime'],
                      env={**os.environ, 'PKG_CONFIG_PATH': str(options.build.resolve() / 'pkgconfig')}).split()
    output_of([options.cc, '-O3', '-march=native', '-fopenmp', f'{program}.c', *flags, '-o', program])
    return program


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


def measure_pcc(options, program):
    command = [program, '--threads', str(options.threads), '--bench']
    first = last_json(output_of([*command, '3'], cwd=program.parent))
    steps = max(5, int(1e3 * options.seconds / first['ms_per_step_median']))
    return last_json(output_of([*command, str(steps)], cwd=program.parent))


def measure_torch(options, name, mode):
    script = [options.python, HERE / 'torch_step.py', name, mode, str(options.seconds), options.batch,
              str(options.threads)]
    return last_json(output_of(script))


def best(rounds):
    return {key: min(result[key] for result in rounds) for key in rounds[0]}


def measure(options, folder, name):
    """Rounds of every contender in turns; the least of each figure."""
    program = build_program(options, folder, name)
    contenders = {'pcc': lambda: measure_pcc(options, program)}
    for mode in filter(None, options.modes.split(',')):
        contenders[f'torch {mode}'] = lambda mode=mode: measure_torch(options, name, mode)
    rounds = {who: [] for who in contenders}
    for _ in range(options.rounds):
        for who, run in contenders.items():
            rounds[who].append(run())
    return {who: best(results) for who, results in rounds.items()}


def print_rows(name, results):
    ours = results['pcc']
    for who, result in results.items():
        ratio = result['ms_per_step_min'] / ours['ms_per_step_min']
        print(f"| {name} | {who} | {result['ms_per_step_min']:.2f} | {result['ms_per_step_median']:.2f} | {ratio:.2f} "
              f"| {result['peak_rss_mib']:.0f} | {result['peak_rss_mib'] / ours['peak_rss_mib']:.2f} |", flush=True)


def main():
    options = arguments()
    print('| model | program | ms/step, least | ms/step, median | time / pcc | peak MiB | memory / pcc |')
    print('|---|---|---|---|---|---|---|', flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models.split(','):
            print_rows(name, measure(options, pathlib.Path(folder), name))


main()
