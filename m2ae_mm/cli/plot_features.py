"""What ``m2ae plot`` draws of features: t-SNE maps, and shapes beside those most like them."""
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from .options import load_config

# Queries of the neighbours' picture, and shapes found for each.
QUERIES, NEIGHBOURS = 10, 5


class Features(NamedTuple):
    """Labelled shapes of a linear-probe config.

    Attributes:
        values: ``(M, C)`` float32.
        labels: ``(M,)``.
        splits: ``(M,)`` ``'train'`` or ``'test'``.
        clouds: M arrays ``(N, 3)``, as the encoder got them.
        names: Of the classes, if known.
    """
    values: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    clouds: list[np.ndarray]
    names: tuple[str, ...]


def probe_config(args, checkpoints: Sequence[str], splits: str | list[str]):
    """The config of the command line for these checkpoints, with the splits to read."""
    named = [name for name in checkpoints if not Path(name).is_file() and name != 'random']
    args.pretrained = args.pretrained or next(iter(named), None)
    config = load_config(args)
    from mmengine.registry import init_default_scope
    init_default_scope('mmdet3d')
    config.test_dataloader.dataset.split = splits
    config.model.backbone.init_cfg = None
    return config


def extract(config, checkpoint: str) -> Features:
    """Features of the labelled shapes of the test loader.

    Raises:
        UserError: If no shape has a label.
    """
    import torch
    from mmengine.runner import Runner

    from m2ae_mm.checkpoint import load_for_test
    from m2ae_mm.models.layers.initialization import init_quietly
    from mmdet3d.registry import MODELS
    model = MODELS.build(config.model)
    init_quietly(model) if checkpoint == 'random' else load_for_test(model, checkpoint)
    model.eval()
    features, samples, clouds = [], [], []
    loader = Runner.build_dataloader(config.test_dataloader)
    with torch.no_grad():
        for batch in loader:
            batch = model.data_preprocessor(batch, False)
            features.append(model(**batch, mode='tensor').float().cpu().numpy())
            samples += batch['data_samples']
            clouds += [points[:, :3].cpu().numpy() for points in batch['inputs']['points']]
    labels = np.array([int(sample.get('gt_label', -1)) for sample in samples])
    kept = np.flatnonzero(labels >= 0)
    if not len(kept):
        raise UserError(f'none of the {len(labels)} shapes has a label to show.')
    return Features(np.concatenate(features)[kept], labels[kept],
                    np.array([sample.get('split', 'test') for sample in samples])[kept], [clouds[i] for i in kept],
                    tuple(loader.dataset.metainfo.get('classes') or ()))


def read_names(path: str | None, key: str | None, count: int, known: Sequence[str] = ()) -> list[str]:
    """Class names of at least ``count`` labels: from a JSON file if there is one, else the known ones, else numbers."""
    if path is None:
        return [known[i] if i < len(known) else str(i) for i in range(count)]
    from m2ae_mm.files import read_json
    names = read_json(path, (list, dict), 'Give a list of names, or a dictionary of such lists with --key.')
    if isinstance(names, dict):
        if key not in names:
            raise UserError(f'--names {path} has {", ".join(names)}; give one of them as --key, got {key!r}.')
        names = names[key]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f'--names {path} must give a list of texts, got {str(names)[:60]!r}.')
    if len(names) < count:
        raise UserError(f'--names {path} has {len(names)} names, the labels go up to {count - 1}.')
    return names


def draw_map(args, checkpoints: dict[str, str]) -> Path:
    """t-SNE maps of the test shapes, one for each checkpoint (title -> checkpoint)."""
    from m2ae_mm.visualization import feature_map
    config = probe_config(args, list(checkpoints.values()), 'test')
    found = {title: extract(config, checkpoint) for title, checkpoint in checkpoints.items()}
    first = next(iter(found.values()))
    names = read_names(args.names, args.key, first.labels.max() + 1, first.names)
    return feature_map({title: each.values for title, each in found.items()}, first.labels, names, args.out)


def draw_neighbours(args) -> str:
    """Picture and page of test shapes with the training shapes most like them; says how often these have the class."""
    from m2ae_mm.evaluation.retrieval import nearest_neighbours, share_of_class
    from m2ae_mm.visualization.neighbours import Found, write_neighbours
    found = extract(probe_config(args, [args.checkpoint], ['train', 'test']), args.checkpoint)
    names = read_names(args.names, args.key, found.labels.max() + 1, found.names)
    searched, queries = (np.flatnonzero(found.splits == split) for split in ('train', 'test'))
    if not len(searched) or not len(queries):
        raise UserError(f'training shapes are searched for those like test shapes; the data have {len(searched)} '
                        f'training and {len(queries)} test shapes with a label.')
    near = nearest_neighbours(found.values[searched], found.values[queries], NEIGHBOURS)
    labels = found.labels[searched], found.labels[queries]
    rows = []
    for i in spread_over_classes(labels[1], QUERIES, args.seed):
        shown = [queries[i], *searched[near[i]]]
        rows.append(Found([found.clouds[k] for k in shown], [names[found.labels[k]] for k in shown]))
    told = (f'Of {len(queries)} test shapes, the most similar training shape has the same class for '
            f'{share_of_class(*labels, near[:, :1]):.1f} %; so have {share_of_class(*labels, near):.1f} % of the '
            f'{NEIGHBOURS} most similar ones.')
    paths = write_neighbours(args.out, rows, f'Shapes alike by the features of {args.checkpoint}', told)
    return '\n'.join([told, *map(str, paths)])


def spread_over_classes(labels: np.ndarray, count: int, seed: int) -> list[int]:
    """Positions of up to ``count`` shapes drawn at random, of as many classes as there are, in the order of labels."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    turn = np.zeros(len(labels), int)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        turn[members] = np.arange(len(members))
    chosen = order[np.argsort(turn[order], kind='stable')][:count]
    return sorted(chosen.tolist(), key=lambda i: (labels[i], i))
