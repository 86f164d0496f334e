"""What a checkpoint tells about its training beside the weights."""
import ast
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmdet3d.registry import MODELS

from .shipped import FOLDER, describe

# Entries of a model's config that are no parts with weights, and entries of parts that matter in training only.
_NO_PARTS = ('data_preprocessor', 'train_cfg', 'test_cfg', 'init_cfg')
_OF_TRAINING = ('init_cfg', 'train_cfg', 'test_cfg', 'drop_path_rate', 'drop_rate', 'dropout', 'mlp_dropout',
                'dropout_ratio', 'frozen', 'label_smoothing', 'ignore_index', 'lora')
_ABSENT = object()


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

    What one of both leaves out has the default of its class.

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
    parts = [name for name, part in model.items() if name in trained and name not in _NO_PARTS
             and isinstance(part, Mapping)]
    return [entry for part in parts for entry in _differences(model[part], trained[part], f'model.{part}')]


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
    if not isinstance(own, Mapping) or not isinstance(trained, Mapping):
        if _lists(own) != _lists(trained):
            yield f'{place}={own!r}, in training {trained!r}'
        return
    kinds = [_class_name(each) for each in (own, trained)]
    if kinds[0] != kinds[1]:
        yield f'{place}.type={kinds[0]!r}, in training {kinds[1]!r}'
    defaults = _defaults(own.get('type')) if kinds[0] == kinds[1] else {}
    for key in {**own, **trained}:
        if isinstance(key, str) and key != 'type' and key not in _OF_TRAINING and 'loss' not in key:
            values = [each.get(key, defaults.get(key, _ABSENT)) for each in (own, trained)]
            if all(value is not _ABSENT for value in values):
                yield from _differences(*values, f'{place}.{key}')


def _class_name(part: Mapping) -> str:
    """Of the class of a part, given by name or as a class, without scope and module."""
    kind = part.get('type')
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def _defaults(kind: Any) -> dict[str, Any]:
    """Of the options of a registered class, those of its bases included."""
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    bases = reversed(kind.__mro__) if isinstance(kind, type) else ()
    return {option.name: option.default for base in bases
            for option in inspect.signature(base.__init__).parameters.values() if option.default is not option.empty}


def _lists(value: Any) -> Any:
    """``value`` with lists in place of tuples, at any depth."""
    if isinstance(value, Mapping):
        return {key: _lists(each) for key, each in value.items()}
    return [_lists(each) for each in value] if isinstance(value, (list, tuple)) else value
