"""A file that a run reads is there whole or not at all."""
import errno
import os
import resource
import signal
import subprocess
import sys

import pytest

from m2ae_mm.files import (
    DiskFullError,
    is_disk_full,
    locked,
    remove_parts,
    replacing,
    write_bytes,
    write_json,
    write_text,
)


def test_the_old_content_stays_until_the_new_is_whole(tmp_path):
    path = tmp_path / 'a.json'
    write_json(path, dict(a=1), indent=1)
    with replacing(path) as file:
        file.write(b'half')
        assert path.read_text() == '{\n "a": 1\n}'
    assert path.read_bytes() == b'half' and os.listdir(tmp_path) == ['a.json']


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_changes_nothing(tmp_path, error):
    write_text(tmp_path / 'a', 'old')
    with pytest.raises(error), replacing(tmp_path / 'a') as file:
        file.write(b'new')
        raise error
    assert (tmp_path / 'a').read_text() == 'old' and os.listdir(tmp_path) == ['a']


def test_a_file_that_cannot_be_put_in_place_stays_as_it_was(tmp_path, monkeypatch):
    write_bytes(tmp_path / 'a.bin', b'old')

    def fail(*_):
        raise OSError('no rights')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='no rights'):
        write_bytes(tmp_path / 'a.bin', b'new')
    assert (tmp_path / 'a.bin').read_bytes() == b'old' and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_called_so(tmp_path, number):
    write_text(tmp_path / 'a', 'old')
    message = "no space left for '.*a'.*before is untouched"
    with pytest.raises(DiskFullError, match=message), replacing(tmp_path / 'a'):
        raise OSError(number, os.strerror(number))
    assert (tmp_path / 'a').read_text() == 'old'
    assert is_disk_full(OSError('100 requested and 3 written')) and not is_disk_full(OSError(errno.EACCES, 'no'))


def test_a_disk_that_fills_while_it_is_written_to(tmp_path):
    write_text(tmp_path / 'a', 'old')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(DiskFullError):
            write_bytes(tmp_path / 'a', b'0' * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == ['a'] and (tmp_path / 'a').read_text() == 'old'


def test_a_killed_writer_leaves_the_old_content_and_a_part_that_can_be_removed(tmp_path):
    write_text(tmp_path / 'a', 'old')
    code = ('import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n'
            'from replacing import replacing\n'
            'with replacing(Path(sys.argv[1], "a")) as file:\n'
            '    file.write(b"new"); file.flush(); os.kill(os.getpid(), signal.SIGKILL)')
    module = sys.modules[replacing.__module__]
    done = subprocess.run([sys.executable, '-c', code, tmp_path, os.path.dirname(module.__file__)])
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / 'a').read_text() == 'old' and len(os.listdir(tmp_path)) == 2
    remove_parts(tmp_path)
    assert os.listdir(tmp_path) == ['a']


@pytest.mark.parametrize('error', [OSError(errno.ENOLCK, 'No locks available'), PermissionError(13, 'denied'),
                                   NotImplementedError('flock')])
def test_where_there_are_no_locks_the_file_is_written_without(tmp_path, monkeypatch, error):
    def acquire(*_, **__):
        raise error
    monkeypatch.setattr('filelock.FileLock.acquire', acquire)
    with locked(tmp_path / 'table.json'):
        write_text(tmp_path / 'table.json', '{}')
    with pytest.raises(OSError, match='of the body'), locked(tmp_path / 'table.json'):
        raise OSError('of the body')
    assert (tmp_path / 'table.json').read_text() == '{}'
