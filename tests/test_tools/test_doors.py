"""``tools/*.py`` lead to the commands."""
from pathlib import Path

import pytest
from processes import ROOT, program

TOOLS = sorted(path for path in (ROOT / 'tools').glob('*.py') if 'command(' in path.read_text())


@pytest.mark.parametrize('tool', TOOLS, ids=lambda path: path.stem)
def test_help(tool):
    done = program(Path('tools', tool.name), '--help')
    assert done.returncode == 0 and done.stdout.startswith(f'usage: {tool.name}') and not done.stderr
