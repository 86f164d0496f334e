"""What is there before m2ae_mm itself is loaded: two import hooks and the command ``m2ae``.

It lies outside the package because importing anything of ``m2ae_mm`` imports
mmdet3d and registers all models. Every interpreter in whose environment
m2ae_mm is installed loads this file (``m2ae_mm.pth``), so it imports nothing.
"""
import sys

_NO_PACKAGE = "m2ae_mm is not installed: run `pip install -c constraints.txt -e '.[lite]'` in its folder."


def install() -> None:
    """Put the hooks in place. Calling this again changes nothing."""
    if StandIn not in sys.meta_path:
        sys.meta_path.append(StandIn)
        sys.meta_path.insert(0, Changes)


class StandIn:
    """Finds ``mmcv._ext`` in m2ae_mm. The last finder: a compiled one is found before."""

    @staticmethod
    def find_spec(name: str, path=None, target=None):
        if name == 'mmcv._ext' and _package() is not None:
            return _spec(name, 'mmcv_ops/stand_in.py')
        return None


class Changes:
    """Changes two modules of others as they are loaded: see ``m2ae_mm/surroundings.py``."""

    searching = False

    @classmethod
    def find_spec(cls, name: str, path=None, target=None):
        if cls.searching or name not in ('mmengine.config.config', 'open3d'):
            return None
        from importlib.util import find_spec
        cls.searching = True  # the others find it
        try:
            spec = find_spec(name)
        finally:
            cls.searching = False
        if spec is not None and _package() is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _surroundings().LOADERS[name](load, module)
        return spec


def command(name: str) -> None:
    """Run ``m2ae_mm.cli.<name>`` on ``sys.argv``: its ``parse_args()``, then its ``main(args)``.

    The package is in ``sys.modules`` before its own code runs, as in any
    import. Here the arguments are parsed in between, so that --help answers
    at once.
    """
    from importlib import import_module
    package, spec = _bare_package()
    tool = import_module(f'm2ae_mm.cli.{name}')

    def run_tool() -> None:
        args = tool.parse_args()
        if not hasattr(package, '__version__'):  # bare
            with import_module('m2ae_mm.cli.lean').loading_for(name):
                spec.loader.exec_module(package)
        tool.main(args)

    import_module('m2ae_mm.cli.running').run(run_tool)


def main() -> None:
    """The command ``m2ae``: ``m2ae train CONFIG`` is ``tools/train.py CONFIG``."""
    _bare_package()
    from m2ae_mm.cli import choose
    command(choose())


def _bare_package():
    """m2ae_mm as a module, whose code is not run here, and its spec."""
    from importlib.util import module_from_spec
    spec = _package()
    if spec is None:
        sys.exit(_NO_PACKAGE)
    if 'm2ae_mm' not in sys.modules:
        sys.modules['m2ae_mm'] = module_from_spec(spec)
    return sys.modules['m2ae_mm'], spec


def _package():
    from importlib.util import find_spec
    return find_spec('m2ae_mm')


def _spec(name: str, file: str):
    """The spec of a module in a file of m2ae_mm that is loaded without the package."""
    from importlib.util import spec_from_file_location
    return spec_from_file_location(name, f'{_package().submodule_search_locations[0]}/{file}')


def _surroundings():
    from importlib.util import module_from_spec
    spec = _spec('m2ae_mm_surroundings', 'surroundings.py')
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
