"""What a checkpoint tells about its training beside the weights."""
import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .shipped import FOLDER, describe

# Parts of a model's config that change what the weights compute, and entries in them that matter in training only.
_PARTS = ('backbone', 'neck', 'head', 'bbox_head', 'rpn_head')
_OF_TRAINING = ('init_cfg', 'train_cfg', 'test_cfg', 'drop_path_rate', 'drop_rate', 'dropout', 'mlp_dropout', 'frozen',
                'label_smoothing')


def trained_classes(content: Mapping, path: Path) -> tuple[str, ...]:
    """Names of the classes in the order of their labels; none if the checkpoint does not say."""
    if path.parent == FOLDER:
        return tuple(describe(path.stem).get('classes', ()))
    meta = content.get('meta')
    dataset = meta.get('dataset_meta') if isinstance(meta, Mapping) else None
    classes = dataset.get('classes') if isinstance(dataset, Mapping) else None
    return tuple(map(str, classes)) if isinstance(classes, (list, tuple)) else ()


def other_settings(model: Mapping, content: Mapping, path: Path) -> list[str]:
    """Settings that do not show in the weights and differ between a config's model and the one that was trained.

    Args:
        model: ``config.model``.
        content: Of the checkpoint, as mmengine or we write it.
        path: The checkpoint.

    Returns:
        One entry for each; none if the checkpoint does not say what it was trained with.
    """
    trained = describe(path.stem)['model'] if path.parent == FOLDER else stored_config(content).get('model')
    if not isinstance(trained, dict):
        return []
    return [entry for part in _PARTS if part in trained and part in model
            for entry in _differences(model[part], trained[part], f'model.{part}')]


def stored_config(content: Mapping) -> dict[str, Any]:
    """The config that a checkpoint was trained with; empty if it does not say.

    mmengine stores it as the text of a Python file, which is read and not
    run: values are literals and ``dict(...)``, and None where they are more.
    """
    meta = content.get('meta')
    text = meta.get('cfg') if isinstance(meta, Mapping) else None
    try:
        lines = ast.parse(text).body if isinstance(text, str) else []
        return {line.targets[0].id: _value(line.value) for line in lines
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):  # whatever damage makes the parser say
        return {}


def _value(node: ast.expr) -> Any:
    """What an expression of literals and ``dict(...)`` stands for; None for all others."""
    if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict':
        return {keyword.arg: _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(each) for each in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _differences(own: Any, trained: Any, place: str) -> Iterator[str]:
    if isinstance(own, Mapping) and isinstance(trained, Mapping):
        for key in own:
            if key in trained and key not in _OF_TRAINING and 'loss' not in key:
                yield from _differences(own[key], trained[key], f'{place}.{key}')
    elif _lists(own) != trained:
        yield f'{place}={own!r}, in training {trained!r}'


def _lists(value: Any) -> Any:
    """``value`` with lists in place of tuples, at any depth."""
    if isinstance(value, Mapping):
        return {key: _lists(each) for key, each in value.items()}
    return [_lists(each) for each in value] if isinstance(value, (list, tuple)) else value
