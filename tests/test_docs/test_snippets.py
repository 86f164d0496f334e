"""Python in README and docs: what it names exists, and what takes seconds is run."""
import importlib
import re
from types import ModuleType

import pytest
import torch
from ends import tool
from mmengine.config import Config
from pages import NAMES, blocks, inline, registered

_DOTTED = re.compile(r'\bm2ae_mm(?:\.[A-Za-z_]\w*)+')
_REGISTERED = re.compile(r"\b(?:M2AE|PointM2AE|ThreeDETR|VDETR)[A-Z]\w*|\bPointM2AE\b|\bThreeDETR\b")


def resolved(name: str) -> object:
    """The module or the object of a dotted name."""
    found, *rest = importlib.import_module('m2ae_mm'), *name.split('.')[1:]
    for part in rest:
        if not hasattr(found, part) and isinstance(found, ModuleType):
            importlib.import_module(f'{found.__name__}.{part}')
        found = getattr(found, part)
    return found


@pytest.mark.parametrize('name', [name for name in NAMES if name != 'CHANGELOG.md'])
def test_what_pages_name_exists(name):
    words = [*blocks(name, 'python'), *inline(name)]
    for dotted in {found for each in words for found in _DOTTED.findall(each)}:
        assert resolved(dotted) is not None
    for kind in {found for each in words for found in _REGISTERED.findall(each)}:
        assert registered(kind) or any(hasattr(resolved(f'm2ae_mm.{part}'), kind) for part in (
            'inference', 'datasets', 'models', 'engine', 'errors')), kind
    for block in blocks(name, 'python'):
        compile(block, name, 'exec')


def test_the_snippet_of_the_readme_is_the_one_of_the_docs(tmp_path):
    models = []
    for page in ('README.md', 'docs/plug_in.md'):
        (tmp_path / 'config.py').write_text(blocks(page, 'python')[0])
        models.append(Config.fromfile(tmp_path / 'config.py').model.to_dict())
    assert 'init_cfg' in models[1]['backbone'] and models[0] == {
        **models[1], 'backbone': {key: value for key, value in models[1]['backbone'].items() if key != 'init_cfg'}}


def test_snippets_run(tmp_path, monkeypatch):
    """Those of Get started, Predict and the FAQ, in a folder as they suppose it."""
    monkeypatch.chdir(tmp_path)
    tool('rooms', '--out', 'rooms', '--train', 0, '--val', 1, '--points', 6000)()
    tool('rooms', '--out', 'made', '--train', 0, '--val', 1, '--points', 6000, '--labels', 'csv')()
    next((tmp_path / 'made/scans').iterdir()).rename('flat.ply')
    (tmp_path / 'work_dirs/mine').mkdir(parents=True)
    torch.save(dict(state_dict={'a.weight': torch.ones(1000)}, optimizer=dict(state=torch.ones(9000))),
               'work_dirs/mine/epoch_36.pth')
    names: dict = {}
    for page in ('docs/get_started.md', 'docs/predict.md', 'docs/faq.md'):
        for block in blocks(page, 'python'):
            exec(compile(block, page, 'exec'), names)
    assert names['features'].shape == (8, 256) and len(names['tokens']) == 3
    boxes, scores, classes = (names['found'][part] for part in ('boxes', 'scores', 'classes'))
    assert len(boxes) == len(scores) == len(classes) > 0 and boxes.shape[1] == 7 and min(scores) >= 0.4
    assert names['counter'].get_total_flops() > 1e8
    assert set(torch.load('mine.pth')) == {'state_dict'}
