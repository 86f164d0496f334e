"""Faster imports for commands that only predict.

mmengine, mmdet and mmdet3d load libraries for their trainers, trackers and data sets of streets as soon as they are
imported, and PyTorch its compiler when the first operator runs that is not its own. That takes more than half of the
time from a command to its first result, and no inferencer calls any of them.
"""
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

COMMANDS = ('predict', 'classify', 'segment', 'embed', 'reconstruct')
UNUSED = (
    'torch.distributed.fsdp', 'torch.distributed.optim',  # optimizers and wrappers of several processes
    'sklearn',  # trackers and one head of mmdet; our linear probe
    'nuscenes', 'lyft_dataset_sdk', 'pandas',  # metrics of data sets of streets
    'matplotlib.pyplot',  # curves, and pictures of tracks and streets
    'trimesh',  # mmdet3d's window; our readers of meshes import it when they read one
)
_COMPILER = 'torch._dynamo'


@contextmanager
def loading_for(command: str) -> Iterator[None]:
    """Context in which the package may be loaded; the commands above load only what they use."""
    if command in COMMANDS:
        sys.modules.setdefault(_COMPILER, LateCompiler(_COMPILER))
    with without(UNUSED if command in COMMANDS else ()):
        yield


@contextmanager
def without(names: Sequence[str]) -> Iterator[None]:
    """Context without these modules: an import of one, or of one below, gives a module of empty classes.

    Afterwards they are imported as usual. Modules that are already loaded stay.
    """
    finder = _Empty([name for name in names if name not in sys.modules])
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in finder.made:
            sys.modules.pop(name, None)
            parent, _, own = name.rpartition('.')
            with suppress(KeyError, AttributeError):
                delattr(sys.modules[parent], own)


class LateCompiler(ModuleType):
    """Stand-in for PyTorch's compiler, which is loaded when anything but ``disable`` is used."""

    @staticmethod
    def disable(fn: Callable, *args, **kwargs) -> Callable:
        """The function itself."""
        return fn

    def __getattr__(self, name: str):
        if name.startswith('__') and name != '__path__':
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


class _EmptyModule(ModuleType):

    def __getattr__(self, name: str) -> type:
        if name.startswith('__'):
            raise AttributeError(name)
        return type(name, (), {})


class _Empty:
    """Finder and loader of modules that are not to be loaded."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names, self.made = names, []

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        if not any(name == each or name.startswith(f'{each}.') for each in self.names):
            return None
        self.made.append(name)
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _EmptyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module is empty."""
