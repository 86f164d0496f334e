"""Where checkpoints are: files, names of weights that come with the package, addresses."""
import hashlib
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import mmengine
import torch
from mmengine.fileio import get
from mmengine.logging import print_log
from mmengine.runner import checkpoint as of_mmengine

from m2ae_mm.errors import UserError, reason
from m2ae_mm.files import replacing

from .shipped import FOLDER, shipped_names

_WAIT, _BLOCK = 30, 2**20  # seconds for an answer; bytes
# With which names of published files end: resnet50-0676ba61.pth.
_DIGEST = re.compile(r'-([a-f0-9]{8,64})\.\w+$')
# Lists of addresses by name that mmengine knows; a function gives each.
_LISTS: dict[str, Callable[[], Any]] = {
    'open-mmlab://': of_mmengine.get_external_models,
    'openmmlab://': of_mmengine.get_external_models,
    'torchvision://': of_mmengine.get_torchvision_models,
    'modelzoo://': of_mmengine.get_torchvision_models,
    'mmcls://': of_mmengine.get_mmcls_models,
}


def resolve(place: str | Path) -> Path:
    """The file of a checkpoint given as path, as address, or as name of weights that come with the package.

    What is at an address is fetched once and kept in PyTorch's folder for
    checkpoints. ``http`` and ``https`` are known, names in the lists of
    OpenMMLab and torchvision (``open-mmlab://``, ``torchvision://``), and what
    mmengine has a file backend for (``s3://``).

    Raises:
        FileNotFoundError: If it is none of these.
        UserError: If an address is not to be had.
    """
    if '://' in str(place):
        return _fetched(str(place))
    path = Path(place).expanduser()
    if path.is_file():
        return path
    if str(place) in shipped_names():
        return FOLDER / f'{place}.safetensors'
    raise FileNotFoundError(f'there is no checkpoint {str(place)!r}; give the path of a .pth or .safetensors file, or '
                            f'one of the weights that come with the package: {", ".join(shipped_names())}.')


def _fetched(address: str) -> Path:
    listed = next((prefix for prefix in _LISTS if address.startswith(prefix)), None)
    if listed:
        addresses, name = _LISTS[listed](), address.removeprefix(listed)
        name = of_mmengine.get_deprecated_model_names().get(name, name)
        if name not in addresses:
            raise UserError(f'{address!r} is none of the {len(addresses)} checkpoints that mmengine '
                            f'{mmengine.__version__} lists under {listed}')
        return resolve(addresses[name])
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _name(address)
    with _alone(path):  # of the processes on this machine
        if path.is_file():
            print_log(f'{address} was fetched before and is taken from {path}; remove that file to fetch it again.',
                      'current')
        else:
            _fetch(address, path)
    return path


def _name(address: str) -> str:
    """A name of its own for each address; that of PyTorch's cache if it ends in a digest."""
    name = re.sub(r'[^\w.-]', '_', PurePosixPath(urlsplit(address).path).name).lstrip('.')[-100:] or 'checkpoint'
    if _DIGEST.search(name):
        return name
    return f'{hashlib.sha256(address.encode()).hexdigest()[:16]}_{name}'


def _fetch(address: str, path: Path) -> None:
    print_log(f'fetching {address} to {path}', 'current')
    digest = hashlib.sha256()
    try:
        with replacing(path) as file:
            if address.startswith(('http://', 'https://')):
                with urlopen(address, timeout=_WAIT) as answer:  # which follows to http and https only
                    expected, found = answer.headers.get('Content-Length'), 0
                    while block := answer.read(_BLOCK):
                        found += len(block)
                        digest.update(block)
                        file.write(block)
                if expected is not None and int(expected) != found:
                    raise UserError(f'{found} of {expected} bytes came')
            else:
                content = get(address)
                digest.update(content)
                file.write(content)
            wanted = _DIGEST.search(path.name)
            if wanted and not digest.hexdigest().startswith(wanted.group(1)):
                raise UserError(f'its digest is {digest.hexdigest()[:16]}..., its name says {wanted.group(1)}')
    except Exception as error:  # networks and storages fail in any way they like
        raise UserError(f'the checkpoint {address!r} cannot be fetched: {reason(error)}. Fetch it yourself and give '
                        'the path of the file.') from error


class _alone:
    """Lets one process at a time have the file at ``path``, so that all of a job fetch it once."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f'.{path.name}.lock')

    def __enter__(self) -> None:
        try:
            import fcntl
            self.file = open(self.path, 'w')
            fcntl.flock(self.file, fcntl.LOCK_EX)
        except (ImportError, OSError):  # no locks here: then each fetches, and the last one's file stays
            self.file = None

    def __exit__(self, *_) -> None:
        if self.file is not None:
            self.file.close()
