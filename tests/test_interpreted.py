import os
import subprocess
import sys
from pathlib import Path

from interpreted import compiles_kernels

FILES = [file for file in sorted(Path(__file__).parent.glob('*/test_*.py')) if 'from interpreted' in file.read_text()]


@compiles_kernels
def test_kernels_interpreted():
    """All tests of Triton kernels that need no GPU, in a process that interprets them."""
    command = [sys.executable, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', *map(str, FILES)]
    result = subprocess.run(command, env={**os.environ, 'TRITON_INTERPRET': '1'}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:]
