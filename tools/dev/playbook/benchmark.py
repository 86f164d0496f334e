"""Rows of tools/benchmark.py, a call a case so that each is kept."""
import json
import subprocess
import sys

from .records import ROOT

_CASES = ('pretrain', 'features', 'classify', 'detect_train', 'detect_infer')
_SHORT = ('--repeats', '3', '--seconds', '0.1')


def run(context) -> None:
    peaks: list[str] = []
    for case in ('chamfer', ) if context.rehearse else _CASES:
        for precision in ('fp32', ) if context.rehearse else ('bf16', ):
            result = measure(context, case, precision, peaks)
            if result is None:
                continue
            figures = result['machine']
            peaks = [f'{name}={value:.4g}' for name, value in figures['tflops'].items()]
            peaks = ['--peak-tflops', *peaks, '--peak-gbs', f'{figures["gbs"]:.4g}']
            context.record.set(peaks=dict(tflops=figures['tflops'], gbs=figures['gbs']))


def measure(context, case: str, precision: str, peaks: list[str]) -> dict | None:
    """The rows of one case; None where the tool failed or does not know it."""
    file = context.out / f'benchmark_{case}.tmp.json'
    short = _SHORT if context.rehearse else ('--repeats', '60', '--seconds', '2', '--limit', '100')
    command = ['tools/benchmark.py', '--device', context.device, '--precision', precision, '--cases', case, *short,
               *peaks, '--json', str(file)]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        context.record.add(case=case, error=(done.stdout + done.stderr)[-800:])
        return None
    result = json.loads(file.read_text())
    file.unlink()
    for row in result['rows']:
        context.record.add(**row)
    return result
