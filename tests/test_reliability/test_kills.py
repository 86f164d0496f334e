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


@pytest.mark.parametrize('aim', ['open', 'fsync', 'replace', 'remove', 'save'])
def test_an_aimed_kill_hits(chaos, tmp_path, aim):
    """Else trainings would only seem to have been killed while they wrote."""
    assert aim in chaos.AIMS

    def work():
        chaos.die_at(aim, 1)
        chaos.run(chaos.options(tmp_path))

    assert chaos.finished(chaos.fork(work)) == -9


def test_what_misses_is_not_counted(chaos, tmp_path, monkeypatch):
    """A training that ends before the moment comes."""
    monkeypatch.setattr(chaos, 'fork', lambda work: 0)
    monkeypatch.setattr(chaos, 'finished', lambda process: codes.pop())
    monkeypatch.setattr(chaos.os, 'kill', lambda *_: None)
    report = chaos.Report()
    for kind, signal in (('aimed', -9), ('random', -9), ('SIGTERM', 143)):
        codes = [signal, 0]
        hits = [chaos._disturb(tmp_path, kind, chaos.random.Random(0), 0., report)[1] for _ in range(2)]
        assert hits == [False, True], kind
    assert not report.wrong and report.done == {'aimed kills': 1, 'random kills': 1, 'SIGTERM': 1}


def test_full_disks(chaos, tmp_path):
    report = chaos.Report()
    chaos.fill_disks(tmp_path, 2, 0, report)
    assert not report.wrong, str(report)
