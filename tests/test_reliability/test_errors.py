"""What the tools print of an error, whatever it is."""
import errno
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from m2ae_mm import errors
from m2ae_mm.cli.running import run
from m2ae_mm.errors import UserError, doing, message, reading, reason


class Broken(Dataset):
    """A data set none of whose samples can be had."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise KeyError('a column')


@pytest.fixture
def ended(capsys, monkeypatch, tmp_path_factory):
    """Runs a function as a tool; exit code and what went to the screen."""
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path_factory.mktemp('temporary')))
    monkeypatch.setattr('m2ae_mm.cli.running.tune_process', lambda: None)
    monkeypatch.setattr(errors, '_work_folder', None)

    def end(main):
        with pytest.raises(SystemExit) as stop:
            run(main)
        return stop.value.code, capsys.readouterr().err

    return end


def fail():
    with doing('training'), doing('reading', '/data/a.ply'):
        raise AssertionError('3 != 4')


def test_any_error_ends_in_a_message_and_a_file(ended, tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    code, text = ended(fail)
    first, *notes, last = text.strip().splitlines()
    assert code == 1 and first == 'error: AssertionError: 3 != 4.'
    assert notes == ['  while reading /data/a.ply', '  while training']
    file, = tmp_path.iterdir()
    assert last == f'(traceback: {file}; M2AE_TRACEBACK=1 shows it.)' and 'in fail' in file.read_text()


def test_the_file_is_in_the_work_folder_if_there_is_one(ended, tmp_path):
    errors.keep_tracebacks_in(tmp_path)
    assert f'traceback: {tmp_path / "traceback.txt"};' in ended(fail)[1]
    errors.keep_tracebacks_in(tmp_path / 'none')
    assert str(tmp_path) not in ended(fail)[1].replace(str(errors.tempfile.gettempdir()), '')


def test_the_traceback_is_shown_if_asked_for(ended, monkeypatch, tmp_path):
    errors.keep_tracebacks_in(tmp_path)
    monkeypatch.setenv('M2AE_TRACEBACK', '1')
    code, text = ended(fail)
    assert code == 1 and text.startswith('Traceback (most') and 'in fail' in text and '\nerror: Asser' in text


@pytest.mark.parametrize('error, expected', [
    (ValueError('a is 3. Set it to 4.'), 'a is 3. Set it to 4.'),
    (UserError('a'), 'a.'),
    (KeyError("no 'x'"), "KeyError: no 'x'."),
    (KeyError(3), 'KeyError: 3.'),
    (IndexError(), 'IndexError.'),
    (PermissionError(errno.EACCES, 'Permission denied', '/a'),
     "Permission denied: '/a'. Choose a place that you may read and write."),
    (OSError(errno.ENAMETOOLONG, 'File name too long', 'aaa'), "File name too long: 'aaa'. Choose a shorter name."),
    (OSError('no file of theirs'), 'OSError: no file of theirs.'),
    (FileNotFoundError("there is no folder 'a'."), "there is no folder 'a'."),
    (NotADirectoryError(errno.ENOTDIR, 'Not a directory', '/a/b'), "Not a directory: '/a/b'. A file is in the way "),
    (ModuleNotFoundError("No module named 'foo'"), "No module named 'foo'. Install that package, "),
    (MemoryError(), 'MemoryError. There is not enough memory.'),
])
def test_texts(error, expected):
    assert message(error).startswith(expected)
    assert '\n' not in reason(error)


def test_safety_is_not_talked_away(tmp_path):
    torch.save(dict(a=print), tmp_path / 'a.pth')
    np.save(tmp_path / 'a.npy', np.array([None]), allow_pickle=True)
    for load, left in ((lambda: torch.load(tmp_path / 'a.pth'), 'GLOB'), (lambda: np.load(tmp_path / 'a.npy'), 'Pyth')):
        with pytest.raises(Exception) as error:  # noqa: PT011
            load()
        assert left in message(error.value)
        for word in ('weights_only', 'allow_pickle', 'safe_globals', 'trust'):
            assert word not in message(error.value) + reason(error.value)


def test_errors_of_loading_processes_are_told_without_their_traceback():
    with pytest.raises(KeyError) as error:
        list(DataLoader(Broken(), num_workers=1))
    assert message(error.value).startswith("KeyError: 'a column'")


def test_parsers_end_in_one_class_that_names_the_file():
    for wrong in (KeyError('a'), RuntimeError('of C++'), OverflowError(), UserError('no points')):
        with (pytest.raises(UserError, match=r"^'/a.ply' cannot be read as PLY: .*\. Copy it again\.$"),
              reading('/a.ply', 'as PLY', 'Copy it again.')):
            raise wrong
    with pytest.raises(UserError, match="^of '/a.ply'$"), reading('/a.ply'):  # it names the file already
        raise UserError("of '/a.ply'")


def test_notes_survive_processes():
    with pytest.raises(UserError) as error, doing('reading', '/a'):
        raise UserError('wrong')
    assert message(pickle.loads(pickle.dumps(error.value))) == 'wrong.\n  while reading /a'


def test_the_innermost_of_a_kind_is_told():
    house, door = doing('building', 'a house'), doing('building', dict(type='Door', width='x' * 500))
    with pytest.raises(TypeError) as error, house, door:
        raise TypeError('no')
    note, = error.value.__notes__
    assert note.startswith("while building {'type': 'Door'") and '...' in note
