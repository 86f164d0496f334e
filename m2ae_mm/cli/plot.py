"""Draw learning curves of trainings, or a t-SNE map of the features of an encoder."""
import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from .options import base_parser, load_config


def parse_args(arguments: list[str] | None = None):
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ['tsne']:
        parser = base_parser('A t-SNE map of the test shapes of a linear-probe config, for one or more checkpoints.')
        parser.add_argument('checkpoints', nargs='+', metavar='TITLE=CHECKPOINT',
                            help="files, names of weights that come with the package, or 'random'")
        parser.add_argument('--names', help='JSON file with the class names in the order of the labels: a list, or a '
                            'dictionary of lists of which --key is taken')
        parser.add_argument('--key', help='of --names')
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument('what', choices=['curves', 'tsne'], help='"plot.py tsne --help" tells the options of tsne')
        parser.add_argument('runs', nargs='+', metavar='TITLE=WORK_DIR', help='trainings to draw')
        parser.add_argument('--metric', required=True, help='key in the log, e.g. loss or linear_probe/accuracy')
    parser.add_argument('--out', type=Path, required=True, help='picture to write, .png or .svg')
    return parser.parse_args(arguments[1:] if arguments[:1] == ['tsne'] else arguments)


def pairs(texts: list[str]) -> dict[str, str]:
    """TITLE=VALUE texts as a dictionary."""
    wrong = [text for text in texts if '=' not in text]
    if wrong:
        raise ValueError(f'expected TITLE=VALUE, got {wrong[0]!r}.')
    return dict(text.split('=', 1) for text in texts)


def read_curve(folder: str, metric: str) -> list[tuple[float, float]]:
    """(epoch, mean value) of a metric from the logs of a training, continued ones included."""
    logs = sorted(Path(folder).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'{folder!r} holds no log of a training (*/vis_data/scalars.json).')
    records = [record for log in logs for record in read_records(log)]
    values: dict[float, list[float]] = {}
    for record in records:
        if isinstance(record.get(metric), (int, float)) and isinstance(record.get('epoch', record.get('step')), int):
            # Training records count iterations in "step" and name their epoch; evaluations only have a step: the epoch.
            values.setdefault(record['epoch'] if 'epoch' in record else record['step'], []).append(record[metric])
    if not values:
        known = sorted({key for record in records for key in record})
        raise ValueError(f'the logs in {folder!r} have no {metric!r}; they have {", ".join(known)}.')
    return [(epoch, sum(found) / len(found)) for epoch, found in values.items()]


def read_records(log: Path) -> list[dict]:
    """The lines of a log; those that a stopped process left half-written are counted and left out."""
    records, lines = [], log.read_text(encoding='utf-8', errors='replace').splitlines()
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line)
            records += [record] if isinstance(record, dict) else []
    if len(records) < len(lines):
        print(f'{log}: {len(lines) - len(records)} of {len(lines)} lines are damaged and left out.', file=sys.stderr)
    return records


def extract(config, checkpoint: str):
    """Features (M, C) and labels (M,) of the labelled test shapes, and the names of the classes if known."""
    import numpy as np
    import torch
    from mmengine.runner import Runner

    from m2ae_mm.checkpoint import load_for_test
    from mmdet3d.registry import MODELS
    model = MODELS.build(config.model)
    model.init_weights() if checkpoint == 'random' else load_for_test(model, checkpoint)
    model.eval()
    features, labels = [], []
    loader = Runner.build_dataloader(config.test_dataloader)
    with torch.no_grad():
        for batch in loader:
            batch = model.data_preprocessor(batch, False)
            features.append(model(**batch, mode='tensor').float().cpu().numpy())
            labels += [int(sample.get('gt_label', -1)) for sample in batch['data_samples']]
    labelled = np.array(labels) >= 0
    if not labelled.any():
        raise ValueError(f'none of the {len(labels)} test shapes has a label to colour the map by.')
    names = tuple(loader.dataset.metainfo.get('classes') or ())
    return np.concatenate(features)[labelled], np.array(labels)[labelled], names


def read_names(path: str | None, key: str | None, count: int, known: Sequence[str] = ()) -> list[str]:
    """Class names of at least ``count`` labels: from a JSON file if there is one, else the known ones, else numbers."""
    if path is None:
        return [known[i] if i < len(known) else str(i) for i in range(count)]
    from m2ae_mm.files import read_json
    names = read_json(path, (list, dict), 'Give a list of names, or a dictionary of such lists with --key.')
    if isinstance(names, dict):
        if key not in names:
            raise ValueError(f'--names {path} has {", ".join(names)}; give one of them as --key, got {key!r}.')
        names = names[key]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f'--names {path} must give a list of texts, got {str(names)[:60]!r}.')
    if len(names) < count:
        raise ValueError(f'--names {path} has {len(names)} names, the labels go up to {count - 1}.')
    return names


def draw_map(args) -> Path:
    checkpoints = pairs(args.checkpoints)
    named = [name for name in checkpoints.values() if not Path(name).is_file() and name != 'random']
    args.pretrained = args.pretrained or next(iter(named), None)
    config = load_config(args)

    from mmengine.registry import init_default_scope

    from m2ae_mm.visualization import feature_map
    init_default_scope('mmdet3d')
    config.test_dataloader.dataset.split = 'test'
    config.model.backbone.init_cfg = None
    found = {title: extract(config, checkpoint) for title, checkpoint in checkpoints.items()}
    _, labels, known = next(iter(found.values()))
    names = read_names(args.names, args.key, labels.max() + 1, known)
    return feature_map({title: features for title, (features, *_) in found.items()}, labels, names, args.out)


def main(args) -> None:
    if args.out.suffix.lower() not in ('.png', '.svg', '.pdf'):
        raise ValueError(f'--out must end in .png, .svg or .pdf, got {str(args.out)!r}.')
    if 'checkpoints' in args:
        path = draw_map(args)
    else:
        from m2ae_mm.visualization import learning_curves
        path = learning_curves({title: read_curve(folder, args.metric) for title, folder in pairs(args.runs).items()},
                               args.metric, args.out)
    print(path)
