"""The GPU playbook on a CPU, and the tables that the docs have from its results."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'dev'))

import tables  # noqa: E402
from playbook import compact, pretrainings, records, stages  # noqa: E402


def _rehearse(out: Path, *names: str) -> subprocess.CompletedProcess:
    command = [sys.executable, 'tools/dev/gpu_playbook.py', '--rehearse', '--out', str(out), '--stages', *names]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_rehearsal(tmp_path):
    """Every stage comes to its end on a CPU and writes what it found."""
    done = _rehearse(tmp_path, *stages.STAGES)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    found = {name: json.loads((tmp_path / f'{name}.json').read_text()) for name in stages.STAGES}
    for name, record in found.items():
        assert record['complete'] and record['rows'] and record['rehearsal'], name
        assert not [row for row in record['rows'] if 'error' in row], name
    losses = {row['variant']: row['losses'] for row in found['compiler']['rows']}
    assert losses['compiled'] == pytest.approx(losses['reference'], rel=1e-3)
    assert losses['layer_norm'] == pytest.approx(losses['reference'], rel=1e-3)
    assert all(row['equal'] for row in found['kernel_tests']['rows'] if 'operator' in row)


def test_result_is_due_once_its_code_changes(tmp_path):
    stage = stages.STAGES['shapes']
    assert records.describe(stage, tmp_path) == 'due: never run'
    content = dict(complete=True, code=records.hash_of(stage.code), date='2026-01-01', card='H100', commit='abc')
    (tmp_path / 'shapes.json').write_text(json.dumps(content))
    assert records.describe(stage, tmp_path).startswith('done (2026-01-01, H100, commit abc')
    (tmp_path / 'shapes.json').write_text(json.dumps({**content, 'complete': False}))
    assert records.describe(stage, tmp_path).startswith('due: cut off')
    (tmp_path / 'shapes.json').write_text(json.dumps({**content, 'code': 'other'}))
    assert records.describe(stage, tmp_path).startswith('due: its code has changed since')


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


def test_table_of_the_compiler():
    rows = [dict(case='pretrain', variant='kernels', ms=20., ms_10=19., ms_90=21.),
            dict(case='pretrain', variant='attention', ms=23., ms_10=22., ms_90=24.),
            dict(case='pretrain', variant='compiled', error='not ready')]
    lines = tables._compiler(rows).splitlines()
    assert lines[3].endswith('| 23.0 (22.0 to 24.0) | +15% |')
    assert 'all by torch.compile | not ready |' in lines[4]


def test_unknown_table():
    with pytest.raises(ValueError, match='no table .colours.; known are kernel_tests'):
        tables.table('colours')


def test_table_of_causes_has_the_last_step_and_the_order_of_the_rows():
    rows = [dict(about=about, labelled=labelled, seed=seed, step=step, AP25=10. * seed + step, AP50=1.)
            for labelled in (400, 40) for about in ('scratch', 'base') for seed in (0, 1) for step in (1, 2)]
    lines = tables._detection_causes(rows).splitlines()
    assert lines[2:4] == ['| 40 | scratch | 2 | 7.0 ± 7.1 | 1.0 ± 0.0 |', '| 40 | base | 2 | 7.0 ± 7.1 | 1.0 ± 0.0 |']
    assert lines[4].startswith('| 400 | scratch')


def test_table_of_tuning_is_in_percent_over_seeds():
    rows = [dict(labels=0.1, mode='linear', start='scratch', seed=seed, miou=0.1 + 0.02 * seed, acc=0.5, trained=4500)
            for seed in (0, 1)]
    assert tables._segmentation(rows).splitlines()[2] == (
        '| 10% | linear | random | 2 | 11.0 ± 1.4 | 50.0 ± 0.0 | 4,500 |')


def test_normals_of_a_slope():
    points = torch.rand(2, 500, 3, generator=torch.Generator().manual_seed(0))
    points[..., 2] = 0.2 * points[..., 0]
    found = pretrainings.normals(points[:, :20], points)
    torch.testing.assert_close(found.abs(), torch.tensor([0.2, 0., 1.]).expand_as(found) / 1.04**0.5)
