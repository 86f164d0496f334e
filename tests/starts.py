"""Processes as they start where m2ae_mm is installed, and as they start without its hooks."""
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# A folder of site packages with m2ae_mm.pth in it.
_START = "import site\nsite.addsitedir({folder!r})\n"


def environment(folder, *paths, **variables):
    """Variables of a process that finds this clone and reads ``m2ae_mm.pth``, with ``paths`` before all others."""
    start = Path(folder, 'start')
    start.mkdir(exist_ok=True)
    text = _START.format(folder=str(ROOT / 'tools' / 'm2ae_mm_start'))
    (start / 'sitecustomize.py').write_text(text)
    path = os.pathsep.join(map(str, (*paths, start, ROOT, ROOT / 'tools')))
    return {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1', **variables}


def python(folder, *arguments, paths=(), cwd=None, **variables):
    """What a Python process with these arguments printed and its exit code."""
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=cwd or folder, capture_output=True, text=True,
                          env=environment(folder, *paths, **variables), timeout=600)
