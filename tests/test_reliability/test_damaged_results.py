"""What earlier runs left, damaged: refused with a message, left out and counted, or made anew."""
import json
from pathlib import Path

import numpy as np
import pytest
from ends import ROOMS, TINY, check, npy, rows, tool
from raw_scannet import write_release, write_scan
from shapes import shape_points

from m2ae_mm.checkpoint import read_checkpoint
from m2ae_mm.datasets import M2AEFolder
from m2ae_mm.datasets.io.h5 import read_h5
from m2ae_mm.datasets.scannet_raw import create_scannet


def flipped(content):
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 4
    return bytes(changed)


CHECKPOINT_BYTES = {
    'empty': (lambda content: b'', 'is empty (0 bytes). Copy it again'),
    'cut': (lambda content: content[:-100], 'is damaged or cut short'),
    'a quarter': (lambda content: content[:len(content) // 4], 'is damaged or cut short'),
    'a byte flipped': (flipped, 'has another checksum than it was written with'),
    'a text': (lambda content: b'hello', 'is damaged or cut short (5 bytes)'),
    'zeros': (lambda content: bytes(1000), 'is damaged or cut short (1000 bytes)'),
}


@rows(CHECKPOINT_BYTES)
@pytest.mark.parametrize('way', ['--resume', 'load_from'])
def test_bytes_of_checkpoints(message, scenes, resumable, tmp_path, row, way):
    change, words = row
    path = tmp_path / 'a.pth'
    path.write_bytes(change(resumable.read_bytes()))
    resume, options = (['--resume', path], []) if way == '--resume' else ([], [f'load_from={path}'])
    check(message, tool('train', ROOMS, '--data', scenes, '--work-dir', tmp_path / 'out', *resume, '--cfg-options',
                        *TINY, *options), words)


def test_a_test_refuses_broken_weights(message, scenes, tmp_path):
    (tmp_path / 'a.pth').write_bytes(b'hello')
    check(message, tool('test', ROOMS, tmp_path / 'a.pth', '--data', scenes, '--work-dir', tmp_path / 'out',
                        '--cfg-options', *TINY), 'a.pth ... is damaged or cut short (5 bytes)')


@pytest.mark.parametrize('content, words', [(b'\xff\xfe', 'last_checkpoint ... Save it as text in UTF-8'),
                                            (b'epoch_7.pth', 'which does not exist'), (b'a' * 5000, 'name too long')])
def test_notes_of_the_latest_checkpoint(message, scenes, tmp_path, content, words):
    (tmp_path / 'last_checkpoint').write_bytes(content)
    options = ['--data', scenes, '--work-dir', tmp_path, '--resume', '--cfg-options', *TINY]
    check(message, tool('train', ROOMS, *options), words)


FOLDS = {
    'nan': ('{"0": NaN}', 'fold 0 has nan, which is no accuracy in percent. Take the entry out of'),
    'more than all': ('{"1": 150}', 'fold 1 has 150.0, which is no accuracy'),
    'words': ('{"0": "good"}', 'as results by name'),
    'a name': ('{"first": 3}', 'as results by name'),
    'a list': ('[1, 2]', 'it holds list, dict is needed'),
    'cut': ('{"0": 8', 'folds.json ... cannot be read as JSON'),
}


@rows(FOLDS)
def test_folds_of_earlier_runs(message, tmp_path, row):
    from m2ae_mm.cli.fewshot import read_folds
    text, words = row
    (tmp_path / 'folds.json').write_text(text)
    check(message, lambda: read_folds(tmp_path / 'folds.json'), words)


NOTES = {
    'settings that are cut': (lambda r: (r / 'settings.json').write_text('{"a'), 'settings.json ... cannot be read as'),
    'settings of another run': (lambda r: (r / 'settings.json').write_text('{"a": 1}'), 'holds results of other setti'),
    'no settings': (lambda r: None, 'holds results, but no settings.json'),
}


@rows(NOTES)
def test_settings_of_earlier_runs(message, tmp_path, row):
    from m2ae_mm.cli.run_settings import check_settings
    change, words = row
    (tmp_path / 'folds.json').write_text('{}')
    change(tmp_path)
    check(message, lambda: check_settings(tmp_path, dict(a=2), 'folds.json'), words)


NAMES = {
    'no JSON': (b'chair, table', 'cannot be read as JSON'), 'a number': (b'5', 'it holds int, list or dict is needed'),
    'numbers': (b'[1, 2]', 'must give a list of texts'), 'too few': (b'["a"]', 'has 1 names, the labels go up to 1'),
    'a dictionary': (b'{"a": []}', 'give one of them as --key'), 'not UTF-8': (b'["\xff"]', 'cannot be read as JSON'),
}


@rows(NAMES)
def test_names_of_classes(message, tmp_path, row):
    from m2ae_mm.cli.plot_features import read_names
    content, words = row
    (tmp_path / 'names.json').write_bytes(content)
    check(message, lambda: read_names(str(tmp_path / 'names.json'), None, 2), words)


def test_other_readers(message, tmp_path):
    """What needs no table: files of other kinds where one is expected."""
    folder = tmp_path / 'folder'
    folder.mkdir()
    (tmp_path / 'a.safetensors').write_bytes(b'\xff' * 30)
    (tmp_path / 'a.npy').write_bytes(npy((40, 3), body=np.random.rand(40, 3).astype('<f4').tobytes()))
    check(message, lambda: read_checkpoint(tmp_path / 'a.safetensors'), 'a.safetensors ... is damaged or cut short')
    check(message, lambda: read_h5(folder), 'cannot be read as HDF5')
    check(message, lambda: M2AEFolder(str(tmp_path), cache_dir=str(tmp_path / 'a.npy')), 'A file is in the way')
    check(message, lambda: create_scannet(folder, tmp_path / 'out', max_points=-1), 'must be at least 0, got -1')


def test_damaged_caches_are_made_anew(tmp_path):
    (tmp_path / 'data').mkdir()
    for i in range(2):
        np.save(tmp_path / 'data' / f'{i}.npy', shape_points(i, 40))

    def clouds():
        found = M2AEFolder(str(tmp_path / 'data'), cache_dir=str(tmp_path / 'cache'))
        return [found.cloud(found.get_data_info(i)).copy() for i in range(len(found))]

    expected = clouds()
    for ending, content in (
            ('.json', b'{"kept": ["a'), ('.json', b'[]'), ('.json', b'{}'), ('.json', b'\xff'), ('.points.npy', b''),
            ('.points.npy', b'\x93NUMPY'), ('.ends.npy', b''), ('.ends.npy', npy((1, ), '<i8', bytes(8))),
            ('.ends.npy', None)):
        file, = (path for path in (tmp_path / 'cache').iterdir() if path.name.endswith(ending))
        file.unlink()  # not written over: it may still be mapped
        if content is not None:
            file.write_bytes(content)
        found = clouds()
        assert len(found) == 2 and all(map(np.array_equal, found, expected)), (ending, content)


def test_damaged_records_are_made_anew(tmp_path):
    from m2ae_mm.datasets.rooms.writer import FOLDERS, read_room
    from m2ae_mm.datasets.scannet_raw.writer import read_scan
    write_release(tmp_path / 'raw')
    create_scannet(tmp_path / 'raw', tmp_path / 'out', workers=1)
    record = tmp_path / 'out' / 'scenes' / 'scene0000_00.json'
    before = json.loads(record.read_text())
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'a.bin').write_text('')
    for text in ('', '{"points"', '[]', '{}', '{"points": "many"}', '{"points": 3, "sizes": 5}', '\0'):
        record.write_text(text)
        assert read_scan(tmp_path / 'out', 'scene0000_00') is None, text
        create_scannet(tmp_path / 'raw', tmp_path / 'out', workers=1)
        assert json.loads(record.read_text()) == before
        (tmp_path / 'rooms' / 'a.json').write_text(text)
        assert read_room(tmp_path, 'a') is None, text


@pytest.mark.parametrize('end', [b'{"epoch": 3, "lo', b'\xff\xfe', b'5', b'null', b'"a"', b'[' * 99999])
def test_logs_that_a_kill_cut_are_drawn(tmp_path, capsys, end):
    from m2ae_mm.cli.plot import read_curve
    log = tmp_path / '20260101' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_bytes(b'{"epoch": 1, "step": 1, "loss": 4.0}\n{"epoch": 2, "loss": 3.0}\n{"loss": "x"}\n' + end)
    assert read_curve(str(tmp_path), 'loss') == [(1, 4.0), (2, 3.0)]
    assert '1 of 4 lines are damaged' in capsys.readouterr().err


def test_scans_that_cannot_be_read_can_be_left_out(tmp_path, capsys):
    write_release(tmp_path)
    folder = write_scan(tmp_path / 'scans', 'scene0001_00', np.zeros((9, 6)), [1] * 9, [])
    (folder / 'scene0001_00.txt').write_text('a = 1')
    (tmp_path / 'scannetv2_train.txt').write_text('scene0000_00\nscene0001_00\n')
    records = create_scannet(tmp_path, tmp_path / 'out', workers=1, skip_incomplete=True)
    assert list(records['train']) == ['scene0000_00']
    assert 'left out: unreadable:' in (text := capsys.readouterr().out) and 'scene0001_00.txt: no line axisAl' in text


@pytest.mark.parametrize('text', ['model = dict(', 'model = dict(**x)', 'model = {[]: 1}', '\0', 'model =' + '(' * 9999,
                                  'model = 5', 'x[0] = 1', 'model = dict(backbone=5)', 5, None,
                                  'model = __import__("os")._exit(3)'])
def test_stored_configs_that_make_no_sense_say_nothing(text):
    from m2ae_mm.checkpoint.trained_with import other_settings, trained_classes
    assert other_settings(dict(backbone=dict(depth=1)), dict(meta=dict(cfg=text)), Path('a.pth')) in (
        [], ["model.backbone={'depth': 1}, in training 5"])
    for meta in (text, dict(dataset_meta=text), dict(dataset_meta=dict(classes=5))):
        assert trained_classes(dict(meta=meta), Path('a.pth')) == ()
