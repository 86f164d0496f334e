"""Where checkpoints are: files, names of weights that come with the package, addresses."""
import hashlib
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urldefrag, urlsplit
from urllib.request import urlopen

import torch
from mmengine.fileio import get
from mmengine.logging import print_log
from mmengine.runner import checkpoint as of_mmengine

from m2ae_mm.errors import UserError, reason
from m2ae_mm.files import locked, replacing

from .shipped import FOLDER, shipped_names
from .torch_pointcloud_keys import torch_pointcloud_weights
from .writing import file_digest

_WAIT, _BLOCK = 30, 2**20  # seconds for an answer; bytes
# Names of published files end with the start of a checksum: resnet50-0676ba61.pth.
_DIGEST = re.compile(r'-(?!20\d{6}\.)([a-f0-9]{8,64})\.\w+$')  # eight digits may be a day
_DEMANDED = re.compile(r'sha256=([a-f0-9]{64})', re.IGNORECASE)
# Lists of addresses by name, of mmengine and ours; a function gives each.
_LISTS: dict[str, Callable[[], Any]] = {
    'open-mmlab://': of_mmengine.get_external_models,
    'openmmlab://': of_mmengine.get_external_models,
    'torchvision://': of_mmengine.get_torchvision_models,
    'modelzoo://': of_mmengine.get_torchvision_models,
    'mmcls://': of_mmengine.get_mmcls_models,
    'torch-pointcloud://': torch_pointcloud_weights,
}
_MOST_NAMES = 10


class _WrongChecksum(UserError):
    """The checksum of a file is not the one in its address."""


def resolve(place: str | Path, fetch: bool = True) -> Path:
    """The file of a checkpoint given as path, as address, or as name of weights that come with the package.

    What is at an address is fetched once and kept in PyTorch's folder for
    checkpoints. ``http`` and ``https`` are known, names in the lists of
    OpenMMLab, torchvision and torch-pointcloud (``open-mmlab://``,
    ``torchvision://``, ``torch-pointcloud://``), and what mmengine has a file
    backend for (``s3://``). An address may end in ``#sha256=`` and the
    checksum of the file, or its file name in ``-`` and the first eight or more
    digits of it; a file with another checksum is not taken.

    Args:
        place: Path, address or name.
        fetch: Whether an address may be asked for a file that was not fetched before.

    Raises:
        FileNotFoundError: If it is none of these, or would have to be fetched and may not.
        UserError: If an address is not to be had, or gives another file than its checksum says.
    """
    if '://' in str(place):
        return _fetched(str(place), fetch)
    path = Path(place).expanduser()
    if path.is_file():
        return path
    if str(place) in shipped_names():
        return FOLDER / f'{place}.safetensors'
    raise FileNotFoundError(f'there is no checkpoint {str(place)!r}; give the path of a .pth or .safetensors file, or '
                            f'one of the weights that come with the package: {", ".join(shipped_names())}.')


def name_of(place: str) -> str:
    """A name that holds on other machines, too: that of weights that come with the package, else the place."""
    path = Path(place)
    return path.stem if path.parent == FOLDER and path.stem in shipped_names() else place


def _fetched(address: str, fetch: bool) -> Path:
    address, fragment = urldefrag(address)
    demanded = _DEMANDED.fullmatch(fragment)
    if fragment and not demanded:
        raise UserError(f'the address {address!r} ends in {"#" + fragment!r}; a checksum is written '
                        '#sha256=, then 64 hexadecimal digits, as sha256sum prints them.')
    listed = next((prefix for prefix in _LISTS if address.startswith(prefix)), None)
    if listed:
        addresses, name = _LISTS[listed](), address.removeprefix(listed)
        name = of_mmengine.get_deprecated_model_names().get(name, name)
        if name not in addresses:
            names = f': {", ".join(addresses)}' if len(addresses) <= _MOST_NAMES else ''
            raise UserError(f'{address!r} is none of the {len(addresses)} checkpoints listed under {listed}{names}.')
        return resolve(f'{addresses[name]}#{fragment}' if fragment else addresses[name], fetch)
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _name(address)
    wanted = [found[1].lower() for found in (_DIGEST.search(path.name), demanded) if found]
    if path.is_file():
        print_log(f'{address} was fetched before and is taken from {path}; remove that file to fetch it again.',
                  'current')
        if wanted:
            _check(file_digest(path), wanted, address, f'It was fetched before: remove {str(path)!r} to fetch it '
                   'again, or correct the checksum.')
        return path
    if not fetch:
        raise FileNotFoundError(f'{address!r} has not been fetched to {str(path)!r}.')
    with locked(path):
        if not path.is_file():  # which another process of the job may have fetched meanwhile
            _fetch(address, path, wanted)
    return path


def _name(address: str) -> str:
    """A name of its own for each address; that of PyTorch's cache if it ends in a digest."""
    name = re.sub(r'[^\w.-]', '_', PurePosixPath(urlsplit(address).path).name).lstrip('.')[-100:] or 'checkpoint'
    if _DIGEST.search(name):
        return name
    return f'{hashlib.sha256(address.encode()).hexdigest()[:16]}_{name}'


def _check(digest: str, wanted: list[str], address: str, advice: str) -> None:
    """Compare a SHA-256 with what it should begin with.

    Raises:
        _WrongChecksum: If it does not.
    """
    for beginning in wanted:
        if not digest.startswith(beginning):
            raise _WrongChecksum(
                f'the checkpoint {address!r} is not the file it should be: its SHA-256 is {digest}, the address says '
                f'{beginning}. {advice}')


def _fetch(address: str, path: Path, wanted: list[str]) -> None:
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
            _check(digest.hexdigest(), wanted, address, 'Nothing was kept. Correct the checksum, or ask who gave it.')
    except _WrongChecksum:
        raise
    except Exception as error:  # networks and storages fail in any way they like
        raise UserError(f'the checkpoint {address!r} cannot be fetched: {reason(error)}. Fetch it yourself and give '
                        'the path of the file.') from error
