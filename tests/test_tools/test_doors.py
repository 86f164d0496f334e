"""``tools/*.py`` lead to the commands, whose help does not wait for what they need to work."""
import subprocess
import sys

import pytest
from processes import ROOT

TOOLS = sorted(path for path in (ROOT / 'tools').glob('*.py') if 'command(' in path.read_text())


@pytest.mark.parametrize('tool', TOOLS, ids=lambda path: path.stem)
def test_help(tool):
    done = subprocess.run([sys.executable, '-X', 'importtime', tool, '--help'], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(f'usage: {tool.name}')
    assert not any(name in done.stderr for name in ('numpy', 'torch', 'mmengine', 'm2ae_mm.datasets'))
