"""What the docs and README say exists: links, files, pages. Commands: test_commands."""
import re
from glob import glob
from pathlib import Path

import pytest
from pages import NAMES, ROOT

_LINK = re.compile(r'\]\(([^)\s]+)\)')
_PATH = re.compile(r'(?<![\w/.-])((?:configs|projects|tools|docs|tests|m2ae_mm)/[\w./{},*-]*[\w}])')
_MEASURED = re.compile(r'<!-- table: .*?<!-- end -->', re.DOTALL)


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


@pytest.mark.parametrize('name', NAMES)
def test_code_within_a_sentence_stands_on_one_line(name):
    """A reader copies it, and a line break is no part of it."""
    text = re.sub(r'^ *```.*?^ *```', '', (ROOT / name).read_text(), flags=re.DOTALL | re.MULTILINE)
    spans = [span for paragraph in re.split(r'\n\s*\n', text) for span in re.findall(r'(`+)([^`]+)\1', paragraph)]
    assert not [span for _, span in spans if '\n' in span]


@pytest.mark.parametrize('name', NAMES)
def test_lines_have_at_most_120_characters(name):
    """Those of tables, of measured notes and of references to papers may be longer."""
    text = re.sub(r'^```latex.*?^```', '', _MEASURED.sub('', (ROOT / name).read_text()), flags=re.DOTALL | re.MULTILINE)
    assert not [line for line in text.splitlines() if len(line) > 120 and not line.startswith('|')]
