from pathlib import Path

import pytest
from interpreted import compiles_kernels
from processes import program

FILES = [file for file in sorted(Path(__file__).parent.glob('*/test_*.py')) if 'from interpreted' in file.read_text()]


@compiles_kernels
@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_kernels_interpreted(file):
    """All tests of Triton kernels that need no GPU, in a process that interprets them."""
    main = Path(pytest.__file__).with_name('__main__.py')
    done = program(main, '-q', '-x', '-p', 'no:cacheprovider', file, TRITON_INTERPRET='1')
    assert done.returncode == 0 and ' passed' in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
