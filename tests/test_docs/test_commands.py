"""Every command of README and docs, as far as it can be tried without running it."""
import argparse
import contextlib
import copy
import functools
import importlib
import importlib.util
import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from pages import NAMES, ROOT, blocks, calls, inline, registered, split, text, tool_call

from m2ae_mm.checkpoint.shipped import shipped_names
from m2ae_mm.cli import COMMANDS, options

# The modules of m2ae_mm.cli behind the tools whose names differ.
_MODULES = dict(convert_checkpoint='convert', create_data='data', create_rooms='rooms')
# First words of commands that are the system's; what follows `make` and `pip install` is looked at.
_OF_THE_SYSTEM = ('python3', 'source', 'ls', 'grep', 'cp', 'pre-commit')
# Pages with options of other programs; None: any.
_FOREIGN = {'docs/coming_from.md': None, 'docs/faq.md': {'--samples'}}


class Stopped(Exception):
    """The parser of a tool of which only the parser is tried."""


def placeholder(word: str) -> bool:
    """CONFIG, PRETRAINED.pth and the like."""
    return bool(re.fullmatch(r'[A-Z_]+(\.\w+)?', word)) or '...' in word


def parsed(call: list[str], monkeypatch) -> argparse.Namespace | None:
    """The arguments of a call as its tool reads them; None if it only shows something.

    Raises:
        AssertionError: If there is no such tool, or it does not take them.
    """
    name, arguments = call[0], call[1:]
    if name.startswith('tools/'):
        path = ROOT / name
        assert path.is_file(), call
        name = _MODULES.get(path.stem, path.stem)
        if 'dev' in path.parts:
            return _parsed_by_file(path, arguments, monkeypatch)
    elif name in ('-h', '--help'):
        return None
    else:
        assert name in COMMANDS, call
    module = importlib.import_module(f'm2ae_mm.cli.{name}')
    try:
        return module.parse_args(arguments)
    except SystemExit as stop:
        assert not stop.code, call
    return None


def _parsed_by_file(path: Path, arguments: list[str], monkeypatch) -> None:
    """Up to the parser: these tools have it in the file that also does the work."""
    parse = argparse.ArgumentParser.parse_args

    def stop(parser, args=None, namespace=None):
        parse(parser, args, namespace)
        raise Stopped

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', stop)
    monkeypatch.setattr('sys.argv', [str(path), *arguments])
    module = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(module)
    try:
        module.loader.exec_module(loaded)
        getattr(loaded, 'main', getattr(loaded, 'parse_args', None))()
    except Stopped:
        pass
    except SystemExit as end:
        assert not end.code, (path, arguments)
    monkeypatch.undo()


def own_configs(name: str, folder: Path) -> None:
    """Write the configs that a page shows with a file name in their first line."""
    for block in blocks(name, 'python'):
        if found := re.match(r'# (\w+\.py)\b', block):
            (folder / found[1]).write_text(block)


def checked_config(args, monkeypatch) -> Config | None:
    """The config of a call with all of its options, whose keys somebody reads; None for a placeholder."""
    if not hasattr(args, 'config') or placeholder(args.config):
        return None
    monkeypatch.setattr(Config, 'fromfile', staticmethod(config_file))
    monkeypatch.setattr(options, 'set_data', lambda config, folder: None)  # that there are such data
    monkeypatch.setattr(options, 'keep_tracebacks_in', lambda folder: None)
    config = options.load_config(args)
    # Before --cfg-options, which add what nobody reads, too.
    plain = options.load_config(argparse.Namespace(**{**vars(args), 'cfg_options': []}))
    for option in args.cfg_options:
        key = option.partition('=')[0]
        assert is_read(plain, key), f'{args.config} does not know {key}'
    return config


def is_read(config: Config, key: str) -> bool:
    """Whether a config, or the class that one of its parts is of, has an entry of this name."""
    *path, last = key.split('.')
    part = config.to_dict()
    for i, name in enumerate([*path, last]):
        if isinstance(part, (list, tuple)):
            if not name.isdigit() or int(name) >= len(part):
                return False
            part = part[int(name)]
        elif isinstance(part, dict) and name in part:
            part = part[name]
        elif i == 0:
            return name in options.RUNNER_KEYS or name in inspect.signature(Runner.__init__).parameters
        else:
            return isinstance(part, dict) and name in parameters_of(part.get('type'), 'paramwise_cfg' in path)
    return True


@pytest.mark.parametrize('key, known', [
    ('model.backbone.depths', True), ('model.backbone.drop_path_rate', True), ('randomness.seed', True),
    ('param_scheduler.0.begin', True), ('optim_wrapper.paramwise_cfg.norm_decay_mult', True),
    ('model.vote', False), ('model.backbone.depth', False), ('modell.backbone', False),
    ('param_scheduler.9.begin', False), ('param_scheduler.begin', False),
    ('optim_wrapper.paramwise_cfg.norm_decay', False),
    ('train_dataloader.dataset.data_rot', False),
])
def test_what_nobody_reads_is_not_read(key, known):
    assert is_read(config_file(ROOT / 'configs/m2ae/scannet_pretrain.py'), key) == known


@functools.cache
def parameters_of(kind: str | None, of_parameters: bool = False) -> set[str]:
    """Names that the constructor of a registered class and those of its bases take."""
    if of_parameters:
        return set(re.findall(r"paramwise_cfg\.get\('(\w+)'", _source()))
    return {name for each in (registered(kind) if kind else []) if inspect.isclass(each) for base in each.__mro__
            for name in inspect.signature(base.__init__).parameters}


@functools.cache
def _source() -> str:
    """Of the package and its tools."""
    files = [*(ROOT / 'm2ae_mm').rglob('*.py'), *(ROOT / 'tools').rglob('*.py')]
    return '\n'.join(path.read_text() for path in files if '.mim' not in path.parts)


@functools.cache
def all_options() -> set[str]:
    """Options of all tools, as their help shows them, and as those in tools/dev are written."""
    texts = [path.read_text() for path in (ROOT / 'tools/dev').glob('*.py')]
    todo = [(path.stem, []) for path in (ROOT / 'm2ae_mm/cli').glob('*.py') if 'def parse_args' in path.read_text()]
    while todo:
        module, words = todo.pop()
        with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
            importlib.import_module(f'm2ae_mm.cli.{module}').parse_args([*words, '--help'])
        texts.append(shown.getvalue())
        inner = None if words else re.search(r'^  \{([\w,-]+)\}', texts[-1], re.MULTILINE)
        todo += [(module, [name]) for name in (inner[1].split(',') if inner else [])]
    return {option for each in texts for option in re.findall(r'--[a-z][\w-]*', each)}


_fromfile = Config.fromfile
_read = functools.cache(lambda file: _fromfile(file))


def config_file(file) -> Config:
    """A config by its path, each read once."""
    return copy.deepcopy(_read(str(Path(file).resolve())))


def configs_of(stem: str = '*') -> Iterator[Config]:
    """Those with a name, or all, detectors first."""
    folders = [ROOT / folder for folder in ('configs/3detr', 'configs/vdetr', 'configs', 'projects')]
    paths = dict.fromkeys(path.resolve() for folder in folders for path in sorted(folder.rglob(f'{stem}.py')))
    return (_read(str(path)) for path in paths if '_base_' not in path.parts)


@pytest.mark.parametrize('name', [name for name in NAMES if calls(name)])
def test_commands_of_blocks(name, monkeypatch, tmp_path):
    """Tools, options, configs and keys exist, and so do make targets and extras."""
    own_configs(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    targets = re.search(r'^\.PHONY: (.*)$', (ROOT / 'Makefile').read_text(), re.MULTILINE)[1].split()
    extras = re.findall(r'^(\w+) = \[', text('pyproject.toml').split('optional-dependencies]')[1], re.MULTILINE)
    trained: dict[str, set[int]] = {}
    for call in calls(name):
        tool = tool_call(call)
        if tool:
            with monkeypatch.context() as patch:
                args = parsed(tool, patch)
                config = args and checked_config(args, patch)
            if config and 'train' in tool[0] and 'max_epochs' in (config.get('train_cfg') or {}):
                trained.setdefault(Path(config.work_dir).name, set()).add(config.train_cfg.max_epochs)
        elif call[0] == 'make':
            assert all(word in targets for word in call[1:] if '=' not in word), call
        elif call[:2] == ['pip', 'install']:
            found = [extra for word in call for group in re.findall(r'\[(.*)\]', word) for extra in group.split(',')]
            assert all(extra in extras for extra in found), call
        elif call[:3] == ['python', '-m', 'pytest']:
            assert all((ROOT / word).exists() for word in call[3:] if not word.startswith('-')), call
        else:
            assert call[0] in _OF_THE_SYSTEM, f'no test knows {call}'
    check_epochs(name, trained)


# Configs that the pages write.
_OWN_CONFIGS = {'mine', 'mine_seg'}


def check_epochs(name: str, trained: dict[str, set[int]]) -> None:
    """Checkpoints are those that the trainings of the page, else the configs of that name, write at their end."""
    for folder, epoch in re.findall(r'work_dirs/([\w-]+)/epoch_(\d+)\.pth', text(name)):
        ends = trained.get(folder) or {config.train_cfg.max_epochs for config in configs_of(folder)
                                       if config.get('train_cfg')}
        assert ends or folder in _OWN_CONFIGS, f'no config writes work_dirs/{folder}'
        assert not ends or int(epoch) in ends or f'--epochs {epoch}' in text(name), \
            f'work_dirs/{folder} has epochs up to {ends}, not {epoch}'


@pytest.mark.parametrize('name', [name for name in NAMES if inline(name)])
def test_commands_in_the_text(name, monkeypatch):
    """Whole commands as those of blocks; options and keys that stand alone are some tool's and some config's."""
    foreign = _FOREIGN.get(name, set())
    for words in inline(name):
        tool = tool_call(split(words)[0]) if re.match(r'(python |m2ae |tools/)', words) and '$' not in words else None
        tool = None if tool and tool[0] == 'COMMAND' else tool
        if tool and '...' not in words:
            # Without options and files it is the name of a tool, or of one and what it shall do.
            whole = tool if re.search(r'--|[A-Z./]', ' '.join(tool[1:])) else [*tool, '--help']
            if tool[0].startswith('tools/dev/') and not tool[1:]:
                continue  # test_pages has it
            with monkeypatch.context() as patch:
                args = parsed(whole, patch)
                _ = args and checked_config(args, patch)
        elif foreign is not None and words.startswith('--'):
            assert set(re.findall(r'(?<!\S)--[a-z][\w-]*', words)) <= all_options() | foreign, words
        for key in re.findall(r'(?<![\w.("])((?:[a-z]\w*\.)(?:\w+\.)*\w+)=(?!=)', words):
            assert any(is_read(config, key) for config in configs_of()), f'no config has {key}'


def test_weights_that_are_named_come_along():
    """Names in README and on the page of weights; an option of that name elsewhere is tried with its command."""
    pages = text('README.md') + text('docs/weights.md')
    found = set(re.findall(r'--pretrained (\w+)', pages))
    assert found - {'NAME'} <= set(shipped_names())
