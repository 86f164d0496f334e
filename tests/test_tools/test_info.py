"""m2ae info: what serves, what is missing."""
import importlib

from m2ae_mm.cli import info
from m2ae_mm.ops import dispatch


def test_every_part_is_told(capsys):
    info.main(info.parse_args([]))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith('operators') and 'cpu: kernels in numba' in line for line in lines)
    assert any('torch 2.' in line for line in lines) and any('shapes_small: pre-training' in line for line in lines)
    assert any('operators of m2ae_mm' in line for line in lines)


def test_what_is_missing_is_told_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr(dispatch, 'kernels_of', lambda device: None)
    assert all('PyTorch reference' in line and 'pip install' in line for line in info.operator_lines())
    monkeypatch.setattr(info, 'version_of', lambda name: None)
    assert any('h5py is missing' in line and 'pip install h5py' in line for line in info.rows()['optional'])
    load = importlib.import_module

    def fail(name):
        if name == 'open3d':
            raise ImportError('libGL.so.1 is missing')
        return load(name)

    monkeypatch.setattr(importlib, 'import_module', fail)
    assert 'libGL.so.1 is missing' in info.open3d_line()
