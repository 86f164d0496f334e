"""Checkpoints at addresses: fetched once, whole, and read like any other."""
import hashlib
import pickle
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend, register_backend
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn

from m2ae_mm.checkpoint import check_start, load_pretrained_init, places, read_checkpoint, resolve
from m2ae_mm.checkpoint.for_mmengine import load_from_m2ae_mm
from m2ae_mm.checkpoint.torch_pointcloud_keys import torch_pointcloud_weights


class Evil:

    def __reduce__(self):
        return open, ('must_not_exist.txt', 'w')


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path.startswith('/short'):
            self.send_response(200)
            self.send_header('Content-Length', '1000')
            self.end_headers()
            self.wfile.write(b'0' * 10)
        elif self.path == '/elsewhere.pth':
            self.send_response(302)
            self.send_header('Location', 'file:///etc/passwd')
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder that is served, its address, and what was asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('no_proxy', '*')
    (tmp_path / 'served').mkdir()
    served = ThreadingHTTPServer(('127.0.0.1', 0), partial(Handler, directory=str(tmp_path / 'served')))
    served.asked = []
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield tmp_path / 'served', f'http://127.0.0.1:{served.server_address[1]}', served.asked
    served.shutdown()
    served.server_close()
    thread.join()


@MODELS.register_module(force=True)
class PlacesTestModel(BaseModel):
    """One layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(1, 2)

    def forward(self, x):
        return self.first(x)


WEIGHTS = {'first.weight': torch.ones(2, 1), 'first.bias': torch.ones(2)}


def cached(tmp_path):
    return sorted(path.name for path in (tmp_path / 'home' / 'hub' / 'checkpoints').iterdir()
                  if not path.name.endswith('.lock'))


def test_an_address_is_fetched_once_and_goes_every_way(server, tmp_path):
    folder, address, asked = server
    torch.save(dict(state_dict=WEIGHTS), folder / 'a.pth')
    assert torch.equal(read_checkpoint(f'{address}/a.pth')['first.bias'], torch.ones(2))
    model = PlacesTestModel()
    load_checkpoint(model, f'{address}/a.pth')
    assert torch.equal(model.first.weight, torch.ones(2, 1))
    load_pretrained_init(PlacesTestModel(), dict(type='Pretrained', checkpoint=f'{address}/a.pth'))
    config = Config(dict(model=dict(type='PlacesTestModel'), work_dir=str(tmp_path), load_from=f'{address}/a.pth'))
    assert 'starts from 2 tensors' in check_start(config) and config.load_from.startswith(str(tmp_path / 'home'))
    assert asked == ['/a.pth'] and len(cached(tmp_path)) == 1 and cached(tmp_path)[0].endswith('_a.pth')
    (folder / 'other').mkdir()
    torch.save(dict(state_dict={'other.weight': torch.ones(3)}), folder / 'other' / 'a.pth')
    assert list(read_checkpoint(f'{address}/other/a.pth')) == ['other.weight']


def test_code_from_an_address_does_not_run(server, tmp_path):
    folder, address, _ = server
    (folder / 'evil.pth').write_bytes(pickle.dumps(dict(state_dict=Evil())))
    torch.save(dict(state_dict=dict(WEIGHTS), meta=Evil()), folder / 'archive.pth')
    config = dict(model=dict(type='PlacesTestModel'), work_dir=str(tmp_path))
    ways = (lambda place: read_checkpoint(place), lambda place: load_checkpoint(PlacesTestModel(), place),
            lambda place: CheckpointLoader.load_checkpoint(place, 'cpu'),
            lambda place: check_start(Config(dict(config, load_from=place, resume=True))),
            lambda place: check_start(Config(dict(config, load_from=place, resume=False))))
    for name in ('evil.pth', 'archive.pth'):
        for way in ways:
            with pytest.raises(ValueError, match='cannot be read safely'):
                way(f'{address}/{name}')
    assert not (tmp_path / 'must_not_exist.txt').exists()


@pytest.mark.parametrize('name, reason', [
    ('missing.pth', '404'), ('short.pth', '10 of 1000 bytes came'), ('elsewhere.pth', 'redirect|not allowed'),
    ('short-0123456789abcdef.pth', '10 of 1000 bytes came')])
def test_what_cannot_be_fetched_leaves_nothing(server, tmp_path, name, reason):
    _, address, _ = server
    with pytest.raises(ValueError, match=f'{name}\' cannot be fetched: .*({reason})'):
        resolve(f'{address}/{name}')
    assert cached(tmp_path) == []


@pytest.fixture
def digest(server):
    """SHA-256 of ``a.pth``, which is served."""
    folder, _, _ = server
    torch.save(dict(state_dict=WEIGHTS), folder / 'a.pth')
    return hashlib.sha256((folder / 'a.pth').read_bytes()).hexdigest()


def test_a_digest_in_the_name_is_checked(server, digest, tmp_path):
    folder, address, _ = server
    name = f'a-{digest[:8]}.pth'
    (folder / 'a.pth').rename(folder / name)
    assert resolve(f'{address}/{name}').name == name
    (folder / name).rename(folder / 'a-01234567.pth')
    with pytest.raises(ValueError, match=f'its SHA-256 is {digest}, the address says 01234567. Nothing was kept'):
        resolve(f'{address}/a-01234567.pth')
    assert cached(tmp_path) == [name]
    (tmp_path / 'home' / 'hub' / 'checkpoints' / name).write_bytes(b'changed')
    with pytest.raises(ValueError, match=f'says {digest[:8]}. It was fetched before: remove .*{name}'):
        resolve(f'{address}/{name}')


def test_a_demanded_checksum_is_checked_on_every_way(server, digest, tmp_path):
    _, address, asked = server
    wrong = f'{address}/a.pth#sha256={"0" * 64}'
    config = dict(model=dict(type='PlacesTestModel'), work_dir=str(tmp_path), load_from=wrong)
    ways = (lambda: read_checkpoint(wrong), lambda: load_checkpoint(PlacesTestModel(), wrong),
            lambda: load_pretrained_init(PlacesTestModel(), dict(type='Pretrained', checkpoint=wrong)),
            lambda: check_start(Config(config)))
    for way in ways:  # nothing of the file stays
        with pytest.raises(ValueError, match=f"a.pth' is not the file it should be: its SHA-256 is {digest}, the"):
            way()
        assert cached(tmp_path) == []
    right = f'{address}/a.pth#sha256={digest.upper()}'
    assert torch.equal(read_checkpoint(right)['first.bias'], torch.ones(2))
    assert resolve(f'{address}/a.pth') == resolve(right)  # one file, with a checksum or without
    with pytest.raises(ValueError, match='It was fetched before: remove'):  # a file that is kept is checked, too
        resolve(wrong)
    assert asked == ['/a.pth'] * 5


@pytest.mark.parametrize('fragment', ['sha256=', 'sha256=0123', 'md5=0123456789abcdef', 'sha256=' + 'g' * 64, 'top'])
def test_what_is_no_checksum_is_named(server, tmp_path, fragment):
    _, address, asked = server
    with pytest.raises(ValueError, match=f"'{address}/a.pth' ends in '#{fragment}'; a checksum is written #sha256="):
        resolve(f'{address}/a.pth#{fragment}')
    assert not asked


@pytest.mark.parametrize('path', ['/', '/..', '/%2e%2e%2fa', '/a/../..', '/.bashrc', '/' + 'a' * 400, '/a?b=../../c'])
def test_what_is_fetched_stays_in_its_folder(server, tmp_path, path):
    name = places._name(f'http://host{path}')
    assert '/' not in name and not name.startswith('.') and len(name) < 130


def test_listed_names_and_storages_go_the_same_way(server, tmp_path, monkeypatch):
    folder, address, _ = server
    torch.save(dict(state_dict={**WEIGHTS, 'backbone.first.bias': torch.ones(1)}), folder / 'a.pth')
    for prefix in places._LISTS:
        monkeypatch.setitem(places._LISTS, prefix, lambda: dict(listed=f'{address}/a.pth'))
        loaded = CheckpointLoader.load_checkpoint(f'{prefix}listed')['state_dict']
        assert ('first.bias' in loaded) and (len(loaded) == (1 if prefix == 'mmcls://' else 3))
        with pytest.raises(ValueError, match=f"'{prefix}other' is none of the 1 checkpoints"):
            resolve(f'{prefix}other')
        with pytest.raises(ValueError, match='is not the file it should be'):
            resolve(f'{prefix}listed#sha256={"0" * 64}')

    class Storage(LocalBackend):
        def get(self, filepath):
            return (folder / filepath.removeprefix('s3://bucket/')).read_bytes()

    register_backend('m2ae_test_storage', Storage, force=True, prefixes='s3')
    assert len(CheckpointLoader.load_checkpoint('s3://bucket/a.pth')['state_dict']) == 3
    with pytest.raises(ValueError, match='cannot be fetched'):
        resolve('unknown://a.pth')


def test_mmengine_has_no_other_way():
    assert set(CheckpointLoader._schemes.values()) == {load_from_m2ae_mm}


def test_torch_pointclouds_weights_are_found_by_name():
    """At fixed commits, so that a name stands for one file; nothing is fetched here."""
    addresses = torch_pointcloud_weights()
    assert len(addresses) == 8 and all(re.fullmatch(
        rf'https://huggingface.co/torch-pointcloud/{re.escape(name)}/resolve/[0-9a-f]{{40}}/model.safetensors', address)
        for name, address in addresses.items())
    assert places._name(addresses['3detr.scannet.fair']).endswith('_model.safetensors')
    with pytest.raises(ValueError, match='none of the 8 checkpoints listed under torch-pointcloud://: point-m2ae-base'):
        resolve('torch-pointcloud://point-m2ae-large')
