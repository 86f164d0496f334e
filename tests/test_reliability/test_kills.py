"""Trainings that are killed, stopped and starved lose nothing; tools/dev/chaos.py does it for longer."""
import importlib.util
from pathlib import Path

import pytest

CHAOS = Path(__file__).resolve().parents[2] / 'tools' / 'dev' / 'chaos.py'


@pytest.fixture(scope='module')
def chaos():
    spec = importlib.util.spec_from_file_location('chaos', CHAOS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kills(chaos, tmp_path):
    report = chaos.Report()
    chaos.kill_trainings(tmp_path, 6, 0, report)
    assert not report.wrong, str(report)
    assert sum(count for what, count in report.done.items() if 'trainings' not in what) >= 6


def test_full_disks(chaos, tmp_path):
    report = chaos.Report()
    chaos.fill_disks(tmp_path, 2, 0, report)
    assert not report.wrong, str(report)
