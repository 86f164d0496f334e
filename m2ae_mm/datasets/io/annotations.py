"""Safe reading of mmdet3d's annotation files: mmengine would run code that a pickle holds."""
import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import yaml
from mmengine.fileio.handlers import PickleHandler, YamlHandler, file_handlers

from .pickles import parse_pickle

# Endings of pickled annotation files, as mmengine knows them.
PICKLES = '.pkl', '.pickle'
# Contents that were checked and that no data set has loaded yet, by their digests.
_checked: dict[bytes, Any] = {}


def read_annotations(path: str | Path) -> Any:
    """The content of a pickled annotation file; the data set that loads it next gets it without parsing it again.

    Raises:
        ValueError: See :func:`read_pickle`.
    """
    content = Path(path).read_bytes()
    digest = hashlib.sha256(content).digest()
    if digest not in _checked:
        _checked[digest] = parse_pickle(BytesIO(content), len(content), path)
    return _checked[digest]


class ArrayPickleHandler(PickleHandler):
    """Reads arrays and plain values, see :func:`read_pickle`."""

    def load_from_fileobj(self, file: BinaryIO, **_) -> Any:
        """From an open file."""
        content = file.read()
        found = _checked.pop(hashlib.sha256(content).digest(), None)  # the data set may change it
        if found is not None:
            return found
        return parse_pickle(BytesIO(content), len(content), getattr(file, 'name', 'a pickle file'))


class PlainYamlHandler(YamlHandler):
    """Reads plain values; tags that name objects of Python are refused."""

    def load_from_fileobj(self, file: BinaryIO | TextIO, **_) -> Any:
        """From an open file."""
        try:
            return yaml.safe_load(file)
        except yaml.YAMLError as error:
            raise ValueError(f'a YAML file cannot be read safely: {" ".join(str(error).split())}') from error


def restrict_annotations() -> None:
    """Let mmengine, in this process, read only arrays and plain values from pickles and YAML files.

    For our tools, before they build data sets. Merely importing the package does not change how a script of the user's
    own reads files.
    """
    file_handlers.update(dict.fromkeys(('pickle', 'pkl'), ArrayPickleHandler()))
    file_handlers.update(dict.fromkeys(('yaml', 'yml'), PlainYamlHandler()))
