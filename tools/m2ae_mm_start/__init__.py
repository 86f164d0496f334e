"""What a process needs before it loads m2ae_mm. Imports nothing heavy, so that --help answers at once.

It lies outside the package because importing anything of ``m2ae_mm`` imports
mmdet3d and registers all models first.
"""
import importlib
import sys
from importlib.util import find_spec, module_from_spec


def command(name: str) -> None:
    """Run ``m2ae_mm.cli.<name>`` on ``sys.argv``: its ``parse_args()``, then its ``main(args)``.

    The package is in ``sys.modules`` before its own code runs, as in any
    import. Here the arguments are parsed in between.
    """
    spec = find_spec('m2ae_mm')
    if spec is None:
        sys.exit("m2ae_mm is not installed: run `pip install -c constraints.txt -e '.[lite]'` in its folder.")
    package = sys.modules['m2ae_mm'] = module_from_spec(spec)
    tool = importlib.import_module(f'm2ae_mm.cli.{name}')

    def run_tool() -> None:
        args = tool.parse_args()
        spec.loader.exec_module(package)
        tool.main(args)

    importlib.import_module('m2ae_mm.cli.running').run(run_tool)
