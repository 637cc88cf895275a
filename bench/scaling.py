#!/usr/bin/env python3
"""How a training step's time and memory grow with a transformer's depth, width, batch and sequence length.

    bench/scaling.py [--svg docs/scaling.svg] [--precision 32-true] [--build build/release] [--seconds 2] [--rounds 3]

Compiles `pcc zoo gpt2` in sizes that differ from a small one in one figure, and measures each program in turns. Prints
a table and draws it: both axes are logarithmic, and a dashed line through the largest size is what grows in proportion,
with the width in proportion to its square. Memory is what the program plans (--print memory): weights, with the
optimizer's moments, and arena."""
import argparse
import math
import os
import pathlib
import re
import tempfile

from run import best, compile_c, measure_pcc, output_of

HERE = pathlib.Path(__file__).resolve().parent
BASE = {'depth': 2, 'dim': 256, 'batch': 4, 'context': 64}
AXES = {'depth': ('layers', 1, [1, 2, 4, 8, 16]), 'dim': ('width', 2, [64, 128, 256, 512, 1024]),
        'batch': ('batch', 1, [1, 2, 4, 8, 16, 32]), 'context': ('tokens of a sequence', 1, [32, 64, 128, 256, 512])}
HEAD = 64  # width of an attention head


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--svg', type=pathlib.Path, help='file to draw into')
    parser.add_argument('--precision', default='32-true')
    parser.add_argument('--build', type=pathlib.Path, default=HERE.parent / 'build/release')
    parser.add_argument('--cc', default='cc')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--seconds', type=float, default=2, help='of each measurement')
    parser.add_argument('--rounds', type=int, default=3)
    return parser.parse_args()


def build(options, folder, size):
    """The program of a size, by its path, and the MiB that it plans."""
    pcc, name = options.build.resolve() / 'pcc', '-'.join(str(size[key]) for key in BASE)
    model, program = folder / f'{name}.onnx', folder / name
    shape = [f'{key}={size[key]}' for key in ('depth', 'dim', 'context')]
    output_of([pcc, 'zoo', 'gpt2', 'vocab=1024', f'heads={size["dim"] // HEAD}', *shape, '-o', model])
    compiled = [pcc, model, '--loss', 'causal-lm', '--batch', str(size['batch']), '--precision', options.precision]
    planned = output_of([*compiled, '--print', 'memory'])
    output_of([*compiled, '-o', f'{program}.c'])
    compile_c(options, program)
    return program, sum(map(int, re.findall(r'^(?:weights|arena) *(\d+) bytes', planned, re.M))) / 2**20


def measure(options):
    """For each axis its sizes, with the least milliseconds of a step and the MiB."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {tuple({**BASE, axis: value}.values()) for axis, (_, _, values) in AXES.items() for value in values}
        built = {size: build(options, pathlib.Path(folder), dict(zip(BASE, size))) for size in sorted(sizes)}
        rounds = [{size: measure_pcc(options, program, least_steps=2)['ms_per_step_min']
                   for size, (program, _) in built.items()} for _ in range(options.rounds)]
    least = best(rounds)
    return {axis: [(value, least[size], built[size][1])
                   for value in values for size in [tuple({**BASE, axis: value}.values())]]
            for axis, (_, _, values) in AXES.items()}


# ---- the drawing ----

SIDE, GAP, LEFT, TOP = 210, 60, 60, 50


def panel(left, top, label, power, points, unit):
    """One curve in a square; `points`: (size, figure). What is expected grows with the power of the size."""
    (x0, x1), (y0, y1) = ((math.log2(min(v)), math.log2(max(v))) for v in zip(*points))
    x0, x1, y0, y1 = x0 - 0.3, x1 + 0.3, y0 - 0.5, y1 + 0.5

    def place(x, y):
        return left + (math.log2(x) - x0) / (x1 - x0) * SIDE, top + SIDE - (math.log2(y) - y0) / (y1 - y0) * SIDE

    last_x, last_y = points[-1]
    first_x = max(points[0][0], last_x * (2**y0 / last_y)**(1 / power))
    ends = [place(first_x, last_y * (first_x / last_x)**power), place(last_x, last_y)]
    curve = ' '.join('%.1f,%.1f' % place(*point) for point in points)
    yield f'<rect x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>'
    yield '<path d="M%.1f %.1f L%.1f %.1f" stroke="#999" stroke-dasharray="5 4"/>' % (*ends[0], *ends[1])
    yield f'<polyline points="{curve}" fill="none" stroke="#0a66c2" stroke-width="2"/>'
    for x, y in points:
        at = place(x, y)
        yield '<circle cx="%.1f" cy="%.1f" r="3.5" fill="#0a66c2"/>' % at
        yield f'<text x="{at[0] - 7:.1f}" y="{at[1] - 7:.1f}" text-anchor="end">{y:.{0 if y >= 100 else 1}f}</text>'
        yield f'<text x="{at[0]:.1f}" y="{top + SIDE + 16}" text-anchor="middle">{x}</text>'
    yield f'<text x="{left + SIDE / 2}" y="{top + SIDE + 34}" text-anchor="middle" font-weight="bold">{label}</text>'
    yield f'<text x="{left + 6}" y="{top + 16}" font-weight="bold">{unit}</text>'


def draw(title, measured):
    width, height = LEFT + len(AXES) * (SIDE + GAP), TOP + 2 * (SIDE + GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             'font-family="sans-serif" font-size="11">', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{LEFT}" y="28" font-size="15">{title}</text>']
    for column, (axis, rows) in enumerate(measured.items()):
        for row, unit in enumerate(('ms', 'MiB')):
            parts += panel(LEFT + column * (SIDE + GAP), TOP + row * (SIDE + GAP), *AXES[axis][:2],
                           [(figures[0], figures[1 + row]) for figures in rows], unit)
    return '\n'.join([*parts, '</svg>', ''])


def main():
    options = arguments()
    measured = measure(options)
    print('| | size | ms/step, least | MiB |\n|---|---|---|---|')
    for axis, rows in measured.items():
        for value, ms, mib in rows:
            print(f'| {AXES[axis][0]} | {value} | {ms:.2f} | {mib:.1f} |')
    if options.svg:
        others = ', '.join(f'{value} {AXES[axis][0]}' if axis in ('depth', 'context') else f'{AXES[axis][0]} {value}'
                           for axis, value in BASE.items())
        options.svg.write_text(draw(f'A training step of GPT-2 in {options.precision}: {others}, but for what varies',
                                    measured))


if __name__ == '__main__':
    main()
