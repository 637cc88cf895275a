"""pcc's CUDA programs: built, probed beside the C target's answers, timed."""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import zlib

import compare
import tensors


class Failure(Exception):
    """One program's; the others go on."""


def call(command, seconds, **options):
    """The command's output; with all its children it is gone after so many seconds."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors='replace', start_new_session=True, **options)
    try:
        output, _ = process.communicate(timeout=max(1, seconds))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Failure(f'{pathlib.Path(command[0]).name}: still running after {seconds:.0f} s') from None
    if process.returncode:
        said = ' '.join(output.split())
        raise Failure(f'{pathlib.Path(command[0]).name}: status {process.returncode}: {said[:500]}')
    return output


def find_nvcc():
    home = os.environ.get('CUDA_HOME', '/usr/local/cuda')
    return os.environ.get('NVCC') or shutil.which('nvcc') or f'{home}/bin/nvcc'


def architecture():
    """Of the first GPU."""
    try:
        text = call(['nvidia-smi', '--query-gpu=compute_cap', '--format=csv,noheader'], 20)
        return 'sm_' + text.split()[0].replace('.', '')
    except (Failure, OSError, IndexError):
        return 'native'


def link_flags(source):
    text = source.read_text()
    libraries = {'<pcc/kernels/gemm/gemm_cublas.cuh>': '-lcublasLt', '<pcc/kernels/conv/conv_cudnn.cuh>': '-l:libcudnn.so.9'}
    return [flag for header, flag in libraries.items() if f'#include {header}' in text]


class Programs:
    def __init__(self, folder, out, clock, emulate=None):
        self.folder, self.out, self.clock, self.emulate = folder, out, clock, emulate

    def build_runtime(self, seconds):
        """libpcc-runtime.a, from the folder's sources."""
        if self.emulate:
            return  # has one
        include, objects = self.folder / 'include', self.out / 'runtime'
        objects.mkdir(exist_ok=True)
        sources = [path for path in (include / 'pcc').rglob('*.c') if 'kernels' not in path.parts]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda path: call(
                [os.environ.get('CC', 'cc'), '-std=c11', '-D_GNU_SOURCE', '-O2', '-fopenmp', f'-I{include}',
                 f'-I{self.folder}/zlib', '-c', path, '-o', objects / f'{path.parent.name}_{path.stem}.o'], seconds),
                sources))
        call(['ar', 'rcs', self.out / 'libpcc-runtime.a', *sorted(objects.glob('*.o'))], seconds)

    def build(self, case, arch, seconds):
        source, program = self.folder / 'cases' / f"{case['name']}.cu", self.out / case['name']
        if self.emulate:
            call([*self.emulate, source, '-o', program], seconds)
            return
        libz = self.folder / 'zlib/libz.a'
        call([find_nvcc(), '-O3', '-std=c++17', '-Xcompiler', '-fopenmp', f'-arch={arch}', f'-I{self.folder}/include',
              source, self.out / 'libpcc-runtime.a', libz if libz.exists() else '-lz', '-lm', '-lgomp',
              *link_flags(source), '-o', program], seconds)

    def write_weights(self, case):
        packed = (self.folder / 'cases' / f"{case['name']}.recipe").read_bytes()
        tensors.write_recipe(self.out / f"{case['name']}.safetensors", json.loads(zlib.decompress(packed)))

    def probe(self, case, seconds):
        """compare()'s verdict."""
        name = case['name']
        batch, dump = self.out / f'{name}.batch', self.out / f'{name}.dump'
        tensors.write_batch(batch, case)
        try:
            call([self.out / name, '--probe', batch, '--dump', dump, '--steps', case['steps'], '--quiet'], seconds,
                 cwd=self.out)
            ours = tensors.sketch_of(dump)
        finally:
            dump.unlink(missing_ok=True)
        theirs = tensors.read_sketch(self.folder / 'cases' / f'{name}.answers')
        return compare.compare(ours, theirs, case['precision'])

    def time(self, case, steps, seconds):
        """What --bench says."""
        output = call([self.out / case['name'], '--bench', steps], seconds, cwd=self.out)
        lines = re.findall(r'^\{.*\}$', output, re.MULTILINE)
        if not lines:
            raise Failure(f'--bench printed no result: {output[:300]}')
        return json.loads(lines[-1])
