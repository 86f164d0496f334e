"""The GPU playbook on a CPU, and the tables that the docs have from its results."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'dev'))

import tables  # noqa: E402
from playbook import compact, records, stages  # noqa: E402


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


def test_hash_sees_names_and_contents(tmp_path):
    (tmp_path / 'a.py').write_text('1')
    first = records.hash_of(('*.py', ), tmp_path)
    (tmp_path / 'a.py').write_text('2')
    second = records.hash_of(('*.py', ), tmp_path)
    (tmp_path / 'a.py').rename(tmp_path / 'b.py')
    assert len({first, second, records.hash_of(('*.py', ), tmp_path)}) == 3


def test_carried_shapes_keep_their_points(tmp_path):
    """No point moves further than a cell of 2 mm."""
    points = np.random.default_rng(0).uniform(-1, 1, (3, 64, 3)).astype(np.float32)
    compact.write(tmp_path / 'shapes.xz', points)
    found = compact.read(tmp_path / 'shapes.xz')
    assert found.shape == points.shape
    for shape, expected in zip(found, points):
        distance = np.linalg.norm(shape[:, None] - expected, axis=-1)
        assert distance.min(0).max() < 0.0035 and distance.min(1).max() < 0.0035


def test_tables_are_those_of_the_files():
    assert not [page.name for page in (ROOT / 'docs').glob('*.md') if tables.update(page, write=False)]
