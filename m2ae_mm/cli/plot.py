"""Draw learning curves, folds of few-shot classification, t-SNE maps of features, or shapes beside similar ones."""
import argparse
import contextlib
import json
import sys
from pathlib import Path

from ..errors import UserError
from .options import base_parser


def parse_args(arguments: list[str] | None = None):
    arguments = sys.argv[1:] if arguments is None else arguments
    what = arguments[0] if arguments and arguments[0] in ('tsne', 'neighbours') else None
    if what == 'tsne':
        parser = base_parser('A t-SNE map of the test shapes of a linear-probe config, for one or more checkpoints. Of '
                             'many classes, the 15 with the most shapes are shown.')
        parser.add_argument('checkpoints', nargs='+', metavar='TITLE=CHECKPOINT',
                            help="files, names of weights that come with the package, or 'random'")
    elif what == 'neighbours':
        parser = base_parser('Ten test shapes of a linear-probe config, each with the five training shapes whose '
                             'features are most like its own: a picture, and beside it a page (.html).')
        parser.add_argument('checkpoint', help="file, name of weights that come with the package, or 'random'")
        parser.add_argument('--seed', type=int, default=0, help='of the choice of the ten (default: %(default)s)')
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument('what', choices=['curves', 'folds', 'tsne', 'neighbours'],
                            help='"plot.py tsne --help" lists the options of tsne, and so on')
        parser.add_argument('runs', nargs='+', metavar='TITLE=WORK_DIR', help='trainings, or few-shot runs, to draw')
        parser.add_argument('--metric', help='of curves: key in the log, e.g. loss or linear_probe/accuracy')
    if what:
        parser.add_argument('--names', help='JSON file with the class names in the order of the labels: a list, or a '
                            'dictionary of lists of which --key is taken')
        parser.add_argument('--key', help='of --names')
    parser.add_argument('--out', type=Path, required=True, help='picture to write, .png or .svg'
                        if what != 'neighbours' else 'picture to write, .png')
    args = parser.parse_args(arguments[1:] if what else arguments)
    if not what and (args.what == 'curves') != bool(args.metric):
        parser.error('curves need --metric, folds have none.')
    return args


def pairs(texts: list[str]) -> dict[str, str]:
    """TITLE=VALUE texts as a dictionary."""
    wrong = [text for text in texts if '=' not in text]
    if wrong:
        raise UserError(f'expected TITLE=VALUE, got {wrong[0]!r}.')
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
        raise UserError(f'the logs in {folder!r} have no {metric!r}; they have {", ".join(known)}.')
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


def main(args) -> None:
    formats = ('.png', ) if 'checkpoint' in args else ('.png', '.svg', '.pdf')
    if args.out.suffix.lower() not in formats:
        raise UserError(f'--out must end in {" or ".join(formats)}, got {str(args.out)!r}.')
    if 'checkpoint' in args:
        from .plot_features import draw_neighbours
        print(draw_neighbours(args))
    elif 'checkpoints' in args:
        from .plot_features import draw_map
        print(draw_map(args, pairs(args.checkpoints)))
    elif args.what == 'folds':
        from m2ae_mm.visualization import folds_chart

        from .fewshot import read_folds
        tables = {title: Path(folder, 'folds.json') for title, folder in pairs(args.runs).items()}
        for table in tables.values():
            if not table.is_file():
                raise UserError(f'there is no {str(table)!r}; give work folders of tools/fewshot.py.')
        print(folds_chart({title: read_folds(table) for title, table in tables.items()}, args.out))
    else:
        from m2ae_mm.visualization import learning_curves
        print(learning_curves({title: read_curve(folder, args.metric) for title, folder in pairs(args.runs).items()},
                              args.metric, args.out))
