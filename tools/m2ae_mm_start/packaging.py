"""How setuptools builds m2ae_mm (``cmdclass`` in pyproject.toml)."""
from pathlib import Path

from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """Adds ``m2ae_mm.pth``, which must lie beside the packages and not in one of them, to wheels of both kinds."""

    def run(self) -> None:
        super().run()
        # A wheel for an editable install is filled by its own command, from the folder that it has for modules.
        target = self.get_finalized_command('install').install_lib if self.editable_mode else self.build_lib
        source = Path(__file__).with_name('m2ae_mm.pth')
        self.copy_file(str(source), str(Path(target, source.name)))
