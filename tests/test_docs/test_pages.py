"""What the docs and README say exists: links, files, commands and their options."""
import importlib
import re
import shlex
from glob import glob
from pathlib import Path

import pytest
from mmengine.config import Config

from m2ae_mm.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md'), *ROOT.glob('projects/*/README.md')])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_LINK = re.compile(r'\]\(([^)\s]+)\)')
_PATH = re.compile(r'(?<![\w/.-])((?:configs|projects|tools|docs|tests|m2ae_mm)/[\w./{},*-]*[\w}])')
_MEASURED = re.compile(r'<!-- table: .*?<!-- end -->', re.DOTALL)
_CHECKPOINT = re.compile(r'work_dirs/(\w[\w-]*)/epoch_(\d+)\.pth')
_BLOCK = re.compile(r'```bash\n(.*?)```', re.DOTALL)
# The modules of m2ae_mm.cli behind the tools whose names differ.
_MODULES = dict(convert_checkpoint='convert', create_data='data', create_rooms='rooms')


def anchor(title: str) -> str:
    """As GitHub and MyST make it from a heading."""
    return re.sub(r'[^\w\- ]', '', title.strip().lower()).replace(' ', '-')


def anchors(page: Path) -> set[str]:
    return {anchor(title) for title in re.findall(r'^#+ (.*)$', page.read_text(), re.MULTILINE)}


def alternatives(path: str) -> list[str]:
    """``a_{b,c}`` as a_b and a_c."""
    found = re.search(r'\{([^{}]*)\}', path)
    if not found:
        return [path]
    return [each for choice in found[1].split(',')
            for each in alternatives(path[:found.start()] + choice + path[found.end():])]


@pytest.mark.parametrize('name', NAMES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    for link in _LINK.findall(page.read_text()):
        if link.startswith(('http://', 'https://', 'mailto:')):
            continue
        file, _, place = link.partition('#')
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not place or place in anchors(target), link


@pytest.mark.parametrize('name', NAMES)
def test_files_that_are_named_exist(name):
    text = _MEASURED.sub('', (ROOT / name).read_text())  # what was measured is of the code of its time
    for path in _PATH.findall(text):
        for each in alternatives(path):
            assert glob(str(ROOT / each)), path


def commands(page: Path) -> list[list[str]]:
    """Calls of our tools in a page's blocks, as lists of words."""
    lines = [line for block in _BLOCK.findall(page.read_text()) for line in block.replace('\\\n', ' ').splitlines()]
    words = [shlex.split(line, comments=True) for line in lines if 'for ' not in line[:4] and '$(' not in line]
    return [call[1:] if call[0] == 'python' else call for call in words
            if call[:1] == ['m2ae'] or (call[:1] == ['python'] and re.match(r'tools/\w+\.py$', call[1]))]


@pytest.mark.parametrize('name', NAMES)
def test_commands_have_the_options_that_are_used(name, monkeypatch):
    for call in commands(ROOT / name):
        tool = call[1] if call[0] == 'm2ae' else Path(call[0]).stem
        rest = call[2:] if call[0] == 'm2ae' else call[1:]
        if tool.startswith('-'):
            continue
        assert call[0] != 'm2ae' or tool in COMMANDS, call
        module = importlib.import_module(f'm2ae_mm.cli.{_MODULES.get(tool, tool)}')
        monkeypatch.setattr('sys.argv', [tool, *rest])
        try:
            module.parse_args(rest) if module.parse_args.__code__.co_argcount else module.parse_args()
        except SystemExit as stop:
            assert not stop.code, call


@pytest.mark.parametrize('name', [name for name in NAMES if _CHECKPOINT.search((ROOT / name).read_text())])
def test_checkpoints_that_are_named_are_those_of_the_last_epoch(name):
    text = (ROOT / name).read_text()
    for folder, epoch in sorted(set(_CHECKPOINT.findall(text))):
        lengths = {Config.fromfile(path).train_cfg.max_epochs for top in ('configs', 'projects')
                   for path in ROOT.glob(f'{top}/**/{folder}.py') if '_base_' not in path.parts}
        assert not lengths or int(epoch) in lengths or f'--epochs {epoch}' in text, f'{folder}/epoch_{epoch}.pth'


def test_every_page_is_in_the_site():
    """In a table of contents of a page that is in one itself."""
    folder, found, todo = ROOT / 'docs', set(), ['index']
    while todo:
        name = todo.pop()
        found.add(name)
        page = folder / f'{name}.md'
        blocks = re.findall(r'```\{toctree\}\n(.*?)```', page.read_text(), re.DOTALL) if page.is_file() else []
        entries = [line for block in blocks for line in block.splitlines() if line and not line.startswith(':')]
        for entry in entries:
            pages = [*page.parent.glob(f'{entry}.md'), *page.parent.glob(f'{entry}.ipynb')]
            todo += [str(each.relative_to(folder).with_suffix('')) for each in pages]
    there = {str(page.relative_to(folder).with_suffix('')) for ending in ('md', 'ipynb')
             for page in folder.rglob(f'*.{ending}')}
    assert found == there


@pytest.mark.parametrize('name, most', [('README.md', 1000), ('docs/performance.md', 800)])
def test_pages_that_are_to_be_short_are_short(name, most):
    assert len((ROOT / name).read_text().split()) <= most
