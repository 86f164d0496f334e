"""One training at a time writes to a folder."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from m2ae_mm.engine import work_folder
from m2ae_mm.engine.work_folder import claim_work_folder

# Holds the lock of a folder until it is killed, and has a child that lives on, as loading processes do.
HOLDER = '''
import os, sys, time
sys.path.insert(0, {path!r})
import work_folder_alone as work_folder
work_folder._lock(file := open(sys.argv[1] + '/.running', 'a+')) or sys.exit(3)
file.write('process 1 on host'); file.flush()
if not os.fork():
    time.sleep(60)
print('locked', flush=True)
time.sleep(60)
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(work_folder, '_held', {})
    for name in work_folder._RANKS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / 'new' / 'work'


def claim(folder, launcher='none'):
    claim_work_folder(Config(dict(work_dir=str(folder), launcher=launcher)))


def test_the_lock_dies_with_its_process(folder, tmp_path):
    folder.mkdir(parents=True)
    # The module without the package, which takes seconds to import.
    source = Path(work_folder.__file__).read_text().replace('from mmengine.config import Config', 'Config = None')
    source = source.replace('from m2ae_mm.files import remove_parts', '')
    (tmp_path / 'work_folder_alone.py').write_text(source)
    holder = subprocess.Popen([sys.executable, '-c', HOLDER.format(path=str(tmp_path)), folder], text=True,
                              stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert holder.stdout.readline() == 'locked\n'
        with pytest.raises(ValueError, match=r"a training is running in '.*work' \(process 1 on host\). Wait for its"):
            claim(folder)
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        claim(folder)
        assert (folder / '.running').read_text().startswith(f'process {os.getpid()} on ')
        claim(folder)  # the same process may
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.stdout.close()


def test_what_a_killed_training_had_begun_to_write_is_removed(folder):
    folder.mkdir(parents=True)
    (folder / '.epoch_3.pth.123-0.part').write_bytes(b'half')
    (folder / 'mine.part').write_bytes(b'whole')
    claim(folder)
    assert sorted(os.listdir(folder)) == ['.running', 'mine.part']


@pytest.mark.parametrize('variable', work_folder._RANKS)
def test_the_first_process_of_a_job_has_the_lock(folder, monkeypatch, variable):
    monkeypatch.setenv(variable, '1')
    claim(folder, 'pytorch')
    assert not folder.exists()
    claim(folder)  # a leftover variable without a launcher
    assert folder.exists()


def test_a_folder_that_cannot_be_made_is_named(folder):
    folder.parent.mkdir()
    folder.write_text('a file')
    with pytest.raises(ValueError, match="the work folder '.*work' cannot be written to .*Choose another --work-dir"):
        claim(folder)
