#!/usr/bin/env python3
"""Training steps of pcc's programs beside PyTorch's on this machine's CPU.

    bench/run.py [--models mlp,cnn,vit,resnet18,vit_b_16,gpt2] [--precision 32-true,bf16-true] [--build build/release]
                 [--python PYTHON] [--rounds 3] [--seconds 5] [--no-kernels] [--json FILE]

Compiles each zoo model (AdamW) with pcc and the system's C compiler, then measures it, PyTorch eager and PyTorch
compiled in turns, so that all see the same machine. The first table has the least of each figure; `time / pcc` above
1: PyTorch takes longer. The second has pcc's time and memory over the better of PyTorch's two, and the products' share
of the f32 peak that the machine reaches in the same run (convolutions count the multiplications of a direct sum, of
which pcc does fewer). Where the processor multiplies no bf16, 16-bit programs are compared with PyTorch's 32-true.
Then bench/kernel_gemm.c measures products and convolutions by themselves, beside OpenBLAS's and oneDNN's products.
PYTHON is an interpreter that has torch. Memory is the process's peak, for PyTorch less what importing it takes."""
import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent


class Case(NamedTuple):
    batch: int
    zoo: tuple = ()  # keys of `pcc zoo`
    loss: str = 'cross-entropy'


CASES = {'mlp': Case(128), 'cnn': Case(128), 'vit': Case(128), 'resnet18': Case(16), 'vit_b_16': Case(8),
         'gpt2': Case(4, ('context=256',), 'causal-lm'), 'lstm': Case(32), 'gru': Case(32)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--models', default='mlp,cnn,vit', help=', '.join(CASES))
    parser.add_argument('--precision', default='32-true')
    parser.add_argument('--recompute', default='auto', help="pcc's, of activations")
    parser.add_argument('--batch', type=int, help="the model's own: " + ', '.join(f'{k} {c.batch}' for k, c in CASES.items()))
    parser.add_argument('--build', type=pathlib.Path, default=HERE.parent / 'build/release')
    parser.add_argument('--python', default=sys.executable)
    parser.add_argument('--cc', default='cc')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=5, help='of each measurement')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--modes', default='eager,compile', help="PyTorch's; empty: pcc alone")
    parser.add_argument('--kernels', action=argparse.BooleanOptionalAction, default=True,
                        help='measure products by themselves too')
    parser.add_argument('--json', type=pathlib.Path, help='file for all figures')
    return parser.parse_args()


def output_of(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
    if done.returncode:
        sys.exit(f'{pathlib.Path(sys.argv[0]).name}: {shlex.join(map(str, command))} failed')
    return done.stdout


def batch_of(options, name):
    return options.batch or CASES[name].batch


def compile_c(options, program):
    """Of PROGRAM.c; `program` is its path."""
    flags = output_of(['pkg-config', '--cflags', '--libs', 'pcc-runtime'],
                      env={**os.environ, 'PKG_CONFIG_PATH': str(options.build.resolve() / 'pkgconfig')}).split()
    output_of([options.cc, '-O3', '-march=native', '-fopenmp', f'{program}.c', *flags, '-o', program])


def build_program(options, folder, name, precision):
    """Returns the path of the training program of a zoo model, and the FLOP of its products in a step."""
    case, pcc = CASES[name], options.build.resolve() / 'pcc'
    model, program = folder / f'{name}.onnx', folder / f'{name}-{precision}'
    output_of([pcc, 'zoo', name, *case.zoo, '-o', model])
    output_of([pcc, model, '--loss', case.loss, '--batch', str(batch_of(options, name)), '--precision', precision,
               '--recompute', options.recompute, '-o', f'{program}.c'])
    compile_c(options, program)
    header = pathlib.Path(f'{program}.c').read_text()[:2000]
    return program, 1e6 * float(re.search(r'([0-9.]+) MFLOP in products', header)[1])


def build_kernels(options, folder):
    program = folder / 'kernel_gemm'
    output_of([options.cc, '-O3', '-march=native', '-fopenmp', f'-I{HERE.parent}', HERE / 'kernel_gemm.c', '-o', program,
               '-ldl'])
    return program


def measure_peak(options, kernels):
    """f32 GFLOP/s of all threads together."""
    printed = output_of([kernels, '1', str(options.threads), 'no shape'])
    return float(re.findall(r'f32 peak ([0-9.]+)', printed)[-1])


def print_kernels(options, kernels):
    """Each product and convolution by itself, beside OpenBLAS and oneDNN where the machine has them."""
    printed = output_of([kernels, '5', str(options.threads), '']).strip()
    print(f'\n{printed}', flush=True)
    return printed.splitlines()


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


def measure_pcc(options, program, least_steps=5):
    command = [program, '--threads', str(options.threads), '--bench']
    first = last_json(output_of([*command, '3'], cwd=program.parent))
    steps = max(least_steps, int(1e3 * options.seconds / first['ms_per_step_median']))
    return last_json(output_of([*command, str(steps)], cwd=program.parent))


def torch_precision(precision):
    flags = pathlib.Path('/proc/cpuinfo').read_text() if os.path.exists('/proc/cpuinfo') else ''
    multiplies_bf16 = 'avx512_bf16' in flags or 'amx_bf16' in flags
    return precision if '16' not in precision or multiplies_bf16 else '32-true'


def measure_torch(options, name, precision, mode):
    script = [options.python, HERE / 'torch_step.py', name, mode, str(options.seconds), str(batch_of(options, name)),
              str(options.threads), torch_precision(precision)]
    return last_json(output_of(script, stderr=subprocess.DEVNULL))


def best(rounds):
    return {key: min(result[key] for result in rounds) for key in rounds[0]}


def measure(options, folder, kernels, name, precision):
    """Rounds of every contender in turns; the least of each figure, and the greatest peak that was measured beside."""
    program, flop = build_program(options, folder, name, precision)
    contenders = {'pcc': lambda: measure_pcc(options, program)}
    for mode in filter(None, options.modes.split(',')):
        contenders[f'torch {mode}'] = lambda mode=mode: measure_torch(options, name, precision, mode)
    rounds = {who: [] for who in contenders}
    peak = 0
    for _ in range(options.rounds):
        for who, run in contenders.items():
            rounds[who].append(run())
        peak = max(peak, measure_peak(options, kernels))
    results = {who: best(results) for who, results in rounds.items()}
    results['pcc']['flop'] = flop
    return results, peak


def print_rows(name, precision, results):
    ours = results['pcc']
    for who, result in results.items():
        ratio = result['ms_per_step_min'] / ours['ms_per_step_min']
        print(f"| {name} | {precision} | {who} | {result['ms_per_step_min']:.2f} | {result['ms_per_step_median']:.2f} "
              f"| {ratio:.2f} | {result['peak_rss_mib']:.0f} | {result['peak_rss_mib'] / ours['peak_rss_mib']:.2f} |",
              flush=True)


def print_summary(options, measured):
    print('\n| model, batch | precision | time / PyTorch | memory / PyTorch | share of f32 peak |\n|---|---|---|---|---|')
    for (name, precision), results in measured.items():
        ours, theirs = results['pcc'], [result for who, result in results.items() if who != 'pcc']
        ratios = [f'{ours[key] / min(result[key] for result in theirs):.2f}' if theirs else '-'
                  for key in ('ms_per_step_min', 'peak_rss_mib')]
        print(f"| {name}, {batch_of(options, name)} | {precision} | {' | '.join(ratios)} "
              f"| {100 * ours['share_of_peak']:.0f} % |")


def main():
    options = arguments()
    measured, peak = {}, 0
    print('| model | precision | program | ms/step, least | ms/step, median | time / pcc | peak MiB | memory / pcc |')
    print('|---|---|---|---|---|---|---|---|', flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        kernels = build_kernels(options, folder)
        for name in options.models.split(','):
            for precision in options.precision.split(','):
                measured[name, precision], own_peak = measure(options, folder, kernels, name, precision)
                peak = max(peak, own_peak)
                print_rows(name, precision, measured[name, precision])
        for results in measured.values():
            ours = results['pcc']
            ours['share_of_peak'] = ours['flop'] / ours['ms_per_step_min'] * 1e-6 / peak
        print_summary(options, measured)
        figures = {f'{name} {precision}': results for (name, precision), results in measured.items()}
        if options.kernels:
            figures['kernels'] = print_kernels(options, kernels)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
