"""The GPU playbook on a CPU, and the tables that the docs have from its results."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'dev'))

import tables  # noqa: E402
from playbook import stages  # noqa: E402


def test_rehearsal(tmp_path):
    """Every stage comes to its end on a CPU and writes what it found."""
    command = [sys.executable, 'tools/dev/gpu_playbook.py', '--rehearse', '--out', tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    found = {name: json.loads((tmp_path / f'{name}.json').read_text()) for name in stages.STAGES}
    for name, record in found.items():
        assert record['complete'] and record['rows'] and record['rehearsal'], name
        assert not [row for row in record['rows'] if 'error' in row], name
    losses = {row['variant']: row['losses'] for row in found['compiler']['rows']}
    assert losses['compiled'] == pytest.approx(losses['reference'], rel=1e-3)
    assert losses['layer_norm'] == pytest.approx(losses['reference'], rel=1e-3)
    assert all(row['equal'] for row in found['kernel_tests']['rows'] if 'operator' in row)


def test_tables_are_those_of_the_files():
    assert not [page.name for page in (ROOT / 'docs').glob('*.md') if tables.update(page, write=False)]
