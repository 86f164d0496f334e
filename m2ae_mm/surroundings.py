"""What m2ae_mm changes in other packages, and where its own configs and tools lie.

``m2ae_mm_start`` loads this file without the rest of the package, in processes
that do not import m2ae_mm: it imports the standard library only.
"""
import functools
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

PREFIX = 'm2ae_mm::'
# mmdet3d's layout for installed packages. In a clone these are links to the folders of the same name.
MIM = Path(__file__).resolve().parent / '.mim'


def find_config(name: str) -> str:
    """The file of a config given as a path or as ``m2ae_mm::m2ae/scannet_det.py``.

    ``m2ae_mm::projects/...`` are the projects. What has the prefix and what is
    no file by itself is looked up in the package, with or without ``configs/``.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    own = name.removeprefix(PREFIX)
    places = [MIM / own, MIM / 'configs' / own]
    if own == name:
        places.insert(0, Path(name))
    for place in places:
        if place.is_file():
            return str(place)
    raise FileNotFoundError(f'there is no config {name!r}. The configs that come with the package are in '
                            f'{MIM / "configs"}; {PREFIX}m2ae/scannet_det.py is one of them.')


def allow_names(config_class: type) -> None:
    """Let mmengine's ``Config`` take :data:`PREFIX` names, in ``fromfile()`` and in ``_base_``, and refuse circles.

    mmengine knows the packages of OpenMMLab only, and finds no package that is
    installed in editable mode. A config that inherits from itself keeps it
    busy until Python gives up.
    """
    if getattr(config_class, 'takes_m2ae_names', False):
        return
    config_class.takes_m2ae_names = True
    from_file, base_path, file2dict = config_class.fromfile, config_class._get_cfg_path, config_class._file2dict
    files: list[str] = []  # being read, each inherited by the one before

    @functools.wraps(from_file)
    def fromfile(filename, *args, **kwargs):
        return from_file(_own(filename) or filename, *args, **kwargs)

    @functools.wraps(base_path)
    def _get_cfg_path(cfg_path, filename):
        own = _own(cfg_path)
        if own:
            return own, None
        with warnings.catch_warnings():  # that pkg_resources, which mmengine looks packages up with, is deprecated
            warnings.simplefilter('ignore', UserWarning)
            return base_path(cfg_path, filename)

    @functools.wraps(file2dict)
    def _file2dict(filename, *args, **kwargs):
        file = str(Path(filename).expanduser().resolve())
        if file in files:
            raise ValueError(f'the config {file!r} inherits from itself: {" -> ".join([*files, file])}. Take it out of '
                             '_base_ in one of them.')
        files.append(file)
        try:
            return file2dict(filename, *args, **kwargs)
        finally:
            files.pop()

    config_class.fromfile, config_class._get_cfg_path = staticmethod(fromfile), staticmethod(_get_cfg_path)
    config_class._file2dict = staticmethod(_file2dict)


def _own(name) -> str | None:
    return find_config(name) if isinstance(name, str) and name.startswith(PREFIX) else None


def _load_config(load: Callable, module: ModuleType) -> None:
    load(module)
    allow_names(module.Config)


def _load_open3d(load: Callable, module: ModuleType) -> None:
    """mmdet3d does without Open3D if it is missing, but not if a library of the system is that Open3D needs."""
    try:
        load(module)
    except OSError as error:
        raise ImportError(f'Open3D cannot be loaded: {error}', name='open3d') from error


LOADERS = {'mmengine.config.config': _load_config, 'open3d': _load_open3d}


def hide_broken_open3d() -> None:
    """Make Open3D missing where it cannot be loaded. For processes that started without ``m2ae_mm_start``."""
    try:
        import open3d  # noqa: F401
    except OSError:
        sys.modules['open3d'] = None
    except ImportError:
        pass
