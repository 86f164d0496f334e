import os
import subprocess
import sys
from pathlib import Path

import pytest
from interpreted import compiles_kernels

FILES = [file for file in sorted(Path(__file__).parent.glob('*/test_*.py')) if 'from interpreted' in file.read_text()]


@compiles_kernels
@pytest.mark.parametrize('folder', sorted({file.parent.name for file in FILES}))
def test_kernels_interpreted(folder):
    """All tests of Triton kernels that need no GPU, in a process that interprets them; a folder each, side by side."""
    files = [str(file) for file in FILES if file.parent.name == folder]
    command = [sys.executable, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', *files]
    result = subprocess.run(command, env={**os.environ, 'TRITON_INTERPRET': '1'}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:]
