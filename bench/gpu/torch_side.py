"""PyTorch's worker (torch_worker.py), asked with a time limit and started again where it died."""
import json
import os
import select
import subprocess
import sys
import threading
import time

MODES = ['bf16-mixed', '32-true', 'bf16-true', '16-mixed', '16-true', '64-true']
LATE = 30


class TorchSide:
    def __init__(self, python, device, folder, log):
        self.command = [python, str(folder / 'torch_worker.py'), device, str(folder)]
        self.log, self.process, self.about = log, None, None
        self.lock, self.prepared = threading.Lock(), set()

    def start(self, seconds):
        few = {**os.environ, 'TORCHINDUCTOR_COMPILE_THREADS': '4'}  # nvcc wants the other cores
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env=few)
        self.prepared, self.about = set(), self.read(seconds)
        return 'error' not in self.about

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def read(self, seconds):
        """An answer is one line, flushed whole."""
        ready, *_ = select.select([self.process.stdout], [], [], max(0, seconds))
        line = self.process.stdout.readline() if ready else ''
        if line:
            return json.loads(line)
        self.stop()
        return {'error': 'PyTorch ended' if ready else f'PyTorch took more than {seconds:.0f} s'}

    def ask(self, do, case, kind, seconds):
        with self.lock:
            end = time.monotonic() + seconds
            if not self.process and not self.start(min(60, seconds)):
                return self.about
            try:
                self.process.stdin.write(json.dumps({'do': do, 'case': case, 'kind': kind, 'seconds': 0.4}) + '\n')
                self.process.stdin.flush()
            except OSError:
                self.stop()
                return {'error': 'PyTorch ended'}
            answer = self.read(end - time.monotonic())
        if do == 'prepare' and 'error' not in answer:
            self.prepared.add((case['name'], kind))
        return answer

    def time(self, case, kind, seconds):
        """Also prepares the step where nobody has."""
        if (case['name'], kind) not in self.prepared:
            answer = self.ask('prepare', case, kind, seconds)
            if 'error' in answer:
                return answer
        return self.ask('time', case, kind, seconds)

    def prepare_all(self, cases, kinds, clock, until):
        """In a thread, while programs are built and probed; the modes that matter most come first. What takes longer
        than allowed ends the worker, and with it all that was prepared: so the last one may be late."""
        for kind in kinds:
            for case in sorted(cases, key=lambda case: MODES.index(case['precision'])):
                left = until - clock()
                if left > LATE / 2:
                    answer = self.ask('prepare', case, kind, left + LATE)
                    if 'error' in answer:
                        print(f"torch {kind} {case['name']}: {answer['error']}", file=self.log, flush=True)


def python_with_torch(wanted):
    """An interpreter that imports torch, or None."""
    for python in [wanted] if wanted else [sys.executable, 'python3', 'python']:
        try:
            done = subprocess.run([python, '-c', 'import torch'], timeout=90, stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                return python
        except (OSError, subprocess.TimeoutExpired):
            pass
    return None
