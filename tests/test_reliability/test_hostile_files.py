"""Files that strangers may have written: whatever they ask for, no code of theirs runs and nothing is written.

Every payload makes a file called ``owned`` in the current folder. It goes into every kind of file that is read; the
ways that lead to a kind of file take turns.
"""
import io
import os
import pickle
import tarfile
import zipfile

import mmengine
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import load_checkpoint
from scenes import box_scene, write_layout
from torch import nn

from m2ae_mm.checkpoint import check_start, load_for_test, load_pretrained_init, read_checkpoint
from m2ae_mm.datasets import M2AEFewShot, M2AEModelNet40, M2AEShapesNpz
from m2ae_mm.datasets.io.clouds import read_cloud
from m2ae_mm.datasets.io.pickles import read_pickle
from m2ae_mm.engine import check_data

MARKER = 'owned'


@MODELS.register_module(force=True)
class HostileTestModel(BaseModel):
    """One layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(1, 2)

    def forward(self, x):
        return self.first(x)


class Calls:
    """What unpickling calls, with which arguments."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


def raw(name, *arguments):
    """A pickle that calls ``module.name`` by its text, which need not exist here."""
    module, _, function = name.rpartition('.')
    body = b''.join(pickle.dumps(each, 0)[:-1] for each in arguments)
    return f'c{module}\n{function}\n('.encode() + body + b'tR.'


COMMAND = f'touch {MARKER}'
PAYLOADS = {
    'system': Calls(os.system, COMMAND),
    'open': Calls(open, MARKER, 'w'),
    'eval': Calls(eval, f'open({MARKER!r}, "w")'),
    'exec': Calls(exec, f'open({MARKER!r}, "w")'),
    'mkdir': Calls(os.mkdir, MARKER),
    'import': Calls(__import__, 'antigravity'),
    'getattr': Calls(getattr, np.ndarray, 'tofile'),
    'state': Calls(nn.Linear, 1, 1, state=dict(weight=1)),
    'torch.load': Calls(torch.load, MARKER),
    'numpy.load': Calls(np.load, MARKER),
    'numpy.save': Calls(np.save, MARKER, np.zeros(1)),
    'hook': Calls(torch._utils._rebuild_parameter, np.zeros(1), True, Calls(os.system, COMMAND)),
}
TEXTS = {
    'posix.system': raw('posix.system', COMMAND), 'nt.system': raw('nt.system', COMMAND),
    'subprocess': raw('subprocess.getoutput', COMMAND), 'popen': raw('os.popen', COMMAND),
    'pty': raw('pty.spawn', ['touch', MARKER]), 'timeit': raw('timeit.timeit', f'open({MARKER!r}, "w")'),
    'code': raw('code.interact', COMMAND), 'pip': raw('pip.main', ['install', 'nothing']),
    'attribute': raw('builtins.__import__', 'os'), 'operator': raw('operator.attrgetter', 'system'),
    'torch.hub': raw('torch.hub.load_state_dict_from_url', 'http://127.0.0.1:9/a'),
    'jit': raw('torch.jit.load', MARKER), 'ctypes': raw('ctypes.CDLL', MARKER),
    'ours': raw('m2ae_mm.files.write_text', MARKER, 'a'),
}
ALL = [*PAYLOADS, *TEXTS]


def pickled(name, protocol=2):
    """A payload within what such files hold."""
    if name in TEXTS:
        return TEXTS[name]
    return pickle.dumps(dict(state_dict=dict(weight=PAYLOADS[name]), data_list=[PAYLOADS[name]], meta={}), protocol)


def archive(content, path):
    """A PyTorch archive around a pickle."""
    torch.save(dict(state_dict=dict(weight=torch.ones(1))), path)
    with zipfile.ZipFile(path) as source:
        entries = {entry.filename: source.read(entry) for entry in source.infolist()}
    with zipfile.ZipFile(path, 'w') as target:
        for name, old in entries.items():
            target.writestr(name, content if name.endswith('data.pkl') else old)


def legacy(content, path):
    """The format of before PyTorch 1.6: a magic number, a version, system information, then the object."""
    with open(path, 'wb') as file:
        for header in (0x1950a86a20f9469cfc6c, 1001, dict(little_endian=True)):
            pickle.dump(header, file, 2)
        file.write(content)
        pickle.dump([], file, 2)


def tar(content, path):
    """An even older one."""
    with tarfile.open(path, 'w') as target:
        for name in ('storages', 'tensors', 'pickle', f'../{MARKER}'):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            target.addfile(entry, io.BytesIO(content))


CONTAINERS = {
    'archive': lambda name, path: archive(pickled(name), path),
    'legacy': lambda name, path: legacy(pickled(name), path),
    'tar': lambda name, path: tar(pickled(name), path),
    'protocol 0': lambda name, path: path.write_bytes(pickled(name, 0)),
    'protocol 4': lambda name, path: path.write_bytes(pickled(name, 4)),
    'safetensors': lambda name, path: path.write_bytes(pickled(name)),
}


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """A folder for files; in the current one nothing may appear."""
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    yield tmp_path / 'files'
    assert not os.listdir(tmp_path / 'here') and not list(tmp_path.rglob(f'{MARKER}*'))


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('container', CONTAINERS)
def test_checkpoints(clean, container):
    clean.mkdir()
    model = HostileTestModel()
    for i, name in enumerate(ALL):
        path = clean / (f'{i}.safetensors' if container == 'safetensors' else f'{i}.pth')
        CONTAINERS[container](name, path)
        start = dict(model=dict(type='HostileTestModel'), work_dir=str(clean), load_from=str(path))
        ways = (read_checkpoint, lambda path: load_checkpoint(model, str(path)),
                lambda path: load_for_test(model, path),
                lambda path: load_pretrained_init(model, dict(type='Pretrained', checkpoint=str(path))),
                lambda _, start=start: check_start(Config(dict(start, resume=False))),
                lambda _, start=start: check_start(Config(dict(start, resume=True))))
        for way in ways if i < 2 else [ways[i % 6]]:
            with pytest.raises(ValueError, match=rf'{i}\.(pth|safetensors)'):
                way(path)


@pytest.mark.filterwarnings('ignore')
def test_checkpoints_in_a_work_folder(clean):
    clean.mkdir()
    for i, name in enumerate(ALL):
        archive(pickled(name), clean / f'epoch_{i}.pth')
    config = Config(dict(model=dict(type='HostileTestModel'), work_dir=str(clean), load_from=None, resume='auto'))
    with pytest.raises(ValueError, match='no checkpoint in .* can be resumed'):
        check_start(config)


@pytest.mark.parametrize('protocol', range(6))
def test_pickles(clean, protocol):
    few, shapes = clean / 'few' / '5way_10shot' / '0.pkl', clean / 'm40' / 'modelnet40_train_8192pts_fps.dat'
    for path in (few, shapes):
        path.parent.mkdir(parents=True)
    (shapes.parent / 'modelnet40_shape_names.txt').write_text('a\n')
    ways = (lambda: read_pickle(few), lambda: M2AEModelNet40(str(shapes.parent), pipeline=[]),
            lambda: M2AEFewShot(str(clean / 'few'), pipeline=[]))
    for i, name in enumerate(ALL):
        for path in (few, shapes):
            path.write_bytes(pickled(name, protocol))
        with pytest.raises(ValueError, match='cannot be read safely'):
            ways[(i + protocol) % 3]()


@pytest.mark.parametrize('suffix', ['.pkl', '.pickle'])
def test_annotations(clean, suffix):
    root = write_layout(clean, [box_scene(0, num_points=20)], [box_scene(1, num_points=20)])
    step = dict(type='LoadPointsFromFile', coord_type='DEPTH', load_dim=6)
    kinds = ('ScanNetDataset', 'SUNRGBDDataset', 'M2AESceneDataset', 'KittiDataset')
    for i, name in enumerate(ALL):
        (root / f'infos{suffix}').write_bytes(pickled(name))
        data = dict(type=kinds[i % 4], data_root=f'{root}/', ann_file=f'infos{suffix}', pipeline=[step],
                    metainfo=dict(classes=['Car' if i % 4 == 3 else 'chair']))
        with pytest.raises(ValueError, match='cannot be read safely'):
            check_data(Config(dict(train_dataloader=dict(dataset=data))), ['train_dataloader'])
        with pytest.raises(ValueError, match='cannot be read safely'):
            mmengine.load(root / f'infos{suffix}')  # what the data set would do then


def test_yaml(clean):
    clean.mkdir()
    check_data(Config({}), [])
    (clean / 'infos.yaml').write_text('a: [1, 2.5, b]')
    assert mmengine.load(clean / 'infos.yaml') == dict(a=[1, 2.5, 'b'])
    for tag in (f'!!python/object/apply:os.system ["{COMMAND}"]', f'!!python/object/new:os.system ["{COMMAND}"]',
                f'!!python/object/apply:builtins.open ["{MARKER}", "w"]', '!!python/name:os.system',
                '!!python/module:antigravity'):
        for suffix in ('yaml', 'yml'):
            (clean / f'infos.{suffix}').write_text(f'data_list: {tag}\n')
            with pytest.raises(ValueError, match='cannot be read safely'):
                mmengine.load(clean / f'infos.{suffix}')


def test_arrays_of_objects(clean):
    clean.mkdir()
    for name in PAYLOADS:
        array = np.array([PAYLOADS[name], None], object)
        np.save(clean / 'a.npy', array, allow_pickle=True)
        np.savez(clean / 'a.npz', points=array)
        for path in (clean / 'a.npy', clean / 'a.npz'):
            with pytest.raises(ValueError, match='Python objects|Object arrays'):
                read_cloud(path, 10)
        with pytest.raises(ValueError, match='Python objects'):
            M2AEShapesNpz(str(clean), files=['a.npz'], pipeline=[])


@pytest.mark.parametrize('name', ['../../evil', '/etc/passwd', '..'])
def test_lists_do_not_read_outside(clean, name):
    (clean / 'm40').mkdir(parents=True)
    (clean / 'm40' / 'modelnet40_shape_names.txt').write_text('../..\n..\n/etc\n')
    (clean / 'm40' / 'modelnet40_train.txt').write_text(f'{name}_0001\n../.._0001\n')
    with pytest.raises(ValueError, match='is no name of a file in'):
        M2AEModelNet40(str(clean / 'm40'), pipeline=[])
