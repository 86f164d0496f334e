"""README and docs as the tests see them: pages, blocks, and the commands in them."""
import functools
import re
import shlex
from pathlib import Path

import m2ae_mm  # noqa: F401
import mmdet3d.registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md'), *ROOT.glob('projects/*/README.md'),
                *ROOT.glob('tests/data/*/README.md')])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_BLOCK = re.compile(r'^```.*?^```', re.DOTALL | re.MULTILINE)
_SEPARATORS = {'&&', '||', '|', ';'}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding='utf-8')


def blocks(name: str, language: str) -> list[str]:
    """The blocks of a page that are in a language."""
    return re.findall(rf'^```{language}\n(.*?)^```', text(name), re.DOTALL | re.MULTILINE)


def inline(name: str) -> list[str]:
    """What a page has between single backticks, outside its blocks."""
    return [' '.join(words.split()) for words in re.findall(r'`([^`]+)`', _BLOCK.sub('', text(name)))]


def calls(name: str) -> list[list[str]]:
    """Every simple command in the bash blocks of a page, as words without variables before it and files behind it."""
    lines = [line for block in blocks(name, 'bash') for line in block.replace('\\\n', ' ').splitlines()]
    return [call for line in lines for call in split(line)]


def split(line: str) -> list[list[str]]:
    """A line of a shell as its simple commands."""
    found: list[list[str]] = [[]]
    for word in shlex.split(line, comments=True):
        if word in _SEPARATORS:
            found.append([])
        elif found[-1] or not re.match(r'[A-Z_0-9]+=', word):
            found[-1].append(word)
    return [call[:call.index('>')] if '>' in call else call for call in found if call]


def tool_call(call: list[str]) -> list[str] | None:
    """``[tool, argument, ...]`` of a command that runs one of ours, by ``m2ae``, a file or a launcher; else None."""
    if call[0] in ('srun', 'mpirun') and 'python' in call:
        call = call[call.index('python'):]
    if call[0] == 'm2ae':
        return call[1:]
    script = call[1:] if call[0] == 'python' else call
    if script[:1] == ['tools/dist_train.sh'] and len(script) > 2:
        return ['tools/train.py', script[1], '--launcher', 'pytorch', *script[3:]]
    return script if script and re.fullmatch(r'tools/[\w/]+\.py', script[0]) else None


@functools.cache
def registered(kind: str) -> list[type]:
    """The classes that registries of mmdet3d, and those above them, have under a name."""
    registries = [getattr(mmdet3d.registry, name) for name in (
        'MODELS', 'DATASETS', 'DATA_SAMPLERS', 'TRANSFORMS', 'HOOKS', 'METRICS', 'OPTIM_WRAPPERS', 'OPTIMIZERS',
        'OPTIM_WRAPPER_CONSTRUCTORS', 'PARAM_SCHEDULERS', 'LOOPS', 'VISUALIZERS', 'LOG_PROCESSORS', 'TASK_UTILS')]
    return [found for registry in registries if (found := registry.get(kind))]
